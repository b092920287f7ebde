"""What the service's own connection handling is worth beside gunicorn's `gthread`: `python -m benchmarks.plumbing`

The same app with one process of eight threads under each. An ordinary client asks for /health, one connection a
request, while other clients send their heads or bodies a byte a second; then clients send 5 MB that is refused.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from benchmarks.report import Figure, show
from benchmarks.service.started import running_service, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW_CLIENTS = 48
ASKED = 30
PATIENCE_S = 5.0
REFUSED = 40
BODY_BYTES = 5_000_000

_GTHREAD = """
from beam_api.server.gunicorn_conf import *

worker_class = "gthread"


def post_worker_init(worker):
    pass
"""


@contextmanager
def gthread(redis_url: str) -> Iterator[str]:
    """The address of the same app under gunicorn's own worker class."""
    with tempfile.TemporaryDirectory(prefix="beam-bench-") as folder:
        conf, address = Path(folder, "gthread_conf.py"), f"127.0.0.1:{_free_port()}"
        conf.write_text(_GTHREAD)
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


def refused(address: str) -> float:
    """The share of clients that read the 401 with which a body of 5 MB is refused."""
    head = (
        f"POST /api/rppg/measure HTTP/1.1\r\nHost: x\r\nX-API-Key: beam_sk_none\r\nContent-Length: {BODY_BYTES}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    return sum(_answer_to(address, head.encode() + bytes(BODY_BYTES)) == b"401" for _ in range(REFUSED)) / REFUSED


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
    return [*figures, Figure(f"{name}: a refusal of 5 MB is read", 100 * refused(address), "%")]


def main() -> None:
    """Print the figures of both."""
    with running_service(workers=1) as service:
        figures = _figures("Beam", service.address)
        redis_url = f"unix://{next(service.data_dir.rglob('*.sock'))}"
        with gthread(redis_url) as address:
            figures += _figures("gthread", address)
    show("Connection handling", figures)


if __name__ == "__main__":
    main()
