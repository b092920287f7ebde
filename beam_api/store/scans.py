"""Scan sessions in Redis: what became of each, whose turn it is to work on it, and which ones need looking after.

One hash per session, under the hash tag `{session_id}`, which lives for the session's lifetime after its last step. An
attempt at a video has a number that grows, a lease that its worker renews, and a deadline; what an attempt says counts
only while it is the newest. Sessions that are being processed are also listed by the time at which somebody should
look whether they still are; the list may hold too many, never too few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from beam_api.store.client import PREFIX, text, translates_errors
from beam_api.store.scripts import load_script, send_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

OPEN = f"{PREFIX}:scans:open"
LEASE_MS = 12_000
ATTEMPT_MS = 100_000
"""One attempt at a video of up to five minutes. A longer video has a limit of its own, all attempts twice that."""
ALL_ATTEMPTS_MS = 110_000
"""All attempts at a video of up to five minutes: who asks for the vitals gives up after two minutes."""
NEXT_ATTEMPT_MS = 40_000
"""From a crash to the end of the next attempt, with its wait for a worker."""
MOST_ATTEMPTS = 2
_WEBHOOK_MS = 30 * 3600 * 1000  # longer than all attempts at a delivery together

Status = Literal["pending", "processing", "completed", "failed"]
FIELDS = ("key_id", "status", "created_at", "owner", "webhook_url", "progress", "error", "partial", "vitals")


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """A session as it stands. `vitals` and `partial` are JSON; `progress` is 0-1."""

    session_id: str
    key_id: str
    status: Status
    created_at: str
    owner: str
    webhook_url: str
    progress: float
    error: str
    partial: bytes
    vitals: bytes


@dataclass(frozen=True, slots=True)
class Lapse:
    """What was found of an attempt that may have died.

    `number` is the end of its lease in ms if it is alive, and the last attempt's number if there is to be another one.
    """

    what: Literal["moved", "alive", "retry", "failed"]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is in a session that is being processed: the last attempt, and its lease if it has begun."""

    attempt: int
    lease_ms: int | None
    deadline_ms: int | None
    upload: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a session was when it was forgotten: its status, its upload, its last attempt, and its webhooks' ids.

    `payer` had paid `unused_s` seconds for the part of its analysis that was not made.
    """

    status: Status
    upload: str
    attempt: int
    deliveries: Sequence[str]
    payer: str = ""
    unused_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an analysis ended: with vitals (JSON) or with an error, and the webhook to be written with it, if any."""

    status: Literal["completed", "failed"]
    value: bytes | str
    delivery_id: str = ""
    body: bytes = b""
    key_id: str = ""


def session_name(session_id: str) -> str:
    """Name of a session's hash."""
    return f"{PREFIX}:{{{session_id}}}:scan"


def log_name(session_id: str) -> str:
    """Name of the log of the attempts at a session's webhooks."""
    return f"{PREFIX}:{{{session_id}}}:deliveries"


def delivery_name(session_id: str, delivery_id: str) -> str:
    """Name of the hash of one webhook that is owed."""
    return f"{PREFIX}:{{{session_id}}}:webhook:{delivery_id}"


