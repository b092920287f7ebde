"""Cost of the whole service: `beam serve` with two workers on its embedded Redis. `python -m benchmarks.service`

Clients are threads of this process that talk HTTP over the loopback. The core's own time for the same frames is taken
here, in turns with the requests, so that the ratio holds on a busy machine too.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import http.client  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import redis  # noqa: E402

from beam_api.redis_server import running_url  # noqa: E402
from benchmarks.material import BATCH, FPS, batches, simulated_frames  # noqa: E402
from benchmarks.report import Figure, show  # noqa: E402
from rppg_core.reader import FaceReader, Frame  # noqa: E402

WORKERS = 2
START_S = 30.0
TURNS = 25
SINGLES = 120
THROUGHPUT_REQUESTS = 15  # of each client
LONGEST_MS = 300_000  # windows that no request here fills
_BOUNDARY = "beam-benchmark"


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    frames = simulated_frames(3 * BATCH)
    with running_service() as service:
        store = redis.Redis.from_url(running_url(service.data_dir))
        figures = [
            *_latency(service, frames),
            *_throughput(service, frames),
            *_round_trips(service, store, frames),
            *_window(service, store, frames),
            *_memory(service),
        ]
        store.close()
    show(f"The service, {WORKERS} workers", figures)


@dataclass(frozen=True, slots=True)
class Service:
    """A running `beam serve`."""

    process: subprocess.Popen[str]
    address: str
    key: str
    data_dir: Path


class Client:
    """One person before a camera, over one kept connection. Times go on from request to request."""

    def __init__(self, service: Service, session: str, duration_ms: int = LONGEST_MS) -> None:
        self._connection = http.client.HTTPConnection(service.address, timeout=60)
        self._headers = {"X-API-Key": service.key, "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        self._fields = {"session_id": session, "duration_ms": str(duration_ms)}
        self._sent = 0

    def post(self, frames: list[bytes]) -> float:
        """Send a request; seconds until its answer, 202 or 200, has been read."""
        body = self._body(frames)
        start = time.perf_counter()
        self._connection.request("POST", "/api/rppg/measure", body=body, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        passed = time.perf_counter() - start
        assert answer.status in (200, 202), content
        assert json.loads(content)["data"]["rejected"] == []
        return passed

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _body(self, frames: list[bytes]) -> bytes:
        parts = [_part(name, value.encode()) for name, value in self._fields.items()]
        for data in frames:
            at = f"{1000 * self._sent / FPS:.3f}".encode()
            parts += [_part("frame", data, filename="frame.jpg"), _part("timestamp_ms", at)]
            self._sent += 1
        return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _part(name: str, value: bytes, filename: str = "") -> bytes:
    extra = f'; filename="{filename}"\r\nContent-Type: image/jpeg' if filename else ""
    return f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value + b"\r\n"


@contextmanager
def running_service() -> Iterator[Service]:
    """A service on a data folder of its own, with a key that no limit stops; all gone at the end."""
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith("BEAM_")}
        env |= {"BEAM_DATA_DIR": folder, "BEAM_LOG_LEVEL": "WARNING"}
        beam = [sys.executable, "-m", "beam_api.cli"]
        process = subprocess.Popen(
            [*beam, "serve", "--port", "0", "--workers", str(WORKERS)], env=env, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout
            address = urlsplit(process.stdout.readline().split()[-1]).netloc
            wait_until_ready(address)
            make = [
                *beam,
                "keys",
                "create",
                "--owner",
                "bench",
                "--tier",
                "enterprise",
                "--limit",
                "1000000",
                "--quiet",
            ]
            key = subprocess.run(make, env=env, capture_output=True, text=True, check=True).stdout.split()[-1]
            yield Service(process, address, key, Path(folder))
        finally:
            process.terminate()
            process.wait(60)
            if process.stdout:
                process.stdout.close()


def wait_until_ready(address: str) -> None:
    """Return when /ready answers 200."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        connection = http.client.HTTPConnection(address, timeout=2)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise TimeoutError("the service did not get ready")


