"""The page docs/capacity.md: what was measured, and what follows from it by multiplication."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.material import FPS

STREAMS = (1, 100, 1000, 10_000)
USE = 0.7  # of a core, at the busiest hour
CORES = 32  # of a machine
LINK_GBIT = 25.0  # of a machine, at the same use
ANSWERS_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Stream:
    """One second of one person, sent so many frames a request. CPU in seconds, the last three by request."""

    per_request: int
    worker_s: float
    redis_s: float
    redis_bytes: float
    up_bytes: float
    down_bytes: float
    requests: float
    round_trips: float
    commands: float
    inside: float

    @property
    def digest_bytes(self) -> float:
        """Of requests remembered, so that a retry changes nothing: 8 each for 15 minutes, in two halves of 32 KB."""
        return min(2 * 32_768, 8 * self.requests * 900)

    @property
    def title(self) -> str:
        """How it is sent."""
        return "one frame a request" if self.per_request == 1 else f"{self.per_request} frames a request"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in Redis of one person: a window at its fullest; what stays beside it; a result; all results kept."""

    full_bytes: float
    stays_bytes: float
    result_bytes: float
    results_bytes: float

    def working_bytes(self, stream: Stream) -> float:
        """On average: windows of many people are half full."""
        return self.full_bytes / 2 + self.stays_bytes + stream.digest_bytes


def page(streams: list[Stream], memory: Memory, analysis_ms: float, machine: str, steps: list[str]) -> str:
    """The whole text."""
    return "\n".join(
        [
            "# Capacity",
            "",
            "Written by `python -m benchmarks.capacity`, the last step of `make bench`, to be repeated on the "
            f"machine in question. Measured here: {machine}.",
            "",
            "A *stream* is one person before a camera, 30 frames a second of 640x480 pixels (JPEG, quality 90), "
            "measured in one window of 30 s after another.",
            "",
            "## What one stream costs, measured",
            "",
            *_measured(streams, memory, analysis_ms),
            "",
            *steps,
            "## What many would cost, extrapolated",
            "",
            "Nothing in this section was measured: it is the above, multiplied.",
            "",
            *(line for stream in streams for line in _table(stream, memory)),
            *_formulas(),
            "",
            *_assumptions(),
            "",
        ]
    )


def _measured(streams: list[Stream], memory: Memory, analysis_ms: float) -> list[str]:
    def row(what: str, unit: str, values: list[float]) -> str:
        return f"| {what} | " + " | ".join(f"{_short(value)} {unit}".rstrip() for value in values) + " |"

    return [
        "| | " + " | ".join(stream.title for stream in streams) + " |",
        "|---|" + "---|" * len(streams),
        row("requests", "/s", [s.requests for s in streams]),
        row("CPU of the workers, for a frame", "ms", [1000 * s.worker_s / FPS for s in streams]),
        row("CPU of the workers, for a second of the stream", "ms", [1000 * s.worker_s for s in streams]),
        row("CPU of Redis, for a request", "ms", [1000 * s.redis_s / s.requests for s in streams]),
        row("CPU of Redis, for a second of the stream", "ms", [1000 * s.redis_s for s in streams]),
        row("requests that a core of Redis would carry", "/s", [s.requests / s.redis_s for s in streams]),
        row("round trips to Redis, a request", "", [s.round_trips for s in streams]),
        row("commands sent to Redis, a request", "", [s.commands for s in streams]),
        row("commands that its scripts run, a request", "", [s.inside for s in streams]),
        row("network, client to service", "Mbit/s", [8e-6 * s.up_bytes for s in streams]),
        row("network, service to client", "Mbit/s", [8e-6 * s.down_bytes for s in streams]),
        row("network, service and Redis, both ways", "Mbit/s", [8e-6 * s.redis_bytes for s in streams]),
        "",
        "The CPU of the workers has all in it: HTTP, decode, the face, the running rate, and every 30 s the analysis "
        f"of the window. That by itself takes {analysis_ms:.0f} ms: {analysis_ms / 30:.2g} ms for a second.",
        "",
        "| memory of Redis, one person | |",
        "|---|---|",
        f"| a window just before it is full | {memory.full_bytes / 1e3:.0f} KB |",
        f"| what stays of the last window (10 minutes) | {memory.stays_bytes / 1e3:.1f} KB |",
        *(
            f"| digests of requests, {s.title}: calculated, 8 bytes each for 15 minutes, at most 64 KB | "
            f"{s.digest_bytes / 1e3:.1f} KB |"
            for s in streams
        ),
        f"| a result without raw signals (24 h) | {memory.result_bytes / 1e3:.1f} KB |",
        f"| all results of 24 h, a window every 30 s | {memory.results_bytes / 1e6:.2f} MB |",
    ]


