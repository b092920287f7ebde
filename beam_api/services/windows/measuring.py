"""The measuring use case: frames in; a window that fills, and when it is full, a measurement out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import structlog

from beam_api.exceptions import NotFound
from beam_api.monitoring import counters
from beam_api.services.course import course, no_course
from beam_api.services.windows import clocks
from beam_api.services.windows.advice import Advice, of_window
from beam_api.services.windows.completed import Completed, finish_all
from beam_api.services.windows.feeders import SHARED
from beam_api.services.windows.measure_request import Key, Post, ReadFrames
from beam_api.services.windows.measure_result import Buffering, Checked, Measurement, Rejected, SeenFace, span_us
from beam_api.services.windows.rolling_rate import LOOK, shown_rate
from beam_api.services.windows.samples import seen_face
from beam_api.services.windows.trend import trend_entry
from beam_api.services.windows.window_trace import trace_of_window
from beam_api.services.windows.workload import LargeLane, Workload
from beam_api.store.window_values import Appended, Arrival, Claim, LastFace, Look, OpenWindow, Session, Source
from rppg_core.errors import NoFaceDetected
from rppg_core.face.reader import FaceReader, FaceState, Frame, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beam_api.store.results import ResultStore
    from beam_api.store.scripts import Question
    from beam_api.store.window_values import Source
    from beam_api.store.windows import WindowStore
    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace

PATIENCE_S = 2.0  # how long a retry waits for an analysis under way elsewhere
_POLL_S = 0.04
HELD_S = 11.0  # how long the request that fills a window waits at most for late frames; the script decides sooner
WAITING = 2
"""How many requests of a process wait for late frames, each with a thread. Further windows close at once."""

AT_WORK = 4
"""Requests of a process whose frames are read, or whose windows are analysed, at the same time. The other threads wait
for bodies of slow clients, for Redis, or for a result."""

SHORTEST_US = 9_999_000
"""A window that a request closes is analysed from this length on; the shortest `duration_ms` may lack 1 ms, too."""

_ATTEMPTS = 3
"""Claims on one window. One that has failed, or killed its analyst, this often gives a measurement without vitals: it
must not block its session, and trying again would not help."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What the answer to a request says of the request itself."""

    session: Session
    rejected: tuple[Rejected, ...] = ()
    guidance: tuple[str, ...] = ()
    next_frame_in_ms: float | None = None
    warnings: tuple[str, ...] = ()
    source: Source | None = None


