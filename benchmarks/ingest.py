"""Cost of the core: bytes of frames to skin colours, and a window's analysis. `python -m benchmarks.ingest`

Times are of this process's CPU, so that a busy machine shows less, and medians over repetitions in which what is
compared takes turns. Read the ratios; milliseconds are this machine's. The table of single steps is written into
docs/capacity.md (`benchmarks.steps`).
"""

from __future__ import annotations

import os

# One thread, as in a worker of the service. Read when the libraries load.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import time  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from functools import partial  # noqa: E402
from multiprocessing import get_context  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import TYPE_CHECKING, TypeVar  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import simplejpeg  # noqa: E402
from rich.console import Console  # noqa: E402
from scipy.fft import rfft  # noqa: E402
from scipy.signal import detrend  # noqa: E402

from benchmarks import steps  # noqa: E402
from benchmarks.material import BATCH, FPS, batches, clip_frames, simulated_frames, wall_frame  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from rppg_core import measure  # noqa: E402
from rppg_core.face import predictors  # noqa: E402
from rppg_core.face.company import PERIOD_US  # noqa: E402
from rppg_core.face.faces import FaceFinder  # noqa: E402
from rppg_core.face.reader import FaceReader, FaceState, Frame  # noqa: E402
from rppg_core.media import images  # noqa: E402
from rppg_core.trace.traces import Sample, Trace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 7
SINGLES = 10
INTERVAL_US = 1e6 / FPS
LOOK_FRAMES = PERIOD_US / INTERVAL_US

Result = TypeVar("Result")


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    reader = FaceReader()
    # Frames are made by another process: the memory that is shown at the end is that of the core alone.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
        simulated = maker.submit(simulated_frames, 3 * BATCH).result()
        clip = maker.submit(clip_frames, 4 * BATCH).result()
    figures = _following("simulated face", reader, simulated)
    if clip:
        figures += _following("real clip", reader, clip)
    figures += _searching(reader, simulated[0])
    figures += _analysis(reader, simulated)
    show("From bytes to colours, and from colours to vitals", figures)
    measured = steps.steps(simulated)
    Console(width=118).print(steps.table(measured))
    steps.write(measured)


