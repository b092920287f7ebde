"""One frame per request: how many a pair of cores answers, and how fast when it is not quite full."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Figure
from benchmarks.service.generator import Load, Outcome, send
from benchmarks.service.started import REDIS, WEB, Service, cpu_by_kind, machine_s, process_s, processes

PEOPLE = 32
SECONDS = 10.0
SHARE = 0.8


def figures(service: Service, frames: list[bytes]) -> list[Figure]:
    """At saturation, then at 80 % of it."""
    before, others, began = cpu_by_kind(service), -machine_s(), time.perf_counter()
    full = send(service, frames, Load(PEOPLE, SECONDS), "full")
    used = cpu_by_kind(service)
    used.subtract(before)
    passed = time.perf_counter() - began
    others += machine_s() - sum(used.values()) - full.cpu_s
    count = len(full.latencies_s)
    rate = count / full.wall_s
    web, redis = (sum(used[kind] for kind in kinds) for kinds in (WEB, REDIS))
    workers = [pid for pid, command in processes(service).items() if command == "gunicorn worker"]
    shares = [-process_s(pid) for pid in workers]
    eased = send(service, frames, Load(PEOPLE, SECONDS, rate_hz=SHARE * rate), "eased")
    shares = [share + process_s(pid) for pid, share in zip(workers, shares, strict=True)]
    p50, p95, p99 = (1000 * float(np.percentile(eased.latencies_s, p)) for p in (50, 95, 99))
    name = "one frame a request"
    return [
        Figure(f"{name}, {PEOPLE} people, saturated: requests a second", rate, at_least=300),
        Figure("  cores kept busy by the workers", web / passed),
        Figure("  ... by Redis", redis / passed),
        Figure("  ... by the load itself", full.cpu_s / passed),
        Figure("  ... by others on this machine", others / passed),
        # The warm-up is in the CPU, and so is in the count.
        Figure("  CPU of workers and Redis for a request", 1000 * (web + redis) / _sent(full), "ms"),
        Figure("  requests a second of two cores that do nothing else", 2 * _sent(full) / (web + redis), at_least=300),
        Figure(f"{name}, at {100 * SHARE:g} % of that: p50 from when it was due", p50, "ms"),
        Figure("  p95", p95, "ms"),
        Figure("  p99", p99, "ms"),
        Figure("  p99 / p50", p99 / p50, "x", 4),
        Figure("  cores kept busy by each worker, the busier one", max(shares) / eased.wall_s),
        Figure("  ... and the other", min(shares) / eased.wall_s),
        Figure("  requests a second", len(eased.latencies_s) / eased.wall_s),
    ]


def _sent(outcome: Outcome) -> int:
    return len(outcome.latencies_s) + outcome.warm_up
