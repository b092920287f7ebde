"""The queue of work for video workers: RQ's, with nothing in it but names and numbers, as JSON."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING

from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from beam_api.exceptions import StoreUnavailable
from beam_api.store.client import TIMEOUT_S, connect, store_errors, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

NAME, LONG_NAME = "beam-videos", "beam-videos-long"
"""Two queues: what takes no longer than `TIME_LIMIT_S`, and the rest, which must not hold that up."""

TIME_LIMIT_S = 100
"""Most seconds of one attempt at a video of up to five minutes, or at a webhook."""

SCAN, DELIVER = "beam_api.video_worker.jobs.scan", "beam_api.video_worker.jobs.deliver"
_KEEP_S = 600  # what RQ itself remembers of jobs
_LOOKED_AT = 10  # jobs: those put in front are newer than the one behind them


class QueueUnavailable(Exception):
    """The queue's Redis is unavailable. What was to be queued is known to the store, and is queued by a later sweep."""


def connect_queue(url: str, *, for_worker: bool = False) -> redis.Redis:
    """A client of the queue's Redis. A worker's waits for jobs; RQ gives it a longer time limit."""
    return connect(url, silence_s=None if for_worker else TIMEOUT_S)


def open_queue(client: redis.Redis, name: str = NAME) -> Queue:
    """RQ's view of a queue. Connects to nothing."""
    return Queue(name, connection=client, serializer=JSONSerializer)


@dataclass(frozen=True, slots=True)
class QueueState:
    """Jobs that wait, how long the oldest of those to be done next has, and workers that have been heard of lately.

    Long videos count among the jobs. They may wait for long, so not for the time.
    """

    jobs: int
    oldest_s: float
    workers: int


class ScanQueue:
    """Puts work into the queue. Raises QueueUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._queues = [open_queue(client, name) for name in (NAME, LONG_NAME)]
        self._redis = client

    def scan(self, session_id: str, attempt: int, *, at_front: bool = False, limit_s: float = TIME_LIMIT_S) -> None:
        """Have a worker make an attempt at a session's video, which may take `limit_s`."""
        self._put(SCAN, (session_id, attempt), _scan_id(session_id, attempt), at_front=at_front, limit_s=limit_s)

    def deliver(self, session_id: str, delivery_id: str, attempt: int) -> None:
        """Have a worker make an attempt at a webhook."""
        self._put(DELIVER, (session_id, delivery_id, attempt), f"{delivery_id}_{attempt}")

    def holds_scan(self, session_id: str, attempt: int) -> bool:
        """Whether an attempt waits in the queue, or is just being handed to a worker."""
        job_id = _scan_id(session_id, attempt)
        with _queue_errors():
            return any(
                job_id in (text(waiting) for waiting in self._redis.lrange(queue.key, 0, -1)) for queue in self._queues
            )

    def drop_scan(self, session_id: str, attempt: int) -> None:
        """Take an attempt out of the queue, if it waits there."""
        job_id = _scan_id(session_id, attempt)
        with _queue_errors():
            if sum(self._redis.lrem(queue.key, 0, job_id) for queue in self._queues):
                self._redis.delete(Job.key_for(job_id))

    def look(self) -> QueueState:
        """How long the queue is, and who works on it."""
        client = self._redis
        with _queue_errors():
            jobs = sum(client.llen(queue.key) for queue in self._queues)
            with client.pipeline(transaction=False) as pipe:
                for job_id in client.lrange(self._queues[0].key, 0, _LOOKED_AT - 1):
                    pipe.hget(Job.key_for(text(job_id)), "created_at")
                created = [datetime.fromisoformat(text(at)) for at in pipe.execute() if at]
                for name in client.smembers(WORKERS_BY_QUEUE_KEY % NAME):
                    pipe.exists(name)
                workers = sum(pipe.execute())
        oldest_s = max(((datetime.now(UTC) - at).total_seconds() for at in created), default=0.0)
        return QueueState(jobs, max(0.0, oldest_s), workers)

    def _put(
        self,
        function: str,
        args: tuple[str | int, ...],
        job_id: str,
        *,
        at_front: bool = False,
        limit_s: float = TIME_LIMIT_S,
    ) -> None:
        queue = self._queues[limit_s > TIME_LIMIT_S]
        with _queue_errors():
            job = Job.create(
                function,
                args=args,
                id=job_id,
                description=job_id,
                connection=self._redis,
                serializer=JSONSerializer,
                timeout=ceil(limit_s),
                result_ttl=_KEEP_S,
                failure_ttl=_KEEP_S,
                origin=queue.name,
            )
            queue.enqueue_job(job, at_front=at_front)


def _scan_id(session_id: str, attempt: int) -> str:
    return f"{session_id}_{attempt}"


@contextmanager
def _queue_errors() -> Iterator[None]:
    try:
        with store_errors():
            yield
    except StoreUnavailable as error:
        raise QueueUnavailable from error
