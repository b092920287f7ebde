"""What a frame costs with one worker, and with two that share a processor's caches and memory."""

from __future__ import annotations

from statistics import median

from benchmarks.material import BATCH
from benchmarks.report import Figure
from benchmarks.service.generator import Load, send
from benchmarks.service.started import REDIS, WEB, Service, cpu_s, running_service

TURNS = 5
SECONDS = 3.0


def figures(pair: Service, frames: list[bytes]) -> list[Figure]:
    """One worker and a pair take turns, each kept busy by one person more than it has workers."""
    costs: dict[int, list[float]] = {1: [], 2: []}
    rates: dict[int, list[float]] = {1: [], 2: []}
    with running_service(workers=1) as one:
        for turn in range(TURNS):
            for workers, service in ((1, one), (2, pair)) if turn % 2 else ((2, pair), (1, one)):
                before = cpu_s(service, *WEB, *REDIS)
                done = send(service, frames, Load(workers + 1, SECONDS, per_request=BATCH), f"scaling-{turn}")
                used = cpu_s(service, *WEB, *REDIS) - before
                costs[workers].append(1000 * used / BATCH / (len(done.latencies_s) + done.warm_up))
                rates[workers].append(BATCH * len(done.latencies_s) / done.wall_s)
    frame = f"{BATCH} frames a request"
    return [
        Figure(f"{frame}, one worker: frames a second", median(rates[1])),
        Figure("  two workers, on the cores that the load and Redis use too", median(rates[2])),
        Figure(
            "  two workers / one: frames a second (>= 1.8 where there are 4 cores)",
            median(rates[2]) / median(rates[1]),
            "x",
        ),
        Figure("  one worker: CPU of it and Redis for a frame", median(costs[1]), "ms"),
        Figure("  two workers: CPU of them and Redis for a frame", median(costs[2]), "ms"),
        Figure(
            "  two workers / one: CPU for a frame",
            median(b / a for a, b in zip(costs[1], costs[2], strict=True)),
            "x",
            1.1,
        ),
    ]
