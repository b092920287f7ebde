"""One attempt at a video: the upload to the end of its session. Runs in a process of its own, which may die of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

import structlog

from beam_api.exceptions import StoreUnavailable
from beam_api.host.process import trim_heap
from beam_api.monitoring import counters
from beam_api.services.course import rates
from beam_api.services.saved_traces import save_measured
from beam_api.services.scans.scan_result import ScanVitals, scan_vitals
from rppg_core.course.long_video import Window, windows_of_video
from rppg_core.course.whole_video import Measured
from rppg_core.errors import InvalidTraces, InvalidVideo, NoFaceDetected, UnsupportedImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from beam_api.adapters.spool import Spool
    from beam_api.services.scans.scan_lifecycle import ScanLifecycle
    from beam_api.store.scans import ScanStore
    from rppg_core.face.reader import FaceReader
    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace

_SHARE_OF_FRAMES = 0.95  # of the progress; the rest is the analysis of the trace
_PROGRESS_S = 0.5
_PATIENCE_S = 10.0  # how long the end of a session is offered to a store that is unavailable

NO_FACE = "No face detected in video"
NO_TIMES = "The presentation times of the video are not capture times."
NO_COLOUR = "The video has no colour, and without colour there is no pulse to see."
TOO_LARGE = "The video needs more memory than an analysis may take."


class _Abandoned(Exception):
    """The session is no longer this attempt's."""


class _Attempt:
    """An attempt at a session's video, which says how far it is."""

    def __init__(self, scans: ScanStore, session_id: str, number: int, *, with_series: bool) -> None:
        self.with_series, self.has_shown = with_series, False
        self._scans, self.session_id, self._number = scans, session_id, number
        self._started, self._renewed, self._share = time.perf_counter(), time.monotonic(), 0.0

    def renew(self, share: float) -> None:
        """Say how much has been read, now and then. Raises _Abandoned."""
        self._share = share
        if time.monotonic() - self._renewed >= _PROGRESS_S:
            self._renewed = time.monotonic()
            self._say(b"")

    def show(self, windows: Sequence[Measured]) -> None:
        """Let the vitals of what was read so far be seen, if there is a heart rate. Raises _Abandoned."""
        vitals = scan_vitals(windows, processing_time_ms=self._spent_ms(), with_series=False)
        if not isinstance(vitals, str):
            self.has_shown = True
            self._say(vitals.to_json())

    def vitals(self, windows: Sequence[Measured]) -> ScanVitals | str:
        """The vitals of the whole video, or why there is no heart rate."""
        return scan_vitals(windows, processing_time_ms=self._spent_ms(), with_series=self.with_series)

    def _say(self, partial: bytes) -> None:
        try:
            if not self._scans.renew(self.session_id, self._number, _SHARE_OF_FRAMES * self._share, partial):
                raise _Abandoned
        except StoreUnavailable:  # the worker holds the lease too; progress can wait
            pass

    def _spent_ms(self) -> int:
        return max(1, round(1000 * (time.perf_counter() - self._started)))


class VideoAnalysis:
    """Analyses videos. `limit(seconds)` binds the process before it touches one; `read` gives a video's windows."""

    def __init__(
        self,
        scans: ScanStore,
        spool: Spool,
        lifecycle: ScanLifecycle,
        reader: FaceReader,
        *,
        analyse: Callable[[Trace], Vitals],
        limit: Callable[[float], None],
        read: Callable[..., Iterable[Window]] = windows_of_video,
        traces_dir: Path | None = None,
    ) -> None:
        self._scans, self._spool, self._lifecycle, self._reader = scans, spool, lifecycle, reader
        self._analyse, self._limit, self._read, self._traces_dir = analyse, limit, read, traces_dir

    def attempt(self, session_id: str, number: int) -> None:
        """Make an attempt, unless another one has begun it or it is too late."""
        claim = self._scans.claim(session_id, number)
        if claim is None:
            return
        upload, left_s = claim
        attempt = _Attempt(self._scans, session_id, number, with_series=self._scans.wants_series(session_id))
        self._limit(left_s)
        try:
            with counters.scan_seconds.time():
                outcome = self._measure(attempt, upload)
        except _Abandoned:
            return
        except Exception:
            structlog.get_logger().exception("analysis failed", session_id=session_id, attempt=number)
            self._lifecycle.died(session_id, number)
            return
        self._offer(lambda: self._end(session_id, number, outcome))

    def _end(self, session_id: str, number: int, outcome: ScanVitals | str) -> None:
        if isinstance(outcome, str):
            self._lifecycle.fail(session_id, number, outcome)
        else:
            self._lifecycle.complete(session_id, number, outcome)

    def _measure(self, attempt: _Attempt, upload: str) -> ScanVitals | str:
        """The vitals, or why there are none."""
        try:
            with self._spool.open(upload) as file:
                windows = self._windows(attempt, file)
            return attempt.vitals(windows)
        except NoFaceDetected:
            return NO_FACE
        except UnsupportedImage:
            return NO_COLOUR
        except InvalidTraces:
            return NO_TIMES
        except InvalidVideo as error:
            return str(error)
        except MemoryError:
            return TOO_LARGE

    def _windows(self, attempt: _Attempt, file: Path | BinaryIO) -> list[Measured]:
        """Measure each window of a video when it has been read, and show the vitals of those so far."""
        found: list[Measured] = []
        for window in self._read(file, self._reader, on_progress=attempt.renew):
            if window.is_look:
                self._look(attempt, window)
                continue
            trim_heap()  # of what reading left there: measuring takes as much again
            vitals = self._analyse(window.trace)
            course = rates(window.trace) if attempt.with_series else None
            found.append(Measured.of(window, vitals, course, after_s=found[-1].end_s if found else -1.0))
            if not window.is_last:
                attempt.show(found)
            self._keep(attempt, len(found), window.trace, vitals)
        if not found:
            raise NoFaceDetected
        return found

    def _keep(self, attempt: _Attempt, number: int, trace: Trace, vitals: Vitals) -> None:
        """Save the trace of a window if the operator wants it. The scan doesn't depend on it."""
        if self._traces_dir is None:
            return
        name = f"{attempt.session_id}-{number}.beam" if number > 1 else f"{attempt.session_id}.beam"
        try:
            save_measured(self._traces_dir / name, trace, vitals, {})
        except (OSError, InvalidTraces) as error:
            structlog.get_logger().warning("a trace was not saved", session_id=attempt.session_id, reason=str(error))

    def _look(self, attempt: _Attempt, window: Window) -> None:
        """Show the vitals of the beginning, unless some have been shown."""
        if attempt.has_shown:
            return
        try:
            measured = Measured.of(window, self._analyse(window.trace))
        except Exception:  # an extra must not cost the client the scan
            structlog.get_logger().exception("look failed")
            return
        attempt.show([measured])

    @staticmethod
    def _offer(step: Callable[[], None]) -> None:
        """Do a step, and repeat it while the store is unavailable, so that a restart of Redis loses no measurement."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                step()
                return
            except StoreUnavailable:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.5)
