"""What the service asks of Redis, and keeps in it."""

from __future__ import annotations

import threading
from collections import Counter
from statistics import median

import redis

from benchmarks.material import BATCH, batches
from benchmarks.report import Figure
from benchmarks.service.client import Client
from benchmarks.service.started import Service

ROUNDS = 5
REQUESTS = 10  # in a round
WINDOW_S = 30
_LAST = "beam-benchmark-end"


def figures(service: Service, store: redis.Redis, frames: list[bytes]) -> list[Figure]:
    """Round trips, commands, and the memory of a window."""
    found = []
    for per_request, name in ((1, "one frame a request"), (BATCH, f"{BATCH} frames a request")):
        asked = [_round(service, store, frames, per_request, f"asks-{per_request}-{turn}") for turn in range(ROUNDS)]
        trips, sent, inside = (median(column) / REQUESTS for column in zip(*asked, strict=True))
        found += [
            Figure(f"Redis, {name}: round trips", trips, "", 2),
            Figure("  commands sent", sent, "", 6),
            Figure("  commands run inside scripts", inside),
        ]
    size, keys = window_bytes(service, store, frames)
    return [
        *found,
        Figure(f"Redis: {WINDOW_S} s of one person, {BATCH * WINDOW_S} frames ({keys} keys)", size / 1e3, "KB", 250),
    ]


def _round(
    service: Service, store: redis.Redis, frames: list[bytes], per_request: int, session: str
) -> tuple[float, float, float]:
    """Reads from clients, their commands, and commands of scripts, for a round of requests that fill no window."""
    client = Client(service, session)
    parts = [frames[at : at + per_request] for at in range(REQUESTS + 8)] if per_request == 1 else batches(frames)
    for at in range(8 if per_request == 1 else 1):  # every worker has met the key by then
        client.post(parts[at])
    heard = _Listener(store)
    before = store.info("stats")["total_reads_processed"]
    for at in range(REQUESTS):
        client.post(parts[(at + 8) % len(parts)])
    after = store.info("stats")["total_reads_processed"]
    counts = heard.end()
    client.close()
    return after - before - 1, counts["client"], counts["script"]  # asking for the second count is itself one read


class _Listener:
    """Counts commands by MONITOR, the queue's and its own left out."""

    def __init__(self, store: redis.Redis) -> None:
        self._store = store
        self._counts: Counter[str] = Counter()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        assert self._listening.wait(10)

    def end(self) -> Counter[str]:
        """What was heard."""
        self._store.echo(_LAST)
        self._thread.join(10)
        return self._counts

    def _listen(self) -> None:
        with self._store.monitor() as monitor:
            self._listening.set()
            for heard in monitor.listen():
                command = heard["command"]
                if _LAST in command:
                    return
                if "rq:" not in command and not command.startswith(("INFO", "PING", "CLIENT", "BEAM:SCANS")):
                    self._counts["script" if heard["client_type"] == "lua" else "client"] += 1


def window_bytes(service: Service, store: redis.Redis, frames: list[bytes]) -> tuple[int, int]:
    """Memory of one window of 30 s just before it is full, in bytes, and in how many keys it is."""
    client = Client(service, "window", duration_ms=1000 * (WINDOW_S + 1))
    parts = batches(frames)
    for i in range(WINDOW_S):
        client.post(parts[i % len(parts)])
    names = [name for name in store.scan_iter("beam:*", count=1000) if b":window}:" in name]
    size = sum(store.memory_usage(name, samples=0) or 0 for name in names)
    client.post(parts[0])  # fills it: who looks at memory next sees that of an analysis too
    client.close()
    return size, len(names)
