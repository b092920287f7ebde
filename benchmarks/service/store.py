"""What the service asks of Redis, and keeps in it."""

from __future__ import annotations

import threading
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from redis.connection import AbstractConnection

from beam_api import Settings, create_app
from beam_api.server.embedded_redis import running_url
from beam_api.store.client import connect
from benchmarks.material import BATCH, batches
from benchmarks.report import Figure
from benchmarks.service.client import END, LONGEST_MS, PATH, Client, frame_part, head, headers

if TYPE_CHECKING:
    import redis

    from benchmarks.service.started import Service

ROUNDS = 5
REQUESTS = 10  # in a round
WINDOW_S = 30
_LAST = "beam-benchmark-end"
_OTHERS = ("rq:", "beam:scans", "beam:webhooks", "INFO", "PING", "CLIENT")  # of the queue's worker and its sweeps


def figures(service: Service, store: redis.Redis, frames: list[bytes]) -> list[Figure]:
    """Round trips, commands, and the memory of a window."""
    found = []
    for per_request, name in ((1, "one frame a request"), (BATCH, f"{BATCH} frames a request")):
        trips, sent, inside = asked(service, store, frames, per_request)
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


def asked(service: Service, store: redis.Redis, frames: list[bytes], per_request: int) -> tuple[float, float, float]:
    """For a request: round trips to Redis, commands sent to it, and commands run inside its scripts."""
    rounds = [_round(service, store, frames, per_request, f"asks-{per_request}-{turn}") for turn in range(ROUNDS)]
    sent, inside = (median(column) / REQUESTS for column in zip(*rounds, strict=True))
    return _round_trips(service, frames, per_request), sent, inside


def _round_trips(service: Service, frames: list[bytes], per_request: int) -> float:
    """How often a request waits for Redis. A worker can't be looked into, so the app is made once more, in here."""
    url = running_url(service.data_dir)
    client = connect(url)
    app = create_app(Settings(service.data_dir, redis_url=url, log_level="ERROR"), redis=client)
    trips = [0]
    send = AbstractConnection.send_packed_command

    def counted(*args: Any, **options: Any) -> Any:
        trips[0] += 1
        return send(*args, **options)

    browser = app.test_client()
    for number in range(REQUESTS + 1):
        part = [frames[(number * per_request + i) % len(frames)] for i in range(per_request)]
        body = b"".join(frame_part(data, number * per_request + i) for i, data in enumerate(part))
        body = head(f"trips-{per_request}", LONGEST_MS) + body + END
        with patch.object(AbstractConnection, "send_packed_command", counted if number else send):
            answer = browser.post(PATH, data=body, headers=headers(service.key))
        assert answer.status_code == 202, answer.text
    client.close()
    return trips[0] / REQUESTS


def _round(
    service: Service, store: redis.Redis, frames: list[bytes], per_request: int, session: str
) -> tuple[int, int]:
    """Commands from clients and from scripts, for a round of requests that fill no window."""
    client = Client(service, session)
    parts = [frames[at : at + per_request] for at in range(REQUESTS + 8)] if per_request == 1 else batches(frames)
    for at in range(8 if per_request == 1 else 1):  # every worker has met the key by then
        client.post(parts[at])
    heard = _Listener(store)
    for at in range(REQUESTS):
        client.post(parts[(at + 8) % len(parts)])
    counts = heard.end()
    client.close()
    return counts["client"], counts["script"]


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
                if not any(word in command for word in _OTHERS):
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
