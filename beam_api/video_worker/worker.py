"""The video worker: RQ's, forking a process for every job.

RQ would notice a worker that was killed after a minute at the earliest. So the worker renews the lease of what its
child works on, and every few seconds, working or idle, it looks for leases that have run out, its own or others'.
"""

from __future__ import annotations

import logging.config
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
import structlog
from rq import Worker
from rq.serializers import JSONSerializer

from beam_api.adapters.job_queue import LONG_NAME, NAME, SCAN, TIME_LIMIT_S, QueueUnavailable, connect_queue, open_queue
from beam_api.exceptions import StoreUnavailable
from beam_api.host.process import die_with_parent, give_memory_back
from beam_api.monitoring import counters, logs
from beam_api.services.scans.scan_lifecycle import TOO_LONG
from beam_api.store.client import connect
from beam_api.video_worker import jobs
from beam_api.wiring import ScanParts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rq.job import Job

    from beam_api.config import Settings
    from beam_api.services.scans.video_analysis import VideoAnalysis

RENEW_S = 3
"""Between two renewals of a lease, and two sweeps; a lease lasts four times as long."""

SPOOL_S = 30.0
MEMORY_BYTES = 1536 * 1024 * 1024
"""What an analysis may take beyond what the worker holds already."""

_RESTART_S, _SLACK_S = 1.0, 5.0


class VideoWorker(Worker):
    """A worker of our queues. One thread: all it does besides waiting is done between two waits.

    While it is at a long video, it has a helper for what waits in the other queue.
    """

    max_connection_wait_time = 5.0

    def __init__(self, parts: ScanParts, queue_url: str, names: Sequence[str] = (NAME, LONG_NAME)) -> None:
        client = connect_queue(queue_url, for_worker=True)
        super().__init__(
            [open_queue(client, name) for name in names],  # the first one first
            connection=client,
            serializer=JSONSerializer,
            job_monitoring_interval=RENEW_S,
            worker_ttl=60,
            log_job_description=False,
            work_horse_killed_handler=self._child_died,
        )
        self._parts, self._queue_url, self._helper = parts, queue_url, 0
        self._die_with_worker = die_with_parent(signal.SIGKILL)
        self._swept = self._cleared = float("-inf")
        self._abandoned = ""

    @property
    def dequeue_timeout(self) -> int:
        """Seconds of one wait for a job."""
        return RENEW_S

    @property
    def stopping(self) -> bool:
        """Whether a signal has asked this worker to end."""
        return self._shutdown_requested_date is not None

    def subscribe(self) -> None:
        """Take no orders by way of Redis; they would need a thread, and threads don't survive a fork."""

    def unsubscribe(self) -> None:
        """Undo nothing."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that this worker is there, and look after sessions."""
        super().heartbeat(timeout, pipeline)
        self._look_around()

    def maintain_heartbeats(self, job: Job, execution: Any) -> None:
        """Say that the child's work goes on. A Redis that is unavailable for a moment must not end it."""
        begun = job.started_at.timestamp() if job.started_at else time.time()
        if time.time() - begun > (job.timeout or TIME_LIMIT_S) + _SLACK_S:
            self.kill_horse()  # its own clock has not ended it: it may be stopped, or waiting for a disk
            return
        try:
            if job.func_name == SCAN and not self._parts.scans.keep(*job.args):
                structlog.get_logger().info("analysis stopped", session_id=job.args[0])
                self._abandoned = job.id
                self.kill_horse()  # its session was deleted, or has expired
                return
            super().maintain_heartbeats(job, execution)
            if (job.timeout or 0) > TIME_LIMIT_S and self.queues[0].count:
                self._fork_helper()
        except (redis.exceptions.RedisError, StoreUnavailable, OSError) as error:
            structlog.get_logger().warning("heartbeat missed", reason=type(error).__name__)

    def fork_work_horse(self, job: Job, queue: Any) -> None:
        """Fork for a job. An idle worker has not loaded what analyses need; the first one's parent does."""
        if job.func_name == SCAN:
            jobs.load_analysing()
        super().fork_work_horse(job, queue)

    def main_work_horse(self, job: Job, queue: Any) -> None:
        """In the child: die with the worker, however that dies."""
        self._die_with_worker()
        super().main_work_horse(job, queue)

    def _child_died(self, job: Job, _pid: int, status: int, _usage: Any) -> None:
        """A child ended without a word: by a crash of a decoder, by a limit, or by somebody's signal."""
        # A webhook's attempt is made again by a sweep, and what was abandoned is nobody's.
        if job.func_name != SCAN or job.id == self._abandoned:
            return
        session_id, attempt = job.args
        by_clock = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
        structlog.get_logger().warning("analysis died", session_id=session_id, attempt=attempt, status=status)
        try:
            if by_clock:
                self._parts.lifecycle.fail(session_id, attempt, TOO_LONG)
            else:
                self._parts.lifecycle.died(session_id, attempt)
        except StoreUnavailable:  # the lease runs out, and a sweep finds it
            pass

    def _fork_helper(self) -> None:
        """Have another process work on what waits behind a long video, until nothing does; one at a time."""
        self._reap_helper()
        if self._helper or self.stopping:
            return
        self._helper = os.fork()
        if self._helper == 0:
            try:
                self._die_with_worker()
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                counters.slot.begin("video")
                VideoWorker(self._parts, self._queue_url, [NAME]).work(burst=True, logging_level="WARNING")
            finally:
                os._exit(0)

    def _reap_helper(self, options: int = os.WNOHANG) -> None:
        with suppress(ChildProcessError):
            if self._helper and os.waitpid(self._helper, options)[0]:
                self._helper = 0

    def end_helper(self) -> None:
        """Have the helper end after what it has in hand, and wait for that."""
        self._reap_helper()
        if self._helper:
            os.kill(self._helper, signal.SIGTERM)
            self._reap_helper(0)

    def _look_around(self) -> None:
        now = time.monotonic()
        self._reap_helper()
        if self._is_horse or now - self._swept < RENEW_S:
            return
        self._swept = now
        try:
            self._parts.lifecycle.sweep()
            self._parts.delivering.sweep(self._parts.scans.now_ms())
            if now - self._cleared >= SPOOL_S:
                self._cleared = now
                self._parts.lifecycle.clear_spool()
        except (StoreUnavailable, QueueUnavailable) as error:
            structlog.get_logger().warning("sweep missed", reason=type(error).__name__)


