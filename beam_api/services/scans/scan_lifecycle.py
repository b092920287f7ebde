"""How a scan session goes on: its next attempt is queued, its end is written once, and what is left over is cleared.

Every step may be asked for by anybody at any time (a worker, another machine's worker, a request for the vitals):
the store decides whether it is to be done. So nothing here relies on the one who should have done it being alive.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import structlog

from beam_api.adapters.job_queue import QueueUnavailable, ScanQueue
from beam_api.adapters.spool import Spool, session_of
from beam_api.exceptions import StoreUnavailable
from beam_api.monitoring import counters
from beam_api.services.scans.scan_result import Scan, ScanVitals, now_iso
from beam_api.store.scans import LEASE_MS, Ending, Forgotten, ScanStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOK_AGAIN_MS = 10_000
LATE_MS = 5_000  # workers sweep more often than that
ORPHAN_AGE = timedelta(seconds=90)
"""An upload that no session waits for is deleted when nothing has been written to it for so long."""

TOO_LONG = "The analysis took too long and was stopped."
CRASHED = "The video could not be analysed: the analysis crashed on it."
INTERRUPTED = "The analysis was interrupted and could not be repeated in time."
_OUTCOMES = {TOO_LONG: "too_long", CRASHED: "crashed", INTERRUPTED: "interrupted"}
"""Failures of the service, as they are counted; all others are the video's."""


