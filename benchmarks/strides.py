"""What a window that slides costs. `python -m benchmarks.strides [--strides 60]`.

One process takes the samples of four people, 30 a second, over one embedded Redis: windows of 30 s and 60 s, measured
every second, every 5 s, or not yet. What a stride adds, in this process and in Redis, is divided by the frames of the
stride. The people take turns second by second, so that a busy machine shows in all of them. Reading the faces is not in
it (`python -m benchmarks.ingest`). Memory is kept and returned as in a web process. The core's part is timed by itself;
its least time is what a machine that does nothing else takes.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse  # noqa: E402
import hashlib  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import numpy as np  # noqa: E402

from beam_api.host.process import return_large_memory  # noqa: E402
from beam_api.server.embedded_redis import EmbeddedRedis  # noqa: E402
from beam_api.services.windows.completed import Completed  # noqa: E402
from beam_api.services.windows.measure_request import Post  # noqa: E402
from beam_api.services.windows.measuring import Measuring  # noqa: E402
from beam_api.services.windows.samples import GivenSamples  # noqa: E402
from beam_api.store.client import connect  # noqa: E402
from beam_api.store.results import ResultStore  # noqa: E402
from beam_api.store.window_values import Session  # noqa: E402
from beam_api.store.windows import WindowStore  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from rppg_core import measure  # noqa: E402
from rppg_core.face.reader import FaceReader, Reading  # noqa: E402
from rppg_core.face.regions import N_REGIONS  # noqa: E402
from rppg_core.guidance import advise  # noqa: E402
from rppg_core.simulation.physiology import simulate_person  # noqa: E402
from rppg_core.simulation.traces import capture_times, simulate_trace  # noqa: E402
from rppg_core.trace.traces import Sample, pack  # noqa: E402
from rppg_core.trace.witnesses import DETAILS, N_WITNESSES  # noqa: E402

if TYPE_CHECKING:
    from redis import Redis

    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace

FPS = 30
SIZE = (640, 480)
MOST_MS = {1: 3.0, 5: 2.0}  # a frame, by the stride in seconds


def requests(seconds: int) -> list[GivenSamples]:
    """A second of one person's samples each."""
    person = simulate_person(heart_rate_bpm=72.0, duration_s=seconds, seed=1)
    trace = simulate_trace(person, capture_times(seconds, FPS), n_regions=N_REGIONS, seed=1)
    rng = np.random.default_rng(1)
    witness = rng.normal(120.0, 0.3, (len(trace.times_s), N_WITNESSES)).astype(np.float32)
    witness[:, DETAILS] = rng.normal(2.0, 0.01, witness[:, DETAILS].shape)
    rows = zip(trace.colours.astype(np.float32), trace.pose.astype(np.float32), witness, strict=True)
    samples = [Sample(*row) for row in rows]
    packed = pack(samples)
    times = [round(1e6 * at) for at in trace.times_s]
    marks = [hashlib.sha256(sample).digest()[:8] for sample in packed]
    return [
        GivenSamples(
            SIZE,
            tuple(times[i : i + FPS]),
            tuple(marks[i : i + FPS]),
            tuple(Reading(at, sample=sample) for at, sample in zip(times[i:], samples[i : i + FPS], strict=False)),
            tuple(packed[i : i + FPS]),
        )
        for i in range(0, len(samples), FPS)
    ]


@dataclass
class Person:
    """Somebody's window: its duration, its stride, None if it is never full, and what it cost since it first was."""

    duration_s: int
    stride_s: int | None
    cpu_s: list[float] = field(default_factory=list)  # of each request after the window has filled
    analyses: int = 0
    most_bytes: int = 0

    @property
    def session(self) -> Session:
        """Its name in the store."""
        return Session("bench", f"{self.duration_s}-{self.stride_s}")

    def post(self, given: GivenSamples) -> Post:
        """A request of it."""
        stride_us = None if self.stride_s is None else self.stride_s * 1_000_000
        length_us = (self.duration_s if self.stride_s else 300) * 1_000_000
        return Post(self.session, (), given.times_us, None, length_us, False, given=given, stride_us=stride_us)

    def size(self, redis: Redis) -> int:
        """Bytes that its window takes in Redis: state, index and samples."""
        names = [self.session.name(kind) for kind in ("window", "index", "samples")]
        names += list(redis.scan_iter(self.session.name("closed*"), count=1000))
        return sum(redis.memory_usage(name, samples=0) or 0 for name in names)


class Timed:
    """`measure`, and what each call took."""

    def __init__(self) -> None:
        self.took_s: dict[int, list[float]] = {}

    def __call__(self, trace: Trace) -> Vitals:
        """Measure a trace."""
        began = time.process_time()
        vitals = measure(trace)
        self.took_s.setdefault(round(trace.times_s[-1]), []).append(time.process_time() - began)
        return vitals


def run(strides: int) -> list[Figure]:
    """All windows, until each has been measured so many times after it was full."""
    people = [Person(length, stride) for length in (30, 60) for stride in (1, 5)] + [Person(60, None)]
    parts, timed = requests(60 + strides), Timed()
    one_bytes: dict[int, int] = {}
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder, EmbeddedRedis(Path(folder)) as server:
        redis = connect(server.url)
        measuring = Measuring(WindowStore(redis), ResultStore(redis), FaceReader(), analyse=timed, advise=advise)

        def used_s() -> float:
            return time.process_time() + float(redis.info("cpu")["used_cpu_user"]) + redis.info("cpu")["used_cpu_sys"]

        for second, given in enumerate(parts, start=1):
            for person in people:
                before = used_s()
                answer = measuring.post(person.post(given))
                spent = used_s() - before
                if second > 60:
                    person.cpu_s.append(spent)
                    person.analyses += isinstance(answer, Completed)
                if person.stride_s is None and second in (30, 60):
                    one_bytes[second] = person.size(redis)
                person.most_bytes = max(person.most_bytes, person.size(redis))
        redis.close()
    return figures(people, timed, one_bytes)


def figures(people: list[Person], timed: Timed, one_bytes: dict[int, int]) -> list[Figure]:
    """What it cost, and what of it the core did."""
    base_s = sum(people[-1].cpu_s) / len(people[-1].cpu_s)
    found = [Figure("without a measurement: CPU a frame", 1000 * base_s / FPS, "ms")]
    for length, took in sorted(timed.took_s.items()):
        found += [
            Figure(f"core: {length} s of trace, median", 1000 * median(took), "ms"),
            Figure(f"core: {length} s of trace, least", 1000 * min(took), "ms"),
        ]
    for person in people[:-1]:
        assert person.stride_s
        name = f"{person.duration_s} s every {person.stride_s} s"
        added_s = sum(person.cpu_s) / len(person.cpu_s) - base_s
        what = f"{name}: CPU a frame that {person.analyses} measurements add"
        ratio = person.most_bytes / one_bytes[person.duration_s]
        found += [
            Figure(what, 1000 * added_s / FPS, "ms", MOST_MS[person.stride_s]),
            Figure(f"{name}: memory over that of one window", ratio, "x", 1.3),
        ]
    return found


def main() -> None:
    """Run from the command line."""
    return_large_memory()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strides", type=int, default=60, help="seconds for which the windows slide")
    show("Windows that slide", run(parser.parse_args().strides))


if __name__ == "__main__":
    main()
