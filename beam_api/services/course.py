"""The course of heart rate and breathing over a window or a video, as it is kept and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from beam_api.services.rounding import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rppg_core.course.series import Series
    from rppg_core.trace.traces import Trace

STEP_MS = 1000
"""Of `rppg_core.course.series`, which is loaded when something is to be followed."""

Course = dict[str, Any]
"""`step_ms`, `start_ms`, and lists of one length."""

_LISTS = {
    "heart_rate": "heart_rate_bpm",
    "heart_rate_low": "heart_rate_low_bpm",
    "heart_rate_high": "heart_rate_high_bpm",
    "respiration_rate": "respiration_rate_bpm",
}


def course(trace: Trace, start_ms: float) -> Course:
    """Follow the rates through a trace that begins at `start_ms`; they stay unknown if that fails."""
    return course_of(rates(trace), start_ms)


def rates(trace: Trace) -> Series | None:
    """The rates of a trace; None if that fails."""
    from rppg_core.course.series import series  # SciPy: an idle video worker has no use for it

    try:
        return series(trace)
    except Exception:  # the trace is measured: an extra must not cost the client its measurement
        structlog.get_logger().exception("series failed")
        return None


def course_of(found: Series | None, start_ms: float) -> Course:
    """The rates of a trace that begins at `start_ms`, as they are answered."""
    if found is None:
        return no_course(start_ms)
    lists = {name: _tenths(getattr(found, attribute)) for name, attribute in _LISTS.items()}
    return _course(start_ms + 1000 * found.start_s, lists)


def no_course(start_ms: float) -> Course:
    """The course of what was not analysed: nothing is known."""
    return _course(start_ms, {name: [] for name in _LISTS})


def _course(start_ms: float, lists: Mapping[str, list[float | None]]) -> Course:
    return {"step_ms": STEP_MS, "start_ms": round(start_ms, 3), **lists}


def _tenths(values: Iterable[float]) -> list[float | None]:
    return [rounded(value, 1) for value in values]