class Measuring:
    """Measures people. Holds no state of any person; safe to share between threads and over a fork."""

    def __init__(
        self,
        windows: WindowStore,
        results: ResultStore,
        reader: FaceReader,
        *,
        analyse: Callable[[Trace], Vitals],
        advise: Callable[[Trace, Sequence[float] | None], tuple[str, ...]],
        look: Look | None = LOOK,
    ) -> None:
        """`look`: when to give a running rate; None for never."""
        self._windows, self._results, self._reader = windows, results, reader
        self._analyse, self._advice = analyse, Advice(advise)
        self._look = look
        self._at_work = threading.BoundedSemaphore(AT_WORK)
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._large, self._large_reader = LargeLane(), reader.beside()

    def arriving(self, post: Post) -> tuple[Question[Arrival], Question[int]]:
        """What to ask of the store when a request has come in whole."""
        return self._windows.arriving(
            post.session,
            digest=post.digest,
            untimed=0 if post.times_us else post.count,
            interval_us=1e6 / post.fps if post.fps and post.count > 1 else 0.0,
            feeder=post.feeder,
        )

    def post(self, post: Post, arrived: tuple[Arrival, int] | tuple[()] = ()) -> Buffering | Completed:
        """Take the frames of one request.

        Parameters
        ----------
        post : Post
            The request.
        arrived : (Arrival, int), optional
            The answers to `arriving`. They are asked for if they aren't given.

        Raises
        ------
        UnsupportedImage, InvalidImage, NoFaceDetected
            If no frame can be used: the failure of the first. What is buffered is untouched.
        InvalidParameter
            If the times don't fit those of the window. What is buffered is untouched.
        StoreUnavailable
            If Redis is unavailable. The request may be sent again.
        """
        arrival, sessions = arrived or self._windows.ask(*self.arriving(post))
        mean_ms = post.paced(sessions)
        request = _Request(post.session, next_frame_in_ms=mean_ms, warnings=post.warnings, source=post.source)
        if arrival.completed or not post.count:
            appended = self._windows.append(
                post.session,
                (),
                duration_us=post.duration_us,
                digest=post.digest,
                raw=post.include_raw,
                final=post.final,
            )
            return self._answer(request, appended)

        times = post.times(arrival.first_us)
        read = self._read_once(post, times, arrival.face)
        appended = self._append(post, read)
        shared = (SHARED,) if arrival.shared and post.unnamed and not appended.restarted else ()
        rejected = read.rejected(appended.twins)
        counters.count_frames(rejected.get(i) for i in range(len(times)))
        request = replace(
            request,
            rejected=tuple(Rejected(i, rejected[i]) for i in sorted(rejected)),
            guidance=self._advice.of(
                list(read.readings.values()),
                read.frame_size,
                appended.window,
                mean_ms,
                several_faces=read.face is not None and read.face.company.now,
            ),
            warnings=post.warnings
            + shared
            + clocks.warnings(post.times_us or (), read.all_doubles(appended.twins), appended),
            next_frame_in_ms=post.next_frame_in_ms(times[0], appended.window, mean_ms),
        )
        answer = self._answer(request, self._settled(post, appended))
        if isinstance(answer, Buffering) and post.include_partial:
            answer = replace(answer, partial=shown_rate(self._windows, post.session, appended))
        return answer

    def check(self, frame: bytes) -> Checked:
        """Look at one picture; nothing is kept. Raises UnsupportedImage, InvalidImage or PayloadTooLarge."""
        (reading,) = self._read([Frame(0, frame)], None, Workload.of((frame,)))
        if reading.sample and reading.face:
            guidance = self._advice.of_picture(reading.sample, reading.face)
            return Checked(ok=not guidance, face=SeenFace.of(reading.face), guidance=guidance)
        failure = reading.error or NoFaceDetected()
        if isinstance(failure, NoFaceDetected):
            return Checked(ok=False, face=None, guidance=tuple(failure.guidance))
        try:
            raise failure
        finally:
            del failure, reading  # as in `_read_once`

    def measurement(self, key_id: str, measurement_id: str) -> Measurement:
        """A finished measurement made with this key. Raises NotFound."""
        kept = self._results.find(key_id, measurement_id)
        if kept is None:
            raise NotFound
        return Measurement.from_json(kept)

    def window(self, session: Session) -> Buffering:
        """The window of a person as it stands. Raises NotFound if nothing is known of them."""
        now_us, window = self._windows.peek(session)
        last = self._results.last_id(session)
        if window is None and last is None:
            raise NotFound
        empty = OpenWindow(frames=0, first_us=0, duration_us=1, recent_us=(), face=None)
        return replace(_buffering(_Request(session), window or empty, now_us), last_measurement_id=last)

    def forget(self, session: Session) -> None:
        """Forget all of a person: window, face and results."""
        self._results.unpoint(self._windows.forget(session))

    def _read_once(self, post: Post, times: tuple[int, ...], near: LastFace | None) -> ReadFrames:
        """Read the frames of a request; one that is sent twice is read once. Raises the first failure if all fail."""
        doubles = clocks.doubles(times, post.marks) if post.times_us else frozenset()
        keys = tuple(zip(times, post.marks, strict=True))
        unique = {key: i for i, key in enumerate(keys) if i not in doubles}
        readings = self._readings(post, unique, near)
        read = ReadFrames(keys, doubles, dict(zip(unique, readings, strict=True)), post.given)
        if failure := read.failure:
            counters.count_frames(read.failed.values())
            try:
                raise failure
            finally:
                # The traceback holds this frame: none of its names may hold the failure, or the images stay in a cycle.
                del failure, read, readings
        return read

    def _readings(self, post: Post, unique: dict[Key, int], near: LastFace | None) -> list[Reading]:
        """The readings of the frames at these places of the request. Samples have been read by the client."""
        if post.given is not None:
            return [post.given.readings[i] for i in unique.values()]
        last = FaceState.from_bytes(near.packed) if near else None
        return self._read([Frame(at, post.frames[i]) for (at, _), i in unique.items()], last, post.workload)

    def _append(self, post: Post, read: ReadFrames) -> Appended:
        return self._windows.append(
            post.session,
            read.entries(),
            duration_us=post.duration_us,
            digest=post.digest,
            raw=post.include_raw,
            frame_size=read.frame_size,
            face=read.last_face,
            look=self._look if post.include_partial else None,
            patient=True,
            source=post.source,
            stride_us=post.stride_us,
            series=post.include_series,
            final=post.final,
        )

    def _read(self, frames: list[Frame], last: FaceState | None, workload: Workload) -> list[Reading]:
        """Read the frames of a request: large ones in their lane, so that others need not wait for them."""
        if workload.is_large:
            return self._large.run(lambda: self._large_reader.read(frames, last))
        with self._at_work:
            return self._reader.read(frames, last)

    def _settled(self, post: Post, appended: Appended) -> Appended:
        """Wait while a full window waits for frames that may be on their way; then close it."""
        if not appended.held:
            return appended
        may_wait = self._waiting.acquire(blocking=False)
        try:
            end, settled = time.monotonic() + (HELD_S if may_wait else 0.0), appended
            while settled.held and not settled.due:
                if patient := time.monotonic() < end:
                    time.sleep(_POLL_S)
                settled = self._windows.append(
                    post.session,
                    (),
                    duration_us=post.duration_us,
                    digest=post.digest,
                    patient=patient,
                    stride_us=post.stride_us,
                )
            return replace(settled, restarted=appended.restarted)
        finally:
            if may_wait:
                self._waiting.release()

    def _answer(self, request: _Request, appended: Appended) -> Buffering | Completed:
        if not appended.due:
            return _buffering(request, appended.window, appended.now_us, restarted=appended.restarted)
        return finish_all(
            appended.due,
            lambda claim: self._complete(request, appended, claim),
            lambda measurement_id: self._await(request, appended, measurement_id),
            lambda claim: self._windows.release(request.session, claim),
        )

    def _complete(self, request: _Request, appended: Appended, claim: Claim) -> Buffering | Completed:
        measurement = self._measure(request, appended, claim)
        self._results.point(request.session, claim.measurement_id)
        entry = trend_entry(measurement, claim.records[-1][0])
        saved = self._windows.save(request.session, claim, measurement.to_json(), entry)
        if saved == "gone":  # the person was forgotten meanwhile
            self._results.unpoint([claim.measurement_id])
        if saved in ("saved", "gone"):
            return Completed(measurement, replayed=False, warnings=request.warnings)
        # This analyst was so slow that another took over. There is one result, and it is not this one.
        return self._await(request, appended, claim.measurement_id)

    def _measure(self, request: _Request, appended: Appended, claim: Claim) -> Measurement:
        times = [at for at, _ in claim.records]
        about: dict[str, Any] = {
            "session_id": request.session.session_id,
            "measurement_id": claim.measurement_id,
            "rejected": request.rejected,
            "at_us": appended.now_us,
            "face": seen_face(appended.window.face, claim.source),
            "source": claim.source,
        }
        unknown = no_course(times[0] / 1000) if claim.series else None
        if span_us(times) < SHORTEST_US:
            about |= {"reason": "WINDOW_TOO_SHORT", "guidance": request.guidance, "series": unknown}
            return Measurement.nothing(times, with_raw=claim.raw, **about)
        if claim.token <= _ATTEMPTS:
            try:
                trace = trace_of_window(claim, appended.window.face)
                with self._at_work:
                    vitals = self._analyse(trace)
                    about["series"] = course(trace, times[0] / 1000) if claim.series else None
                return Measurement.of(
                    vitals,
                    times,
                    with_raw=claim.raw,
                    guidance=of_window(vitals.guidance, request.guidance),
                    **about,
                )
            except Exception:
                if claim.token < _ATTEMPTS:
                    self._windows.release(request.session, claim)
                    raise
                structlog.get_logger().exception("analysis failed", measurement_id=claim.measurement_id)
        about["series"] = unknown
        return Measurement.nothing(times, with_raw=claim.raw, guidance=request.guidance, **about)

    def _await(self, request: _Request, appended: Appended, measurement_id: str) -> Buffering | Completed:
        end = time.monotonic() + PATIENCE_S
        while True:
            if kept := self._results.get(request.session, measurement_id):
                return Completed(Measurement.from_json(kept), replayed=True, warnings=request.warnings)
            if time.monotonic() >= end:
                return replace(_buffering(request, appended.window, appended.now_us), progress=1.0)
            time.sleep(_POLL_S)


def _buffering(request: _Request, window: OpenWindow, now_us: int, *, restarted: bool = False) -> Buffering:
    return Buffering(
        session_id=request.session.session_id,
        # 1.0 says that a full window is being analysed, so an open one stays below it.
        progress=min(0.999, round(window.share, 4)),
        frames=window.frames,
        rejected=request.rejected,
        restarted=restarted,
        duration_ms=round(window.span_us / 1000),
        at_us=now_us,
        guidance=request.guidance,
        face=seen_face(window.face, request.source),
        next_frame_in_ms=request.next_frame_in_ms,
        warnings=request.warnings,
    )
