"""The Redis client, and the place where its failures become Beam's own.

It is a client of one server, of the primary that Sentinels name, or of a cluster.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import redis
from redis import exceptions as redis_errors
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import SSLConnection
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from beam_api.exceptions import StoreUnavailable
from beam_api.store.breaker import Guarded
from beam_api.store.cluster import Cluster, ClusterClient, as_cluster
from beam_api.store.urls import RedisUrl

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "beam"

# An unavailable store must mean a quick 503 and not a thread held for long. A refused connection is retried, with
# pauses (0.1 + 0.2 + 0.2 s) in which the embedded server restarts; a server that is silent for TIMEOUT_S is not. After
# either, the breaker spares other requests the wait.
TIMEOUT_S = 2.0
RETRIES = 3
POOL = 16  # connections a process; more than its threads, so that nobody waits for one
SENTINEL_TIMEOUT_S = 0.5  # there are others to ask

# Replies by which a live server says that it can't do its work now. Other error replies are bugs.
_UNAVAILABLE = (
    redis_errors.ConnectionError,  # refused, reset, loading its data, wrong password; no Sentinel knows a primary
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    redis_errors.MasterDownError,
    redis_errors.TryAgainError,
    redis_errors.AskError,  # or MovedError: nodes send us from one to the other
    redis_errors.ClusterError,  # the cluster is down
    redis_errors.SlotNotCoveredError,
)
_UNAVAILABLE_REPLIES = ("MISCONF", "NOREPLICAS", "OOM")


def connect(url: str, *, silence_s: float | None = TIMEOUT_S) -> redis.Redis:
    """Make a client. It connects on first use, and again in every process forked after.

    Parameters
    ----------
    url : str
        In one of the forms of `RedisUrl`.
    silence_s : float, optional
        For how long a server may be silent. None if there is no limit, for who waits for something to happen.

    Raises
    ------
    ValueError
        If `url` has none of the forms.
    """
    address = RedisUrl.parse(url)
    limits: dict[str, Any] = {
        "max_connections": POOL,
        "socket_timeout": silence_s,
        "socket_connect_timeout": TIMEOUT_S,
    }
    if address.kind == "cluster":
        return cast("redis.Redis", _cluster(address, limits))
    backoff = ExponentialBackoff(cap=0.2, base=0.05)
    # Who waits for something to happen takes nobody's thread, and should find out by itself when Redis is back.
    limits["retry"] = Guarded(backoff, RETRIES) if silence_s else Retry(backoff, RETRIES)
    if address.kind == "sentinel":
        return _primary(address, limits)
    pool = redis.BlockingConnectionPool.from_url(address.plain, timeout=TIMEOUT_S, **limits)
    return redis.Redis(connection_pool=pool)


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise `StoreUnavailable` for what Redis raises while it is unavailable."""
    try:
        yield
    except _UNAVAILABLE as error:
        _count(error)
        raise StoreUnavailable from error
    except redis_errors.ResponseError as error:
        if any(reply in str(error) for reply in _UNAVAILABLE_REPLIES):
            _count(error)
            raise StoreUnavailable from error
        raise
    except redis_errors.RedisClusterException as error:
        if isinstance(error.__cause__, _UNAVAILABLE):  # no node could be asked for the others
            _count(error.__cause__)
            raise StoreUnavailable from error
        raise


_Class = TypeVar("_Class", bound=type)


def translates_errors(kind: _Class) -> _Class:
    """Decorate a store: each of its methods raises `StoreUnavailable` for what Redis raises while it is unavailable."""
    for name, member in vars(kind).items():
        if inspect.isfunction(member) and name != "__init__":
            setattr(kind, name, store_errors()(member))
    return kind


def _count(error: Exception) -> None:
    from beam_api.monitoring import counters  # commands that count nothing need not load it

    counters.count_redis_error(error)


def ping(client: redis.Redis) -> None:
    """Raise `StoreUnavailable` unless Redis serves keys. A cluster that is down still answers PING."""
    with store_errors():
        client.exists(f"{PREFIX}:keys")


def servers(client: redis.Redis) -> list[dict[str, Any]]:
    """What INFO says of each server that takes writes: all primaries of a cluster. Raises what Redis raises."""
    if cluster := as_cluster(client):
        return list(cluster.info(target_nodes=RedisCluster.PRIMARIES).values())
    return [client.info()]


def text(value: Any) -> str:
    """A reply as text, whether or not the client decodes replies itself."""
    return value.decode() if isinstance(value, bytes) else str(value)


class _PrimaryConnection(SentinelManagedConnection):
    """A connection that is dropped when a reply was not read to its end, as all others of redis-py are.

    Else the next one to have it could be given the answer to another's question.
    """

    def read_response(self, disable_decoding: bool = False, **options: Any) -> Any:
        """Read a reply."""
        return super().read_response(disable_decoding, **{"disconnect_on_error": True, **options})


class _PrimarySSLConnection(_PrimaryConnection, SentinelManagedSSLConnection):
    """The same, over TLS."""


def _primary(address: RedisUrl, limits: dict[str, Any]) -> redis.Redis:
    """A client of whichever server is the primary of a service when a connection is made."""
    options = address.options
    options.pop("host")
    of_sentinels: dict[str, Any] = dict(address.sentinel_options)
    of_sentinels |= {"socket_timeout": SENTINEL_TIMEOUT_S, "socket_connect_timeout": SENTINEL_TIMEOUT_S}
    of_sentinels["retry"] = Retry(NoBackoff(), 0)
    tls = options.pop("connection_class", None) is SSLConnection
    options["connection_class"] = _PrimarySSLConnection if tls else _PrimaryConnection
    if tls:
        of_sentinels |= {"ssl": True} | {name: value for name, value in options.items() if name.startswith("ssl_")}
    sentinel = Sentinel(list(address.nodes), sentinel_kwargs=of_sentinels)
    return cast("redis.Redis", sentinel.master_for(address.service, **options, **limits))


def _cluster(address: RedisUrl, limits: dict[str, Any]) -> ClusterClient:
    """A client of all nodes of a cluster, of which those in the address are asked for the others."""

    def make() -> Cluster:
        return Cluster(
            url=address.plain,
            startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
            retry=Retry(NoBackoff(), 1),  # of it only the number is used
            require_full_coverage=False,  # what a lost node held is unavailable; the rest is not
            connection_pool_class=redis.BlockingConnectionPool,
            timeout=TIMEOUT_S,
            **limits,
        )

    return ClusterClient(make)
