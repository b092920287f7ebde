"""How near the browsers' reader comes to the server's. `python -m benchmarks.browser_reader [FACES]`

Both read the same pixels, of the real clip and of simulated faces: the package of clients/js runs in Node, so what a
browser's own decoder changes is left out. The package has to be built, which needs npm.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.material import CLIP
from benchmarks.report import Figure, show
from rppg_core import FaceReader, Frame, Trace, measure, read_samples
from rppg_core.media.video import read_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import moderate_scene
from tests.javascript import PACKAGE, built_package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rppg_core import Sample

FACES = 10
FIRST_SEED = 910_000
SECONDS, FPS = 25.0, 30.0


def main() -> None:
    """Read everything by both, and print."""
    built_package()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FACES
    off, rates, variability = [], [], []
    for fps, frames in recordings(count):
        server, browser = by_server(frames), by_browser(frames, fps)
        both = sorted(set(server) & set(browser))
        off.append(np.abs([browser[t].colours - server[t].colours for t in both]).ravel())
        size = frames[0].image().shape[1::-1]
        found, wanted = (
            measure(Trace.of([t / 1e6 for t in both], [samples[t] for t in both], size))
            for samples in (browser, server)
        )
        if found.heart_rate_bpm and wanted.heart_rate_bpm:
            rates.append(abs(found.heart_rate_bpm - wanted.heart_rate_bpm))
        if found.rmssd_ms and wanted.rmssd_ms:
            variability.append(abs(found.rmssd_ms - wanted.rmssd_ms))
    levels = np.concatenate(off)
    show(
        f"The browsers' reader and the server's: {len(off)} recordings",
        [
            Figure("colours: median difference", float(np.nanmedian(levels)), "levels", 0.05),
            Figure("colours: 99th percentile", float(np.nanpercentile(levels, 99)), "levels"),
            Figure("colours: largest", float(np.nanmax(levels)), "levels", 0.3),
            Figure(f"heart rate: largest of {len(rates)}", max(rates, default=np.nan), "bpm", 0.1),
            Figure(f"RMSSD: largest of {len(variability)}", max(variability, default=np.nan), "ms", 2),
        ],
    )


def recordings(count: int) -> Iterator[tuple[float, list[Frame]]]:
    """Frame rate and frames of the real clip, where it is there, and of `count` simulated faces."""
    if Path(CLIP).exists():
        yield 30.0, [Frame(100 * round(1e4 + i * 1e4 / 30.0), image) for i, (_, image) in enumerate(read_video(CLIP))]
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        face = simulate_face(moderate_scene(seed, duration_s=SECONDS, fps=FPS))
        times = [100 * round(1e4 + i * 1e4 / FPS) for i in range(len(face))]  # sent in tenths of a ms
        yield FPS, [Frame(time_us, np.ascontiguousarray(face.image(i))) for i, time_us in enumerate(times)]


def by_server(frames: list[Frame]) -> dict[int, Sample]:
    """Samples of our reader by their times in us, a second of frames a request."""
    reader, last, samples = FaceReader(), None, {}
    for begin in range(0, len(frames), 30):
        for reading in reader.read(frames[begin : begin + 30], last):
            if reading.sample:
                samples[reading.time_us], last = reading.sample, reading.face
    return samples


def by_browser(frames: list[Frame], fps: float) -> dict[int, Sample]:
    """The same by the package."""
    height, width = frames[0].image().shape[:2]
    command = ["node", str(PACKAGE / "test" / "read-frames.mjs"), str(width), str(height), str(fps)]
    pixels = b"".join(frame.image().tobytes() for frame in frames)
    printed = subprocess.run(command, input=pixels, capture_output=True, check=True).stdout
    read = read_samples([json.loads(line) for line in printed.splitlines()], (width, height))
    return {one.time_us: one.sample for one in read}


if __name__ == "__main__":
    main()
