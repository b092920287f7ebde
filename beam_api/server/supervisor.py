"""`beam serve`: the parent of gunicorn, of a video worker and of the embedded Redis.

It starts Redis, then gunicorn and the video worker; watches them; on a signal ends gunicorn, whose workers first answer
what they have begun, then the video worker, and then Redis. On SIGHUP web processes and video worker are replaced. All
die with it, however it dies. Everything is forked from the main thread (see `die_with_parent`).
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from beam_api.host.process import raise_open_files
from beam_api.monitoring import slots
from beam_api.server.embedded_redis import EmbeddedRedis, RedisNotRunning
from beam_api.server.web_processes import Gunicorn, WebProcesses
from beam_api.server.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from beam_api.config import Settings

WATCH_S = 0.2
REVIVE_PAUSE_S = 1.0
COMPACT_S = 3600.0
"""What was deleted or has expired stays so long in the embedded server's append-only file, at most."""


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
    raise_open_files()  # the children inherit it
    orders = Orders()
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(address))
        server = (
            None
            if settings.redis_url
            else stack.enter_context(EmbeddedRedis(settings.data_dir, fsync=settings.redis_fsync))
        )
        redis_url = settings.redis_url or (server.url if server else "")
        stack.callback(slots.remove_if_unused, slots.prepare(settings.data_dir))
        on_start(_url(address, listener), redis_url)
        if orders.stop.is_set():
            return 0
        options = ["--certfile", str(address.tls_cert), "--keyfile", str(address.tls_key)] if address.tls_cert else []
        web = WebProcesses(lambda: Gunicorn(options, settings.workers, redis_url, listener), listener)
        return _watch(web, WorkerProcess(redis_url), server, orders)


def _watch(web: WebProcesses, worker: WorkerProcess, server: EmbeddedRedis | None, orders: Orders) -> int:
    """Keep the rest up until a signal comes (0) or gunicorn ends by itself (its exit status, at least 1)."""
    compact_at = time.monotonic()  # at once: a service that is often started again may never see the hour pass
    try:
        while web.exit_status is None:
            worker.keep_alive()
            if web.look_after():
                worker.replace()
            if orders.reload.is_set() and not web.reloading:
                orders.reload.clear()
                web.reload()
            if orders.stop.wait(WATCH_S):
                return 0
            if server is not None:
                _keep_alive(server, orders.stop)
                if time.monotonic() >= compact_at:
                    compact_at = time.monotonic() + COMPACT_S
                    server.compact()
        return web.exit_status or 1
    finally:
        worker.ask_to_stop()
        web.end()
        worker.stop()


def _keep_alive(server: EmbeddedRedis, stop: threading.Event) -> None:
    try:
        server.revive()
    except (RedisNotRunning, OSError) as error:  # requests get 503 until it comes back
        structlog.get_logger().error("redis does not start", reason=str(error))
        stop.wait(REVIVE_PAUSE_S)


class Orders:
    """What signals have asked for: SIGTERM and SIGINT to stop, SIGHUP to reload.

    SIGHUP also comes when a terminal is closed. Then, recognised by the missing terminal, it means stop: what was begun
    in a window should not go on without it. Where it is ignored from the start, as under `nohup`, it stays ignored.
    """

    def __init__(self) -> None:
        self.stop, self.reload = threading.Event(), threading.Event()
        self._in_a_terminal = _has_terminal()
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not (self._in_a_terminal and not _has_terminal()):
            self.reload.set()
        else:
            self.stop.set()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _listen(address: Address) -> socket.socket:
    """An open port: taken before anything is started, so that a failure shows at once and leaves nothing behind."""
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
