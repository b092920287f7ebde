"""`beam serve`: the parent of gunicorn, of a video worker and of the embedded Redis.

It starts Redis, then gunicorn and the video worker; watches them; on a signal ends gunicorn, whose workers first answer
what they have begun, then the video worker, and then Redis. All die with it, however it dies. Everything is forked from
the main thread (see `die_with_parent`).
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import structlog

from beam_api import metrics_folder
from beam_api.config import Settings
from beam_api.redis_server import EmbeddedRedis, RedisNotRunning, die_with_parent
from beam_api.serving_worker import WorkerProcess

WATCH_S = 0.2
REVIVE_PAUSE_S = 1.0
GRACE_S = 35.0  # gunicorn's own graceful timeout, and a little


class AddressInUse(Exception):
    """The port can't be had."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and with which certificate."""

    host: str
    port: int
    tls_cert: Path | None = None
    tls_key: Path | None = None


def serve(settings: Settings, address: Address, on_start: Callable[[str, str], None]) -> int:
    """Serve until a signal comes or gunicorn ends; returns the exit status.

    `on_start(url, redis_url)` is called when the port is open and Redis answers, before the first request is read.

    Raises
    ------
    AddressInUse
        If the port can't be had.
    RedisNotRunning
        If the embedded server can't be started.
    NotOurFolder
        If there is no folder for the counts.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would put images on the disk
    stop = _stop_on_signals()
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(address))
        server = None if settings.redis_url else stack.enter_context(EmbeddedRedis(settings.data_dir))
        redis_url = settings.redis_url or (server.url if server else "")
        stack.callback(metrics_folder.remove_if_unused, metrics_folder.prepare(settings.data_dir))
        on_start(_url(address, listener), redis_url)
        if stop.is_set():
            return 0
        gunicorn = _start_gunicorn(settings.workers, redis_url, address, listener)
        listener.close()
        return _watch(gunicorn, WorkerProcess(redis_url), server, stop)


def _start_gunicorn(workers: int, redis_url: str, address: Address, listener: socket.socket) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gunicorn", "-c", "python:beam_api.gunicorn_conf"]
    command += ["--bind", f"fd://{listener.fileno()}", "--workers", str(workers)]
    if address.tls_cert and address.tls_key:
        command += ["--certfile", str(address.tls_cert), "--keyfile", str(address.tls_key)]
    return subprocess.Popen(  # noqa: S603
        command,
        env=os.environ | {"BEAM_REDIS_URL": redis_url},
        start_new_session=True,  # Ctrl-C reaches us alone; we pass it on as the signal that ends gunicorn gracefully
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
        pass_fds=(listener.fileno(),),
    )


def _watch(
    gunicorn: subprocess.Popen[bytes], worker: WorkerProcess, server: EmbeddedRedis | None, stop: threading.Event
) -> int:
    """Keep the rest up until a signal comes (0) or gunicorn ends by itself (its exit status, at least 1)."""
    try:
        while gunicorn.poll() is None:
            worker.keep_alive()
            if stop.wait(WATCH_S):
                return 0
            if server is not None:
                _keep_alive(server, stop)
        return gunicorn.returncode or 1
    finally:
        worker.ask_to_stop()
        _end(gunicorn)
        worker.stop()


def _keep_alive(server: EmbeddedRedis, stop: threading.Event) -> None:
    try:
        server.revive()
    except RedisNotRunning as error:  # requests get 503 until it comes back
        structlog.get_logger().error("redis does not start", reason=str(error))
        stop.wait(REVIVE_PAUSE_S)


def _end(gunicorn: subprocess.Popen[bytes]) -> None:
    if gunicorn.poll() is not None:
        return
    gunicorn.terminate()
    try:
        gunicorn.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        gunicorn.kill()
        gunicorn.wait()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handle)
    return stop


def _listen(address: Address) -> socket.socket:
    """An open port: taken before anything is started, so that a failure is told at once and leaves nothing behind."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=2048)
    except OSError as error:
        raise AddressInUse(f"Can't listen on {address.host} port {address.port}: {error.strerror}.") from error


def _url(address: Address, listener: socket.socket) -> str:
    """The address to open on this machine. A wildcard is shown as localhost, where a browser also gives its camera."""
    host = "localhost" if address.host in ("0.0.0.0", "::", "127.0.0.1", "::1") else address.host  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if address.tls_cert else 'http'}://{host}:{listener.getsockname()[1]}"
