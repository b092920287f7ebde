"""The web processes of `beam serve`: one gunicorn, and during a reload the one that takes over from it.

Both listen on the same socket, which the parent holds. The old one goes when each process of the new one serves: so a
new connection always finds somebody, and if the new one does not come up the old one stays.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import structlog

from beam_api.host.process import die_with_parent
from beam_api.server.handover import Ending, Handover

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

START_S = 60.0
GRACE_S = 35.0  # gunicorn's own graceful timeout, and a little


class Gunicorn:
    """One gunicorn with its workers. Start it from the main thread."""

    def __init__(self, options: Sequence[str], workers: int, redis_url: str, listener: socket.socket) -> None:
        self._handover, child_end = Handover.pair()
        self._missing, self._since, self._ends_at = workers, time.monotonic(), float("inf")
        command = [sys.executable, "-m", "gunicorn", "-c", "python:beam_api.server.gunicorn_conf"]
        command += ["--bind", f"fd://{listener.fileno()}", "--workers", str(workers), *options]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            env=os.environ | {"BEAM_REDIS_URL": redis_url} | Handover.environment(child_end),
            start_new_session=True,  # Ctrl-C reaches us alone; we pass it on as the signal to end gracefully
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
            pass_fds=(listener.fileno(), child_end.fileno()),
        )
        child_end.close()

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def serves(self) -> bool:
        """Whether each of its processes has said so."""
        self._missing -= self._handover.newly_ready()
        return self._missing <= 0

    @property
    def is_late(self) -> bool:
        """Whether it has had all the time to start that it is given."""
        return time.monotonic() - self._since > START_S

    def ask_to_end(self, ending: Ending) -> None:
        """Have it answer what it has begun, and end."""
        self._handover.announce(ending)
        if self.exit_status is None:
            self._process.terminate()
        self._ends_at = min(self._ends_at, time.monotonic() + GRACE_S)

    def has_ended(self) -> bool:
        """Whether it has; one that takes too long is ended."""
        if self.exit_status is None and time.monotonic() > self._ends_at:
            self._process.kill()
            self._process.wait()
        return self.exit_status is not None

    def wait(self) -> None:
        """Return when it has ended."""
        try:
            self._process.wait(max(0.0, self._ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._handover.close()

    def kill(self) -> None:
        """End it now, with all its workers, which die with it."""
        self._process.kill()
        self.wait()


class WebProcesses:
    """The gunicorn that serves, the next one while it starts, and former ones while they finish."""

    def __init__(self, start: Callable[[], Gunicorn], listener: socket.socket) -> None:
        self._start, self._listener = start, listener
        self._serving = start()
        self._next: Gunicorn | None = None
        self._leaving: list[Gunicorn] = []

    @property
    def exit_status(self) -> int | None:
        """Of the one that serves; None while it runs."""
        return self._serving.exit_status

    @property
    def reloading(self) -> bool:
        """Whether a new one is starting."""
        return self._next is not None

    def reload(self) -> None:
        """Start a new one, which reads code, certificates and models anew."""
        structlog.get_logger().info("reload begins")
        try:
            self._next = self._start()
        except OSError as error:  # no memory, no files
            structlog.get_logger().error("reload failed; the former processes stay", reason=str(error))

    def look_after(self) -> bool:
        """Go on with a reload; says whether the new one has just taken over."""
        for gunicorn in [gunicorn for gunicorn in self._leaving if gunicorn.has_ended()]:
            gunicorn.wait()
            self._leaving.remove(gunicorn)
        if self._next is None:
            return False
        if self._next.exit_status is not None or self._next.is_late:
            structlog.get_logger().error("reload failed; the former processes stay", exit_status=self._next.exit_status)
            self._next.kill()
            self._next = None
            return False
        if not self._next.serves():
            return False
        self._serving.ask_to_end(Ending.REPLACED)
        self._leaving.append(self._serving)
        self._serving, self._next = self._next, None
        structlog.get_logger().info("reload done")
        return True

    def end(self) -> None:
        """Close the port, answer the requests in flight, and end every gunicorn."""
        self._listener.close()
        if self._next is not None:
            self._leaving.append(self._next)
        all_of_them = [self._serving, *self._leaving]
        for gunicorn in all_of_them:
            gunicorn.ask_to_end(Ending.STOP)
        for gunicorn in all_of_them:
            gunicorn.wait()
