"""The window of each person in Redis: what frames it holds, when it is full, and who analyses it.

Everything that must be atomic is a script in `lua/`; one call of `append` is one round trip. Every name of a session
has the hash tag `{key_id:session_id}`. An open window lives for 120 s after its last frame; a closed one, and the
memory of requests that lets a retry change nothing, for 10 minutes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, cast

from beam_api.exceptions import InvalidParameter
from beam_api.store.client import PREFIX, store_errors, text
from beam_api.store.scripts import Question, ask, load_script, send_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

_TIME = struct.Struct(">Q")
_ENTRY = struct.Struct(">Q8s")
_RECORD = struct.Struct(">HQ")  # length of time and sample together, time
_RECENT = 32  # entries from which the median interval of an open window is taken; the script decides on all of them

ACTIVE_MS = 15_000
"""For this long after its last request a session has its share of the key's limit."""


@dataclass(frozen=True, slots=True)
class Session:
    """One person, measured with one key."""

    key_id: str
    session_id: str

    def name(self, kind: str) -> str:
        """Name of one of the session's keys in Redis."""
        return f"{PREFIX}:{{{self.key_id}:{self.session_id}}}:{kind}"

    @property
    def siblings(self) -> str:
        """Name of the set of the key's active sessions."""
        return f"{PREFIX}:{{{self.key_id}}}:active"


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame as buffered: capture time, 8-byte digest of its image, and its packed sample."""

    time_us: int
    digest: bytes
    sample: bytes


@dataclass(frozen=True, slots=True)
class LastFace:
    """A packed face and its capture time."""

    time_us: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known when a request has come in.

    `now_us` is the store's clock; `first_us` the time of the request's first frame if it has no timestamps;
    `completed` says that this very request has completed a window before.
    """

    now_us: int
    first_us: int
    completed: bool
    face: LastFace | None


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """The window that is filling; `recent_us` are its newest times."""

    frames: int
    first_us: int
    duration_us: int
    recent_us: tuple[int, ...]
    face: LastFace | None

    @property
    def span_us(self) -> float:
        """Last - first + median interval; the median is that of the newest intervals."""
        if not self.recent_us:
            return 0.0
        intervals = [b - a for a, b in pairwise(self.recent_us)]
        return self.recent_us[-1] - self.first_us + (median(intervals) if intervals else 0.0)

    @property
    def share(self) -> float:
        """How much of the window is filled, 0-1: as the span, but with the mean interval, and never less than before.

        Under an uneven pace the median of a few intervals may fall by more than a frame adds.
        """
        counted = enumerate(self.recent_us, start=self.frames - len(self.recent_us) + 1)
        spans = [(at - self.first_us) * count / (count - 1) for count, at in counted if count > 1]
        return min(1.0, max(spans, default=0.0) / self.duration_us)

    @property
    def recent_hz(self) -> float:
        """Frames a second, of the newest ones; 0 for fewer than two."""
        return 1e6 * (len(self.recent_us) - 1) / (self.recent_us[-1] - self.recent_us[0]) if self.recent_us[1:] else 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """When the newest samples of an open window are wanted, and how many: at most once a second of the window.

    From `from_us` of it on, those of `span_us`. Where the median interval is above `slow_us`, every `slow_every_s`
    seconds, those of `slow_span_us`.
    """

    from_us: int
    span_us: int
    slow_us: int
    slow_span_us: int
    slow_every_s: int

    def __str__(self) -> str:
        return f"{self.from_us} {self.span_us} {self.slow_us} {self.slow_span_us} {self.slow_every_s}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A full window, to be analysed by who holds this claim. `token` grows with every claim on the window."""

    measurement_id: str
    token: int
    raw: bool
    frame_size: tuple[int, int]
    records: list[tuple[int, bytes]]  # capture time in us and packed sample, sorted by time


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a request's frames.

    At most one of `claim` and `taken` is set; `taken` is the id of a window that this request completed before.
    `newest` are the newest (time in us, packed sample) of the window by time, if they were wanted and it is this
    request's turn to look. `twins` are the times of frames that were not taken because another one, with other bytes,
    is buffered within 1 ms. `held` says that a full window waits for late frames, and that this request is to ask again
    until it is closed. `anew` counts the requests in a row that began a window after a jump in capture time, the last
    of them by `jump_us`.
    """

    now_us: int
    window: OpenWindow
    restarted: bool
    claim: Claim | None
    taken: str | None
    newest: Sequence[tuple[int, bytes]] = ()
    twins: frozenset[int] = frozenset()
    held: bool = False
    anew: int = 0
    jump_us: int = 0


Saved = Literal["saved", "exists", "stale", "gone"]


class WindowStore:
    """Keeps the windows of all sessions. Safe to share between threads and over a fork."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._arrive, self._active, self._append, self._save, self._release, self._forget = (
            load_script(client, name) for name in ("arrive", "active", "append", "save", "release", "forget")
        )

    def ask(self, arrival: Question[Arrival], sessions: Question[int]) -> tuple[Arrival, int]:
        """Ask what `arriving` gave, in one round trip. Raises StoreUnavailable if Redis is unavailable."""
        arrived, count = ask(self._redis, arrival, sessions)
        return arrived, count

    def arriving(
        self, session: Session, *, digest: bytes = b"", untimed: int = 0, interval_us: float = 0.0
    ) -> tuple[Question[Arrival], Question[int]]:
        """What to ask when a request has come in whole: what is known, and how many sessions of its key are active.

        Parameters
        ----------
        session : Session
            Whose request it is.
        digest : bytes, optional
            The request's digest, 8 bytes; none for frames without timestamps, which are never a retry.
        untimed : int, optional
            How many frames need a time. Times once given out are not given again.
        interval_us : float, optional
            From one of these frames to the next. Zero for a single frame: it takes its arrival time.
        """
        return (
            Question(
                self._arrive,
                keys=[session.name(kind) for kind in ("clock", "done", "face", "coming")],
                args=[digest, untimed, repr(interval_us)],
                read=lambda reply: Arrival(int(reply[0]), int(reply[1]), bool(reply[2]), _face(reply[3])),
            ),
            Question(self._active, keys=[session.siblings], args=[session.session_id, ACTIVE_MS], read=int),
        )

    def append(
        self,
        session: Session,
        entries: Sequence[Entry],
        *,
        duration_us: int,
        digest: bytes = b"",
        raw: bool = False,
        frame_size: tuple[int, int] | None = None,
        face: LastFace | None = None,
        look: Look | None = None,
        patient: bool = False,
    ) -> Appended:
        """Add the frames of one request, all or none; close the window if it is full; claim one that is due.

        Parameters
        ----------
        session : Session
            Whose frames these are.
        entries : sequence of Entry
            At most 64, in any order, with times at least 1 ms apart. None to ask what became of a completed window.
        duration_us : int
            Length of the window, if this request opens one.
        digest : bytes, optional
            The request's digest, 8 bytes; without it the times are the store's own.
        raw : bool, optional
            Whether the signals are to be kept.
        frame_size : (int, int), optional
            Width and height of the newest frame.
        face : LastFace, optional
            The newest face. It is kept if none newer is.
        look : Look, optional
            When the newest samples are wanted too.
        patient : bool, optional
            Whether to allow for frames on their way: what a jump in capture time drops is put aside for a while, and a
            full window with an open gap may wait a little.

        Raises
        ------
        InvalidParameter
            If frames with and without timestamps would share a window. What is buffered is untouched.
        StoreUnavailable
            If Redis is unavailable or full; then nothing, or all of it, was done, and it may be tried again.
        """
        entries = sorted(entries, key=lambda entry: entry.time_us)
        kinds = (
            "window",
            "index",
            "samples",
            "last",
            "seen",
            "seen-before",
            "done",
            "closed",
            "face",
            "result",
            "before",
            "parked",
            "coming",
        )
        args: list[bytes | str | int] = [
            digest,
            "s" if digest else "u",
            duration_us,
            int(raw),
            "{}x{}".format(*frame_size) if frame_size else "",
            _TIME.pack(face.time_us) + face.packed if face else b"",
            str(look) if look else "",
            int(patient),
            b"".join(_ENTRY.pack(entry.time_us, entry.digest) for entry in entries),
            *(entry.sample for entry in entries),
        ]
        with store_errors():
            reply = cast("list[Any]", self._append(keys=[session.name(kind) for kind in kinds], args=args))
        what = text(reply[0])
        if what == "mixed":
            raise InvalidParameter("timestamp_ms", "must be given for all frames of a window, or for none")
        (
            _,
            now,
            frames,
            first,
            duration,
            restarted,
            tail,
            last_face,
            measurement_id,
            newest,
            twins,
            held,
            anew,
            jump,
            *claim,
        ) = reply
        return Appended(
            now_us=int(now),
            window=OpenWindow(int(frames), int(first), int(duration), _times(tail), _face(last_face)),
            restarted=bool(restarted),
            claim=_claim(text(measurement_id), claim) if what == "claimed" else None,
            taken=text(measurement_id) if what == "taken" else None,
            newest=sorted(_records(newest)),
            twins=frozenset(int(time_us) for time_us in twins),
            held=bool(held),
            anew=int(anew),
            jump_us=int(jump),
        )

    def save(self, session: Session, claim: Claim, result: bytes) -> Saved:
        """Keep the result of a claimed window for 24 h, and release the window and the session's share of the limit.

        Returns "saved"; "exists" if another analyst's was kept before; "stale" if a newer claim is at work; "gone" if
        the session was forgotten meanwhile. Nothing is changed unless "saved".
        """
        closed = session.name("closed")
        aside = f"{closed}:{claim.measurement_id}"
        result_name = session.name(f"result:{claim.measurement_id}")
        keys = [closed, aside, f"{aside}:samples", result_name, session.name("results")]
        with store_errors():
            # Who is measured need not be active any more; their next frame counts them again.
            self._redis.zrem(session.siblings, session.session_id)
            return cast("Saved", text(self._save(keys=keys, args=[claim.measurement_id, claim.token, result])))

    def release(self, session: Session, claim: Claim) -> None:
        """Give a claimed window back, so that the next request may claim it at once."""
        with store_errors():
            self._release(keys=[session.name(f"closed:{claim.measurement_id}")], args=[claim.token])

    def peek(self, session: Session) -> tuple[int, OpenWindow | None]:
        """The store's time in us, and the window: empty if only a full one is there, None if no frame is buffered."""
        now_us = ask(self._redis, self.arriving(session)[0])[0].now_us
        with store_errors():
            (frames, first, duration), tail, face, closed = send_atomically(
                self._redis,
                ("HMGET", session.name("window"), "n", "first", "duration"),
                ("GETRANGE", session.name("index"), -_RECENT * _ENTRY.size, -1),
                ("GET", session.name("face")),
                ("EXISTS", session.name("closed")),
            )
        if frames is None or not tail:
            return now_us, OpenWindow(0, 0, 1, (), _face(face)) if closed else None
        return now_us, OpenWindow(int(frames), int(first), int(duration), _times(tail), _face(face))

    def forget(self, session: Session) -> list[str]:
        """Delete all of a session. Returns the ids of the measurements deleted, made or still to be made."""
        kinds = ("closed", "results", "result", "window", "index", "samples", "last", "seen", "seen-before", "done")
        keys = [session.name(kind) for kind in (*kinds, "before", "face", "clock", "parked", "coming")]
        with store_errors():
            self._redis.zrem(session.siblings, session.session_id)
            return [text(i) for i in cast("list[Any]", self._forget(keys=keys))]


def _times(tail: bytes) -> tuple[int, ...]:
    return tuple(time_us for time_us, _ in _ENTRY.iter_unpack(tail))


def _face(stored: bytes | None) -> LastFace | None:
    return LastFace(_TIME.unpack_from(stored)[0], stored[_TIME.size :]) if stored else None


def _claim(measurement_id: str, reply: list[Any]) -> Claim:
    token, cut, raw, size, records = reply
    width, _, height = text(size).partition("x")
    # Records after the cut were late when the window closed; they went on into the next one.
    kept = sorted(record for record in _records(records) if record[0] <= int(cut))
    return Claim(measurement_id, int(token), text(raw) == "1", (int(width or 0), int(height or 0)), kept)


def _records(packed: bytes) -> list[tuple[int, bytes]]:
    """The (time, sample) of records that stand each after its length."""
    timed, at = [], 0
    while at < len(packed):
        length, time_us = _RECORD.unpack_from(packed, at)
        timed.append((time_us, packed[at + _RECORD.size : at + 2 + length]))
        at += 2 + length
    return timed
