"""What is counted while requests and jobs are done. Names and meanings are in docs/operations.md.

A label takes few values, known beforehand: no id, no key, no path that a client chose. Counting costs microseconds and
nothing of Redis; what has to be asked for is asked when somebody reads (`beam_api.services.exposition`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, values

from beam_api.monitoring.slots import VARIABLE, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace


class Judged(Protocol):
    """A finished measurement, as far as it is counted."""

    @property
    def confidence(self) -> float:
        """The least quality of its vitals that count."""

    @property
    def quality(self) -> Mapping[str, float | None]:
        """By vital, from 0 to 1."""

    @property
    def withheld(self) -> Mapping[str, str]:
        """The reason of each vital that is null."""


slot = Slot()
if os.environ.get(VARIABLE):
    values.ValueClass = values.MultiProcessValue(slot.name)  # type: ignore[no-untyped-call]

registry = CollectorRegistry()
"""Of this process alone; with a folder for all of them, `beam_api.services.exposition` reads that instead."""

METHODS = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"))

_requests = Counter(
    "beam_requests", "Requests answered, by route, method and status.", ["route", "method", "status"], registry=registry
)
_request_seconds = Histogram(
    "beam_request_seconds",
    "Time from the head of a request to its answer, by route.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=registry,
)
_frames = Counter(
    "beam_frames",
    "Frames received, by what became of them: accepted, or an error code.",
    ["outcome"],
    registry=registry,
)
_windows = Counter("beam_windows", "Windows completed, replayed and restarted.", ["event"], registry=registry)
_vitals = Counter(
    "beam_vitals",
    "Vitals of completed windows, by outcome: given, or why withheld.",
    ["vital", "outcome"],
    registry=registry,
)
_confidence = Histogram(
    "beam_confidence", "Confidence of completed windows.", buckets=(0.3, 0.5, 0.7, 0.8, 0.9, 1), registry=registry
)
_analysis_seconds = Histogram(
    "beam_analysis_seconds",
    "Time of the analysis of a window.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=registry,
)
_analyses_failed = Counter("beam_analyses_failed", "Analyses of windows that raised.", registry=registry)
_scans = Counter("beam_scans", "Scan sessions that ended, by outcome.", ["outcome"], registry=registry)
scan_seconds = Histogram(
    "beam_scan_seconds",
    "Time of an attempt at a video, from its begin to its end.",
    buckets=(0.5, 1, 2.5, 5, 10, 20, 40, 60, 100),
    registry=registry,
)
_webhooks = Counter("beam_webhook_attempts", "Attempts at webhooks, by outcome.", ["outcome"], registry=registry)
_redis_errors = Counter("beam_redis_errors", "Uses of Redis that failed, by kind.", ["kind"], registry=registry)
_accept_pauses = Counter(
    "beam_accept_pauses", "Times that a web process could open no more files and paused accepting.", registry=registry
)

# A counter that appears with its first event hides that event from `rate`: so these begin at nought.
for _outcome in ("accepted", "NO_FACE_DETECTED", "INVALID_IMAGE", "UNSUPPORTED_IMAGE", "DUPLICATE_TIMESTAMP"):
    _frames.labels(_outcome)
for _event in ("completed", "replayed", "restarted"):
    _windows.labels(_event)
for _vital in ("heart_rate", "hrv", "spo2", "stress_index", "respiration_rate"):
    _vitals.labels(_vital, "given")
for _outcome in ("completed", "unusable", "crashed", "interrupted", "too_long", "cancelled"):
    _scans.labels(_outcome)
for _outcome in ("delivered", "refused", "unreachable", "given_up"):
    _webhooks.labels(_outcome)
for _kind in ("connection", "timeout", "pool", "full", "other"):
    _redis_errors.labels(_kind)

_of_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """A request was answered; its route is the template of its path."""
    found = _of_request.get((route, method, status))
    if found is None:
        label = method if method in METHODS else "other"
        found = _requests.labels(route, label, str(status)), _request_seconds.labels(route)
        if label == method:  # unknown methods are not cached: clients may send any number of them
            _of_request[route, method, status] = found
    found[0].inc()
    found[1].observe(seconds)


def count_frames(errors: Iterable[str | None]) -> None:
    """Frames were read; for each its error code, or None."""
    counts: dict[str, int] = {}
    for code in errors:
        outcome = code or "accepted"
        counts[outcome] = counts.get(outcome, 0) + 1
    for outcome, number in counts.items():
        _frames.labels(outcome).inc(number)


def count_window(measurement: Judged | None = None, *, replayed: bool = False, restarted: bool = False) -> None:
    """A request was answered with a measurement, or with a window that is filling."""
    if restarted:
        _windows.labels("restarted").inc()
    if measurement is None:
        return
    _windows.labels("replayed" if replayed else "completed").inc()
    if replayed:
        return
    _confidence.observe(measurement.confidence)
    for vital in measurement.quality:
        if vital != "snr_db":
            _vitals.labels(vital, measurement.withheld.get(vital, "given")).inc()


def timed(analyse: Callable[[Trace], Vitals]) -> Callable[[Trace], Vitals]:
    """An analysis whose calls are counted and timed."""

    def run(trace: Trace) -> Vitals:
        with _analysis_seconds.time(), _analyses_failed.count_exceptions():
            return analyse(trace)

    return run


def count_scan(outcome: str) -> None:
    """A scan session ended: "completed", "unusable", "crashed", "interrupted", "too_long" or "cancelled"."""
    _scans.labels(outcome).inc()


def count_webhook(status: int | None, *, last: bool) -> None:
    """An attempt at a webhook was answered with a status, or not at all; the `last` one is not made again."""
    delivered = status is not None and 200 <= status < 300
    _webhooks.labels("delivered" if delivered else "refused" if status else "unreachable").inc()
    if last and not delivered:
        _webhooks.labels("given_up").inc()


def count_accept_pause() -> None:
    """A web process had no files or memory for another connection."""
    _accept_pauses.inc()


def count_redis_error(error: Exception) -> None:
    """A use of Redis failed."""
    from redis import exceptions as redis_errors

    if isinstance(error, redis_errors.MaxConnectionsError) or "No connection available" in str(error):
        kind = "pool"
    elif isinstance(error, redis_errors.TimeoutError):
        kind = "timeout"
    elif isinstance(error, redis_errors.OutOfMemoryError) or "OOM" in str(error):
        kind = "full"
    else:
        kind = "connection" if isinstance(error, redis_errors.ConnectionError) else "other"
    _redis_errors.labels(kind).inc()
