"""Fill a window with frames: in batches or one by one, and from recordings that show less face than they last.

Times are in milliseconds, but for what is called `_s`.
"""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from beam_client import results
from beam_client._exchange import Manners, exchange, read
from beam_client._http import END, Call, Pause, Request, Send, Take
from beam_client.errors import FramesEnded, NoFace
from beam_client.images import as_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from beam_client._http import Flow
    from beam_client._sources import Frame, Source
    from beam_client.results import Measurement, Progress

Pace = Literal["batch", "single"]

DEFAULT_MS, SHORTEST_MS = 30_000, 10_000
_BATCH, _MOST_FRAMES, _MOST_BYTES = 30, 60, 24 * 1024 * 1024  # within the service's 64 frames and 32 MB
_BATCH_MS, _ROUNDING_MS = 1000.0, 1.0
_ATTEMPTS, _STEP_MS = 4, 40  # at a window that a recording fills; how much shorter each is than what was filled
_PROGRESS_STEP = 1e-4  # how exactly an answer says how full the window is
_APART_MS = 6000.0  # a gap in the times of frames that begins a new window
_SILENCE_MS = 5000.0  # a gap in a recording that would end its window
_SHARE = 0.9  # of the rate limit, for frames sent without a requested pace
_LONGEST_WAIT_S = 61.0
_ANALYSIS_S, _ANALYSIS_TRIES = 0.5, 30  # between two questions for a result that another request is working on


@dataclass(frozen=True)
class Wanted:
    """What a caller of `measure` asks for."""

    session_id: str
    duration_ms: int
    is_new_session: bool = False
    pace: Pace = "batch"
    include_raw: bool = False
    on_progress: Callable[[Progress], None] = lambda _progress: None


def new_session() -> str:
    """A name that nobody else's measurement has."""
    return f"py-{os.urandom(8).hex()}"


def duration_of(source: Source, wanted_ms: int | None) -> int:
    """How long the window should be: as wanted, but not longer than the recording. Raises FramesEnded."""
    wanted = DEFAULT_MS if wanted_ms is None else wanted_ms
    if source.length_ms is None:
        return wanted
    if source.length_ms < SHORTEST_MS - 1:
        raise FramesEnded(
            f"The video lasts {source.length_ms // 10 / 100:.2f} s; at least {SHORTEST_MS // 1000} s are needed.",
            filled_ms=int(source.length_ms),
        )
    return min(wanted, max(SHORTEST_MS, int(source.length_ms + 1e-3)))


def measure(source: Source, wanted: Wanted, manners: Manners) -> Flow[Measurement]:
    """Fill a window and return its measurement.

    A face that comes late or leaves early fills less than the recording lasts. What there is of it is measured, in a
    shorter window: frames that can be had again are sent again, at later times, so that the service begins anew.

    Raises
    ------
    FramesEnded
        If the frames end before the window is full.
    NoFace
        If not one of them shows a face.
    BeamError
        If the service refuses a request or can't be reached, or the frames can't be read.
    """
    window = _Window(wanted, wanted.duration_ms, source, manners)
    done = yield from window.fill()
    for attempt in range(_ATTEMPTS - 1):
        shorter_ms = window.filled_ms - attempt * _STEP_MS
        if done or not source.replayable or shorter_ms < SHORTEST_MS:
            break
        window = _Window(wanted, shorter_ms, source, manners, shift_ms=window.next_shift_ms)
        done = yield from window.fill()
    if done:
        return done
    if wanted.is_new_session:
        # Nobody will fill this window. The service drops it by itself too, a little later.
        yield Send(Request("DELETE", f"/api/rppg/sessions/{wanted.session_id}"))
    raise window.ended()


@dataclass(frozen=True)
class _Pair:
    time_ms: float
    image: bytes


