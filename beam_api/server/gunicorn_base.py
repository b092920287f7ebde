"""gunicorn's threaded worker, which loses no request when it stops.

A connection is made by the kernel and then waits until a worker accepts it. A worker of gunicorn's own that is told to
stop lets them wait, new ones too, until it has answered what it had accepted; then it goes, and they are reset with
their requests unanswered. This one takes in all that wait and closes its door at once. So a client either gets its
answer, or can't connect; while other workers share the door, as in a reload, they take the rest.

On a connection that is kept but idle the next request may be on its way. HTTP allows a server to close it all the same,
but the request is lost. A worker that stops with the service keeps them for `LINGER_S` and answers what comes; one that
is replaced keeps them as long as it would have anyway.
"""

from __future__ import annotations

import time

from gunicorn.workers import gthread

from beam_api.server.handover import Ending, Handover

LINGER_S = 2.0

gthread.STOP_KEEPALIVE_LINGER = 3600.0  # never less than the connection's own time; see `murder_keepalived`


class Worker(gthread.ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Accepts what has been connected before it stops accepting, and keeps idle connections a while."""

    handover = Handover.of_child()
    _close_at: float | None = None

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or stop to accept: for a while when there are too many connections, for good when the worker stops."""
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._take_in_all(listener)
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close idle connections whose time is over; a worker that stops calls it at least once a second."""
        if not self.alive and self.handover.told() is not Ending.REPLACED:
            self._close_at = self._close_at or time.monotonic() + LINGER_S
            self._cap_keepalive(self._close_at)
        super().murder_keepalived(force)

    def _take_in_all(self, listener: object) -> None:
        before = -1
        while self.nr_conns != before:  # what accepts says nothing when there is nobody left
            before = self.nr_conns
            self.accept(listener)
