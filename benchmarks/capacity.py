"""What a stream costs, and what ten thousand would: `python -m benchmarks.capacity` writes docs/capacity.md.

A stream is one person, 30 frames a second, measured in windows of 30 s one after another. Whole windows are sent to a
service with two workers, in batches and frame by frame; what its processes and its Redis use for them is measured,
the rest is multiplied.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import math  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402

import cv2  # noqa: E402
import redis  # noqa: E402
from rich.console import Console  # noqa: E402

from beam_api.server.embedded_redis import running_url  # noqa: E402
from benchmarks import steps  # noqa: E402
from benchmarks.capacity_page import ANSWERS_S, Memory, Stream, page  # noqa: E402
from benchmarks.material import BATCH, FPS, SIZE, simulated_frames  # noqa: E402
from benchmarks.service.client import Client  # noqa: E402
from benchmarks.service.started import WEB, Service, cpu_s, running_service  # noqa: E402
from benchmarks.service.store import asked  # noqa: E402
from rppg_core import measure  # noqa: E402
from rppg_core.face.reader import FaceReader, Frame  # noqa: E402
from rppg_core.trace.traces import Trace  # noqa: E402

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
WINDOW_S = 30
ANALYSES = 7
PEOPLE = 2  # at a time, so that the workers share the processor as they do in the field
WINDOWS = {BATCH: 4, 1: 1}  # of each person, by the frames in a request


def main() -> None:
    """Measure, print, and write the page."""
    cv2.setNumThreads(1)
    frames = simulated_frames(round((WINDOW_S + 1) * FPS))
    with running_service() as service, redis.Redis.from_url(running_url(service.data_dir)) as store:
        streams = [_stream(service, store, frames, per_request) for per_request in WINDOWS]
        memory = _memory(service, store, frames)
        section = steps.section(steps.steps(frames[: 3 * BATCH]))
        text = page(streams, memory, _analysis_ms(frames), _machine(store), section)
    Console(width=118).print(text, markup=False)
    PAGE.write_text(text)


def _stream(service: Service, store: redis.Redis, frames: list[bytes], per_request: int) -> Stream:
    """People side by side, each through whole windows; what a second of one of them took."""
    people = [_Person(service, frames, per_request, f"stream-{per_request}-{i}") for i in range(PEOPLE)]
    for person in people:
        person.send(BATCH)  # the search for the face, the key
    before, was = cpu_s(service, *WEB), _Usage.of(store)
    threads = [threading.Thread(target=person.fill, args=(WINDOWS[per_request],)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used, now = cpu_s(service, *WEB) - before, _Usage.of(store)
    seconds = PEOPLE * WINDOWS[per_request] * WINDOW_S
    requests = seconds * FPS / per_request
    for person in people:
        assert person.completed == WINDOWS[per_request], "a window was not completed"
        person.client.close()
    trips, commands, inside = asked(service, store, frames, per_request)
    return Stream(
        per_request=per_request,
        worker_s=used / seconds,
        redis_s=(now.cpu_s - was.cpu_s) / seconds,
        redis_bytes=(now.net_bytes - was.net_bytes) / seconds,
        up_bytes=sum(person.client.up_bytes for person in people) / seconds,
        down_bytes=sum(person.client.down_bytes for person in people) / seconds,
        requests=requests / seconds,
        round_trips=trips,
        commands=commands,
        inside=inside,
    )


class _Person:
    def __init__(self, service: Service, frames: list[bytes], per_request: int, session: str) -> None:
        self.client = Client(service, session, 1000 * WINDOW_S)
        self.completed = 0
        self._frames, self._per_request = frames, per_request

    def send(self, count: int) -> None:
        at = self.client.sent % len(self._frames)
        part = [self._frames[(at + i) % len(self._frames)] for i in range(count)]
        self.client.post(part)
        self.completed += self.client.answer["status"] == "complete"

    def fill(self, windows: int) -> None:
        self.client.up_bytes = self.client.down_bytes = 0
        for _ in range(round(windows * WINDOW_S * FPS / self._per_request)):
            self.send(self._per_request)


@dataclass(frozen=True, slots=True)
class _Usage:
    """What a Redis server says it has used."""

    cpu_s: float
    net_bytes: int

    @classmethod
    def of(cls, store: redis.Redis) -> _Usage:
        info = store.info("cpu") | store.info("stats")
        net = info["total_net_input_bytes"] + info["total_net_output_bytes"]
        return cls(info["used_cpu_user"] + info["used_cpu_sys"], net)


def _memory(service: Service, store: redis.Redis, frames: list[bytes]) -> Memory:
    """Bytes in Redis of one person: of a window just before it is full, of what stays after one, of each result."""
    session = "memory"
    person = _Person(service, frames, BATCH, session)
    for _ in range(WINDOW_S - 1):
        person.send(BATCH)
    full = sum(size for _, size, _ in _keys(store, session))
    measurement = None
    while measurement is None:
        person.send(BATCH)
        measurement = person.client.answer.get("measurement_id")
    person.send(BATCH)  # the next window has begun
    person.client.close()
    stays, kept = 0, 0.0
    for name, size, ttl_s in _keys(store, session, measurement):
        kind = name.rpartition("}:")[2]
        if measurement in name:
            kept += size * ttl_s / WINDOW_S  # one for each window in its lifetime
        elif not re.match(r"(window|index|samples|face|clock|seen|seen-before|results)$", kind):
            stays += size
    results = sum(size for name, size, _ in _keys(store, session, measurement) if measurement in name)
    kept += _list_of_results(store, len(measurement))
    return Memory(full_bytes=full, stays_bytes=stays, result_bytes=results, results_bytes=kept)


def _list_of_results(store: redis.Redis, name_bytes: int) -> int:
    """Bytes of a person's list of results when it holds a day's: made here, since a day is long."""
    name, count = "beam-benchmark:results", ANSWERS_S // WINDOW_S
    store.zadd(name, {f"{i:0{name_bytes}d}": 1_700_000_000_000 + 30_000 * i for i in range(count)})
    size = store.memory_usage(name, samples=0) or 0
    store.delete(name)
    return size


def _keys(store: redis.Redis, session: str, measurement: str | None = None) -> list[tuple[str, int, float]]:
    """Name, bytes and seconds to live of every key of a session, and of one of its measurements."""
    found = []
    for name in store.scan_iter("beam:*", count=1000):
        text = name.decode()
        if f":{session}}}:" in text or (measurement and measurement in text):
            found.append((text, store.memory_usage(name, samples=0) or 0, max(store.pttl(name), 0) / 1000))
    return found


def _analysis_ms(frames: list[bytes]) -> float:
    """CPU of the analysis of one window, in this process."""
    reader, state, good = FaceReader(), None, []
    for at in range(0, round(WINDOW_S * FPS), BATCH):
        timed = [Frame(round((at + i) * 1e6 / FPS), data) for i, data in enumerate(frames[at : at + BATCH])]
        good += [reading for reading in reader.read(timed, state) if reading.sample and reading.face]
        state = good[-1].face
    trace = Trace.of([r.time_us / 1e6 for r in good], [r.sample for r in good if r.sample], SIZE)
    took = []
    for _ in range(ANALYSES):
        start = time.process_time()
        measure(trace)
        took.append(1000 * (time.process_time() - start))
    return median(took)


def _machine(store: redis.Redis) -> str:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return (
        f"{cpu[1] if cpu else platform.machine()}, {math.ceil(os.cpu_count() or 1)} cores, Python "
        f"{platform.python_version()}, Redis {store.info('server')['redis_version']} with its append-only file"
    )


if __name__ == "__main__":
    main()