class _Window:
    """One attempt at a window."""

    def __init__(
        self, wanted: Wanted, duration_ms: int, source: Source, manners: Manners, *, shift_ms: float = 0.0
    ) -> None:
        self._wanted = wanted
        self._duration_ms = duration_ms
        self._source = source
        self._manners = manners
        self._shift_ms = shift_ms
        self._limit = 60.0  # requests a minute, until the service has said
        self._share = 0.0
        self._no_face: NoFace | None = None
        self._guidance: tuple[str, ...] = ()
        self._asked_ms: float | None = None  # by the last answer, until the next frame
        self._worked_ms = 0.0  # on the last answer
        self._first_ms: float | None = None  # the frames' own time
        self._last_ms = 0.0  # as it was sent

    @property
    def filled_ms(self) -> int:
        """How much of the window was filled for certain."""
        return max(0, int((self._share - _PROGRESS_STEP) * self._duration_ms) - 1)

    @property
    def next_shift_ms(self) -> float:
        """How much later the same frames have to be so that they begin a new window."""
        return self._last_ms + _APART_MS - (self._first_ms or 0.0)

    def ended(self) -> FramesEnded | NoFace:
        """Why there is no measurement, when the frames have ended."""
        if self._no_face and self._share == 0:
            return self._no_face
        seen_s = self.filled_ms / 1000
        return FramesEnded(
            f"The frames ended before the window was full: the face was seen for {seen_s:.1f} s of "
            f"{self._duration_ms / 1000:g} s, and at least {SHORTEST_MS // 1000} s are needed.",
            filled_ms=self.filled_ms,
            guidance=self._guidance,
        )

    def fill(self) -> Flow[Measurement | None]:
        """Post frames until the window is full; return None if they end before."""
        frames: Any = self._source.start()
        send = self._in_batches if self._wanted.pace == "batch" else self._one_by_one
        try:
            return (yield from send(frames))
        finally:
            with suppress(ValueError):  # a cancelled task may have left a thread in it
                getattr(frames, "close", lambda: None)()

    def _in_batches(self, frames: Any) -> Flow[Measurement | None]:
        batch: list[_Pair] = []
        while True:
            frame = yield Take(frames)
            if frame is END:
                return (yield from self._post(batch)) if batch else None
            pair = yield from self._made(frame)
            if batch and self._is_full(batch, pair):
                done = yield from self._post(batch)
                if done:
                    return done
                batch = []
            batch.append(pair)

    def _is_full(self, batch: list[_Pair], following: _Pair) -> bool:
        """Whether a batch is sent before the frame that follows: after a second, or at a bound of the service's."""
        if len(batch) >= _MOST_FRAMES or sum(len(p.image) for p in [*batch, following]) > _MOST_BYTES:
            return True
        span_ms = following.time_ms - batch[0].time_ms
        if self._source.live:
            return span_ms >= max(_BATCH_MS, 60_000 / (_SHARE * self._limit)) - _ROUNDING_MS
        return len(batch) >= _BATCH and span_ms >= _BATCH_MS - _ROUNDING_MS

    def _one_by_one(self, frames: Any) -> Flow[Measurement | None]:
        due_ms, left_out = 0.0, None
        while True:
            frame = yield Take(frames)
            if frame is END:
                break
            left_out = frame if frame[0] < due_ms else None
            if left_out:
                continue
            done = yield from self._post([(yield from self._made(frame))])
            if done:
                return done
            answered_ms = self._source.clock() if self._source.live else frame[0]
            due_ms = answered_ms + (yield from self._pause_ms())
        if left_out is None:
            return None
        # A recording's end may be what fills the window.
        return (yield from self._post([(yield from self._made(left_out))]))

    def _made(self, frame: Frame) -> Flow[_Pair]:
        time_ms, image = frame
        if not isinstance(image, bytes):
            image = yield Call(partial(as_bytes, image))
        self._first_ms = time_ms if self._first_ms is None else self._first_ms
        self._last_ms = time_ms + self._shift_ms
        return _Pair(self._last_ms, image)

    def _pause_ms(self) -> Flow[float]:
        """From an answer, or in a recording from the frame, to the next frame."""
        asked_ms, worked_ms = self._asked_ms, self._worked_ms
        if asked_ms is None:  # no face, or a window just full
            return 60_000 / (_SHARE * self._limit) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        if self._source.live:
            return asked_ms
        if asked_ms >= _SILENCE_MS:  # the key has no room for a recording sent faster than it was taken
            yield Pause(min(asked_ms / 1000, _LONGEST_WAIT_S))
            return 60_000 / (_SHARE * self._limit) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        return asked_ms + worked_ms

    def _post(self, batch: list[_Pair]) -> Flow[Measurement | None]:
        """Send frames; return the measurement if they fill the window."""
        request = Request(
            "POST",
            "/api/rppg/measure",
            fields={
                "session_id": self._wanted.session_id,
                "duration_ms": str(self._duration_ms),
                "include_raw": str(self._wanted.include_raw).lower(),
                "timestamp_ms": [f"{pair.time_ms:.3f}" for pair in batch],
            },
            files=tuple(("frame", "frame", pair.image) for pair in batch),
        )
        self._asked_ms = None
        for _ in range(_ANALYSIS_TRIES):
            answer = yield from exchange(request, self._manners)
            self._limit = float(answer.headers.get("X-RateLimit-Limit", self._limit))
            try:
                body = read(answer, self._manners.url)
            except NoFace as error:  # one goes on: what is buffered is kept for some seconds
                self._no_face = error
                return None
            if body["data"]["status"] == "complete":
                return results.measurement(body, replayed="Idempotent-Replayed" in answer.headers)
            self._note(results.progress(body))
            if self._share < 1.0:
                return None
            yield Pause(_ANALYSIS_S)  # another try of this request has filled the window, and is at work on it
        return None

    def _note(self, progress: Progress) -> None:
        self._share = progress.share
        self._guidance = progress.guidance
        self._asked_ms = progress.data.get("next_frame_in_ms")
        self._worked_ms = float(progress.meta.get("processing_ms") or 0.0)
        self._wanted.on_progress(progress)
