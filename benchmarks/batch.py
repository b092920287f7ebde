"""python -m benchmarks.batch [CLIP] [--copies N]: what `beam batch` costs above decoding and measuring alone.

Processor time is compared, which other work on the machine changes less than time on the clock, and both where the
machine is free. The report is that of 200 rows with references, of 50 people in two columns of groups.
"""

from __future__ import annotations

import argparse
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

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
FACE_1 = ROOT.parent / "shared" / "data" / "face-1" / "face-1.mp4"
_SECONDS = 30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", nargs="?", type=Path, default=FACE_1)
    parser.add_argument("--copies", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = [Path(folder) / f"{number:03}{options.clip.suffix}" for number in range(options.copies)]
        for clip in clips:
            shutil.copyfile(options.clip, clip)
        bare_cpu_s, bare_s = _bare(clips)
        command = [sys.executable, "-m", "beam_api.cli", "batch", folder, "--jobs", str(options.jobs)]
        batch_cpu_s, batch_s = _run([*command, "--out", f"{folder}/results.csv", "--seconds", str(_SECONDS)])
    count = options.copies
    show(
        f"beam batch, {count} clips, {options.jobs} processes",
        [
            Figure("bare decode and core, processor", bare_cpu_s / count, "s/clip"),
            Figure("beam batch, processor", batch_cpu_s / count, "s/clip"),
            Figure("… over bare", batch_cpu_s / bare_cpu_s, "times", at_most=2),
            Figure("beam batch on the clock, over bare divided by processes", batch_s * options.jobs / bare_s, "times"),
            Figure("report of 200 files", _report_s(), "s", at_most=5),
        ],
    )


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
