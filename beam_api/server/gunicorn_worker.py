"""The web process: gunicorn's threaded worker, made safe from slow clients.

Gunicorn gives a connection a thread as soon as it is open, and lets it read for as long as bytes come: as many clients
as there are threads, each sending a byte now and then, would stop the service. Here

* the head of a request is collected without a thread, in the loop that waits for all connections;
* a thread waits for a body only as long as the client's patience allowance lasts: it is spent by waiting, earned by
  sending, and short while others wait for a thread;
* a connection that is closed lingers in the loop too: gunicorn waits up to 2 s in it for the client to go.

What is no HTTP is answered in the shape of all other errors, and logged without what it said.
"""

from __future__ import annotations

import errno
import json
import secrets
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from gunicorn import sock as gunicorn_sock
from gunicorn import util
from gunicorn.http import errors
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from beam_api.server.gunicorn_base import Worker

HEAD_S = 10.0
"""From a connection's opening, or a request's first byte, to the end of its head; and for a TLS handshake."""

ALLOWANCE_S, RATE = 15.0, 8 * 1024
"""How long a thread waits for a client that sends nothing, and how many bytes earn a second of that."""

PRESSED_ALLOWANCE_S, PRESSED_RATE = 2.0, 32 * 1024
"""The same while a request has waited for a thread for longer than `PRESSED_S`."""

PRESSED_S = 1.0
SEND_S = 20.0  # for a client to take an answer
LINGER_S = 2.0  # for a client to close, so that it sees the answer and no reset
_GLANCE_S = 0.25
_PIECE = 64 * 1024
_MOST_HEAD = 512 * 1024  # gunicorn's own limits are lower, and answer; this one is for what has no end

_STATUS: dict[type[Exception], HTTPStatus] = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,  # ours
    errors.InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ParseException: HTTPStatus.BAD_REQUEST,
}


class PatientUnreader(SocketUnreader):  # type: ignore[misc] # gunicorn has no types
    """Reads from a socket as long as its client is worth the wait."""

    def __init__(self, source: socket.socket, pressed: Callable[[], bool]) -> None:
        super().__init__(source)
        self._pressed = pressed
        self._left_s = ALLOWANCE_S

    def begin(self) -> None:
        """A request begins: the client has its whole allowance again."""
        self._left_s = ALLOWANCE_S

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes. Raises NoMoreData (an OSError) if the client takes too long for them."""
        while True:
            most_s, rate = (PRESSED_ALLOWANCE_S, PRESSED_RATE) if self._pressed() else (ALLOWANCE_S, RATE)
            self._left_s = min(self._left_s, most_s)
            if self._left_s <= 0:
                raise errors.NoMoreData
            self.sock.settimeout(min(self._left_s, _GLANCE_S))
            started = time.monotonic()
            try:
                data: bytes = super().chunk(size_hint)
            except TimeoutError:
                self._left_s -= time.monotonic() - started
                continue
            self._left_s += len(data) / rate - (time.monotonic() - started)
            self.sock.settimeout(SEND_S)
            return data


class Connection(TConn):  # type: ignore[misc]
    """A connection whose reads end."""

    sock: Any
    initialized: bool

    def __init__(self, worker: WebWorker, client_socket: socket.socket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, client_socket, client, server)
        self._worker = worker
        self.data_ready = True  # it is given to a thread when there is something to read, and not before
        self.head = bytearray()
        self.head_due = 0.0

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
        self.parser = RequestParser(self.cfg, self.sock, self.client)
        self.parser.unreader = PatientUnreader(self.sock, self._worker.pressed)

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully, when the client has closed too, or soon."""
        if graceful:
            self._worker.linger(self.sock)
        else:
            util.close(self.sock)


