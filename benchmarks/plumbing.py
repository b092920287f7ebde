"""What plumbing of the service's own is worth: `python -m benchmarks.plumbing [PART ...]`

*Slow*: the same app with one process of eight threads, under our worker class and under gunicorn's `gthread`. An
ordinary client asks for /health, one connection a request, while other clients send their heads or bodies a byte a
second. *Refusals*: clients send 5 MB that is refused, by the app, which wants a key, or by the server, which finds the
head malformed; they count if they can read why. *Restarts*: how long nothing is answered while the service is reloaded
(SIGHUP), beside a start; and until it is ready again when its Redis is killed. *Counts*: what processes that come and
go, one for each video, leave for who reads /metrics, by our slots and by process ids, as prometheus-client has it.
*Spool*: how long an upload waits for an object store that says nothing, with our limits and with fsspec's.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager, nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.report import Figure, show
from benchmarks.service.started import REDIS, processes, running_service, start_s, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW_CLIENTS = 48
ASKED = 30
PATIENCE_S = 5.0
REFUSED = 40
PARTS = ("slow", "refusals", "restarts", "counts", "spool")
RELOAD_S = 15.0
JOBS = 1000
MOST_UPLOAD_S = 90.0
BODY_BYTES = 5_000_000

_GTHREAD = """
from beam_api.server.gunicorn_conf import *

worker_class = "gthread"


def post_worker_init(worker):
    pass
"""
_UNDRAINED = """
import beam_api.web.draining

beam_api.web.draining._drain = lambda response: response
"""

_COUNTING = """
import os, sys, time
from prometheus_client import CollectorRegistry, generate_latest, multiprocess, values
from beam_api.monitoring import counters

if sys.argv[1] == "ids":
    values.ValueClass = values.MultiProcessValue()
from prometheus_client import Counter, Histogram

jobs = Counter("jobs", "x", ["outcome"], registry=CollectorRegistry())
took = Histogram("took", "x", registry=CollectorRegistry())
for _ in range(int(sys.argv[2])):
    if not (child := os.fork()):
        jobs.labels("done").inc()
        took.observe(1.0)
        os._exit(0)
    os.waitpid(child, 0)
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
begun = time.perf_counter()
text = generate_latest(registry).decode()
files = [name for name in os.listdir(os.environ["PROMETHEUS_MULTIPROC_DIR"]) if name.endswith(".db")]
print(1000 * (time.perf_counter() - begun), len(files))
assert f'jobs_total{{outcome="done"}} {float(sys.argv[2])}' in text, text
"""

_UPLOADING = """
import sys, fsspec
from beam_api.adapters.spool import Spool

if sys.argv[1] == "spool":
    with Spool("s3://bucket/folder").create("session") as (_, file):
        file.write(b"x")
else:
    with fsspec.open("s3://bucket/folder/session", "wb") as file:
        file.write(b"x")
"""


@contextmanager
def gthread(redis_url: str, more: str = "") -> Iterator[str]:
    """The address of the same app under gunicorn's own worker class; `more` is put into its configuration."""
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        conf, address = Path(folder, "gthread_conf.py"), f"127.0.0.1:{_free_port()}"
        conf.write_text(_GTHREAD + more)
        env = os.environ | {"BEAM_DATA_DIR": folder, "BEAM_REDIS_URL": redis_url, "BEAM_LOG_LEVEL": "ERROR"}
        command = [sys.executable, "-m", "gunicorn", "-c", str(conf), "--bind", address, "--workers", "1"]
        process = subprocess.Popen(command, env=env)
        try:
            wait_until_ready(address)
            yield address
        finally:
            process.terminate()
            process.wait(60)


def trickled(address: str, first: bytes) -> tuple[float, float]:
    """The ordinary client's share of answers within 5 s, and the 90th percentile of their milliseconds."""
    over = threading.Event()
    trickles = [threading.Thread(target=_trickle, args=(address, first, over)) for _ in range(SLOW_CLIENTS)]
    for thread in trickles:
        thread.start()
    time.sleep(3)
    times = [taken for _ in range(ASKED) if (taken := _ask(address)) is not None]
    over.set()
    for thread in trickles:
        thread.join()
    return len(times) / ASKED, 1000 * quantiles(times, n=10)[-1] if len(times) > 1 else float("inf")


def refused(address: str, status: bytes, header: str) -> float:
    """The share of clients that read the status with which 5 MB under this header are refused."""
    head = f"POST /api/rppg/measure HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    return sum(_answer_to(address, head.encode() + bytes(BODY_BYTES)) == status for _ in range(REFUSED)) / REFUSED


def _answer_to(address: str, request: bytes) -> bytes:
    with closing(_connected(address)) as client:
        client.settimeout(PATIENCE_S)
        try:
            client.sendall(request)
            return client.recv(1000).split(b" ")[1]
        except (OSError, IndexError):
            return b""


def _trickle(address: str, first: bytes, over: threading.Event) -> None:
    while not over.is_set():
        try:
            with closing(_connected(address)) as client:
                client.sendall(first)
                while not over.wait(1):
                    client.sendall(b"x")
        except OSError:  # cut off: it comes again
            over.wait(0.2)


