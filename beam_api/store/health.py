"""How the store's server is, and what waits in it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beam_api.store.client import servers, store_errors
from beam_api.store.deliveries import DUE
from beam_api.store.scans import OPEN

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True, slots=True)
class StoreState:
    """A server that answers. `memory_limit_bytes` is 0 without a limit; `persisting` is False after a failed write.

    Of a cluster memory is that of the fullest node, and the other counts are of all together.
    """

    ping_s: float
    memory_bytes: int
    memory_limit_bytes: int
    clients: int
    evicted_keys: int
    persisting: bool
    open_scans: int
    overdue_webhooks: int


def look(client: redis.Redis) -> StoreState:
    """Ask the server. Raises StoreUnavailable."""
    with store_errors():
        started = time.perf_counter()
        client.ping()
        ping_s = time.perf_counter() - started
        infos = servers(client)
        open_scans = client.zcard(OPEN)
        overdue = client.zcount(DUE, "-inf", 1000 * time.time())
    fullest = max(infos, key=lambda info: info.get("used_memory", 0) / (info.get("maxmemory", 0) or math.inf))
    return StoreState(
        ping_s=ping_s,
        memory_bytes=fullest.get("used_memory", 0),
        memory_limit_bytes=fullest.get("maxmemory", 0),
        clients=sum(info.get("connected_clients", 0) for info in infos),
        evicted_keys=sum(info.get("evicted_keys", 0) for info in infos),
        persisting=all("err" not in _last_writes(info) for info in infos),
        open_scans=open_scans,
        overdue_webhooks=overdue,
    )


def _last_writes(info: dict[str, Any]) -> tuple[Any, Any]:
    return info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")
