"""What open streams cost those who measure: `python -m benchmarks.listeners [--people 30] [--fps 4] [--rounds 3]`.

Thirty people send a batch of frames every second, measured over 10 s every 5 s. In every other part of the time a
hundred streams of events are open, spread over them. Parts alternate, so that what else the machine does is the same
for both. The requests' 99th percentiles are compared, and how late the events are is shown, by stage: until the sender
of the last frame has its answer (frames in, read, analysed), and from there until a listener has the event. The share
of the machine that is busy says whether it carries the load: at its limit, requests wait for each other.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Figure, show
from benchmarks.service.client import BOUNDARY, END, PATH, headers
from benchmarks.service.started import machine_s, running_service
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from benchmarks.service.started import Service

PEOPLE, STREAMS = 30, 100
FPS = 4  # enough for events of all kinds, and little enough that the machine is not at its limit
DURATION_MS, STRIDE_MS = 10_000, 5_000
START_MS = 1_750_000_000_000
WARM_UP_S = 11.0


@dataclass
class Sender(threading.Thread):
    """Sends a batch every second, and notes how long each took and when a measurement was answered."""

    service: Service
    session: str
    frames: list[bytes]
    over: threading.Event
    taken_s: list[tuple[float, float]] = field(default_factory=list)  # when it began, how long it took
    answered: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # measurement to its last request: sent, answered
    fps: int = FPS

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Send until it is over."""
        connection = http.client.HTTPConnection(self.service.address, timeout=60)
        time.sleep(random.random())
        due, second = time.monotonic(), 0
        while not self.over.is_set():
            body = self._body(second)
            began = time.monotonic()
            connection.request("POST", PATH, body=body, headers=headers(self.service.key))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status in (200, 202), content
            self.taken_s.append((began, time.monotonic() - began))
            if answer.status == 200:
                self.answered[json.loads(content)["data"]["measurement_id"]] = began, time.monotonic()
            due, second = due + 1, second + 1
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()

    def _body(self, second: int) -> bytes:
        fields = {"session_id": self.session, "duration_ms": DURATION_MS, "stride_ms": STRIDE_MS}
        parts = [_part(name, str(value).encode()) for name, value in fields.items()]
        for i in range(second * self.fps, (second + 1) * self.fps):
            parts.append(_part("frame", self.frames[i % len(self.frames)], '; filename="f.jpg"'))
            parts.append(_part("timestamp_ms", b"%.3f" % (START_MS + 1000 * i / self.fps)))
        return b"".join(parts) + END


def _part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


class Listeners(threading.Thread):
    """A hundred streams, read by one thread; `heard` is when each measurement came to each of them."""

    def __init__(self, service: Service, people: int) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[str, float]] = []
        self.partials = 0
        self._selector, self._over = selectors.DefaultSelector(), threading.Event()
        host, _, port = service.address.partition(":")
        for number in range(STREAMS):
            client = socket.create_connection((host, int(port)), timeout=30)
            path = f"/api/rppg/sessions/person-{number % people}/events"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {service.key}\r\n\r\n".encode())
            self._selector.register(client, selectors.EVENT_READ, bytearray())

    def run(self) -> None:
        """Read until they are closed."""
        while not self._over.is_set():
            for key, _ in self._selector.select(0.2):
                data = key.fileobj.recv(65536)
                assert data, "a stream has ended"
                self._read(key.data, data)

    def _read(self, text: bytearray, data: bytes) -> None:
        text += data
        while b"\n\n" in text:
            event, _, rest = bytes(text).partition(b"\n\n")
            text[:] = rest
            self.partials += b"event: partial" in event
            if b"event: measurement" in event:
                self.heard.append((event.partition(b"id: ")[2].split(b"\n")[0].decode(), time.monotonic()))

    def close(self) -> None:
        """End all of them."""
        self._over.set()
        self.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()


def measured(people: int, fps: int, rounds: int, seconds: float) -> list[Figure]:
    """Alternate, and compare."""
    face = simulate_face(Scene(duration_s=10.0, fps=fps, frame_size=(320, 300), eyes_px=42.0, seed=3))
    frames = [face.jpeg(i) for i in range(10 * fps)]
    with running_service() as service:
        over = threading.Event()
        senders = [Sender(service, f"person-{i}", frames, over, fps=fps) for i in range(people)]
        for sender in senders:
            sender.start()
        time.sleep(WARM_UP_S)
        began_s, busy_s = time.monotonic(), machine_s()
        parts: list[tuple[bool, float, float]] = []
        heard: list[tuple[str, float]] = []
        partials = 0
        for number in range(2 * rounds):
            listeners = Listeners(service, people) if number % 2 else None
            if listeners:
                listeners.start()
            time.sleep(1.0)
            began = time.monotonic()
            time.sleep(seconds)
            parts.append((bool(listeners), began, time.monotonic()))
            if listeners:
                listeners.close()
                heard += listeners.heard
                partials += listeners.partials
        busy = (machine_s() - busy_s) / (time.monotonic() - began_s) / (os.cpu_count() or 1)
        over.set()
        for sender in senders:
            sender.join()
    answered = {name: at for sender in senders for name, at in sender.answered.items()}
    known = [(at, *answered[name]) for name, at in heard if name in answered]
    taken = {kind: _taken(senders, [(a, b) for k, a, b in parts if k is kind]) for kind in (False, True)}
    without, beside = (float(np.percentile(taken[kind], 99)) for kind in (False, True))
    return [
        Figure("requests without streams, beside them", float(len(taken[False])), f"and {len(taken[True])}"),
        Figure("p50 without streams", 1000 * float(np.median(taken[False])), "ms"),
        Figure("p50 beside 100 streams", 1000 * float(np.median(taken[True])), "ms"),
        Figure("p99 without streams", 1000 * without, "ms"),
        Figure("p99 beside 100 streams", 1000 * beside, "ms"),
        Figure("the latter over the former", beside / without, at_most=1.1),
        Figure("share of the machine that was busy", busy),
        Figure("measurements heard, over all streams", float(len(known)), f"and {partials} running rates"),
        Figure(
            "an event after its last frame was sent, p50", _percentile([at - sent for at, sent, _ in known], 50), "s"
        ),
        Figure("  p95", _percentile([at - sent for at, sent, _ in known], 95), "s", at_most=1.0),
        Figure(
            "  of it until the sender is answered, p50", _percentile([done - sent for _, sent, done in known], 50), "s"
        ),
        Figure("  p95", _percentile([done - sent for _, sent, done in known], 95), "s"),
        Figure("  from there until it is heard, p50", _percentile([at - done for at, _, done in known], 50), "s"),
        Figure("  p95", _percentile([at - done for at, _, done in known], 95), "s"),
    ]


def _percentile(seconds: list[float], share: float) -> float:
    return float(np.percentile(seconds, share))


def _taken(senders: list[Sender], spans: list[tuple[float, float]]) -> list[float]:
    return [s for sender in senders for at, s in sender.taken_s if any(a <= at < b for a, b in spans)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--fps", type=int, default=FPS, help="frames a second of each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    show(
        "Streams beside people who are measured", measured(options.people, options.fps, options.rounds, options.seconds)
    )


if __name__ == "__main__":
    main()
