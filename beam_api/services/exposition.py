"""What /metrics says: the counts of all processes of this machine, and how Redis and the queue are at this moment."""

from __future__ import annotations

import os
import platform
import shutil
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from beam_api.adapters.job_queue import QueueState, QueueUnavailable, ScanQueue
from beam_api.exceptions import StoreUnavailable
from beam_api.monitoring import counters
from beam_api.monitoring.slots import VARIABLE, processes
from beam_api.store.health import StoreState, look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.samples import Sample
    from redis import Redis

    from beam_api.config import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """Writes the text that Prometheus reads."""

    def __init__(self, settings: Settings, client: Redis, queue: ScanQueue) -> None:
        self._settings, self._redis, self._queue = settings, client, queue

    def text(self) -> bytes:
        """All metrics, each with its meaning. Costs a few round trips to Redis; what it can't say it leaves out."""
        return b"".join(generate_latest(registry) for registry in self._registries())

    def samples(self) -> list[Sample]:
        """The same as samples: name, labels and value."""
        return [sample for registry in self._registries() for family in registry.collect() for sample in family.samples]

    def _registries(self) -> list[CollectorRegistry]:
        folder = os.environ.get(VARIABLE)
        registry = CollectorRegistry()
        if folder:
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        registry.register(_Now(self._now(folder)))
        return [registry] if folder else [counters.registry, registry]

    def _now(self, folder: str | None) -> Iterator[Metric]:
        yield _labelled("beam_build_info", "The version that runs; always 1.", _build(), 1)
        if folder:
            yield from _of_processes(folder)
        if self._settings.spool_url is None and self._settings.data_dir.is_dir():
            free = shutil.disk_usage(self._settings.data_dir).free
            yield GaugeMetricFamily("beam_spool_free_bytes", "Room on the disk on which uploads wait.", value=free)
        try:
            yield from _of_store(look(self._redis))
        except StoreUnavailable:
            yield GaugeMetricFamily("beam_redis_up", "Whether Redis answers.", value=0)
            return
        try:
            yield from _of_queue(self._queue.look())
        except QueueUnavailable:
            yield GaugeMetricFamily("beam_queue_up", "Whether the queue's Redis answers.", value=0)


class _Now(Collector):
    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self._found


def _of_processes(folder: str) -> Iterator[Metric]:
    number: Counter[str] = Counter()
    resident: Counter[str] = Counter()
    for process in processes(Path(folder)):
        number[process.role] += 1
        resident[process.role] += process.resident_bytes
    running = GaugeMetricFamily("beam_processes", "Processes of this machine, by role.", labels=["role"])
    memory = GaugeMetricFamily(
        "beam_process_memory_bytes", "Resident memory by role; what processes share is in each.", labels=["role"]
    )
    for role in sorted(number):
        running.add_metric([role], number[role])
        memory.add_metric([role], resident[role])
    yield from (running, memory)


def _of_store(state: StoreState) -> Iterator[Metric]:
    yield GaugeMetricFamily("beam_redis_up", "Whether Redis answers.", value=1)
    yield GaugeMetricFamily("beam_redis_ping_seconds", "One round trip to Redis, now.", value=state.ping_s)
    yield GaugeMetricFamily("beam_redis_memory_bytes", "What Redis holds.", value=state.memory_bytes)
    yield GaugeMetricFamily(
        "beam_redis_memory_limit_bytes", "What Redis may hold; 0 without a limit.", value=state.memory_limit_bytes
    )
    yield GaugeMetricFamily("beam_redis_clients", "Connections to Redis, of everybody.", value=state.clients)
    yield GaugeMetricFamily(
        "beam_redis_persisting", "Whether the last write of Redis to its disk went well.", value=state.persisting
    )
    yield CounterMetricFamily(
        "beam_redis_evicted_keys", "Keys that Redis evicted for lack of memory.", value=state.evicted_keys
    )
    yield GaugeMetricFamily("beam_scans_open", "Scan sessions that are being processed.", value=state.open_scans)
    yield GaugeMetricFamily(
        "beam_webhooks_overdue", "Webhooks whose next attempt should have begun.", value=state.overdue_webhooks
    )


def _of_queue(state: QueueState) -> Iterator[Metric]:
    yield GaugeMetricFamily("beam_queue_up", "Whether the queue's Redis answers.", value=1)
    yield GaugeMetricFamily("beam_queue_jobs", "Jobs that wait for a video worker.", value=state.jobs)
    yield GaugeMetricFamily("beam_queue_oldest_seconds", "How long the oldest job has waited.", value=state.oldest_s)
    yield GaugeMetricFamily("beam_video_workers", "Video workers, on all machines.", value=state.workers)


def _build() -> dict[str, str]:
    try:
        installed = version("beam-rppg")
    except PackageNotFoundError:  # run from a checkout that is not installed
        installed = "unknown"
    return {"version": installed, "python": platform.python_version()}


def _labelled(name: str, meaning: str, labels: dict[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
