"""People before cameras who send what they film until it is answered, and keep a book of what came back.

A window is 10 s of a small simulated face at 12 frames a second, sent in ten requests. A request that was lost, or
refused with 503, is sent again as it was; so is one whose window is being analysed. Every answer is checked against
what was sent: how many frames are buffered, and how many were measured.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import httpx

from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

FPS = 12
BATCH = 12
WINDOW_S = 10
BATCHES = WINDOW_S * FPS // BATCH
START_MS = 1_750_000_000_000
RATE_BPM = 78.0
PATIENCE_S = 90.0
"""For one request with all its repetitions: a lease of 10 s may run out in it, more than once."""


@cache
def film() -> list[bytes]:
    """JPEGs of one window."""
    scene = Scene(
        heart_rate_bpm=RATE_BPM, duration_s=WINDOW_S, fps=FPS, frame_size=(240, 220), eyes_px=44.0, sway=0.0, seed=4
    )
    face = simulate_face(scene)
    return [face.jpeg(i) for i in range(WINDOW_S * FPS)]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A window's result as its client got it."""

    session: str
    window: int
    data: dict
    replayed: bool


@dataclass
class Book:
    """What all clients saw. `again` counts why requests were sent again."""

    delivered: list[Delivered] = field(default_factory=list)
    again: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)
    slowest_503_s: float = 0.0
    requests: int = 0

    def check(self, windows: int) -> None:
        """Every window has a result, and no two have one."""
        if self.failures:
            raise self.failures[0]
        assert len(self.delivered) == windows
        assert len({d.data["measurement_id"] for d in self.delivered}) == windows
        assert len({(d.session, d.window) for d in self.delivered}) == windows
        for result in self.delivered:
            assert result.data["frames"] == WINDOW_S * FPS
            rate = result.data["heart_rate"]
            assert rate is None or abs(rate - RATE_BPM) < 3

    def line(self) -> str:
        """In a line, for people."""
        replayed = sum(d.replayed for d in self.delivered)
        again = ", ".join(f"{count} {why}" for why, count in sorted(self.again.items())) or "none"
        return (
            f"{len(self.delivered)} windows, each measured once: {len(self.delivered) - replayed} results came with "
            f"the first answer, {replayed} with a repeated one; {self.requests} requests answered, sent again: {again}"
        )


class Unanswered(AssertionError):
    """A request got no answer for too long, or a wrong one."""


@dataclass
class Person:
    """Sends windows of one session, one after another, over one kept connection."""

    url: str
    key: str
    session: str
    book: Book
    pause_s: float = 0.3  # before a request is sent again
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._http = httpx.Client(headers={"X-API-Key": self.key}, timeout=30)

    def run(self, windows: int) -> None:
        """Measure so many windows; what goes wrong is written in the book."""
        try:
            for window in range(windows):
                if self.stop.is_set():
                    return
                self.measure(window)
        except BaseException as failure:
            self.book.failures.append(failure)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def measure(self, window: int) -> None:
        """Send a window, its answers checked, and write its result in the book."""
        for number in range(BATCHES):
            response = self.send(window, number)
            data = response.json()["data"]
            if number < BATCHES - 1:
                sent = (number + 1) * BATCH
                if (response.status_code, data.get("frames"), data.get("restarted")) != (202, sent, False):
                    raise Unanswered(f"{self.session} window {window}, {sent} frames sent: {response.text[:400]}")
            else:
                replayed = "Idempotent-Replayed" in response.headers
                self.book.delivered.append(Delivered(self.session, window, data, replayed))

    def send(self, window: int, number: int) -> httpx.Response:
        """Send one request, again and again if need be; its answer: 200, or 202 of a window that is open."""
        form, files = self.request(window, number)
        end = time.monotonic() + PATIENCE_S
        last: httpx.Response | httpx.TransportError | None = None
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                last = self._http.post(f"{self.url}/api/rppg/measure", data=form, files=files)
            except httpx.TransportError as error:
                self.book.again["lost"] += 1
                last = error
            else:
                self.book.requests += 1
                if last.status_code == 503:
                    assert int(last.headers["Retry-After"]) >= 1
                    self.book.again["503"] += 1
                    self.book.slowest_503_s = max(self.book.slowest_503_s, time.monotonic() - start)
                elif last.status_code == 202 and last.json()["data"]["progress"] == 1.0:
                    self.book.again["being analysed"] += 1
                elif last.status_code in (200, 202):
                    return last
                else:
                    break
            time.sleep(self.pause_s * random.uniform(0.5, 1.5))
        shown = last.text[:400] if isinstance(last, httpx.Response) else repr(last)
        raise Unanswered(f"{self.session} window {window} request {number}: {shown}")

    def request(self, window: int, number: int) -> tuple[dict, list]:
        """Fields and files of one request."""
        frames = range(number * BATCH, (number + 1) * BATCH)
        times = [f"{START_MS + 1000 * (window * WINDOW_S + i / FPS):.3f}" for i in frames]
        form = {"timestamp_ms": times, "duration_ms": str(1000 * WINDOW_S), "session_id": self.session}
        return form, [("frame", ("f.jpg", film()[i], "image/jpeg")) for i in frames]


STRIDE_S = 2


@dataclass
class Monitored(Person):
    """Sends one film without end, whose window slides: a result every other request, once there is a whole window."""

    def measure(self, window: int) -> None:
        """Send what is missing up to a stride, and write its result in the book."""
        last = BATCHES + STRIDE_S * window  # a request is a second
        for number in range(last - STRIDE_S if window else 0, last):
            response = self.send(0, number)
            data = response.json()["data"]
            due = number == last - 1
            if response.status_code != (200 if due else 202) or data.get("restarted") or data.get("results"):
                raise Unanswered(f"{self.session} second {number}: {response.text[:400]}")
            if due:
                replayed = "Idempotent-Replayed" in response.headers
                self.book.delivered.append(Delivered(self.session, window, data, replayed))

    def request(self, window: int, number: int) -> tuple[dict, list]:
        """Fields and files of one request."""
        first, second = divmod(number, BATCHES)
        form, files = super().request(first, second)
        return form | {"stride_ms": str(1000 * STRIDE_S)}, files


@dataclass
class Crowd:
    """Several people at once."""

    people: list[Person]
    windows: int  # of each

    def __enter__(self) -> Crowd:
        film()
        self._threads = [threading.Thread(target=person.run, args=(self.windows,)) for person in self.people]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None:
            for person in self.people:
                person.stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def busy(self) -> bool:
        """Whether anybody has anything left to send."""
        return any(thread.is_alive() for thread in self._threads)
