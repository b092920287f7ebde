"""Minutes at 80 % of capacity: `python -m benchmarks.soak [--minutes 10]`. Does anything fail, grow or stay behind?

Clients of every kind share a service with two workers: people measured in batches and frame by frame, people who leave
in the middle, walls without a face, results and states asked for, pages, keys, and now and then a whole video. First
they send as fast as they are answered; that is the capacity. Then they send four fifths of it by the clock.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse  # noqa: E402
import http.client  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from statistics import median  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import numpy as np  # noqa: E402
import redis  # noqa: E402

from beam_api.server.embedded_redis import running_url  # noqa: E402
from benchmarks.material import BATCH, FPS, simulated_frames, wall_frame  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from benchmarks.service.client import BOUNDARY, END, PATH, frame_part, head  # noqa: E402
from benchmarks.service.started import Service, memory_mb, processes, running_service  # noqa: E402
from tests import videos  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = 8
SHARE = 0.8
WINDOW_S = 10
CAPACITY_S = 20.0
SAMPLE_S = 2.0
WARM_UP = 0.4  # of the time: windows of those who leave live for two minutes
PART = 0.2  # of the time: what memory was after the warm-up, and at the end
VIDEO_PAUSE_S = 20.0
VIDEOS_S = 120.0
FORM = f"multipart/form-data; boundary={BOUNDARY}"
MULTIPART = {"Content-Type": FORM}

# What may stay for ever: keys, and what RQ knows of its worker and its queue.
FOR_EVER = re.compile(r"beam:\{[^}]*\}:key|beam:keys|rq:.*")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and the statuses that are right for it."""

    method: str
    path: str
    expected: tuple[int, ...] = (200,)
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """What all clients saw."""

    took_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    measured: int = 0
    latest_s: float = 0.0


class Material:
    """Frames that all clients send."""

    def __init__(self) -> None:
        self.frames = simulated_frames(WINDOW_S * round(FPS))
        self.wall = wall_frame()
        self.video = videos.encoded()


