"""The video worker of `beam serve`: a child that is started again if it dies, and ended with the service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import structlog

from beam_api.host.process import die_with_parent

PAUSE_S = 1.0
GRACE_S = 8.0
"""What it has in hand may be finished; longer work is taken up by the next worker."""


class WorkerProcess:
    """Starts, watches and stops `beam worker`. Use it from the main thread only."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._process: subprocess.Popen[bytes] | None = None
        self._started = float("-inf")
        self._leaving: list[subprocess.Popen[bytes]] = []

    def keep_alive(self) -> None:
        """Start it, or start it again if it has died; not more often than once a second."""
        self._leaving = [former for former in self._leaving if former.poll() is None]
        if self._process is not None and self._process.poll() is None:
            return
        if time.monotonic() - self._started < PAUSE_S:
            return
        if self._process is not None:
            structlog.get_logger().error("video worker died", exit_code=self._process.returncode)
        self._started = time.monotonic()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "beam_api.cli", "worker"],
                env=os.environ | {"BEAM_REDIS_URL": self._redis_url},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children in order
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
            )
        except OSError as error:  # no memory, no files: there is a next time
            structlog.get_logger().error("video worker does not start", reason=str(error))

    def replace(self) -> None:
        """Start another one; this one ends after what it has in hand."""
        if self._process is not None:
            self.ask_to_stop()
            self._leaving.append(self._process)
        self._process, self._started = None, float("-inf")
        self.keep_alive()

    def ask_to_stop(self) -> None:
        """Have it end after what it has in hand."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """Wait until it has ended, and end it if it takes too long."""
        self.ask_to_stop()
        end = time.monotonic() + GRACE_S
        for process in [*self._leaving, *([self._process] if self._process else [])]:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
