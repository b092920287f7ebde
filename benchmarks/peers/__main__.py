"""Beam beside other open packages, on one clip: `python -m benchmarks.peers [CLIP]` writes benchmarks/peers.md.

Each peer is installed from PyPI into an environment of its own, in a temporary folder, and runs in a process of its
own, with what it ships: nothing is loaded from a hub. All take turns. vitallens reads videos by the commands ffmpeg and
ffprobe, which must be on the PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.material import BATCH, CLIP, clip_frames
from benchmarks.peers.page import DECODE, Cost, page
from benchmarks.service.client import Client
from benchmarks.service.started import REDIS, WEB, Service, cpu_s, memory_mb, processes, running_service

HERE = Path(__file__).parent
PAGE = HERE.parent / "peers.md"
ROUNDS = 3
WINDOW_MS = 11_000
_LONGEST_S = 600


@dataclass(frozen=True, slots=True)
class Peer:
    """What to install, what it calls by itself, and which of its methods run here."""

    package: str
    needs: tuple[str, ...]  # what it needs and does not ask for
    runner: str
    methods: tuple[str, ...]


PEERS = (
    Peer("vitallens==0.6.2", ("scipy", "psutil", "pillow"), "run_vitallens.py", ("pos", "chrom", "g")),
    Peer("open-rppg==0.1.1", ("setuptools<81",), "run_open_rppg.py", ("FacePhys.rlap", "ME-chunk.rlap")),
)


def main() -> None:
    """Install, measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=CLIP, help="a video of one face [%(default)s]")
    parser.add_argument("--rate", type=float, default=75.7, help="its true heart rate, bpm [%(default)s]")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--environments", type=Path, help="where to keep the peers' environments; else they are thrown away"
    )
    options = parser.parse_args()
    if not options.clip.is_file():
        sys.exit(f"{options.clip} is not there: give the path of a clip.")
    with tempfile.TemporaryDirectory(prefix="beam-peers-") as temporary:
        folder = options.environments or Path(temporary)
        runs = _runs(folder.absolute(), options.clip.absolute())
        frames = clip_frames(10**6, options.clip)
        costs: dict[str, list[Cost]] = {}
        with running_service() as service:
            for turn in range(options.rounds):
                for name, command in runs.items():
                    costs.setdefault(name, []).append(_run(command, len(frames), Path(temporary)))
                costs.setdefault("Beam, JPEG frames through HTTP", []).append(_through_http(service, frames, turn))
    middle = {name: _middle(found) for name, found in costs.items()}
    text = page(options.clip.name, len(frames), options.rate, options.rounds, [peer.package for peer in PEERS], middle)
    Console(width=118).print(text)
    PAGE.write_text(text)


def _runs(folder: Path, clip: Path) -> dict[str, list[str]]:
    """The command of each contestant. The peers are installed."""
    runs = {
        title: [sys.executable, str(HERE / "run_beam.py"), str(clip), way]
        for title, way in ((DECODE, "decode"), ("Beam, video file", "video"), ("Beam, JPEG frames", "frames"))
    }
    for peer in PEERS:
        name = peer.package.partition("==")[0]
        python = folder / name / "bin" / "python"
        if not python.exists():
            print(f"installing {peer.package}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, peer.package, *peer.needs], check=True)
        for method in peer.methods:
            runs[f"{name} {method}"] = [str(python), str(HERE / peer.runner), str(clip), method]
    return runs


def _run(command: list[str], n_frames: int, folder: Path) -> Cost:
    """One contestant's run, in a folder where it may leave things.

    A failure is reported and ends the run: a gap in the table would read as a win.
    """
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as in Beam's workers; it helps the others too
    env = os.environ | threads | {"PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    per_frame = 1000 / n_frames
    return Cost(
        found["cpu_s"] * per_frame,
        found["wall_s"] * per_frame,
        found["peak_mb"],
        found["child_mb"] if "vitallens" in command[1] else 0.0,
        found["load_s"],
        found["rate"],
    )


def _through_http(service: Service, frames: list[bytes], turn: int) -> Cost:
    """The clip, a second a request: CPU of workers and Redis, and memory of the larger worker."""
    cost = None
    for name in ("warm", "measured"):
        client = Client(service, f"{name}-{turn}", WINDOW_MS)
        used, began, rate = cpu_s(service, *WEB, *REDIS), time.perf_counter(), None
        for at in range(0, len(frames), BATCH):
            client.post(frames[at : at + BATCH])
            rate = client.answer["heart_rate"] or rate
        passed, used = time.perf_counter() - began, cpu_s(service, *WEB, *REDIS) - used
        client.close()
        resident = max(memory_mb(pid)[0] for pid, command in processes(service).items() if command == "gunicorn worker")
        per_frame = 1000 / len(frames)
        cost = Cost(used * per_frame, passed * per_frame, resident, 0.0, None, rate)
    assert cost
    return cost


def _middle(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    columns: Any = zip(*costs, strict=True)
    cpu, wall, peak, child, load, rate = map(_median, columns)
    return Cost(cpu or 0.0, wall or 0.0, peak or 0.0, child or 0.0, load, rate)


def _median(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


if __name__ == "__main__":
    main()
