"""What a sample costs the service beside a frame, in the same run. `python -m benchmarks.samples`

First in this process: from the bytes of a request to what is buffered. Then through a service: CPU of the web processes
and of Redis, for requests of 30 samples and of 256, and for the frames that these samples were made of, 30 a request.
They take turns, so that a busy machine shows in all of them. Windows are long, so no analysis is in it. The running
rate is, once a second of the window: more than half of what a second of samples costs. A recording does without it, so
that is measured as well.
"""

from __future__ import annotations

import gzip
import http.client
import json
from functools import partial
from statistics import median
from typing import Any

from beam_api.services.windows.samples import GivenSamples
from benchmarks.ingest import cpu_ms
from benchmarks.material import BATCH, FPS, simulated_frames
from benchmarks.report import Figure, show
from benchmarks.service.client import LONGEST_MS, Client
from benchmarks.service.started import REDIS, WEB, Service, cpu_s, running_service
from rppg_core.face.exchange import SAMPLE_VERSION, write_sample
from rppg_core.face.reader import FaceReader, Frame

TURNS = 4
MOST = 256
FRAME_REQUESTS, SAMPLE_REQUESTS = 12, 60  # a turn

Rows = list[dict[str, Any]]
Costs = dict[str, list[float]]


class Sender:
    """A person whose face is read on their own device."""

    def __init__(self, service: Service, session: str, rows: Rows, size: tuple[int, int], **about: Any) -> None:
        self._connection = http.client.HTTPConnection(service.address, timeout=60)
        self._headers = {
            "X-API-Key": service.key,
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        self._about = {"session_id": session, "duration_ms": LONGEST_MS, "sample_version": SAMPLE_VERSION} | about
        self._rows, self._size, self.sent, self.up_bytes = rows, size, 0, 0

    def bodies(self, requests: int, count: int) -> list[bytes]:
        """Requests of so many samples, whose times go on."""
        made = []
        for _ in range(requests):
            places = range(self.sent, self.sent + count)
            samples = [{**self._rows[i % len(self._rows)], "timestamp_ms": 1000 * i / FPS} for i in places]
            self.sent += count
            body = {**self._about, "frame_size": list(self._size), "samples": samples}
            made.append(gzip.compress(json.dumps(body, separators=(",", ":")).encode()))
        self.up_bytes += sum(map(len, made))
        return made

    def post(self, body: bytes) -> None:
        """Send a request and read its answer."""
        self._connection.request("POST", "/api/rppg/samples", body=body, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status in (200, 202), content


def main() -> None:
    """Measure and print."""
    frames = simulated_frames(MOST)
    timed = [Frame(round(i * 1e6 / FPS), data) for i, data in enumerate(frames)]
    reader = FaceReader()
    readings = reader.read(timed)
    seen = [reading for reading in readings if reading.sample and reading.face]
    size = seen[0].face.frame_size if seen[0].face else (0, 0)
    rows = [write_sample(reading.time_us, reading.sample) for reading in seen if reading.sample]
    figures = _in_process(reader, timed, rows, size)
    web: Costs = {"frames": [], "30 samples": [], "256 samples": [], "a recording": []}
    redis: Costs = {name: [] for name in web}
    with running_service() as service:
        images = Client(service, "images")
        images.post(frames[:BATCH])
        few, many = Sender(service, "few", rows, size), Sender(service, "many", rows, size)
        recording = Sender(service, "recording", rows, size, include_partial=False)
        for sender in (few, many, recording):
            sender.post(sender.bodies(1, BATCH)[0])
        senders = ("30 samples", few, BATCH), ("256 samples", many, MOST), ("a recording", recording, MOST)
        for turn in range(TURNS):
            before = _spent(service)
            for i in range(FRAME_REQUESTS):
                at = BATCH * ((turn * FRAME_REQUESTS + i) % (len(frames) // BATCH))
                images.post(frames[at : at + BATCH])
            before = _note("frames", service, before, FRAME_REQUESTS * BATCH, web, redis)
            for name, sender, count in senders:
                bodies = sender.bodies(SAMPLE_REQUESTS * BATCH // count, count)
                before = _spent(service)
                for body in bodies:
                    sender.post(body)
                _note(name, service, before, len(bodies) * count, web, redis)
    show("A sample beside a frame", figures + _figures(web, redis, few))


def _in_process(reader: FaceReader, frames: list[Frame], rows: Rows, size: tuple[int, int]) -> list[Figure]:
    body = gzip.compress(json.dumps(rows).encode())
    last = reader.read(frames[:1])[0].face
    reads, parses = [], []
    for turn in range(7):
        part = frames[1 + BATCH * turn :][:BATCH]
        reads.append(cpu_ms(partial(reader.read, part, last))[0] / BATCH)
        parses.append(cpu_ms(lambda: GivenSamples.of(json.loads(gzip.decompress(body)), size))[0] / len(rows))
        last = reader.read(part[-1:], last)[0].face
    return [
        Figure("in this process: bytes of a frame to colours", median(reads), "ms"),
        Figure("bytes of a sample to what is buffered", median(parses), "ms", 0.03),
        Figure("the first / the second", median(reads) / median(parses), "x", None, 40),
    ]


def _figures(web: Costs, redis: Costs, few: Sender) -> list[Figure]:
    mean = {name: sum(found) / len(found) for name, found in web.items()}
    stored = {name: sum(found) / len(found) for name, found in redis.items()}
    rate = {name: 2000 / (mean[name] + stored[name]) for name in mean}
    return [
        Figure("through a service, CPU of the web processes: a frame, 30 a request", mean["frames"], "ms"),
        Figure("a sample, 30 a request", mean["30 samples"], "ms"),
        Figure("a sample, 256 a request", mean["256 samples"], "ms"),
        Figure("a frame / a sample, 30 a request", mean["frames"] / mean["30 samples"], "x"),
        Figure("a frame / a sample, 256 a request", mean["frames"] / mean["256 samples"], "x"),
        Figure("CPU of Redis: a sample, 30 a request", stored["30 samples"], "ms"),
        Figure("a sample, 256 a request", stored["256 samples"], "ms"),
        Figure("samples a second on two cores, 30 a request", rate["30 samples"], "/s"),
        Figure("samples a second on two cores, 256 a request", rate["256 samples"], "/s", None, 15_000),
        Figure("the same without the running rate, as recordings are sent", rate["a recording"], "/s", None, 15_000),
        Figure("network, client to service, 30 samples a second", 8 * few.up_bytes / few.sent * FPS / 1000, "kbit/s"),
        Figure("the same, 20 samples a second", 8 * few.up_bytes / few.sent * 20 / 1000, "kbit/s", 50),
    ]


def _spent(service: Service) -> tuple[float, float]:
    return cpu_s(service, *WEB), cpu_s(service, *REDIS)


def _note(
    name: str, service: Service, before: tuple[float, float], count: int, web: Costs, redis: Costs
) -> tuple[float, float]:
    """Note what each of so many frames or samples has cost since then, in milliseconds."""
    after = _spent(service)
    web[name].append(1000 * (after[0] - before[0]) / count)
    redis[name].append(1000 * (after[1] - before[1]) / count)
    return after


if __name__ == "__main__":
    main()
