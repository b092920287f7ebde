"""The web process: gunicorn's threaded worker, made safe from slow clients, from many, and from stopping.

Gunicorn's own worker gives a connection a thread as soon as it is open, and lets it read for as long as bytes come; it
ends when it can open no more files; asked to stop, it resets connections that were made and not yet accepted. Here

* the head of a request is collected without a thread, in the loop that waits for all connections, and so is a body of
  ordinary size; together they take at most `MOST_HELD`;
* a thread waits for any other body only as long as the client's patience allowance lasts: waiting spends it, sending
  earns it, and it is short while others wait for a thread;
* a closed connection waits in the loop, not in a thread, for the client to close too; it counts as a connection;
* where files or memory run out, accepting pauses for a moment;
* a worker that stops accepts all that is connected, then closes its port. Idle connections are kept for `LINGER_S`, for
  a request that is on its way, or as long as ever if the worker is replaced and not stopped with the service.

`OVERRIDDEN` lists what is replaced of gunicorn; a test fails when gunicorn changes any of it.
"""

from __future__ import annotations

import errno
import selectors
import ssl
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.http import errors
from gunicorn.workers import gthread

from beam_api.host.process import is_shortage
from beam_api.server.connection import HEAD_S, SEND_S, Connection
from beam_api.server.detaching import DETACH, Detached, StreamSocket, begin_to_end, detach
from beam_api.server.handover import Ending, Handover
from beam_api.server.http_head import check, refusal
from beam_api.server.lingering import LINGER_S, Lingering
from beam_api.server.patience import Pressure
from beam_api.server.shortage import PAUSE_S, Shortage

if TYPE_CHECKING:
    import socket

OVERRIDDEN: dict[type, tuple[str, ...]] = {
    gthread.TConn: ("__init__", "init", "close"),
    gthread.ThreadWorker: (
        *("__init__", "get_thread_pool", "set_accept_enabled", "accept", "wait_for_and_dispatch_events"),
        *("on_client_socket_readable", "on_pending_socket_readable", "murder_keepalived", "murder_pending"),
        *("enqueue_req", "handle", "handle_request", "handle_error"),
    ),
}

MOST_HELD = 256 * 1024 * 1024
"""Bytes of incomplete requests in a process's memory. Beyond that threads wait for bodies."""

_PIECE, _BODY_PIECE = 64 * 1024, 256 * 1024
_BROKEN = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)  # errors of a listener; others are of one connection

gthread.STOP_KEEPALIVE_LINGER = 3600.0  # never less than the connection's own time; see `murder_keepalived`


class WebWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """Runs the app in threads, for requests whose heads are complete."""

    wsgi: Any
    handover = Handover.of_child()
    _close_at: float | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lingering, self.pressure, self._shortage = Lingering(self), Pressure(), Shortage()
        self._held = 0

    def get_thread_pool(self) -> Any:
        """Start every thread now: later there may be no memory for one."""
        pool, all_run = super().get_thread_pool(), threading.Barrier(self.cfg.threads)
        for _ in range(self.cfg.threads):
            pool.submit(all_run.wait, HEAD_S)
        return pool

    def offer_detaching(self) -> None:
        """Let the app answer with what goes on without a thread."""
        app: Any = self.wsgi

        def with_detach(environ: dict[str, Any], start_response: Any) -> Any:
            environ[DETACH] = detach
            return app(environ, start_response)

        self.wsgi = with_detach

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or stop to accept: for a while where there are too many connections, for good when the worker stops."""
        if enabled and self._shortage.lasts:
            return
        before = -1
        while not self.alive and not enabled and self.nr_conns != before:  # it accepts all that is connected
            before = self.nr_conns
            for listener in self.sockets:
                self.accept(listener)
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, if one waits, and wait for its first request."""
        try:
            client_socket, client = listener.accept()
            self.nr_conns += 1
            self._await_more(Connection(self, client_socket, client, listener.getsockname()))
        except OSError as error:
            if is_shortage(error):
                self._pause(error)
            elif error.errno in _BROKEN:
                raise

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for connections, and go on with them. A lack of files or memory ends no worker."""
        try:
            super().wait_for_and_dispatch_events(min(timeout, PAUSE_S) if self._shortage.lasts else timeout)
        except (OSError, MemoryError) as error:
            if not is_shortage(error):
                raise
            self._pause(error)

    def _pause(self, error: Exception) -> None:
        self._shortage.begin(error, self.nr_conns)
        super().set_accept_enabled(False)
        self.lingering.end_all()

    def enqueue_req(self, conn: Connection) -> None:
        """Have a thread handle the request of a connection."""
        self.pressure.begin()
        super().enqueue_req(conn)

    def handle(self, conn: Connection) -> Any:
        """In a thread: read a request and answer it; whether the connection stays open."""
        self.pressure.end()
        if conn.head.is_refused:
            self.handle_error(None, conn.sock, conn.client, errors.InvalidRequestLine(""))
            return False
        if conn.initialized:
            conn.patient.begin()
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Run the app. A client that doesn't take its answer is no error."""
        check(req)
        try:
            return super().handle_request(req, conn)
        except Detached as left:
            conn.detached = partial(left.begin, StreamSocket(conn.sock, chunked=req.version > (1, 0)))
            return False
        except TimeoutError:
            raise errors.NoMoreData from None

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP, in our shape. Anything else that comes here is a bug, and gunicorn's."""
        if isinstance(exc, ssl.SSLError):
            return
        answer = refusal(exc)
        if answer is None:
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):
            client.settimeout(SEND_S)
            client.sendall(answer)

    def on_client_socket_readable(self, conn: Connection, _client: socket.socket) -> None:
        """The next request of a connection that was kept begins."""
        self.keepalived_conns.remove(conn)
        conn.begin_head()
        self._read_head(conn)

    def on_pending_socket_readable(self, conn: Connection, _client: socket.socket) -> None:
        """There is more of a request's head."""
        self.pending_conns.remove(conn)
        self._read_head(conn)

    def _await_more(self, conn: Connection) -> None:
        self._count(conn, len(conn.head.data))
        conn.sock.setblocking(False)
        self.pending_conns.append(conn)  # if it can't be registered, it is dropped when its time is over
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _count(self, conn: Connection, held: int) -> None:
        self._held += held - conn.held
        conn.held = held

    def _read_head(self, conn: Connection) -> None:
        """Read what there is; give the request to a thread when it is complete, or its head is and nothing can wait."""
        self.poller.unregister(conn.sock)
        if conn.cfg.is_ssl:  # it can't be read here; the thread's patience is limited
            return self.enqueue_req(conn)
        head = conn.head
        try:
            data = conn.sock.recv(min(max(head.missing, 0), _BODY_PIECE) or _PIECE)
        except BlockingIOError:
            return self._await_more(conn)
        except OSError:
            data = b""
        if not data:  # it ended; a body that is not whole has an answer
            return self._drop(conn, refusal(errors.NoMoreData()) if head.missing > 0 else None)
        head.add(data)
        if not (head.is_complete or head.is_refused):
            return self._await_more(conn)
        if head.missing > 0 and not head.is_refused and self._held < MOST_HELD:
            conn.await_body()
            return self._await_more(conn)
        self._count(conn, 0)
        conn.begin_reading()
        return self.enqueue_req(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close idle connections whose time is over; a worker that stops calls it at least once a second."""
        if not self.alive:
            begin_to_end()
        if not self.alive and self.handover.ending() is not Ending.REPLACED:
            self._close_at = self._close_at or time.monotonic() + LINGER_S
            self._cap_keepalive(self._close_at)
        super().murder_keepalived(force)

    def murder_pending(self) -> None:
        """Close connections whose heads or whose clients' own closing took too long."""
        now = time.monotonic()
        # A worker that is to end waits less for those who may never say anything.
        soon = now if self.alive else now + HEAD_S - LINGER_S
        for conn in [conn for conn in self.pending_conns if conn.due <= (now if conn.head.is_complete else soon)]:
            self.pending_conns.remove(conn)
            self._drop(conn, refusal(errors.NoMoreData()) if conn.head.is_complete else None)
        self.lingering.end_late()

    def _drop(self, conn: Connection, answer: bytes | None = None) -> None:
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._count(conn, 0)
        self.nr_conns -= 1
        with suppress(OSError):
            if answer:
                conn.sock.send(answer)
        conn.close(graceful=answer is not None)
