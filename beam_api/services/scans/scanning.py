"""The scanning use case: a session, one video in it, and its vitals when they are measured."""

from __future__ import annotations

import secrets
import string
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from beam_api.adapters.webhook_targets import AllowedHost, TargetRefused, check_url
from beam_api.exceptions import Conflict, NotFound, RateLimited, Unprocessable
from beam_api.services.scans.scan_result import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beam_api.adapters.probe import Probed
    from beam_api.adapters.spool import Spool
    from beam_api.services.scans.scan_lifecycle import ScanLifecycle
    from beam_api.services.scans.webhook_delivery import WebhookDelivery
    from beam_api.store.scan_budget import ScanBudget, ScanWork
    from beam_api.store.scans import ScanRecord, ScanStore

_ALPHABET = string.ascii_lowercase + string.digits
_NOT_FOUND = "There is no such session, or it has expired."
_TAKEN = {
    "processing": "A video of this session is being analysed.",
    "completed": "This session is completed. Create another one for another video.",
}


@dataclass(frozen=True, slots=True)
class NewScan:
    """A session just made."""

    session_id: str
    created_at: str
    owner: str


class Scanning:
    """Creates sessions, takes their videos, returns their vitals. A session belongs to the API key that created it."""

    def __init__(
        self,
        scans: ScanStore,
        spool: Spool,
        lifecycle: ScanLifecycle,
        delivering: WebhookDelivery,
        *,
        probe: Callable[[str], Probed],
        budget: ScanBudget,
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        """`probe` raises if what is at a path or URL is no video that can be measured; else it says in how many s.

        `budget` holds how many seconds of analysis each payer has used.
        """
        self._scans, self._spool, self._lifecycle, self._webhooks = scans, spool, lifecycle, delivering
        self._probe, self._budget = probe, budget
        self._allowed = [AllowedHost.parse(entry) for entry in allowed_hosts]

    def create(self, *, key_id: str, owner: str, webhook_url: str | None, series: bool = False) -> NewScan:
        """Make a session, whose vitals hold a `series` or not. Raises Unprocessable if the webhook may not go there."""
        if webhook_url is not None:
            try:
                check_url(webhook_url, self._allowed)
            except TargetRefused as error:
                raise Unprocessable(f"'webhook_url' {error}.") from error
        now = datetime.now(UTC)
        session_id = f"sess_{now:%Y%m%d%H%M%S}_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
        created_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        about = {"key_id": key_id, "owner": owner, "created_at": created_at, "webhook_url": webhook_url or ""}
        self._scans.create(session_id, **about, series=series)
        return NewScan(session_id, created_at, owner)

    def check(self, key_id: str, session_id: str, *, payer: str) -> None:
        """Make sure that a video may be uploaded, before it is. Raises NotFound, Conflict or RateLimited."""
        record = self._own(key_id, session_id)
        if record.status in _TAKEN:
            raise Conflict(_TAKEN[record.status])
        if not (work := self._budget.look(payer)).fits:
            raise _used_up(work)

    def take_video(self, session_id: str, write: Callable[[BinaryIO], Any], *, payer: str) -> ScanWork:
        """Keep the video that `write` writes, look at it, charge it to the payer, and have it analysed.

        Returns
        -------
        ScanWork
            How the payer's budget stands.

        Raises
        ------
        InvalidParameter, Unprocessable
            If it is no video, or none that can be measured. Nothing is kept of it, nor if `write` raises.
        Conflict
            If another video came first.
        RateLimited
            If the payer's budget has no room for it.
        """
        with self._spool.create(session_id) as (name, file):
            write(file)
        try:
            probed = self._probe(self._spool.location(name))
            work = self._budget.spend(payer, probed.predicted_s)
            if not work.fits:
                raise _used_up(work)
            last_attempt = self._accept(session_id, name, probed, payer)
        except BaseException:
            with suppress(OSError):  # a sweep clears it
                self._spool.delete(name)
            raise
        self._lifecycle.enqueue(session_id, last_attempt)
        return work

    def vitals(self, key_id: str, session_id: str) -> Scan:
        """A session as it stands. Raises NotFound."""
        record = self._own(key_id, session_id)
        if record.status == "processing":
            # A worker does this too; but if no worker is left, only a reader can.
            self._lifecycle.settle_if_due(session_id)
            record = self._own(key_id, session_id)
        return Scan.of(record)

    def cancel(self, key_id: str, session_id: str) -> None:
        """Delete a session with its video, its vitals and the webhooks that it owes. Raises NotFound."""
        self._own(key_id, session_id)
        gone = self._lifecycle.cancel(session_id)
        if gone is None:  # somebody else was quicker
            raise NotFound(_NOT_FOUND)
        self._budget.give_back(gone.payer, gone.unused_s)
        self._webhooks.forget(session_id, gone.deliveries)

    def deliveries(self, key_id: str, session_id: str) -> list[dict[str, Any]]:
        """What became of the attempts at the session's webhooks. Raises NotFound."""
        self._own(key_id, session_id)
        return self._webhooks.logged(session_id)

    def _accept(self, session_id: str, name: str, probed: Probed, payer: str) -> int:
        """Note the video that was paid for; the number of the last attempt at any of this session."""
        try:
            status, last_attempt = self._scans.accept(
                session_id, name, probed.limit_s, payer=payer, paid_s=probed.predicted_s
            )
            if status != "accepted":
                self._refuse(status)
        except BaseException:
            self._budget.give_back(payer, probed.predicted_s)
            raise
        return last_attempt

    def _own(self, key_id: str, session_id: str) -> ScanRecord:
        record = self._scans.get(session_id)
        if record is None or record.key_id != key_id:
            raise NotFound(_NOT_FOUND)
        return record

    @staticmethod
    def _refuse(status: str) -> NoReturn:
        if status in _TAKEN:
            raise Conflict(_TAKEN[status])
        raise NotFound(_NOT_FOUND)


def _used_up(work: ScanWork) -> RateLimited:
    video = f"this video takes some {work.cost_s:.0f} s of analysis, and " if work.cost_s else ""
    advice = ", or upload a shorter part (10 to 30 s are best)" if work.cost_s else ""
    return RateLimited(
        work.retry_after_s,
        f"The key's budget of scans is used up: {video}{work.left_s:.0f} s of {work.limit_s:.0f} s an hour are left. "
        f"Try again in {work.retry_after_s} s{advice}.",
    )
