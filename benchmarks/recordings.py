"""Simulated recordings to rows of figures: rendered, compressed, read and measured as the service does it."""

from __future__ import annotations

import io
import multiprocessing
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from rppg_core import measure
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.media.video import read_video
from rppg_core.quality.extractors import DEFAULT, calibration_of, extraction
from rppg_core.simulation.faces import SimulatedFace, simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import NO_PULSE, Scene, hard_scene, moderate_scene, no_pulse_scene
from rppg_core.trace.traces import Sample, Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.pool import Pool

    from rppg_core.results import Vitals
    from rppg_core.simulation.physiology import Truth

TUNING_SEED = 10_000
TEST_SEED = 900_000
"""All that was tuned or fitted saw seeds from the first on; figures are of seeds from the second on."""

_REQUEST = 30


@dataclass(frozen=True, slots=True)
class Job:
    """A recording to make: which set it belongs to, what it shows, how it is read and measured."""

    group: str  # "moderate" | "hard" | "no pulse" | ...
    scene: Scene
    landmarks: str = "5"
    method: str = DEFAULT  # of `rppg_core.quality.extractors`


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What was measured of a recording, and the truth over the frames that were taken."""

    job: Job
    trace: Trace | None
    truth: Truth | None
    vitals: Vitals | None


def jobs(group: str, count: int, first_seed: int, **changes: object) -> list[Job]:
    """`count` scenes of one of "moderate", "hard" and "no pulse"."""
    if group == "no pulse":
        kinds = [NO_PULSE[i % len(NO_PULSE)] for i in range(count)]
        return [Job(f"no pulse: {k}", no_pulse_scene(k, first_seed + i, **changes)) for i, k in enumerate(kinds)]
    make = {"moderate": moderate_scene, "hard": hard_scene}[group]
    return [Job(group, make(first_seed + i, **changes)) for i in range(count)]


def rows(todo: Iterable[Job], *, processes: int | None = None) -> Iterator[Row]:
    """Work through the jobs; rows come in their order."""
    with single_threaded_pool(processes) as pool:
        yield from pool.imap(_work, todo, chunksize=1)


def single_threaded_pool(processes: int | None = None) -> Pool:
    """A pool of processes that leave each other's cores alone."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read by the children when their libraries load
    return multiprocessing.get_context("spawn").Pool(
        processes or os.cpu_count()
    )  # OpenCV's threads don't survive a fork


def read_trace(face: SimulatedFace, reader: FaceReader) -> Trace | None:
    """A recording's trace, read in requests of one second; None if no frame was taken."""
    times: list[float] = []
    samples: list[Sample] = []
    state = None
    batch: list[Frame] = []
    for index, frame in enumerate(_frames(face)):
        batch.append(frame)
        if len(batch) < _REQUEST and index < len(face) - 1:
            continue
        for reading in reader.read(batch, state):
            if reading.sample is None:
                continue
            times.append(reading.time_us / 1e6)
            samples.append(reading.sample)
            state = reading.face
        batch = []
    return Trace.of(times, samples, face.scene.frame_size) if times else None


def _frames(face: SimulatedFace) -> Iterator[Frame]:
    if face.scene.codec == "jpeg":
        yield from face.frames()
        return
    file = io.BytesIO()
    film(face, file, crf=face.scene.crf)
    file.seek(0)
    for time_s, image in read_video(file):
        yield Frame(round(time_s * 1e6), image)


def thin(trace: Trace, rate_hz: float, jitter: float, rng: np.random.Generator) -> Trace:
    """The frames that a slower camera would have taken, each up to `jitter` of an interval early or late."""
    times = trace.times_s
    slots = np.arange(int((times[-1] - times[0]) * rate_hz))
    wanted = times[0] + (slots + 0.5 + rng.uniform(-jitter, jitter, len(slots))) / rate_hz
    taken = np.unique(np.abs(times - wanted[:, None]).argmin(axis=1))
    return trace.part(taken)


def measured(trace: Trace, method: str, **options: float) -> Vitals:
    """Measure a trace by the method of that name, believed as far as its own calibration says."""
    chosen = extraction(method)
    return measure(trace, extract=chosen.extract, calibration=calibration_of(chosen), **options)  # type: ignore[arg-type]


_readers: dict[str, FaceReader] = {}


def _work(job: Job) -> Row:
    cv2.setNumThreads(1)
    if job.landmarks not in _readers:
        _readers[job.landmarks] = FaceReader(job.landmarks)
    face = simulate_face(job.scene)
    trace = read_trace(face, _readers[job.landmarks])
    if trace is None:
        return Row(job, None, None, None)
    truth = face.person.truth(float(trace.times_s[0]), float(trace.times_s[-1]))
    return Row(job, trace, truth, measured(trace, job.method))


def with_landmarks(todo: Iterable[Job], landmarks: str) -> list[Job]:
    """The same recordings, read with another landmark model."""
    return [replace(job, landmarks=landmarks) for job in todo]
