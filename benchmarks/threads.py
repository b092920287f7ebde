"""How many threads a web process should have: `python -m benchmarks.threads`, two minutes or so on a quiet machine.

Threads can't speed up what holds Python's lock; what they are for is to wait, for bodies above all. So each number is
tried on quick clients, one frame and thirty a request, and then beside clients whose bodies come as slowly as from a
phone with a poor connection: those hold a thread each for as long as they send.
"""

from __future__ import annotations

import http.client
import os
import threading
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.material import BATCH, simulated_frames
from benchmarks.service import generator
from benchmarks.service.client import END, LONGEST_MS, PATH, frame_part, head, headers
from benchmarks.service.started import Service, running_service

THREADS = (1, 2, 4, 8)
SECONDS = 4.0
SLOW = 6  # clients, on two processes
SLOW_BYTES_S = 500_000  # 4 Mbit/s
CHUNK_S = 0.05
RATE_HZ = 10.0  # requests a second of the quick clients beside the slow ones: a fraction of what could be served


def main() -> None:
    """Measure and print."""
    frames = simulated_frames(2 * BATCH)
    table = Table("threads", "1 frame", "30 frames", f"1 frame, beside {SLOW} slow: p50", "p95", "slow ones answered")
    for number in THREADS:
        os.environ["GUNICORN_CMD_ARGS"] = f"--threads {number}"
        with running_service() as service:
            singles = generator.send(service, frames, generator.Load(8, SECONDS), "single")
            batches = generator.send(service, frames, generator.Load(4, SECONDS, per_request=BATCH), "batch")
            slow = [_Slow(service, frames[:BATCH], f"slow-{i}") for i in range(SLOW)]
            for client in slow:
                client.start()
            time.sleep(1.0)
            beside = generator.send(service, frames, generator.Load(8, SECONDS, rate_hz=RATE_HZ), "beside")
            for client in slow:
                client.stop()
        p50, p95 = (1000 * float(np.percentile(beside.latencies_s, p)) for p in (50, 95))
        table.add_row(
            str(number),
            f"{len(singles.latencies_s) / singles.wall_s:.0f} requests/s",
            f"{BATCH * len(batches.latencies_s) / batches.wall_s:.0f} frames/s",
            f"{p50:.1f} ms",
            f"{p95:.1f} ms",
            str(sum(client.answered for client in slow)),
        )
    Console(width=120).print(table)


class _Slow(threading.Thread):
    """Sends requests of 30 frames, each over some seconds."""

    def __init__(self, service: Service, frames: list[bytes], session: str) -> None:
        super().__init__(daemon=True)
        self.answered = 0
        self._service, self._frames, self._session = service, frames, session
        self._ended = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._service.address, timeout=60)
        number = 0
        while not self._ended.is_set():
            parts = [frame_part(data, number + i) for i, data in enumerate(self._frames)]
            number += len(parts)
            body = b"".join([head(self._session, LONGEST_MS), *parts, END])
            connection.request("POST", PATH, body=self._trickle(body), headers=self._headers(len(body)))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 202, content
            self.answered += 1
        connection.close()

    def stop(self) -> None:
        """Have it end after its request, the rest of which it sends at once."""
        self._ended.set()
        self.join()

    def _headers(self, length: int) -> dict[str, str]:
        return {**headers(self._service.key), "Content-Length": str(length)}

    def _trickle(self, body: bytes):
        size = round(SLOW_BYTES_S * CHUNK_S)
        for at in range(0, len(body), size):
            self._ended.wait(CHUNK_S)
            yield body[at : at + size]


if __name__ == "__main__":
    main()
