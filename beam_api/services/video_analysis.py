"""One attempt at a video: the upload to the end of its session. Runs in a process of its own, which may die of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

import structlog

from beam_api.exceptions import StoreUnavailable
from beam_api.monitoring import counters
from beam_api.services.course import course
from beam_api.services.saved_traces import save_measured
from beam_api.services.scan_result import ScanVitals, scan_vitals, why_no_pulse
from rppg_core import trace_of_video
from rppg_core.errors import InvalidTraces, InvalidVideo, NoFaceDetected, UnsupportedImage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from beam_api.adapters.spool import Spool
    from beam_api.services.scan_lifecycle import ScanLifecycle
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


class VideoAnalysis:
    """Analyses videos. `limit(seconds)` binds the process before it touches one."""

    def __init__(
        self,
        scans: ScanStore,
        spool: Spool,
        lifecycle: ScanLifecycle,
        reader: FaceReader,
        *,
        analyse: Callable[[Trace], Vitals],
        limit: Callable[[float], None],
        traces_dir: Path | None = None,
    ) -> None:
        self._scans, self._spool, self._lifecycle, self._reader = scans, spool, lifecycle, reader
        self._analyse, self._limit, self._traces_dir = analyse, limit, traces_dir

    def attempt(self, session_id: str, number: int) -> None:
        """Make an attempt, unless another one has begun it or it is too late."""
        claim = self._scans.claim(session_id, number)
        if claim is None:
            return
        upload, left_s = claim
        with_series = self._scans.wants_series(session_id)
        self._limit(left_s)
        try:
            with counters.scan_seconds.time():
                outcome = self._measure(session_id, number, upload, with_series=with_series)
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

    def _measure(self, session_id: str, number: int, upload: str, *, with_series: bool) -> ScanVitals | str:
        """The vitals, or why there are none."""
        started = time.perf_counter()
        try:
            with self._spool.open(upload) as file:
                trace = self._trace(session_id, number, file)
            vitals = self._analyse(trace)
            self._keep(session_id, trace, vitals)
            rates = course(trace, 1000 * float(trace.times_s[0])) if with_series else None
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
        times = trace.times_s
        found = scan_vitals(
            vitals,
            frames=len(times),
            duration_ms=round(1000 * float(times[-1] - times[0])),
            processing_time_ms=max(1, round(1000 * (time.perf_counter() - started))),
            series=rates,
        )
        return found or why_no_pulse(vitals)

    def _trace(self, session_id: str, number: int, file: Path | BinaryIO) -> Trace:
        renewed = time.monotonic()

        def renew(share: float) -> None:
            nonlocal renewed
            if time.monotonic() - renewed < _PROGRESS_S:
                return
            renewed = time.monotonic()
            try:
                if not self._scans.renew(session_id, number, _SHARE_OF_FRAMES * share):
                    raise _Abandoned
            except StoreUnavailable:  # the worker holds the lease too; progress can wait
                pass

        return trace_of_video(file, self._reader, on_progress=renew)

    def _keep(self, session_id: str, trace: Trace, vitals: Vitals) -> None:
        """Save the trace if the operator wants it. The scan doesn't depend on it."""
        if self._traces_dir is None:
            return
        try:
            save_measured(self._traces_dir / f"{session_id}.beam", trace, vitals, {})
        except (OSError, InvalidTraces) as error:
            structlog.get_logger().warning("a trace was not saved", session_id=session_id, reason=str(error))

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