class WebWorker(Worker):
    """Runs the app in threads, for requests whose heads are complete."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._since: deque[float] = deque()  # when each request that waits for a thread began to
        self._lingering: deque[tuple[float, socket.socket]] = deque()

    def pressed(self) -> bool:
        """Whether a request has been waiting for a thread for long."""
        try:
            return time.monotonic() - self._since[0] > PRESSED_S
        except IndexError:
            return False

    def enqueue_req(self, conn: Connection) -> None:
        """Have a thread handle the request of a connection."""
        self._since.append(time.monotonic())
        super().enqueue_req(conn)

    def handle(self, conn: Connection) -> Any:
        """In a thread: read a request and answer it; whether the connection stays open."""
        self._since.popleft()
        if conn.initialized:
            conn.parser.unreader.begin()
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Run the app. A client that doesn't take its answer is no error of ours."""
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            raise errors.NoMoreData from None

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, and wait for its first request."""
        try:
            client_socket, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        conn = Connection(self, client_socket, client, listener.getsockname())
        conn.head_due = time.monotonic() + HEAD_S
        self._await_more(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """The next request of a connection that was kept begins."""
        self.keepalived_conns.remove(conn)
        self.poller.unregister(client)
        conn.head_due = time.monotonic() + HEAD_S
        self._read_head(conn)

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """There is more of a request's head."""
        self.pending_conns.remove(conn)
        self.poller.unregister(client)
        self._read_head(conn)

    def murder_pending(self) -> None:
        """Close connections whose heads or whose clients' own closing took too long."""
        now = time.monotonic()
        # A worker that is to end waits less for those who may never say anything.
        due = now if self.alive else now + HEAD_S - LINGER_S
        for conn in [conn for conn in self.pending_conns if conn.head_due <= due]:
            self.pending_conns.remove(conn)
            self._drop(conn)
        while self._lingering and self._lingering[0][0] <= now:
            self._end_lingering(*self._lingering[0])

    def linger(self, client: socket.socket) -> None:
        """Close a connection when its client has, or in `LINGER_S`: else the client might see a reset and no answer."""
        try:
            client.setblocking(False)
            client.shutdown(socket.SHUT_WR)
            entry = (time.monotonic() + LINGER_S, client)
            self.poller.register(client, selectors.EVENT_READ, partial(self._on_lingering, entry))
            self._lingering.append(entry)
        except (OSError, ValueError, KeyError):
            util.close(client)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP, in our shape. Anything else that comes here is a bug, and gunicorn's."""
        if isinstance(exc, ssl.SSLError):
            return
        status = next((_STATUS[kind] for kind in type(exc).__mro__ if kind in _STATUS), None)
        if status is None or status >= 500:
            super().handle_error(req, client, addr, exc)
            return
        request_id = f"req_{secrets.token_hex(12)}"
        structlog.get_logger().info("malformed request", request_id=request_id, reason=type(exc).__name__)
        with suppress(OSError):
            client.settimeout(SEND_S)
            client.sendall(_malformed(status, request_id))

    def _await_more(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        self.pending_conns.append(conn)
        callback = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _read_head(self, conn: Connection) -> None:
        """Read what there is; give the request to a thread when its head is complete."""
        if conn.cfg.is_ssl:  # it can't be read here; the thread's patience is limited
            self.enqueue_req(conn)
            return
        try:
            data = conn.sock.recv(_PIECE)
        except BlockingIOError:
            self._await_more(conn)
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn, registered=False)
            return
        seen = max(0, len(conn.head) - 3)
        conn.head += data
        if conn.head.find(b"\r\n\r\n", seen) < 0 and len(conn.head) < _MOST_HEAD:
            self._await_more(conn)
            return
        conn.init()
        conn.parser.unreader.unread(bytes(conn.head))
        conn.head.clear()
        self.enqueue_req(conn)

    def _drop(self, conn: Connection, *, registered: bool = True) -> None:
        if registered:
            with suppress(OSError, KeyError, ValueError):
                self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _on_lingering(self, entry: tuple[float, socket.socket], client: socket.socket) -> None:
        try:
            if client.recv(_PIECE):
                return
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            pass
        self._end_lingering(*entry)

    def _end_lingering(self, due: float, client: socket.socket) -> None:
        self._lingering.remove((due, client))
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(client)
        util.close(client)


def _malformed(status: HTTPStatus, request_id: str) -> bytes:
    """A whole answer."""
    code = "INVALID_PARAMETER" if status == HTTPStatus.BAD_REQUEST else status.name
    message = "The request could not be read."
    error = {"code": code, "message": message, "status": int(status), "request_id": request_id}
    body = json.dumps({"success": False, "error": error}).encode()
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n\r\n"
    )
    return head.encode() + body