@translates_errors
class ScanStore:
    """Keeps sessions. Every method raises StoreUnavailable if Redis is unavailable."""

    def __init__(self, client: redis.Redis, *, lifetime_s: int) -> None:
        self._redis, self._lifetime_ms = client, 1000 * lifetime_s
        self._accept, self._claim, self._renew, self._lapse, self._finish, self._cancel = (
            load_script(client, f"scan_{name}") for name in ("accept", "claim", "renew", "lapse", "finish", "cancel")
        )

    def create(
        self, session_id: str, *, key_id: str, owner: str, created_at: str, webhook_url: str, series: bool = False
    ) -> None:
        """Keep a new session, pending; `series` says whether the course of the rates is asked for."""
        name = session_name(session_id)
        values = ["key_id", key_id, "status", "pending", "created_at", created_at, "owner", owner]
        send_atomically(
            self._redis,
            ("HSET", name, *values, "webhook_url", webhook_url, "series", int(series)),
            ("PEXPIRE", name, self._lifetime_ms),
        )

    def get(self, session_id: str) -> ScanRecord | None:
        """A session; None if there is none, or no more."""
        reply = cast("list[Any]", self._redis.hmget(session_name(session_id), FIELDS))
        if reply[1] is None:
            return None
        key_id, status, created_at, owner, webhook_url, progress, error = (text(v) if v else "" for v in reply[:-2])
        return ScanRecord(
            session_id,
            key_id,
            cast("Status", status),
            created_at,
            owner,
            webhook_url,
            float(progress or 0),
            error,
            reply[-2] or b"",
            reply[-1] or b"",
        )

    def accept(
        self, session_id: str, upload: str, limit_s: float = ATTEMPT_MS / 1000, *, payer: str = "", paid_s: float = 0.0
    ) -> tuple[str, int]:
        """Note that a video has been uploaded, with a time limit for an attempt at it. Of several at once, one is.

        `payer` has paid `paid_s` seconds for its analysis.

        Returns
        -------
        (str, int)
            "accepted" and the number of the last attempt so far; else "gone" or the status that doesn't allow it.
        """
        # Listed first: should this process end here, somebody finds nothing to do; the other way round, nobody
        # would find what there is.
        self.look_at(session_id, self.now_ms() + LEASE_MS)
        args: list[Any] = [upload, self._lifetime_ms, round(1000 * limit_s), payer, f"{paid_s:.3f}"]
        reply = cast("list[Any]", self._accept(keys=[session_name(session_id)], args=args))
        return text(reply[0]), int(reply[1]) if len(reply) > 1 else 0

    def claim(self, session_id: str, attempt: int) -> tuple[str, float] | None:
        """Begin an attempt: the upload's name and the seconds left, or None if it is not to be made."""
        args = [attempt, LEASE_MS, self._lifetime_ms, ATTEMPT_MS, ALL_ATTEMPTS_MS]
        reply = cast("list[Any]", self._claim(keys=[session_name(session_id)], args=args))
        return (text(reply[0]), int(reply[1]) / 1000) if reply else None

    def wants_series(self, session_id: str) -> bool:
        """Whether the course of the rates was asked for."""
        return self._redis.hget(session_name(session_id), "series") == b"1"

    def stay(self, session_id: str) -> None:
        """Let a session live on, whose video waits for a worker."""
        self._redis.pexpire(session_name(session_id), self._lifetime_ms)

    def limit_s(self, session_id: str) -> float:
        """Most seconds of one attempt at a session's video."""
        return int(self._redis.hget(session_name(session_id), "limit") or ATTEMPT_MS) / 1000

    def renew(self, session_id: str, attempt: int, progress: float | None = None, partial: bytes = b"") -> bool:
        """Say that an attempt is alive, how far it is, and the vitals so far; False if the session isn't its own."""
        return self._alive(session_id, attempt, "" if progress is None else f"{progress:.4f}", partial) == 1

    def keep(self, session_id: str, attempt: int) -> bool:
        """Renew an attempt's lease, if it has one; False if its session is gone, so that there is nothing to do."""
        return self._alive(session_id, attempt) != -1

    def _alive(self, session_id: str, attempt: int, progress: str = "", partial: bytes = b"") -> int:
        args: list[Any] = [attempt, LEASE_MS, self._lifetime_ms, progress, partial]
        return int(self._renew(keys=[session_name(session_id)], args=args))

    def lapse(self, session_id: str, attempt: int, *, died: bool) -> Lapse:
        """Decide what becomes of an attempt that is known to have `died`, or whose lease may have run out.

        After "retry" the session waits for its next attempt, after "failed" for `finish`.
        """
        args = [attempt, int(died), MOST_ATTEMPTS, NEXT_ATTEMPT_MS, ATTEMPT_MS]
        reply = cast("list[Any]", self._lapse(keys=[session_name(session_id)], args=args))
        return Lapse(cast("Any", text(reply[0])), int(reply[1]) if len(reply) > 1 else 0)

    def finish(self, session_id: str, attempt: int, ending: Ending) -> tuple[str, str]:
        """End a session.

        Returns
        -------
        (str, str)
            "saved" and the name of the upload, which is no longer needed; else "stale" or "gone".
        """
        field = "vitals" if ending.status == "completed" else "error"
        keys = [session_name(session_id), delivery_name(session_id, ending.delivery_id)]
        args: list[Any] = [attempt, ending.status, field, ending.value, self._lifetime_ms, _WEBHOOK_MS]
        args += [ending.delivery_id, ending.body, ending.key_id]
        said = self._finish(keys=keys, args=args)
        reply = cast("list[Any]", said)
        return text(reply[0]), text(reply[1]) if len(reply) > 1 else ""

    def forget(self, session_id: str) -> Forgotten | None:
        """Delete a session with its vitals and the webhooks that it owes; None if there is none."""
        name = session_name(session_id)
        while True:
            ids = text(self._redis.hget(name, "deliveries") or b"")
            keys = [name, log_name(session_id), *(delivery_name(session_id, id_) for id_ in ids.split())]
            reply = cast("list[Any]", self._cancel(keys=keys, args=[ids]))
            if text(reply[0]) == "gone":
                return None
            if text(reply[0]) == "forgotten":
                self.leave(session_id)
                status, upload, payer = (text(reply[i]) for i in (1, 2, 5))
                unused_s = float(reply[6]) * (1 - float(reply[4])) if status == "processing" else 0.0
                return Forgotten(cast("Status", status), upload, int(reply[3]), ids.split(), payer, unused_s)

    def turn(self, session_id: str) -> Turn | None:
        """Whose turn it is; None if the session is not being processed."""
        fields = ("status", "attempt", "lease", "deadline", "upload")
        status, attempt, lease, deadline, upload = cast(
            "list[Any]", self._redis.hmget(session_name(session_id), fields)
        )
        if status is None or text(status) != "processing":
            return None
        return Turn(
            int(attempt or 0), int(lease) if lease else None, int(deadline) if deadline else None, text(upload or b"")
        )

    def now_ms(self) -> int:
        """The store's clock."""
        seconds, micros = self._redis.time()
        return 1000 * seconds + micros // 1000

    def look_at(self, session_id: str, at_ms: int) -> None:
        """Have `due` name a session from a time on."""
        self._redis.zadd(OPEN, {session_id: at_ms})

    def leave(self, session_id: str) -> None:
        """Have `due` name a session no more."""
        self._redis.zrem(OPEN, session_id)

    def due(self, now_ms: int, most: int = 100) -> Sequence[str]:
        """Sessions that should be looked at."""
        found = cast("list[bytes]", self._redis.zrangebyscore(OPEN, "-inf", now_ms, start=0, num=most))
        return [text(session_id) for session_id in found]
