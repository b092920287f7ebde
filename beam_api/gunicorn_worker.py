"""gunicorn's threaded worker, which answers what waits at its door before it stops.

A connection is made by the kernel and then waits until a worker accepts it. A worker of gunicorn's own that is told to
stop lets them wait, new ones too, until it has answered what it had accepted; then it goes, and they are reset with
their requests unanswered. This one takes in all that wait and closes its door at once. So a client either gets its
answer, or can't connect; while other workers share the door, as in a reload, they take the rest.
"""

from __future__ import annotations

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Accepts what has been connected before it stops accepting."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or stop to accept: for a while when there are too many connections, for good when the worker stops."""
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._take_in_all(listener)
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def _take_in_all(self, listener: object) -> None:
        before = -1
        while self.nr_conns != before:  # what accepts says nothing when there is nobody left
            before = self.nr_conns
            self.accept(listener)
