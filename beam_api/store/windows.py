"""The window of each person in Redis: what frames it holds, when it is full, and who analyses it.

Everything that must be atomic is a script in `lua/`; one call of `append` is one round trip. Every name of a session
has the hash tag `{key_id:session_id}`. An open window lives for 120 s after its last frame; a closed one, and the
memory of requests that lets a retry change nothing, for 10 minutes.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from beam_api.exceptions import InvalidParameter, NotFound
from beam_api.store.client import store_errors, text
from beam_api.store.scripts import Question, ask, load_script, send_atomically
from beam_api.store.window_values import (
    Appended,
    Arrival,
    Claim,
    Entry,
    LastFace,
    Look,
    OpenWindow,
    Saved,
    Session,
    Stride,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from beam_api.store.window_values import Source

_TIME = struct.Struct(">Q")
_ENTRY = struct.Struct(">Q8s")
_RECORD = struct.Struct(">HQ")  # length of time and sample together, time
_RECENT = 32  # entries from which the median interval of an open window is taken; the script decides on all of them

_STAMPED, _UNSTAMPED, _SAMPLES = "s", "u", "c"  # what a window holds: images with timestamps or without, or colours

ACTIVE_MS = 15_000
"""For this long after its last request a session has its share of the key's limit."""


_APPENDED_TO = (
    "window", "index", "samples", "last", "seen", "seen-before", "done", "closed", "face", "result", "before",
    "parked", "coming", "tail", "partial", "events",
)  # fmt: skip
APPEND_PARTS = tuple(
    f"append_{part}" for part in ("request", "window", "full", "parked", "close", "take", "final", "answer")
)
"""The files of one script, in their order."""

_RAW, _SERIES = 1, 2  # what may be asked of a measurement, as bits

PARTIAL_MS = 6000
"""For this long a running rate is shown: frames more than 5 s apart begin a new window."""


