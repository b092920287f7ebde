"""Whether a person's frame costs more when a thousand others are being measured too.

Two services run side by side: one has a single window open, the other a thousand, each partly filled. They take turns,
so that the ratio holds on a busy machine too; the one that waits costs nothing. A window of the thousand is filled by
requests, the others are copies of it, made in Redis.
"""

from __future__ import annotations

import time
from statistics import median

import redis

from beam_api.server.embedded_redis import running_url
from benchmarks.material import BATCH, batches
from benchmarks.report import Figure
from benchmarks.service.client import Client
from benchmarks.service.started import REDIS, WEB, Service, cpu_s, running_service

WINDOWS = 1000
FILLED = 5  # batches in each window: 150 frames
TURNS = 12
SINGLES, MANY = 25, 4  # requests in a turn, of one frame and of thirty
_PATTERN = "session-0"


def figures(service: Service, frames: list[bytes]) -> list[Figure]:
    """`service` is left with the thousand windows."""
    part = batches(frames)[0]
    began = time.monotonic()
    opened = _open(service, part)
    with running_service() as alone:
        single = Client(alone, _PATTERN)
        for _ in range(FILLED):
            single.post(part)
        results = [_compare(single, alone, service, part, per_request) for per_request in (1, BATCH)]
        single.close()
    with redis.Redis.from_url(running_url(service.data_dir)) as store:
        left = sum(1 for _ in store.scan_iter("beam:*:window", count=1000))
    assert left >= opened >= WINDOWS, f"{left} windows are left of {opened} after {time.monotonic() - began:.0f} s"
    found = []
    for (latency, used), name in zip(results, ("one frame a request", f"{BATCH} frames a request"), strict=True):
        found += [
            Figure(f"1 -> {WINDOWS} open windows, {name}: latency", latency, "x", 1.2),
            Figure("  CPU of workers and Redis for a frame", used, "x", 1.2),
        ]
    return found


def _open(service: Service, part: list[bytes]) -> int:
    """Open the windows; how many there are."""
    first = Client(service, _PATTERN)
    for _ in range(FILLED):
        first.post(part)
    first.close()
    with redis.Redis.from_url(running_url(service.data_dir)) as store:
        mark = f":{_PATTERN}}}:"
        names = [name.decode() for name in store.scan_iter("beam:*", count=1000) if mark.encode() in name]
        contents = {name: (store.dump(name), max(store.pttl(name), 0)) for name in names}
        for number in range(1, WINDOWS):
            with store.pipeline(transaction=False) as pipe:
                for name, (content, ttl_ms) in contents.items():
                    pipe.restore(name.replace(mark, f":session-{number}}}:"), ttl_ms, content)
                pipe.execute()
    return sum(name.endswith(":window") for name in names) * WINDOWS


def _compare(
    single: Client, alone: Service, crowded: Service, part: list[bytes], per_request: int
) -> tuple[float, float]:
    """With a thousand windows / with one: the median request's latency, and CPU for a frame."""
    count = SINGLES if per_request == 1 else MANY
    crowd = [Client(crowded, f"session-{(37 * i) % WINDOWS}") for i in range(count)]
    for i, client in enumerate(crowd):
        client.sent = FILLED * BATCH + i % BATCH  # their seconds, each with a running rate, begin at different moments
        client.post(part[:per_request])
    took: dict[str, list[float]] = {"alone": [], "crowded": []}
    used = {"alone": 0.0, "crowded": 0.0}
    for turn in range(TURNS):
        for name in ("alone", "crowded") if turn % 2 else ("crowded", "alone"):
            host = alone if name == "alone" else crowded
            before = cpu_s(host, *WEB, *REDIS)
            took[name] += [(single if name == "alone" else crowd[i]).post(part[:per_request]) for i in range(count)]
            used[name] += cpu_s(host, *WEB, *REDIS) - before
    for client in crowd:
        client.close()
    return median(took["crowded"]) / median(took["alone"]), used["crowded"] / used["alone"]