def _ask(address: str) -> float | None:
    begun = time.perf_counter()
    with closing(http.client.HTTPConnection(address, timeout=PATIENCE_S)) as connection:
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            return None
    return time.perf_counter() - begun


def _connected(address: str) -> socket.socket:
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _figures(name: str, address: str) -> list[Figure]:
    begun_body = b"POST /api/rppg/measure HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    attacks: dict[str, Callable[[], tuple[float, float]]] = {
        "slow heads": lambda: trickled(address, b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: "),
        "slow bodies": lambda: trickled(address, begun_body),
    }
    figures = []
    for what, attack in attacks.items():
        share, p90_ms = attack()
        figures += [
            Figure(f"{name}, {SLOW_CLIENTS} {what}: answered", 100 * share, "%"),
            Figure(f"{name}, {SLOW_CLIENTS} {what}: p90", p90_ms, "ms"),
        ]
    return figures


def _refusals(name: str, address: str) -> list[Figure]:
    by_app = refused(address, b"401", "X-API-Key: beam_sk_none")
    by_server = refused(address, b"400", "A header without a colon")
    return [
        Figure(f"{name}: 5 MB that the app refuses, answer read", 100 * by_app, "%"),
        Figure(f"{name}: 5 MB under a malformed head, answer read", 100 * by_server, "%"),
    ]


def connections(parts: set[str]) -> list[Figure]:
    """Slow clients and refusals, under our worker class and under gunicorn's own."""
    figures: list[Figure] = []
    with running_service(workers=1) as service:
        redis_url = f"unix://{next(service.data_dir.rglob('*.sock'))}"
        for name, more in (("Beam", None), ("gthread", ""), ("gthread, nothing drained", _UNDRAINED)):
            with gthread(redis_url, more) if more is not None else nullcontext(service.address) as address:
                figures += _figures(name, address) if "slow" in parts and not more else []
                figures += _refusals(name, address) if "refusals" in parts else []
    return figures


def restarts() -> list[Figure]:
    """The longest time without an answer while the service is reloaded, and until it is ready with another Redis."""
    with running_service(workers=2) as service:
        answered, failed = _asked_for(service.address, RELOAD_S, lambda: service.process.send_signal(signal.SIGHUP))
        ready_s = []
        for _ in range(3):
            (redis_pid,) = (pid for pid, command in processes(service).items() if command in REDIS)
            begun = time.perf_counter()
            os.kill(redis_pid, signal.SIGKILL)
            while redis_pid in processes(service):
                time.sleep(0.01)
            wait_until_ready(service.address, pause_s=0.02)
            ready_s.append(time.perf_counter() - begun)
    gaps = [after - before for before, after in pairwise(answered)]
    return [
        Figure(
            f"reload: requests that failed, of {len(answered) + failed} in {RELOAD_S:.0f} s", float(failed), "", 0.0
        ),
        Figure("reload: longest time without an answer", max(gaps), "s"),
        Figure("a start instead: without an answer", start_s(), "s"),
        Figure("Redis killed: until the service is ready, median of 3", median(ready_s), "s"),
    ]


def counts() -> list[Figure]:
    """Files of counts after so many processes, and the time to read them."""
    figures = []
    for kind in ("slots", "ids"):
        with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
            env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": folder}
            command = [sys.executable, "-c", _COUNTING, kind, str(JOBS)]
            said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()
        figures += [
            Figure(f"{JOBS} processes counted by {kind}: files", float(said[1])),
            Figure(f"{JOBS} processes counted by {kind}: to read them", float(said[0]), "ms"),
        ]
    return figures


def spool() -> list[Figure]:
    """Time until an upload to a silent object store fails, at most `MOST_UPLOAD_S`."""
    figures = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        env = os.environ | account | {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        for kind in ("spool", "fsspec"):
            begun = time.perf_counter()
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    [sys.executable, "-c", _UPLOADING, kind],
                    env=env,
                    capture_output=True,
                    timeout=MOST_UPLOAD_S,
                    check=False,
                )
            waited = f"a silent object store, {kind}: until an upload fails, or {MOST_UPLOAD_S:.0f} s have passed"
            figures.append(Figure(waited, time.perf_counter() - begun, "s"))
    return figures


def _asked_for(address: str, seconds: float, act: Callable[[], object]) -> tuple[list[float], int]:
    """Ask for /health again and again, and act after a second: when each answer came, and how many failed."""
    answered, failed, begun, acted = [time.perf_counter()], 0, time.perf_counter(), False
    while (now := time.perf_counter()) < begun + seconds:
        if not acted and now > begun + 1:
            act()
            acted = True
        if _ask(address) is None:
            failed += 1
        else:
            answered.append(time.perf_counter())
    return answered, failed


def main() -> None:
    """Print the figures of the parts that are named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part")
    parts = set(parser.parse_args().parts or PARTS)
    if parts & {"slow", "refusals"}:
        show("Connection handling", connections(parts))
    if "restarts" in parts:
        show("Restarts", restarts())
    if "counts" in parts:
        show("Counts of processes", counts())
    if "spool" in parts:
        show("Spool", spool())


if __name__ == "__main__":
    main()
