"""The pause in accepting that a lack of files or memory calls for."""

from __future__ import annotations

import time

import structlog

PAUSE_S = 0.2
_LOG_EVERY_S = 60.0


class Shortage:
    """Pauses of one process: counted, and logged once in a while."""

    def __init__(self) -> None:
        self._until = self._log_at = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the pause is not over."""
        return time.monotonic() < self._until

    def begin(self, error: Exception, connections: int) -> None:
        """Pause for `PAUSE_S` from now."""
        from beam_api.monitoring import counters  # loaded with the app, after its folder has been prepared

        now = time.monotonic()
        self._until = now + PAUSE_S
        counters.count_accept_pause()
        if now >= self._log_at:
            self._log_at = now + _LOG_EVERY_S
            structlog.get_logger().warning("accepting pauses", reason=str(error), connections=connections)