def cpu_ms(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU time of this process for one call, in milliseconds, and what it returned."""
    start = time.process_time()
    result = work()
    return 1000 * (time.process_time() - start), result


def timed(frames: list[bytes], first: int) -> list[Frame]:
    """Frames of one request, whose first is the session's `first`."""
    return [Frame(round((first + i) * INTERVAL_US), data) for i, data in enumerate(frames)]


def read(reader: FaceReader, frames: list[Frame], state: FaceState | None) -> FaceState | None:
    """Read a request that shows a face throughout; the state for the next one."""
    readings = reader.read(frames, state)
    assert all(reading.face for reading in readings), "a face was lost"
    return readings[-1].face


def read_one_by_one(reader: FaceReader, frames: list[Frame], state: FaceState | None) -> None:
    """The same with a request for each frame."""
    for frame in frames:
        state = read(reader, [frame], state)


def decode_all(frames: list[bytes]) -> None:
    """The yardstick: nothing but the bare decode."""
    for data in frames:
        simplejpeg.decode_jpeg(data, colorspace="RGB")


def _following(name: str, reader: FaceReader, frames: list[bytes]) -> list[Figure]:
    ratios, single_ratios, decodes, reads, by_dlib, looks = [], [], [], [], [], []
    other = FaceReader(finder=FaceFinder(model=predictors.by_dlib()))
    finder, first = FaceFinder(), images.decode(frames[0])
    for _ in range(REPEATS):
        # The face's first frame is looked at for others, and no other so soon: looks are shown apart.
        state = read(reader, timed(frames[:1], 0), None)
        looks.append(cpu_ms(partial(finder.sees_others, first, state.face))[0])
        for at, part in enumerate(batches(frames)):
            request = timed(part, at * BATCH + 1)
            decode, _none = cpu_ms(partial(decode_all, part))
            whole, after = cpu_ms(partial(read, reader, request, state))
            slower, _none = cpu_ms(partial(read, other, request, state))
            singles, _none = cpu_ms(partial(read_one_by_one, reader, request[:SINGLES], state))
            state = after
            ratios.append(whole / decode)
            by_dlib.append(slower / decode)
            single_ratios.append((singles / SINGLES) / (decode / BATCH))
            decodes.append(decode / BATCH)
            reads.append(whole / BATCH)
    return [
        Figure(f"{name}: bare decode of a frame", median(decodes), "ms"),
        Figure(f"{name}: bytes to colours, 30 frames a request", median(reads), "ms"),
        Figure(f"{name}: bytes to colours / bare decode, 30 frames a request", median(ratios), "x", 1.5),
        Figure(f"{name}: and a look for others, once in 12 s", median(looks) / LOOK_FRAMES / median(decodes), "x"),
        Figure(f"{name}: the same, landmarks by dlib, not by {reader.landmarks_by}", median(by_dlib), "x"),
        Figure(f"{name}: the same, one frame a request (each one verified)", median(single_ratios), "x", 2.2),
    ]


def _searching(reader: FaceReader, face: bytes) -> list[Figure]:
    """What a frame costs when no face is known: one that shows a face, one that shows none, and a second of a wall."""
    wall = wall_frame()
    found, empty, room, decodes = [], [], [], []
    for _ in range(REPEATS):
        decodes.append(cpu_ms(partial(decode_all, [wall]))[0])
        found.append(cpu_ms(partial(reader.read, [Frame(0, face)]))[0])
        empty.append(cpu_ms(partial(reader.read, [Frame(0, wall)]))[0])
        room.append(cpu_ms(partial(reader.read, timed([wall] * BATCH, 0)))[0])
    return [
        Figure("search, face found (first frame, or after a gap)", median(found), "ms"),
        Figure("search of one frame without a face", median(empty), "ms"),
        Figure("the same / bare decode", median(empty) / median(decodes), "x", 25),
        Figure("30 frames without a face, a frame", median(room) / BATCH, "ms"),
    ]


def _analysis(reader: FaceReader, frames: list[bytes]) -> list[Figure]:
    """A window of 30 s at 30 fps: real colours of the frames, repeated with noise, so that every region takes part."""
    samples: list[Sample] = [r.sample for r in reader.read(timed(frames, 0)) if r.sample]
    n = 900
    rng = np.random.default_rng(0)
    times = np.arange(n) / FPS
    pulse = 0.005 * np.sin(2 * np.pi * 1.2 * times)[:, None, None] * np.array([0.43, 1.0, 0.69])
    colours = np.array([samples[i % len(samples)].colours for i in range(n)], dtype=np.float64)
    colours *= 1 - pulse + 0.001 * rng.standard_normal(colours.shape)
    pose = np.array([samples[i % len(samples)].pose for i in range(n)], dtype=np.float64)
    trace = Trace(times_s=times, colours=colours, pose=pose, frame_size=(640, 480))
    flat = colours.reshape(n, -1)
    measure(trace)
    analyses, yardsticks = [], []
    for _ in range(REPEATS):
        analyses.append(cpu_ms(partial(measure, trace))[0])
        yardsticks.append(cpu_ms(partial(_yardstick, flat))[0])
    return [
        Figure("analysis of a window, 30 s at 30 fps", median(analyses), "ms", 40),
        Figure("the same / a fixed loop of scipy", median(analyses) / median(yardsticks), "x"),
        Figure("resident memory of the core at the end", resident_mb(), "MB", 250),
    ]


def _yardstick(values: np.ndarray) -> None:
    """Work of a known size, to compare machines by: twenty times detrend and transform a window's colours."""
    for _ in range(20):
        rfft(detrend(values, axis=0), 2048, axis=0)


def resident_mb() -> float:
    """Memory of this process, in 10^6 bytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6


if __name__ == "__main__":
    main()
