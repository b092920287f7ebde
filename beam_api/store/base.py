"""The Redis client, and the place where its failures become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis import exceptions as theirs
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from beam_api.exceptions import StoreUnavailable

PREFIX = "beam"

# A store that is away must be a quick 503 and not a thread held for long. What is refused is tried again, with pauses
# (0.1 + 0.2 + 0.2 s) in which the embedded server restarts; a server that is silent for TIMEOUT_S is not.
TIMEOUT_S = 2.0
RETRIES = 3
POOL = 16  # connections a process; more than its threads, so that nobody waits for one

# Replies by which a live server says that it can't do its work now. Other error replies are bugs of ours.
_UNAVAILABLE = (
    theirs.ConnectionError,  # refused, reset, loading its data, wrong password
    theirs.TimeoutError,
    theirs.ReadOnlyError,
    theirs.OutOfMemoryError,
    theirs.MasterDownError,
    theirs.TryAgainError,
    theirs.ClusterDownError,
)
_UNAVAILABLE_REPLIES = ("MISCONF", "NOREPLICAS", "OOM")


def connect(url: str) -> redis.Redis:
    """Make a client. It connects on first use, and again in every process forked after."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=POOL,
        timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES, supported_errors=(theirs.ConnectionError,)),
    )
    return redis.Redis(connection_pool=pool)


@contextmanager
def store_errors() -> Iterator[None]:
    """Translate what Redis raises when it is away into `StoreUnavailable`; put it around every use of the client."""
    try:
        yield
    except _UNAVAILABLE as error:
        _count(error)
        raise StoreUnavailable from error
    except theirs.ResponseError as error:
        if any(reply in str(error) for reply in _UNAVAILABLE_REPLIES):
            _count(error)
            raise StoreUnavailable from error
        raise


def _count(error: Exception) -> None:
    from beam_api import metrics  # commands that count nothing need not load it

    metrics.count_redis_error(error)


def ping(client: redis.Redis) -> None:
    """Raise `StoreUnavailable` unless Redis answers."""
    with store_errors():
        client.ping()


def text(value: Any) -> str:
    """A reply as text, whether or not the client decodes replies itself."""
    return value.decode() if isinstance(value, bytes) else str(value)
