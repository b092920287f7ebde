"""A connection of the web process: its request as it is collected, then as gunicorn's parser reads it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gunicorn import sock as gunicorn_sock
from gunicorn import util
from gunicorn.http import errors
from gunicorn.http.parser import RequestParser
from gunicorn.workers import gthread

from beam_api.server.http_head import Head
from beam_api.server.patience import ALLOWANCE_S, RATE, PatientSocket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

HEAD_S = 10.0
"""From a connection's opening, or a request's first byte, to the end of its head; and for a TLS handshake."""

SEND_S = 20.0  # for a client to take an answer


class Connection(gthread.TConn):  # type: ignore[misc] # gunicorn has no types
    """A connection whose reads end."""

    sock: Any
    initialized: bool
    detached: Callable[[], None] | None = None  # gives it to who goes on with its answer

    def __init__(self, worker: Any, client_socket: socket.socket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, client_socket, client, server)
        self._worker = worker
        self.data_ready = True  # it is given to a thread when there is something to read, and not before
        self.begin_head()

    def begin_head(self) -> None:
        """A request begins."""
        self.head, self.due, self.held = Head(), time.monotonic() + HEAD_S, 0
        self._body_since = 0.0

    def await_body(self) -> None:
        """Let the client earn time by sending, as `PatientSocket` does, now that the head is complete."""
        self._body_since = self._body_since or time.monotonic()
        self.due = self._body_since + ALLOWANCE_S + (len(self.head.data) - self.head.body_at) / RATE

    def begin_reading(self) -> None:
        """Have the parser read what was collected."""
        self.init()
        # What was read of the next request stays with the parser, which is asked for it.
        at = self.head.body_at if self.head.body_at and self.head.missing >= 0 else len(self.head.data)
        collected, self.head.data = self.head.data, bytearray()
        self.parser.unreader.unread(bytes(collected[:at]))
        self.patient.give(memoryview(collected)[at:])

    def init(self) -> None:
        """Prepare for requests; with TLS, in the thread that handles the first one, after the handshake."""
        if self.initialized:
            return
        self.initialized = True
        if self.cfg.is_ssl:
            self.sock.settimeout(HEAD_S)
            self.sock = gunicorn_sock.ssl_wrap_socket(self.sock, self.cfg)
            try:
                self.sock.do_handshake()
            except TimeoutError:
                raise errors.NoMoreData from None
        self.patient = PatientSocket(self.sock, self._worker.pressure, then_s=SEND_S)
        self.parser = RequestParser(self.cfg, self.patient, self.client)

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully, when the client has closed too, or soon. A detached one goes on elsewhere."""
        if self.detached:
            self.detached()
        elif graceful:
            self._worker.lingering.add(self.sock)
        else:
            util.close(self.sock)
