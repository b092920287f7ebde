"""What the worst requests cost, and what an ordinary client feels of them. `python -m benchmarks.hostile`

A real service of two web processes. First each hostile request alone: its seconds and the processor time of the web
processes. Then an ordinary client, which sends a second of 640 x 480 video at a time, alone and beside one attacker of
four connections at a time. Read the ratios; seconds are this machine's.
"""

from __future__ import annotations

import struct
import sys
import threading
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from benchmarks.material import BATCH, FPS, simulated_frames, wall_frame
from benchmarks.report import Figure, show
from benchmarks.service.started import running_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 10
CONNECTIONS = 4
WORK = 100_000_000
RATIO = 3.0


@dataclass
class Client:
    """One that posts frames to one session, with times that go on."""

    url: str
    key: str
    session: str
    at_ms: float = 1e12
    seen: list[int] = field(default_factory=list)

    def post(self, http: httpx.Client, frames: list[bytes], step_ms: float) -> float:
        """Seconds that a request took."""
        times = [f"{self.at_ms + i * step_ms:.1f}" for i in range(len(frames))]
        self.at_ms += len(frames) * step_ms
        form = {"session_id": self.session, "duration_ms": "300000", "timestamp_ms": times}
        begun = time.perf_counter()
        answer = http.post(
            f"{self.url}/api/rppg/measure",
            headers={"X-API-Key": self.key},
            data=form,
            files=[("frame", ("f", data)) for data in frames],
            timeout=120,
        )
        self.seen.append(answer.status_code)
        return time.perf_counter() - begun


def attacks() -> dict[str, tuple[list[bytes], float]]:
    """Frames of a hostile request, and milliseconds between them."""
    rng = np.random.default_rng(0)
    large = cv2.resize(rng.integers(60, 200, (100, 100, 3), dtype=np.uint8), (5000, 5000))
    progressive = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    plain = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return {
        "12 PNGs of 5000 x 5000, 16-bit RGBA (over the budget)": ([png_bomb(16)] * 12, 33.3),
        "3 PNGs of 5000 x 5000, 16-bit RGBA": ([png_bomb(16)] * 3, 33.3),
        "6 PNGs of 5000 x 5000, 8-bit RGBA": ([png_bomb(8)] * 6, 33.3),
        "21 JPEGs of 5000 x 5000, 0.6 s apart": ([plain.tobytes()] * 21, 600),
        "21 progressive JPEGs of 5000 x 5000": ([progressive.tobytes()] * 21, 33.3),
        "64 walls of 640 x 480, 0.6 s apart": ([wall_frame()] * 64, 600),
    }


def png_bomb(depth: int, side: int = 5000) -> bytes:
    """A PNG of nothing, in rows with the costliest filter."""
    row = b"\x04" + bytes(side * 4 * depth // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, depth, 6, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    chunks = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@contextmanager
def attacked(make: Callable[[int], Client], frames: list[bytes], step_ms: float) -> Iterator[list[Client]]:
    """While this lasts, one attacker sends these frames over several connections."""
    ended, clients = threading.Event(), [make(i) for i in range(CONNECTIONS)]

    def run(client: Client) -> None:
        with httpx.Client() as http:
            while not ended.is_set():
                client.post(http, frames, step_ms)
                if client.seen[-1] in (413, 429):
                    ended.wait(0.1)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(1)
    yield clients
    ended.set()
    for thread in threads:
        thread.join()


def p99_ms(client: Client, frames: list[bytes]) -> float:
    """Of requests one after the other, with a pause between them."""
    times, end = [], time.monotonic() + SECONDS
    with httpx.Client() as http:
        while time.monotonic() < end:
            times.append(1000 * client.post(http, frames, 1000 / FPS))
            time.sleep(0.05)
    if set(client.seen) - {200, 202}:
        raise RuntimeError(f"the ordinary client got {set(client.seen)}")
    return quantiles(times, n=100, method="inclusive")[98]


def main() -> None:
    """Measure and print."""
    figures: list[Figure] = []

    def keep(figure: Figure) -> None:
        figures.append(figure)
        print(f"{figure.what}: {figure.value:.4g} {figure.unit}", file=sys.stderr, flush=True)

    hostile, ordinary = attacks(), simulated_frames(BATCH)
    with running_service(workers=2) as service:
        store = connect(running_url(service.data_dir))
        keys = Keys(KeyStore(store))

        def client(session: str) -> Client:
            key = keys.create("hostile", tier="enterprise", limit_per_minute=1_000_000, work_limit=WORK).key
            return Client(f"http://{service.address}", key, session)

        for figure in _costs(client, hostile):
            keep(figure)
        p99_ms(client("warm"), ordinary)
        alone = p99_ms(client("alone"), ordinary)
        keep(Figure("ordinary client alone, p99", alone, "ms"))
        for name, (frames, step_ms) in hostile.items():
            with attacked(lambda i: client(f"attack-{i}"), frames, step_ms) as attackers:
                beside = p99_ms(client("beside"), ordinary)
            seen = [status for attacker in attackers for status in attacker.seen]
            keep(Figure(f"ordinary client beside {name}, p99", beside, "ms"))
            keep(Figure("the same / alone", beside / alone, "x", RATIO))
            keep(Figure("requests of the attacker that were read", len([s for s in seen if s < 413]), ""))
        store.close()
    show("Hostile requests", figures)


def _costs(client: Callable[[str], Client], hostile: dict[str, tuple[list[bytes], float]]) -> Iterator[Figure]:
    with httpx.Client() as http:
        for name, (frames, step_ms) in hostile.items():
            one = client("cost")
            one.post(http, [frames[0]], step_ms)  # the key is known, and the code warm
            seconds = one.post(http, frames, step_ms)
            yield Figure(f"{name}: answered {one.seen[-1]} after", seconds, "s")


if __name__ == "__main__":
    main()