class WindowStore:
    """Keeps the windows of all sessions. Safe to share between threads and over a fork."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._arrive, self._active, self._save, self._release, self._forget, self._note_partial = (
            load_script(client, name) for name in ("arrive", "active", "save", "release", "forget", "note_partial")
        )
        self._append = load_script(client, *APPEND_PARTS)

    def ask(self, arrival: Question[Arrival], sessions: Question[int]) -> tuple[Arrival, int]:
        """Ask what `arriving` gave, in one round trip. Raises StoreUnavailable if Redis is unavailable."""
        arrived, count = ask(self._redis, arrival, sessions)
        return arrived, count

    def arriving(
        self,
        session: Session,
        *,
        digest: bytes = b"",
        untimed: int = 0,
        interval_us: float = 0.0,
        feeder: bytes = b"",
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
        feeder : bytes, optional
            Names the connection, to learn whether others feed the window; without it nothing is learnt or kept.
        """
        return (
            Question(
                self._arrive,
                keys=[session.name(kind) for kind in ("clock", "done", "face", "coming", "feeders", "window")],
                args=[digest, untimed, repr(interval_us), feeder],
                read=lambda reply: Arrival(
                    int(reply[0]), int(reply[1]), bool(reply[2]), _face(reply[3]), shared=bool(reply[4])
                ),
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
        source: Source = "images",
        stride_us: int | None = None,
        series: bool = False,
        final: bool = False,
    ) -> Appended:
        """Add the frames of one request, all or none; close the window if it is full; claim what is due.

        Parameters
        ----------
        session : Session
            Whose frames these are.
        entries : sequence of Entry
            At most 256, in any order, with times at least 1 ms apart. None to ask what became of a completed window.
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
        source : Source
            What the entries come from. Samples have timestamps.
        stride_us : int, optional
            From one measurement to the next of a window that slides, if this request opens one. At least as much as
            its duration, or none: windows follow each other.
        series : bool, optional
            Whether the course of the rates is to be kept.
        final : bool, optional
            Whether the window closes with this request, however long it is.

        Raises
        ------
        NotFound
            If there is no window to close.
        InvalidParameter
            If frames with and without timestamps, or images and samples, would share a window. What is buffered is
            untouched.
        StoreUnavailable
            If Redis is unavailable or full; then nothing, or all of it, was done, and it may be tried again.
        """
        entries = sorted(entries, key=lambda entry: entry.time_us)
        args: list[bytes | str | int] = [
            digest,
            _SAMPLES if source == "samples" else _STAMPED if digest else _UNSTAMPED,
            duration_us,
            raw * _RAW | series * _SERIES,
            "{}x{}".format(*frame_size) if frame_size else "",
            _TIME.pack(face.time_us) + face.packed if face else b"",
            str(look) if look else "",
            int(patient),
            duration_us if stride_us is None else stride_us,
            int(final),
            session.channel,
            b"".join(_ENTRY.pack(entry.time_us, entry.digest) for entry in entries),
            *(entry.sample for entry in entries),
        ]
        with store_errors():
            reply = cast("list[Any]", self._append(keys=[session.name(kind) for kind in _APPENDED_TO], args=args))
        if text(reply[0]) == "mixed":
            raise _mixed(text(reply[1]), source)
        if text(reply[0]) == "none":
            raise NotFound("There is no window to close: nothing is buffered.")
        return _appended(_Reply._make(reply))

    def note_partial(self, session: Session, partial: bytes) -> None:
        """Keep a running rate, for the requests until the next one is found, and notify listeners."""
        with store_errors():
            self._note_partial(keys=[session.name("partial")], args=[partial, PARTIAL_MS, session.channel])

    def save(self, session: Session, claim: Claim, result: bytes, trend: bytes = b"") -> Saved:
        """Keep the result of a claimed window for 24 h, and release the window and the session's share of the limit.

        `trend` is what is kept of it for the person's trend. Listeners are notified.

        Returns "saved"; "exists" if another analyst's was kept before; "stale" if a newer claim is at work; "gone" if
        the session was forgotten meanwhile. Nothing is changed unless "saved".
        """
        closed = session.name("closed")
        aside = f"{closed}:{claim.measurement_id}"
        result_name = session.name(f"result:{claim.measurement_id}")
        keys = [closed, aside, f"{aside}:samples", result_name]
        keys += [session.name(kind) for kind in ("results", "last", "tail", "window", "samples", "trend", "events")]
        args: list[str | bytes | int] = [claim.measurement_id, claim.token, result, trend, session.channel]
        with store_errors():
            # Who is measured need not be active any more; their next frame counts them again.
            self._redis.zrem(session.siblings, session.session_id)
            return cast("Saved", text(self._save(keys=keys, args=args)))

    def release(self, session: Session, claim: Claim) -> None:
        """Give a claimed window back, so that the next request may claim it at once."""
        with store_errors():
            self._release(keys=[session.name(f"closed:{claim.measurement_id}")], args=[claim.token])

    def peek(self, session: Session) -> tuple[int, OpenWindow | None]:
        """The store's time in us, and the window: empty if only a full one is there, None if no frame is buffered."""
        now_us = ask(self._redis, self.arriving(session)[0])[0].now_us
        with store_errors():
            state, tail, face, closed, ended = send_atomically(
                self._redis,
                ("HMGET", session.name("window"), "n", "first", "duration", "stride", "next"),
                ("GETRANGE", session.name("index"), -_RECENT * _ENTRY.size, -1),
                ("GET", session.name("face")),
                ("EXISTS", session.name("closed")),
                ("HGET", session.name("last"), "end"),
            )
            if state[0] is None or not tail:
                return now_us, OpenWindow(0, 0, 1, (), _face(face)) if closed else None
            window = OpenWindow(int(state[0]), int(state[1]), int(state[2]), _times(tail), _face(face))
            if not state[4]:
                return now_us, window
            index = cast("bytes", self._redis.get(session.name("index")) or tail)
        newest = [at for at in _times(index) if at > window.recent_us[-1] - window.duration_us]
        stride = Stride(int(ended or 0), int(state[3]))
        return now_us, replace(window, frames=len(newest), first_us=newest[0], stride=stride)

    def forget(self, session: Session) -> list[str]:
        """Delete all of a session. Returns the ids of the measurements deleted, made or still to be made."""
        kinds = ["closed", "results", "result", "window", "index", "samples", "last", "seen", "seen-before", "done"]
        kinds += ["before", "face", "clock", "parked", "coming", "feeders", "tail", "partial", "trend", "events"]
        keys = [session.name(kind) for kind in kinds]
        with store_errors():
            self._redis.zrem(session.siblings, session.session_id)
            return [text(i) for i in cast("list[Any]", self._forget(keys=keys))]


class _Reply(NamedTuple):
    """What the script `append_*.lua` answers, as Redis gives it."""

    what: bytes
    now: int
    frames: int
    first: int
    duration: int
    restarted: int
    tail: bytes
    face: bytes | None
    newest: bytes
    twins: list[bytes]
    held: int
    anew: int
    jump: int
    ended: bytes
    stride: int
    partial: bytes
    due: list[list[Any]]
    shared: bytes


def _appended(reply: _Reply) -> Appended:
    shared = sorted(_records(reply.shared))
    stride = Stride(int(reply.ended), int(reply.stride)) if reply.ended else None
    return Appended(
        now_us=int(reply.now),
        window=OpenWindow(
            int(reply.frames), int(reply.first), int(reply.duration), _times(reply.tail), _face(reply.face), stride
        ),
        restarted=bool(reply.restarted),
        due=tuple(_claim(shared, *due) if due[1:] else text(due[0]) for due in reply.due),
        newest=sorted(_records(reply.newest)),
        twins=frozenset(int(time_us) for time_us in reply.twins),
        held=bool(reply.held),
        anew=int(reply.anew),
        jump_us=int(reply.jump),
        partial=reply.partial,
    )


def _mixed(mode: str, source: Source) -> InvalidParameter:
    """Why a request does not fit into a window of this mode."""
    if source == "images" and mode != _SAMPLES:
        return InvalidParameter("timestamp_ms", "must be given for all frames of a window, or for none")
    sent, holds = ("samples", "images") if source == "samples" else ("frame", "samples")
    return InvalidParameter(
        sent, f"can't be taken into a window that holds {holds}: use another session_id, or wait for 5 s"
    )


def _times(tail: bytes) -> tuple[int, ...]:
    return tuple(time_us for time_us, _ in _ENTRY.iter_unpack(tail))


def _face(stored: bytes | None) -> LastFace | None:
    return LastFace(_TIME.unpack_from(stored)[0], stored[_TIME.size :]) if stored else None


def _claim(shared: list[tuple[int, bytes]], measurement_id: bytes, token: int, *about: bytes) -> Claim:
    first, cut, asked, size, mode, own = about
    width, _, height = text(size).partition("x")
    # Records after the cut were late when the window closed; they went on into the next one.
    records = sorted(_records(own)) or shared
    return Claim(
        text(measurement_id),
        int(token),
        bool(int(asked) & _RAW),
        (int(width or 0), int(height or 0)),
        [record for record in records if int(first) <= record[0] <= int(cut)],
        series=bool(int(asked) & _SERIES),
        source="samples" if text(mode) == _SAMPLES else "images",
    )


def _records(packed: bytes) -> list[tuple[int, bytes]]:
    """The (time, sample) of records that stand each after its length."""
    timed, at = [], 0
    while at < len(packed):
        length, time_us = _RECORD.unpack_from(packed, at)
        timed.append((time_us, packed[at + _RECORD.size : at + 2 + length]))
        at += 2 + length
    return timed
