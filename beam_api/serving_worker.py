"""The video worker of `beam serve`: a child that is started again if it dies, and ended with the service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import structlog

from beam_api.redis_server import die_with_parent

PAUSE_S = 1.0
GRACE_S = 8.0
"""What it has in hand may be finished; longer work is taken up by the next worker."""


class WorkerProcess:
    """Starts, watches and stops `beam worker`. Use it from the main thread only."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._process: subprocess.Popen[bytes] | None = None
        self._started = float("-inf")

    def keep_alive(self) -> None:
        """Start it, or start it again if it has died; not more often than once a second."""
        if self._process is not None and self._process.poll() is None:
            return
        if time.monotonic() - self._started < PAUSE_S:
            return
        if self._process is not None:
            structlog.get_logger().error("video worker died", exit_code=self._process.returncode)
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "beam_api.cli", "worker"],
            env=os.environ | {"BEAM_REDIS_URL": self._redis_url},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children in order
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
        )

    def ask_to_stop(self) -> None:
        """Have it end after what it has in hand."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """Wait until it has ended, and end it if it takes too long."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
