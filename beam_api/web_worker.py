"""gunicorn's threaded worker, and how it is told from outside why it is to end.

HTTP lets a server close a kept connection at any time, and a client that is just sending its next request on it sees
it lost. So a worker that must go keeps such connections for a while and answers what comes with `Connection: close`:

* One that is replaced (a reload) keeps them as long as it would have anyway; its successor takes the new ones.
* One that ends with the service closes them after `LINGER_S`. It also closes the port at once: a new connection is
  refused, which a load balancer takes elsewhere, and not left to wait for nobody.
"""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress

from gunicorn.workers import gthread

from beam_api.handover import Ending, Handover

LINGER_S = 2.0

gthread.STOP_KEEPALIVE_LINGER = 3600.0  # shortened below, to the connection's own time or to LINGER_S


class WebWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """A worker of `beam serve`, or of gunicorn alone, where it ends as gunicorn's own does."""

    handover = Handover.of_child()
    _close_by: float | None = None

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, unless another worker has closed the port."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; with the service ending, close the port when those that wait have been taken."""
        super().set_accept_enabled(enabled)
        if self.alive or self.handover.told() is not Ending.STOP:
            return
        for listener in self.sockets:
            before = -1
            while before < self.nr_conns:
                before = self.nr_conns
                self.accept(listener)
            with suppress(OSError):  # another worker has done it
                listener.shutdown(socket.SHUT_RDWR)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close kept connections whose time is over."""
        if not self.alive and self.handover.told() is not Ending.REPLACED:
            self._close_by = self._close_by or time.monotonic() + LINGER_S
            self._cap_keepalive(self._close_by)
        super().murder_keepalived(force)
