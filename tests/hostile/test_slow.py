"""Clients that send a byte now and then, or nothing, or never go: cut off, and everybody else is answered meanwhile."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, cast

import pytest

from beam_api.server.connection import HEAD_S
from beam_api.server.gunicorn_conf import threads
from beam_api.server.patience import ALLOWANCE_S
from tests.hostile.conftest import MEASURE, Target
from tests.images import jpeg, still_face

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

CROWD = 2 * threads  # of each sort: one for each thread of both web processes
PATIENCE_S = 60.0  # a machine that does much else; the clients before the worker was mended stayed for ever


class Crowd:
    """Many connections, each of which sends a piece of something every now and then."""

    def __init__(self, address: tuple[str, int], first: bytes, piece: bytes, *, keep: bool = False) -> None:
        """With `keep`, what is answered is looked at once, and the connection stays."""
        self._piece, self._keep, self._stop = piece, keep, Event()
        self.answers: list[bytes] = []
        self._selector = selectors.DefaultSelector()
        self._open: list[socket.socket] = []
        for _ in range(CROWD):
            connection = socket.create_connection(address)
            connection.sendall(first)
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)
            self._open.append(connection)
        self._thread = Thread(target=self._send)
        self._thread.start()

    @property
    def left(self) -> int:
        """How many the service still holds."""
        return len(self._open)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        for connection in list(self._open):
            self._drop(connection, b"")

    def _send(self) -> None:
        while not self._stop.wait(0.3):
            for connection in list(self._open):
                try:
                    connection.send(self._piece)
                except BlockingIOError:
                    pass
                except OSError:
                    self._drop(connection, b"")
            for key, _ in self._selector.select(0):
                connection = cast("socket.socket", key.fileobj)
                try:
                    found = connection.recv(4096)
                except OSError:
                    found = b""
                if self._keep:
                    self.answers.append(found)
                    self._selector.unregister(connection)
                else:
                    self._drop(connection, found)

    def _drop(self, connection: socket.socket, answer: bytes) -> None:
        if not self._keep:
            self.answers.append(answer)
            self._selector.unregister(connection)
        self._open.remove(connection)
        connection.close()


@contextmanager
def crowd(target: Target, first: bytes, piece: bytes, *, keep: bool = False) -> Iterator[Crowd]:
    made = Crowd(target.address, first, piece, keep=keep)
    try:
        yield made
    finally:
        made.end()


def others_are_answered(target: Target) -> None:
    started = time.monotonic()
    for number in range(6):
        assert target.ask("GET", "/health").status_code == 200
        data = {"timestamp_ms": str(1000 + 33 * number), "session_id": "other"}
        answer = target.ask("POST", MEASURE, files={"frame": ("f", jpeg(still_face()))}, data=data)
        assert answer.status_code == 202
    assert time.monotonic() - started < PATIENCE_S
    target.ask("DELETE", "/api/rppg/sessions/other")


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and not condition():
        time.sleep(0.2)
    return condition()


def post_head(target: Target, path: str = MEASURE, length: str = "Content-Length: 1000000") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {target.key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n"
    ).encode()


def test_heads_that_never_end_hold_no_thread_and_are_cut_off(target: Target):
    with (
        crowd(target, b"", b"") as silent,
        crowd(target, b"G", b"x") as lines,
        crowd(target, b"GET /health HTTP/1.1\r\nX-A: ", b"x") as headers,
    ):
        others_are_answered(target)
        for slow in (silent, lines, headers):
            assert until(lambda slow=slow: slow.left == 0), f"{slow.left} are still there after {HEAD_S} s and more"


def test_bodies_that_trickle_are_cut_off_while_others_are_answered(target: Target):
    chunked = "Transfer-Encoding: chunked"
    with (
        crowd(target, post_head(target), b"x") as measured,
        crowd(target, post_head(target, length=chunked), b"1\r\nx\r\n") as chunks,
        crowd(target, post_head(target, "/api/nope"), b"x") as nowhere,
        crowd(target, post_head(target, "/api/nope", chunked), b"1\r\nx\r\n") as drained,
    ):
        others_are_answered(target)
        for slow, status in ((measured, b"400"), (chunks, b"400"), (nowhere, b"400"), (drained, b"404")):
            assert until(lambda slow=slow: slow.left == 0), f"{slow.left} are still there"
            reported = {answer.split()[1] for answer in slow.answers if answer}
            assert reported == {status}


def test_clients_that_never_close_hold_nobody_up(target: Target):
    """Each is answered with notice that the connection ends; the service doesn't wait for it to go."""
    with crowd(target, b"NONSENSE\r\n\r\n", b"", keep=True) as slow:
        others_are_answered(target)
        assert until(lambda: len(slow.answers) == CROWD)
        assert {answer.split()[1] for answer in slow.answers} == {b"400"}


def test_a_slow_client_that_means_it_is_waited_for(target: Target):
    frame = jpeg(still_face(), 98)
    body = (
        b'--b\r\nContent-Disposition: form-data; name="session_id"\r\n\r\nslow\r\n'
        b'--b\r\nContent-Disposition: form-data; name="frame"; filename="f"\r\n\r\n' + frame + b"\r\n--b--\r\n"
    )
    with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
        connection.sendall(post_head(target, length=f"Content-Length: {len(body)}"))
        for at in range(0, len(body), 8192):
            time.sleep(0.3)
            connection.sendall(body[at : at + 8192])
        assert connection.recv(4096).split()[1] == b"202"
    assert len(body) / 8192 * 0.3 < ALLOWANCE_S
    target.ask("DELETE", "/api/rppg/sessions/slow")
