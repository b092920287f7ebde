"""How the store's server is, and what waits in it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import redis

from beam_api.store.base import store_errors
from beam_api.store.deliveries import DUE
from beam_api.store.scans import OPEN


@dataclass(frozen=True, slots=True)
class StoreState:
    """A server that answers. `memory_limit_bytes` is 0 without a limit; `persisting` is False after a failed write."""

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
        info = client.info()
        open_scans = client.zcard(OPEN)
        overdue = client.zcount(DUE, "-inf", 1000 * time.time())
    return StoreState(
        ping_s=ping_s,
        memory_bytes=info.get("used_memory", 0),
        memory_limit_bytes=info.get("maxmemory", 0),
        clients=info.get("connected_clients", 0),
        evicted_keys=info.get("evicted_keys", 0),
        persisting="err" not in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")),
        open_scans=open_scans,
        overdue_webhooks=overdue,
    )