def _table(stream: Stream, memory: Memory) -> list[str]:
    def row(what: str, of_one: float, whole: bool = False) -> str:
        values = [n * of_one for n in STREAMS]
        return f"| {what} | " + " | ".join(f"{math.ceil(v):,}" if whole else _short(v) for v in values) + " |"

    up_gbit = 8e-9 * stream.up_bytes
    return [
        f"| {stream.title}; streams: | " + " | ".join(f"{n:,}" for n in STREAMS) + " |",
        "|---|" + "---|" * len(STREAMS),
        row("requests a second", stream.requests),
        row("worker cores", stream.worker_s / USE),
        row("machines", max(stream.worker_s / USE / CORES, up_gbit / USE / LINK_GBIT), whole=True),
        row("Redis cores", stream.redis_s / USE),
        row("Redis processes", stream.redis_s / USE, whole=True),
        row("commands sent to Redis, a second", stream.requests * stream.commands),
        row("commands that its scripts run, a second", stream.requests * stream.inside),
        row("memory of Redis at work, GB", memory.working_bytes(stream) / 1e9),
        row("memory of Redis for results of 24 h, GB", memory.results_bytes / 1e9),
        row("network, clients to service, Gbit/s", up_gbit),
        row("network, service and Redis, Gbit/s", 8e-9 * stream.redis_bytes),
        "",
    ]


def _short(value: float) -> str:
    """Two digits that count, and no exponent."""
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def _formulas() -> list[str]:
    return [
        f"* **Worker cores** = streams x CPU of the workers for a second / {USE}. A core is kept busy to {USE:.0%}, "
        "since latencies grow beyond that (`python -m benchmarks.service` shows by how much).",
        f"* **Machines** = the larger of worker cores / {CORES} and Gbit/s in / ({USE} x {LINK_GBIT:g}): each has "
        f"{CORES} cores and a link of {LINK_GBIT:g} Gbit/s.",
        f"* **Redis cores** = streams x CPU of Redis for a second / {USE}. One process uses one core: more of them are "
        "the masters of a Redis Cluster, over which sessions spread by their hash tag.",
        "* **Memory at work** = streams x (half a full window + what stays + digests). **Results** = streams x a "
        "result x windows in 24 h: people who are measured now and then, not all day, need that share of it.",
        "* **Network** = streams x bytes x 8. It is nearly all frames, whose size is their pixels' and quality's.",
    ]


def _assumptions() -> list[str]:
    return [
        "## What that assumes",
        "",
        "* **Cost grows in step with streams.** `python -m benchmarks.service` measures two steps of it: from one "
        "worker to two, and from one open window to a thousand. More than two cores, several machines, a network "
        "between them and Redis, and more than a thousand windows were not measured.",
        "* **Cores like these.** CPU figures are of the machine above; run the command on yours.",
        "* **Load spreads evenly** over workers, machines and masters. The count of an API key's requests is in one "
        "slot: all that one key sends is counted by one Redis process.",
        "* **Faces are found and followed.** A search of a whole frame, after a gap or when nobody is there, costs "
        "some 25 decodes; a request of many frames without a face three times that (`python -m benchmarks.ingest`).",
        "* No TLS, no proxy, no videos, no webhooks, no failures. Memory of Redis is that of its data: allow half as "
        "much again for fragmentation and for the rewriting of its append-only file, and as much again for a replica.",
        "",
        "A load like a day's, with everything mixed, is put on a running service by `make bench-load`.",
    ]