def _latency(service: Service, frames: list[bytes]) -> list[Figure]:
    reader, state = FaceReader(), None
    many, one = Client(service, "latency-many"), Client(service, "latency-one")
    parts = batches(frames)
    many.post(parts[0])
    one.post(frames[:1])
    ratios, whole = [], []
    for turn in range(TURNS):
        part = parts[turn % len(parts)]
        start = time.perf_counter()
        first_us = turn * BATCH
        readings = reader.read([Frame(round((first_us + i) * 1e6 / FPS), data) for i, data in enumerate(part)], state)
        core = time.perf_counter() - start
        state = readings[-1].face
        whole.append(many.post(part))
        if turn:  # the first one searches for the face
            ratios.append(whole[-1] / core)
    singles = [one.post([frames[(i + 1) % len(frames)]]) for i in range(SINGLES)]
    many.close()
    one.close()
    return [
        Figure("30 frames a request: whole HTTP path / the core's own time", median(ratios), "x", 1.25),
        *_percentiles("30 frames a request", whole),
        *_percentiles("one frame a request", singles),
    ]


def _percentiles(name: str, seconds: list[float]) -> list[Figure]:
    return [Figure(f"{name}: p{p}", 1000 * float(np.percentile(seconds, p)), "ms") for p in (50, 95, 99)]


def _throughput(service: Service, frames: list[bytes]) -> list[Figure]:
    """As many people as workers, each sending as fast as answers come."""
    part = batches(frames)[0]
    clients = [Client(service, f"throughput-{i}") for i in range(WORKERS)]
    for client in clients:
        client.post(part)

    def send(client: Client) -> None:
        for _ in range(THROUGHPUT_REQUESTS):
            client.post(part)

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    used, start = cpu_s(service), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed, used = time.perf_counter() - start, cpu_s(service) - used
    for client in clients:
        client.close()
    sent = WORKERS * THROUGHPUT_REQUESTS * BATCH
    return [
        Figure("frames a second, all workers busy", sent / passed),
        Figure("CPU of the service for a frame, Redis included", 1000 * used / sent, "ms"),
    ]


def _round_trips(service: Service, store: redis.Redis, frames: list[bytes]) -> list[Figure]:
    """What one request asks of Redis, of requests that fill no window."""
    client = Client(service, "round-trips")
    count = 20
    for _ in range(8):  # every worker has met the key by then
        client.post(frames[:1])
    before = _asked(store)
    for i in range(count):
        client.post([frames[i]])
    after = _asked(store)
    client.close()
    # Reading the counters is itself one round trip, counted in the later of the two.
    trips, calls = after[0] - before[0] - 1, after[1] - before[1] - 1
    return [
        Figure("Redis: round trips a request", trips / count, "", 2),
        Figure("Redis: commands a request, those inside scripts included", calls / count),
    ]


def _asked(store: redis.Redis) -> tuple[int, int]:
    """How often the server has read from a client, and how many commands it has run."""
    info = store.info("everything")
    calls = sum(row["calls"] for name, row in info.items() if name.startswith("cmdstat_"))
    return info["total_reads_processed"], calls


def _window(service: Service, store: redis.Redis, frames: list[bytes]) -> list[Figure]:
    """Memory of one window of 30 s, just before it is full."""
    client = Client(service, "window", duration_ms=31_000)
    parts = batches(frames)
    for i in range(30):
        client.post(parts[i % len(parts)])
    names = [name for name in store.scan_iter("beam:*", count=1000) if b":window}:" in name]
    size = sum(store.memory_usage(name, samples=0) or 0 for name in names)
    client.post(parts[0])  # fills it: memory is looked at next, also that of an analysis
    client.close()
    return [Figure(f"Redis: 900 frames of one person ({len(names)} keys)", size / 1e3, "KB", 350)]


def cpu_s(service: Service) -> float:
    """CPU time that all processes of the service have used, in seconds."""
    ticks = 0
    for pid in processes(service):
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory(service: Service) -> list[Figure]:
    figures = []
    for pid, command in processes(service).items():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kept = {line.split()[0]: int(line.split()[1]) * 1024 / 1e6 for line in rollup.splitlines()[1:]}
        resident, proportional = (250, 90) if "gunicorn" in command else (None, None)
        figures += [
            Figure(f"{command}: resident", kept["Rss:"], "MB", resident),
            Figure(f"{command}: proportional", kept["Pss:"], "MB", proportional),
        ]
    return figures


def processes(service: Service) -> dict[int, str]:
    """Every process of the service, by id, with a word of what it is."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, before = {service.process.pid}, 0
    while len(found) != before:
        before = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return {pid: _command(pid, parents[pid] == service.process.pid) for pid in sorted(found)}


def _command(pid: int, is_first: bool) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_text()
    if "gunicorn" in line:
        return "gunicorn master" if is_first else "gunicorn worker"
    if "beam_api.cli\0worker" in line:
        return "video worker"
    return next((name for name in ("redis-server", "valkey-server") if name in line), "beam serve")


if __name__ == "__main__":
    main()
