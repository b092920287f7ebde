"""The state of the service for its operator, in the figures of /metrics: what runs, what waits, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.samples import Sample

MOST_MEMORY = 0.85
LEAST_FREE_BYTES = 2e9
LONGEST_WAIT_S = 30.0
MOST_OVERDUE = 100
SLOWEST_PING_S = 0.05
"""What is said to be a problem: the bounds of deploy/monitoring/alerts.yml."""


class _Figures(NamedTuple):
    samples: list[Sample]

    def sum(self, name: str, **labels: str) -> float | None:
        """Of all samples of this name with these labels; None without any."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(found) if found else None

    def count(self, name: str, **labels: str) -> int:
        return int(self.sum(name, **labels) or 0)

    def by(self, name: str, label: str) -> dict[str, int]:
        """The samples of a name, added up by one of their labels."""
        values = sorted({s.labels[label] for s in self.samples if s.name == name})
        return {value: self.count(name, **{label: value}) for value in values}


def read_status(samples: Iterable[Sample]) -> dict[str, Any]:
    """Shape the samples of `Exposition.samples` for people; counts are since the start, of this machine."""
    figures = _Figures(list(samples))
    statuses = figures.by("beam_requests_total", "status")
    report: dict[str, Any] = {
        "versions": next((dict(s.labels) for s in figures.samples if s.name == "beam_build_info"), {}),
        "redis": _redis(figures),
        "queue": _queue(figures),
        "processes": {
            role: {"count": count, "memory_bytes": figures.count("beam_process_memory_bytes", role=role)}
            for role, count in figures.by("beam_processes", "role").items()
        },
        "requests": {
            "answered": figures.count("beam_requests_total"),
            "failed": sum(n for status, n in statuses.items() if status >= "500" and status != "503"),
            "unavailable": statuses.get("503", 0),
        },
        "frames": figures.by("beam_frames_total", "outcome"),
        "windows": figures.by("beam_windows_total", "event"),
        "analyses": {
            "count": figures.count("beam_analysis_seconds_count"),
            "failed": figures.count("beam_analyses_failed_total"),
            "mean_s": _mean(figures, "beam_analysis_seconds"),
        },
        "scans": figures.by("beam_scans_total", "outcome"),
        "webhooks": figures.by("beam_webhook_attempts_total", "outcome"),
        "spool_free_bytes": figures.sum("beam_spool_free_bytes"),
    }
    problems = _problems(report)
    state = "unavailable" if not report["redis"]["up"] else "degraded" if problems else "ok"
    return {"status": state, "problems": problems, **report}


def _redis(figures: _Figures) -> dict[str, Any]:
    if not figures.count("beam_redis_up"):
        return {"up": False}
    return {
        "up": True,
        "ping_ms": round(1000 * (figures.sum("beam_redis_ping_seconds") or 0), 2),
        "memory_bytes": figures.count("beam_redis_memory_bytes"),
        "memory_limit_bytes": figures.count("beam_redis_memory_limit_bytes") or None,
        "clients": figures.count("beam_redis_clients"),
        "persisting": bool(figures.count("beam_redis_persisting")),
        "evicted_keys": figures.count("beam_redis_evicted_keys_total"),
    }


def _queue(figures: _Figures) -> dict[str, Any]:
    if not figures.count("beam_queue_up"):
        return {"up": False}
    return {
        "up": True,
        "jobs": figures.count("beam_queue_jobs"),
        "oldest_s": round(figures.sum("beam_queue_oldest_seconds") or 0, 1),
        "workers": figures.count("beam_video_workers"),
        "scans_open": figures.count("beam_scans_open"),
        "webhooks_overdue": figures.count("beam_webhooks_overdue"),
    }


def _mean(figures: _Figures, name: str) -> float | None:
    count = figures.sum(f"{name}_count")
    return round((figures.sum(f"{name}_sum") or 0) / count, 3) if count else None


def _problems(report: dict[str, Any]) -> list[str]:
    """What an operator should look at, as sentences; docs/operations.md says what to do."""
    redis, queue, free = report["redis"], report["queue"], report["spool_free_bytes"]
    if not redis["up"]:
        return ["Redis does not answer: requests get 503."]
    full = redis["memory_limit_bytes"] and redis["memory_bytes"] > MOST_MEMORY * redis["memory_limit_bytes"]
    waits = queue["up"] and queue["oldest_s"] > LONGEST_WAIT_S
    found = {
        "Redis holds more than 85 % of what it may.": full,
        "Redis answers slowly.": redis["ping_ms"] > 1000 * SLOWEST_PING_S,
        "Redis could not write to its disk.": not redis["persisting"],
        "Redis evicts keys: set maxmemory-policy noeviction.": redis["evicted_keys"],
        "The queue's Redis does not answer: videos are not accepted.": not queue["up"],
        "No video worker runs.": queue["up"] and not queue["workers"],
        "A video has waited for more than 30 s.": waits,
        "More than a hundred webhooks are overdue.": queue["up"] and queue["webhooks_overdue"] > MOST_OVERDUE,
        "The disk for uploads is nearly full.": free is not None and free < LEAST_FREE_BYTES,
    }
    return [sentence for sentence, holds in found.items() if holds]
