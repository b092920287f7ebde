"""Webhook delivery: notify a receiver that a scan has ended, with retries over a day."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from beam_api.adapters.webhook_sender import NotDelivered, Sender
from beam_api.monitoring import counters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from beam_api.services.scans.webhook_signing import WebhookSecrets
    from beam_api.store.deliveries import DeliveryStore

DELAYS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
"""From each attempt that failed to the next, before jitter: a day in all."""

JITTER = 0.2
TAKEN_MS = 90_000
"""An attempt that has not been heard of for so long has died with its worker; the next one is made."""

_GONE = 410


class WebhookDelivery:
    """Sends what is owed. `enqueue(session_id, delivery_id, attempt)` has a worker call `attempt`."""

    def __init__(
        self,
        store: DeliveryStore,
        secrets: WebhookSecrets,
        sender: Sender,
        *,
        enqueue: Callable[[str, str, int], None],
    ) -> None:
        self._store, self._secrets, self._sender, self._enqueue = store, secrets, sender, enqueue

    def begin(self, session_id: str, delivery_id: str, now_ms: int) -> None:
        """Have the next attempt at a delivery made now. Asked for too often, it is made once."""
        attempts = self._store.attempts(session_id, delivery_id)
        if attempts is None or attempts > len(DELAYS_S):  # the last one died
            self._store.end(session_id, delivery_id)
            return
        self._store.plan(session_id, delivery_id, now_ms + TAKEN_MS)
        self._enqueue(session_id, delivery_id, attempts + 1)

    def sweep(self, now_ms: int) -> None:
        """Begin what is due."""
        for session_id, delivery_id in self._store.due(now_ms):
            self.begin(session_id, delivery_id, now_ms)

    def attempt(self, session_id: str, delivery_id: str, number: int) -> None:
        """Send once, note what became of it, and plan the next attempt if there is to be one."""
        delivery = self._store.take(session_id, delivery_id, number)
        if delivery is None:
            return
        at = datetime.now(UTC)
        entry: dict[str, Any] = {"id": delivery_id, "at": _iso(at), "status": None, "attempt": number, "next_at": None}
        try:
            headers = self._secrets.headers(delivery.key_id, delivery_id, at, delivery.body)
            entry["status"] = status = self._sender.post(delivery.url, headers, delivery.body)
            done = 200 <= status < 300 or status == _GONE
        except NotDelivered as error:
            entry["error"], done = str(error), False
        counters.count_webhook(entry["status"], last=done or number > len(DELAYS_S))
        if done or number > len(DELAYS_S):
            self._store.end(session_id, delivery_id)
        else:
            delay_s = DELAYS_S[number - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spread, not secret
            next_at = datetime.now(UTC) + timedelta(seconds=delay_s)
            entry["next_at"] = _iso(next_at)
            self._store.plan(session_id, delivery_id, round(1000 * next_at.timestamp()))
        self._store.log(session_id, entry)

    def forget(self, session_id: str, delivery_ids: Iterable[str]) -> None:
        """Send these no more. An attempt that is under way ends."""
        for delivery_id in delivery_ids:
            self._store.end(session_id, delivery_id)

    def logged(self, session_id: str) -> list[dict[str, Any]]:
        """What became of the attempts so far."""
        return self._store.logged(session_id)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