class ScanLifecycle:
    """Moves sessions on.

    `begin_delivery(session_id, delivery_id, now_ms)` has a webhook sent; `write` gives the data that it holds.
    """

    def __init__(
        self,
        scans: ScanStore,
        spool: Spool,
        queue: ScanQueue,
        *,
        begin_delivery: Callable[[str, str, int], None],
        write: Callable[[Scan], Mapping[str, Any]],
    ) -> None:
        self._scans, self._spool, self._queue = scans, spool, queue
        self._begin_delivery, self._write = begin_delivery, write

    def enqueue(self, session_id: str, last_attempt: int, *, at_front: bool = False) -> None:
        """Queue the next attempt. If the queue is unavailable, `sweep` does it later."""
        try:
            limit_s = self._scans.limit_s(session_id)
            self._queue.scan(session_id, last_attempt + 1, at_front=at_front, limit_s=limit_s)
        except (QueueUnavailable, StoreUnavailable):
            structlog.get_logger().warning("queue unavailable", session_id=session_id)

    def complete(self, session_id: str, attempt: int, vitals: ScanVitals) -> None:
        """End a session with its vitals, if the attempt is still the newest."""
        self._finish(session_id, attempt, "completed", vitals.to_json())

    def fail(self, session_id: str, attempt: int, error: str) -> None:
        """End a session with a reason for people, if the attempt is still the newest."""
        self._finish(session_id, attempt, "failed", error)

    def cancel(self, session_id: str) -> Forgotten | None:
        """Forget a session, whatever its state: its upload goes at once, its analysis is stopped.

        Returns
        -------
        Forgotten or None
            What it was; None if there was no such session.
        """
        gone = self._scans.forget(session_id)
        if gone is None:
            return None
        if gone.status == "processing":
            counters.count_scan("cancelled")
            if gone.upload:
                self._discard(gone.upload)
            with suppress(QueueUnavailable):  # the attempt would find nothing to do
                self._queue.drop_scan(session_id, gone.attempt + 1)
        return gone

    def died(self, session_id: str, attempt: int) -> None:
        """The process of an attempt has ended without ending the session: try once more, or fail."""
        self._lapse(session_id, attempt, died=True)

    def settle(self, session_id: str) -> None:
        """Look at a session that should be getting on, and see to it that it does."""
        turn = self._scans.turn(session_id)
        if turn is None:
            self._scans.leave(session_id)
            return
        now_ms = self._scans.now_ms()
        if turn.lease_ms is not None:
            if turn.lease_ms > now_ms:
                self._scans.look_at(session_id, turn.lease_ms)
            else:
                self._lapse(session_id, turn.attempt, died=False)
        elif turn.deadline_ms is not None and turn.deadline_ms <= now_ms:
            self.fail(session_id, turn.attempt, INTERRUPTED)
        else:
            soon_ms = min(now_ms + LOOK_AGAIN_MS, turn.deadline_ms or now_ms + LOOK_AGAIN_MS)
            self._scans.look_at(session_id, soon_ms)
            self._scans.stay(session_id)
            try:
                if not self._queue.holds_scan(session_id, turn.attempt + 1):
                    self.enqueue(session_id, turn.attempt, at_front=turn.attempt > 0)
            except QueueUnavailable:
                structlog.get_logger().warning("queue unavailable", session_id=session_id)

    def settle_if_due(self, session_id: str) -> None:
        """`settle` a session, if nobody has for so long that somebody should have."""
        turn = self._scans.turn(session_id)
        if turn is None:
            return
        now_ms = self._scans.now_ms()
        ends = [end for end in (turn.lease_ms, turn.deadline_ms) if end is not None]
        if ends and min(ends) + LATE_MS <= now_ms:
            self.settle(session_id)

    def sweep(self) -> None:
        """Settle what is due."""
        for session_id in self._scans.due(self._scans.now_ms()):
            self.settle(session_id)

    def clear_spool(self) -> None:
        """Delete uploads that no session waits for: of a process that was killed, or of a session that has expired."""
        now = datetime.now(UTC)
        try:
            for name, changed in self._spool.uploads():
                turn = self._scans.turn(session_of(name))
                if now - changed >= ORPHAN_AGE and (turn is None or turn.upload != name):
                    self._spool.delete(name)
        except OSError as error:
            structlog.get_logger().error("spool can't be cleared", reason=type(error).__name__)

    def _lapse(self, session_id: str, attempt: int, *, died: bool) -> None:
        lapse = self._scans.lapse(session_id, attempt, died=died)
        if lapse.what == "retry":
            structlog.get_logger().warning("attempt died", session_id=session_id, attempt=attempt)
            self._scans.look_at(session_id, self._scans.now_ms() + LEASE_MS)
            self.enqueue(session_id, lapse.number, at_front=True)
        elif lapse.what == "failed":
            self.fail(session_id, attempt, CRASHED if died else INTERRUPTED)
        elif lapse.what == "alive":
            self._scans.look_at(session_id, lapse.number)

    def _finish(
        self, session_id: str, attempt: int, status: Literal["completed", "failed"], value: bytes | str
    ) -> None:
        record = self._scans.get(session_id)
        ending = Ending(status, value)
        if record is not None and record.webhook_url:
            scan = Scan(
                session_id,
                status,
                error=value if isinstance(value, str) else "",
                vitals=json.loads(value) if status == "completed" else None,
            )
            body = {"type": f"scan.{status}", "timestamp": now_iso(), "data": self._write(scan)}
            ending = Ending(
                status,
                value,
                delivery_id=f"msg_{secrets.token_hex(12)}",
                body=json.dumps(body, separators=(",", ":"), allow_nan=False).encode(),
                key_id=record.key_id,
            )
        saved, upload = self._scans.finish(session_id, attempt, ending)
        if saved == "stale":
            return
        if upload:
            self._discard(upload)
        if saved == "saved":
            counters.count_scan("completed" if status == "completed" else _OUTCOMES.get(str(value), "unusable"))
        if saved == "saved" and ending.body:
            self._announce(session_id, ending.delivery_id)
        self._scans.leave(session_id)

    def _announce(self, session_id: str, delivery_id: str) -> None:
        try:
            self._begin_delivery(session_id, delivery_id, self._scans.now_ms())
        except QueueUnavailable:  # it is planned: a sweep sends it
            structlog.get_logger().warning("queue unavailable", session_id=session_id)

    def _discard(self, upload: str) -> None:
        try:
            self._spool.delete(upload)
        except OSError as error:
            structlog.get_logger().error("upload can't be deleted", reason=type(error).__name__)