def run(settings: Settings, redis_url: str) -> int:
    """Work until a signal comes; returns the exit status. The first analysis loads the landmark model."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would put images on the disk
    logs.configure_logging(settings.log_level_number)
    logging.config.dictConfig(logs.stdlib_logging(settings.log_level))
    parts = ScanParts.build(settings, connect(redis_url))
    counters.slot.begin("video")
    jobs.install(jobs.Work(cache(partial(_analysing, settings, parts)), parts.delivering))
    while True:
        try:
            worker = VideoWorker(parts, settings.queue_redis_url or redis_url)
            worker.work(logging_level="WARNING")  # RQ logs every step
        except (redis.exceptions.RedisError, OSError) as error:
            structlog.get_logger().error("redis is unavailable", reason=type(error).__name__)
        else:
            if worker.stopping:
                worker.end_helper()
                return 0
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        time.sleep(_RESTART_S)


def limit_process(seconds: float) -> None:
    """Bind this process: it ends after `seconds`, wherever it is, and takes no more than `MEMORY_BYTES` more.

    The clock's signal is given no handler, so a decoder that never comes back to Python ends by it too.
    """
    give_memory_back()
    if sys.platform == "linux":
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = held + MEMORY_BYTES if most == resource.RLIM_INFINITY else min(held + MEMORY_BYTES, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds))


def _analysing(settings: Settings, parts: ScanParts) -> VideoAnalysis:
    import cv2

    from beam_api.services.scans.video_analysis import VideoAnalysis
    from rppg_core import measure
    from rppg_core.face.reader import FaceReader

    cv2.setNumThreads(1)
    reader = FaceReader(settings.landmarks)
    return VideoAnalysis(
        parts.scans,
        parts.spool,
        parts.lifecycle,
        reader,
        analyse=measure,
        limit=limit_process,
        traces_dir=settings.traces_dir,
    )
