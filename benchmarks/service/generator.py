"""A cheap load: many people over kept connections, one thread and raw sockets, in a process of its own.

It shares the cores with the service, so it tells what it has used of them. Requests are composed of parts made before;
of an answer only status, length and `rejected` are looked at.
"""

from __future__ import annotations

import random
import select
import socket
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from benchmarks.service.client import BOUNDARY, END, LONGEST_MS, PATH, frame_part, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.service.started import Service

WARM_UP = 3  # requests of each person before anything is counted: connections, the search for the face, the key
_STUCK_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: every person their next frames, `per_request` at a time, for some seconds.

    `rate_hz` requests a second, all people together: each at an even pace of their own, beginning at a random moment,
    whether or not answers keep up. Without it each sends as soon as the answer has come.
    """

    people: int
    seconds: float
    per_request: int = 1
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds of each request from when it was due until its answer was read; how long all took, and the load's CPU.

    `warm_up` requests went before, and are in none of these.
    """

    latencies_s: list[float]
    wall_s: float
    cpu_s: float
    warm_up: int


def send(service: Service, frames: list[bytes], load: Load, name: str) -> Outcome:
    """Put a load on a service and wait for its end. Sessions are called `name`-0, `name`-1, ..."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
        return maker.submit(_run, service.address, service.key, frames, load, name).result()


class _Person:
    def __init__(self, address: str, key: str, session: str, frames: list[bytes], per_request: int) -> None:
        self._address = address
        self._connect()
        self._start = (
            f"POST {PATH} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: "
        ).encode()
        self._head = head(session, LONGEST_MS)
        self._frames, self._per_request = frames, per_request
        self._number = 0
        self._left = memoryview(b"")
        self._got = b""
        self.due = 0.0

    def _connect(self) -> None:
        host, _, port = self._address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=_STUCK_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def begin(self) -> None:
        """Compose the next request; `write` sends it."""
        last = len(self._frames) - 1
        parts = []
        for number in range(self._number, self._number + self._per_request):
            at = number % (2 * last)  # to and fro: a film that is repeated would jump
            parts.append(frame_part(self._frames[at if at <= last else 2 * last - at], number))
        self._number += self._per_request
        body = b"".join([self._head, *parts, END])
        self._left = memoryview(b"".join([self._start, str(len(body)).encode(), b"\r\n\r\n", body]))
        self._got = b""

    def write(self) -> bool:
        """Send more; whether all is sent."""
        while self._left:
            try:
                self._left = self._left[self.socket.send(self._left) :]
            except BlockingIOError:
                return False
        return True

    def read(self) -> bool:
        """Receive more; whether the answer is whole."""
        more = self.socket.recv(65536)
        assert more, f"the connection was closed after {self._got!r}"
        self._got += more
        start, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return False
        length = next(line for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < int(length.partition(b":")[2]):
            return False
        assert start.split(b" ", 2)[1] == b"202", body
        assert b'"rejected":[]' in body.replace(b" ", b""), body
        if b"\r\nconnection: close" in start.lower():
            self.socket.close()
            self._connect()
        return True


def _run(address: str, key: str, frames: list[bytes], load: Load, name: str) -> Outcome:
    people = [_Person(address, key, f"{name}-{i}", frames, load.per_request) for i in range(load.people)]
    count = [0]

    def warm(_: _Person, now: float) -> float:
        count[0] += 1
        return now if count[0] <= (WARM_UP - 1) * len(people) else float("inf")

    _drive(people, warm)
    began, used = time.perf_counter(), time.process_time()
    end = began + load.seconds
    if load.rate_hz is None:
        latencies = _drive(people, lambda _, now: now if now < end else float("inf"))
    else:
        interval = len(people) / load.rate_hz
        rng = random.Random(7)  # a constant: every run has the same load
        for person in people:
            person.due = began + rng.uniform(0, interval)
        latencies = _drive(people, lambda p, _: p.due + interval if p.due + interval < end else float("inf"))
    wall, used = time.perf_counter() - began, time.process_time() - used
    for person in people:
        person.socket.close()
    return Outcome(latencies, wall, used, WARM_UP * len(people))


def _drive(people: list[_Person], next_due: Callable[[_Person, float], float]) -> list[float]:
    """Send requests as they are due until none is; `next_due` tells when, given the person whose answer has come."""
    latencies = []
    writing: set[_Person] = set()
    reading: set[_Person] = set()
    idle = set(people)
    for person in people:
        person.due = person.due if person.due >= time.perf_counter() else time.perf_counter()
    while reading or any(person.due < float("inf") for person in idle):
        now = time.perf_counter()
        for person in [p for p in idle if p.due <= now]:
            idle.discard(person)
            person.begin()
            reading.add(person)
            if not person.write():
                writing.add(person)
        wait = min((p.due for p in idle), default=now + _STUCK_S) - time.perf_counter()
        readable, writable, _ = select.select(
            [p.socket for p in reading], [p.socket for p in writing], [], min(max(wait, 0.0), _STUCK_S)
        )
        assert readable or writable or wait < _STUCK_S, "the service does not answer"
        for person in [p for p in writing if p.socket in writable]:
            if person.write():
                writing.discard(person)
        for person in [p for p in reading if p.socket in readable]:
            if person.read():
                now = time.perf_counter()
                latencies.append(now - person.due)
                person.due = next_due(person, now)
                reading.discard(person)
                idle.add(person)
    for person in people:
        person.due = 0.0
    return latencies