class Client(threading.Thread):
    """Sends what its people, one after another, would; every `interval_s`, or as fast as it is answered."""

    def __init__(self, service: Service, name: str, material: Material, end: float, interval_s: float = 0.0) -> None:
        super().__init__()
        self._service, self._prefix, self._material = service, name, material
        self._end, self._interval_s = end, interval_s
        self._draw = random.Random(name)
        self._connection = http.client.HTTPConnection(service.address, timeout=60)
        self._answer: dict[str, Any] = {}
        self.seen = Seen()
        self.left: list[str] = []  # sessions of people who left

    def run(self) -> None:
        """Send until the end; whoever has begun by then is not sent to the end."""
        began = time.perf_counter()
        for number, ask in enumerate(self._asks()):
            due = began + number * self._interval_s
            if self._interval_s:
                time.sleep(max(0.0, due - time.perf_counter()))
                self.seen.latest_s = max(self.seen.latest_s, time.perf_counter() - due)
            if time.perf_counter() >= self._end:
                break
            self._send(ask)
        self._connection.close()

    def _send(self, ask: Ask) -> None:
        start = time.perf_counter()
        try:
            headers = {"X-API-Key": self._service.key, **ask.headers}
            self._connection.request(ask.method, ask.path, body=ask.body, headers=headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.seen.wrong.append(f"{ask.method} {ask.path}: {type(error).__name__}")
            self._connection.close()
            return
        self.seen.took_s.append(time.perf_counter() - start)
        self.seen.statuses[answer.status] += 1
        if answer.status not in ask.expected:
            self.seen.wrong.append(f"{ask.method} {ask.path}: {answer.status} {content[:200]!r}")
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        self._answer = json.loads(content) if is_json else {}

    def _asks(self) -> Iterator[Ask]:
        kinds = [self._batches] * 6 + [self._singles, self._leaves, self._wall, self._looks]
        for number in itertools.count():
            yield from self._draw.choice(kinds)(f"{self._prefix}-{number}")

    def _batches(self, session: str) -> Iterator[Ask]:
        requests = WINDOW_S * round(FPS) // BATCH
        for number in range(requests):
            yield self._post(session, number * BATCH, BATCH, 200 if number == requests - 1 else 202)
        self.seen.measured += 1
        measured = self._answer.get("data", {}).get("measurement_id", "none")
        yield Ask("GET", f"/api/rppg/measurements/{measured}")
        yield Ask("GET", f"/api/rppg/sessions/{session}")
        yield Ask("DELETE", f"/api/rppg/sessions/{session}", (204,))

    def _singles(self, session: str) -> Iterator[Ask]:
        for number in range(BATCH):
            yield self._post(session, number, 1, 202)
        yield Ask("DELETE", f"/api/rppg/sessions/{session}", (204,))

    def _leaves(self, session: str) -> Iterator[Ask]:
        self.left.append(session)
        for number in range(3):
            yield self._post(session, number * BATCH, BATCH, 202)

    def _wall(self, session: str) -> Iterator[Ask]:
        body = head(session, 1000 * WINDOW_S) + frame_part(self._material.wall, 0) + END
        yield Ask("POST", PATH, (400,), body, MULTIPART)

    def _looks(self, _session: str) -> Iterator[Ask]:
        for path in ("/health", "/ready", "/api/keys/me", "/", "/docs", "/openapi.json"):
            yield Ask("GET", path)
        yield Ask("GET", "/api/rppg/measurements/msr_" + 32 * "0", (404,))

    def _post(self, session: str, first: int, count: int, status: int) -> Ask:
        frames = self._material.frames[first : first + count]
        parts = b"".join(frame_part(data, first + i) for i, data in enumerate(frames))
        return Ask("POST", PATH, (status,), head(session, 1000 * WINDOW_S) + parts + END, MULTIPART)


class Videos(Client):
    """Uploads a video now and then, and waits for its vitals."""

    def _asks(self) -> Iterator[Ask]:
        while True:
            yield Ask("POST", "/api/v1/scan-session", (201,))
            path = f"/api/v1/scan-session/{self._answer.get('session_id')}"
            disposition = b'Content-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n'
            body = b"--%b\r\n%b%b\r\n" % (BOUNDARY.encode(), disposition, self._material.video) + END
            yield Ask("POST", f"{path}/video", (202,), body, MULTIPART)
            began = time.perf_counter()
            self._answer = {"status": "processing"}
            while self._answer.get("status") == "processing":
                time.sleep(1.0)
                yield Ask("GET", f"{path}/vitals")
            if self._answer.get("status") != "completed":
                self.seen.wrong.append(f"a video: {self._answer}")
            time.sleep(max(0.0, min(VIDEO_PAUSE_S, self._end - began - time.perf_counter())))


def main() -> None:
    """Find the capacity, soak, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    material = Material()
    with running_service() as service, redis.Redis.from_url(running_url(service.data_dir)) as store:
        _send_all(service, "warm", material, 5.0)
        capacity = len(_merged(_send_all(service, "flat-out", material, CAPACITY_S)).took_s) / CAPACITY_S
        before = _lasting(service)
        memory = _Memory(service, store)
        memory.start()
        clients = _send_all(service, "soak", material, 60 * minutes, CLIENTS / (SHARE * capacity))
        memory.stop()
        seen = _merged(clients)
        died = len(before - _lasting(service))
        _wait_for_videos(service)
        left = _left(service, store, clients)
        files = len(_uploads(service))
    for wrong in seen.wrong[:10]:
        print(wrong)
    p50, p95, p99 = (1000 * float(np.percentile(seen.took_s, p)) for p in (50, 95, 99))
    figures = [
        Figure("capacity: requests a second of this traffic", capacity),
        Figure("requests answered", len(seen.took_s)),
        Figure("a second", len(seen.took_s) / (60 * minutes)),
        Figure("windows measured", seen.measured),
        Figure("errors", len(seen.wrong), "", 0),
        Figure("latency p50", p50, "ms"),
        Figure("latency p95", p95, "ms"),
        Figure("latency p99", p99, "ms"),
        Figure("slowest answer", 1000 * max(seen.took_s), "ms"),
        Figure("most that a client was behind its clock", seen.latest_s, "s"),
        *memory.growth(),
        Figure("processes that ended", died, "", 0),
        *left,
        Figure("files left in the spool", files, "", 0),
    ]
    show(f"{minutes:g} minutes at {SHARE:.0%} of capacity", figures)


def _send_all(service: Service, name: str, material: Material, seconds: float, interval_s: float = 0.0) -> list[Client]:
    """Have every client send for so long; the clients, done."""
    end = time.perf_counter() + seconds
    clients = [Client(service, f"{name}-{i}", material, end, interval_s) for i in range(CLIENTS)]
    clients.append(Videos(service, f"{name}-video", material, end))
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return clients


def _merged(clients: list[Client]) -> Seen:
    whole = Seen()
    for seen in (client.seen for client in clients):
        whole.took_s += seen.took_s
        whole.statuses += seen.statuses
        whole.wrong += seen.wrong
        whole.measured += seen.measured
        whole.latest_s = max(whole.latest_s, seen.latest_s)
    return whole


def _uploads(service: Service) -> list[Path]:
    return [path for path in (service.data_dir / "spool").rglob("*") if path.is_file()]


def _wait_for_videos(service: Service) -> None:
    """Let those end that were in hand when the time was over: two minutes, as long as any may take."""
    end = time.monotonic() + VIDEOS_S
    while _uploads(service) and time.monotonic() < end:
        time.sleep(1.0)
    time.sleep(1.0)  # the list of sessions in hand is put right after the upload is deleted


def _lasting(service: Service) -> set[int]:
    """The processes that ought to live as long as the service; a video's analysis has one of its own."""
    return {pid for pid, command in processes(service).items() if command != "video worker"}


class _Memory(threading.Thread):
    """Looks at the memory of every process of the service now and then."""

    def __init__(self, service: Service, store: redis.Redis) -> None:
        super().__init__()
        self._service, self._store = service, store
        self._ended = threading.Event()
        self._samples: dict[str, list[float]] = defaultdict(list)

    def run(self) -> None:
        """Look until stopped."""
        while not self._ended.wait(SAMPLE_S):
            resident: Counter[str] = Counter()
            for pid, command in processes(self._service).items():
                try:
                    rss, pss = memory_mb(pid)
                except (FileNotFoundError, ProcessLookupError, KeyError):  # a job's process that has just ended
                    continue
                if command == "gunicorn worker":
                    resident["web workers, proportional"] += pss  # type: ignore[assignment]
                    resident["web workers, resident"] += rss  # type: ignore[assignment]
                elif command.endswith("-server"):
                    resident["Redis, resident"] += rss  # type: ignore[assignment]
            resident["Redis, data"] = self._store.info("memory")["used_memory"] / 1e6
            for name, megabytes in resident.items():
                self._samples[name].append(megabytes)

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()

    def growth(self) -> list[Figure]:
        """From what each held after the warm-up to what it held at the end."""
        figures = []
        for name, values in sorted(self._samples.items()):
            count = max(1, round(PART * len(values)))
            first = round(WARM_UP * len(values))
            early, late = median(values[first : first + count]), median(values[-count:])
            limit = None if name == "Redis, data" else 5.0
            figures += [
                Figure(f"{name}: after the warm-up", early, "MB"),
                Figure(f"{name}: growth since", 100 * (late / early - 1), "%", limit),
            ]
        return figures


def _left(service: Service, store: redis.Redis, clients: list[Client]) -> list[Figure]:
    """What is still in Redis when everybody has been forgotten; of that, what will be for ever."""
    connection = http.client.HTTPConnection(service.address, timeout=60)
    for name in {name.decode() for name in store.scan_iter("beam:{*:*-*}:*", count=1000)}:
        tag = re.search(r"\{[^:}]*:([^}]*)\}", name)
        if tag:
            connection.request("DELETE", f"/api/rppg/sessions/{tag[1]}", headers={"X-API-Key": service.key})
            connection.getresponse().read()
    connection.close()
    people = [name for name in store.scan_iter("beam:{*:*-*}:*", count=1000) if re.search(rb"\{[^:}]*:[^}]*-", name)]
    kept = [name.decode() for name in store.scan_iter(count=1000) if store.ttl(name) == -1]
    ageless = [name for name in kept if not FOR_EVER.fullmatch(name)]
    for name in ageless:
        print("without an end:", name)
    return [
        Figure("people who left", sum(len(client.left) for client in clients)),
        Figure("keys of people in Redis after DELETE", len(people), "", 0),
        Figure("keys in Redis that never expire, but for those of API keys and RQ", len(ageless), "", 0),
    ]


if __name__ == "__main__":
    main()
