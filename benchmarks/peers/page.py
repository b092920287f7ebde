"""The page benchmarks/peers.md."""

from __future__ import annotations

import os
import platform
from typing import NamedTuple

SHARE = 0.5
DECODE = "bare decode of the file, for comparison"


class Cost(NamedTuple):
    """Of a frame in ms, of processes in 10^6 bytes, of loading in s of CPU; the heart rate found, None if none was."""

    cpu_ms: float
    wall_ms: float
    peak_mb: float
    child_mb: float
    load_s: float | None
    rate: float | None


def page(clip: str, n_frames: int, truth: float, rounds: int, packages: list[str], costs: dict[str, Cost]) -> str:
    """The whole text."""
    rows = [_row(name, cost, truth) for name, cost in costs.items()]
    decode = costs[DECODE].cpu_ms
    peers = {name: cost.cpu_ms for name, cost in costs.items() if name != DECODE and not name.startswith("Beam")}
    fastest = min(peers, key=lambda name: peers[name])
    compared = [(name, cost.cpu_ms / peers[fastest]) for name, cost in costs.items() if name.startswith("Beam")]
    own = costs["Beam, video file"].cpu_ms - decode
    compared.append(("Beam, video file, a bare decode taken off both", own / (peers[fastest] - decode)))
    ratios = [
        f"| {name} | {ratio:.2f} | ≤ {SHARE:g} | {'reached' if ratio <= SHARE else 'missed'} |"
        for name, ratio in compared
    ]
    return "\n".join(
        [
            "# Beside other packages",
            "",
            f"Written by `make bench-peers` (`python -m benchmarks.peers CLIP`). `{clip}`: {n_frames} frames; medians "
            f"of {rounds} runs that took turns on {os.cpu_count()} cores ({platform.machine()}, Python "
            f"{platform.python_version()}). Milliseconds are this machine's: read the ratios.",
            "",
            "CPU is that of all threads and children, for a frame, from the file (or the JPEGs) to the heart rate, the "
            "second time in a process that has loaded everything; loading is apart. `+` is the memory of the largest "
            "child. Through HTTP it is the CPU of workers and Redis, and the resident memory of the larger worker.",
            "",
            f"| | CPU ms a frame | wall ms a frame | peak MB | load, CPU s | heart rate, bpm (truth {truth:g}) |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"## CPU of a frame against the fastest of them, {fastest}",
            "",
            "| | ratio | reach | |",
            "|---|---|---|---|",
            *ratios,
            "",
            *_notes(packages),
            "",
        ]
    )


def _row(name: str, cost: Cost, truth: float) -> str:
    rate = (
        ("" if name == DECODE else "none given") if cost.rate is None else f"{cost.rate:.1f} ({cost.rate - truth:+.1f})"
    )
    memory = f"{cost.peak_mb:.0f}" + (f" + {cost.child_mb:.0f}" if cost.child_mb else "")
    load = "" if cost.load_s is None else f"{cost.load_s:.1f}"
    return f"| {name} | {cost.cpu_ms:.2f} | {cost.wall_ms:.2f} | {memory} | {load} | {rate} |"


def _notes(packages: list[str]) -> list[str]:
    return [
        "## What was compared",
        "",
        f"* {', '.join(packages)}, from PyPI, with the newest of what they need; each in an environment of its own. "
        "open-rppg also needs `setuptools<81`, vitallens also scipy, psutil and pillow, which they don't ask for.",
        "* vitallens: its methods `pos`, `chrom` and `g`, which run on the machine; its own model runs on its makers' "
        "service and was not run. It reads videos by `ffmpeg`, a child process, whose cost is most of its own.",
        "* open-rppg: the default model and the one its figures are best with; the weights are in the package.",
        "* The video's decoding, by each in its own way, is in the figures of all but Beam's JPEG ways, whose clients "
        "have encoded the frames (quality 90); a finely compressed video costs more to decode than JPEGs do. "
        "Beam's answer holds all vitals, not the rate alone.",
        "* rPPG-Toolbox is not on PyPI and was not run here. Measured earlier, on `face-1.mp4` and a second clip: POS, "
        "CHROM, LGI, OMIT and GREEN 3.4 to 6 ms of CPU a frame, 230 MB, errors of 0.7 to 19 bpm. Those figures did "
        "not take turns with the ones above.",
    ]
