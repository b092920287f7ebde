"""python -m benchmarks.batch [CLIP...] [--copies 200]: what `beam batch` costs above decoding and measuring alone.

Without clips, three simulated faces are filmed for 30 s each, and linked to as many names as asked for; each name is
decoded and measured. Processor time is compared: time on the clock means something where nothing else runs, no more.
The bare time is that of a share of the clips, half of it before the batch and half after. The report is that of 200
rows with references, of 50 people in two columns of groups.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beam_api.cli.validation.references import Reference, References
from beam_api.cli.validation.report import render_report
from beam_api.cli.validation.table import COLUMNS, pack_pulse
from benchmarks.report import Figure, show
from rppg_core import FaceReader, measure_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
_SECONDS = 30
_RATES_BPM = (58.0, 72.0, 91.0)
_BARE_CLIPS = 12  # at either end of the batch


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--copies", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as made:
        clips = _named(options.clips or _filmed(Path(made)), options.copies, Path(folder))
        share = clips[:_BARE_CLIPS]
        before_cpu_s, before_s = _bare(share)
        out = f"{made}/results.csv"
        command = [sys.executable, "-m", "beam_api.cli", "batch", folder, "--jobs", str(options.jobs), "--out", out]
        batch_cpu_s, batch_s = _run([*command, "--seconds", str(_SECONDS)])
        after_cpu_s, after_s = _bare(share)
        with open(out, newline="", encoding="utf-8") as file:
            measured = sum(row["status"] == "measured" for row in csv.DictReader(file))
    bare_cpu_s, bare_s = (before_cpu_s + after_cpu_s) / (2 * len(share)), (before_s + after_s) / (2 * len(share))
    count = len(clips)
    show(
        f"beam batch, {count} clips, {options.jobs} processes",
        [
            Figure("clips measured", measured, at_least=count),
            Figure("bare decode and core, processor", bare_cpu_s, "s/clip"),
            Figure("beam batch, processor", batch_cpu_s / count, "s/clip"),
            Figure("… over bare", batch_cpu_s / count / bare_cpu_s, "times", at_most=2),
            Figure("beam batch on the clock", batch_s, "s"),
            Figure("… over bare divided by processes", batch_s * options.jobs / count / bare_s, "times"),
            Figure("report of 200 files", _report_s(), "s", at_most=5),
        ],
    )


def _filmed(folder: Path) -> list[Path]:
    """Faces whose rates differ, at a phone's frame rate and a small size: the smaller, the more the rest counts."""
    clips = []
    for rate_bpm in _RATES_BPM:
        clips.append(folder / f"{rate_bpm:.0f}.mp4")
        scene = Scene(heart_rate_bpm=rate_bpm, duration_s=_SECONDS, fps=30.0, frame_size=(480, 360), sway=0.01, seed=3)
        film(simulate_face(scene), clips[-1])
    return clips


def _named(clips: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """The clips in turns, under `count` names, each in `folder` once."""
    kept = [Path(shutil.copyfile(clip, folder / f"{number}.kept")) for number, clip in enumerate(clips)]
    names = [folder / f"{number:03}{clips[number % len(clips)].suffix}" for number in range(count)]
    for number, name in enumerate(names):
        name.hardlink_to(kept[number % len(kept)])
    return names


def _bare(clips: Sequence[Path]) -> tuple[float, float]:
    """Seconds of the processor, and on the clock, for the clips one after another with models that are loaded."""
    reader = FaceReader()
    measure_video(clips[0], seconds=_SECONDS, reader=reader)
    begun, cpu_s = time.perf_counter(), time.process_time()
    for clip in clips:
        measure_video(clip, seconds=_SECONDS, reader=reader)
    return time.process_time() - cpu_s, time.perf_counter() - begun


def _run(command: list[str]) -> tuple[float, float]:
    """The same of a command and its processes."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent_s, time.perf_counter() - begun


def _report_s() -> float:
    rng = np.random.default_rng(0)
    wave = pack_pulse(np.sin(np.arange(900) / 4), 30.0)
    rows, known = [], {}
    for number in range(200):
        truth = {"heart_rate_bpm": rng.uniform(50, 120), "rmssd_ms": rng.uniform(10, 80)}
        row = dict.fromkeys(COLUMNS) | {"file": f"{number}.mp4", "status": "measured", "pulse": wave, "confidence": 0.9}
        row |= {name: value + rng.normal(0, 2) for name, value in truth.items()}
        row |= {"quality_heart_rate": 0.99, "quality_hrv": 0.9}
        rows.append(row)
        groups = {"skin": str(number // 4 % 6), "device": f"phone {number % 2}"}
        known[f"{number}.mp4"] = Reference(f"{number}.mp4", truth, str(number // 4), groups)
    begun = time.perf_counter()
    render_report(rows, References(known), {})
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
