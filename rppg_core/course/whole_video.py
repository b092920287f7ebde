"""The vitals of a long video from those of its windows.

Rates are means over the time for which the windows stand; RMSSD, SDNN, the stress index and SpO2 are medians of the
windows, since a window of five minutes is what they are defined for. A moment belongs to the window whose middle is
nearest. Where windows with a sure heart rate stand for at least half of the video, the others are left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.course.series import STEP_S, Series
from rppg_core.quality.probability import SURE, confidence
from rppg_core.quality.regularity import Regularity, regularity
from rppg_core.results import HRV_DETAILS, VITALS, HrvDetails, Quality, Vitals, Waveform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from rppg_core.course.long_video import Window

_ATTRIBUTES = {
    "heart_rate": "heart_rate_bpm",
    "hrv": "rmssd_ms",
    "spo2": "spo2_percent",
    "stress_index": "stress_index",
    "respiration_rate": "respiration_rate_bpm",
}
_MEANS = ("heart_rate", "respiration_rate")
_ENOUGH = 0.5  # share of the video for which sure windows must stand to leave the others out
_COMMON = 0.5  # share of the time for which guidance must hold


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A window, measured: seconds from the video's first frame, of the window and of the face in it."""

    start_s: float
    end_s: float
    first_s: float
    last_s: float
    frames: int
    fresh: int  # of these frames, how many no window before had
    vitals: Vitals
    regular: Regularity
    series: Series | None = None

    @classmethod
    def of(cls, window: Window, vitals: Vitals, series: Series | None = None, *, after_s: float = -1.0) -> Measured:
        """What is kept of a window: not its waveforms, or memory would grow. The window before ended at `after_s`."""
        times = window.trace.times_s
        rate_bpm = vitals.heart_rate_bpm
        regular = Regularity(0.0, 0.0) if rate_bpm is None else regularity(vitals.waveform, rate_bpm)
        ends = float(times[0]), float(times[-1])
        vitals = replace(vitals, waveform=Waveform(vitals.waveform.fs, *([np.zeros(0)] * 3)))
        fresh = int(np.count_nonzero(times >= after_s))
        return cls(window.start_s, window.end_s, *ends, len(times), fresh, vitals, regular, series)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """A video, measured."""

    vitals: Vitals
    regular: Regularity
    series: Series | None
    frames: int  # that showed the face, in whichever window


def whole_of(windows: Sequence[Measured]) -> Whole:
    """Put the windows of a video together, in the order of their beginnings; there must be one at least."""
    if len(windows) == 1:
        return Whole(windows[0].vitals, windows[0].regular, windows[0].series, windows[0].frames)
    edges = _edges(windows)
    frames, course = sum(window.fresh for window in windows), _joined(windows, edges)
    share = np.diff(edges) / (edges[-1] - edges[0])
    taken = _taken(windows, share)
    if not len(taken):
        best = max(windows, key=lambda window: window.vitals.quality.heart_rate)
        return Whole(best.vitals, best.regular, course, frames)
    weights = share[taken] / share[taken].sum()
    chosen = [windows[i] for i in taken]
    regular = Regularity(
        float(weights @ [window.regular.stability for window in chosen]),
        float(weights @ [window.regular.periodicity for window in chosen]),
    )
    return Whole(_vitals([window.vitals for window in chosen], weights), regular, course, frames)


def _edges(windows: Sequence[Measured]) -> NDArray[np.float64]:
    """Where a moment's nearest window changes, from the first window's beginning to the last one's end (n + 1,)."""
    middles = np.array([(window.start_s + window.end_s) / 2 for window in windows])
    return np.array([windows[0].start_s, *((middles[1:] + middles[:-1]) / 2), windows[-1].end_s])


def _taken(windows: Sequence[Measured], share: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the windows that the vitals rest on."""
    known = np.array([window.vitals.heart_rate_bpm is not None for window in windows])
    sure = known & np.array([window.vitals.quality.heart_rate >= SURE for window in windows])
    return np.flatnonzero(sure if share[sure].sum() >= _ENOUGH else known)


def _vitals(found: Sequence[Vitals], weights: NDArray[np.float64]) -> Vitals:
    values: dict[str, float | None] = {}
    quality: dict[str, float] = {}
    interval: dict[str, tuple[float, float]] = {}
    withheld: dict[str, str] = {}
    for name in VITALS:
        given = [vitals for vitals in found if getattr(vitals, _ATTRIBUTES[name]) is not None]
        among = np.array([getattr(vitals, _ATTRIBUTES[name]) is not None for vitals in found]) if given else None
        weight = weights if among is None else weights[among] / weights[among].sum()
        quality[name] = float(weight @ [getattr(vitals.quality, name) for vitals in given or found])
        middle = _mean(weight) if name in _MEANS else _median
        values[name] = middle([getattr(vitals, _ATTRIBUTES[name]) for vitals in given]) if given else None
        if not given:
            withheld[name] = _usual(vitals.withheld.get(name, "LOW_SIGNAL") for vitals in found)
        elif all(name in vitals.interval for vitals in given):
            low, high = (middle([vitals.interval[name][end] for vitals in given]) for end in (0, 1))
            interval[name] = low, high
    sdnn = [vitals.sdnn_ms for vitals in found if vitals.sdnn_ms is not None]
    return Vitals(
        **{_ATTRIBUTES[name]: values[name] for name in VITALS},
        sdnn_ms=_median(sdnn) if sdnn else None,
        confidence=confidence(quality["heart_rate"]),
        quality=Quality(**quality, snr_db=float(weights @ [vitals.quality.snr_db for vitals in found])),
        withheld=withheld,
        interval=interval,
        guidance=_guidance(found, weights),
        frame_rate_hz=float(weights @ [vitals.frame_rate_hz for vitals in found]),
        waveform=found[0].waveform,
        hrv_details=_details(found),
    )


def _mean(weights: NDArray[np.float64]) -> Callable[[Sequence[float]], float]:
    return lambda values: float(weights @ np.asarray(values))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _usual(reasons: Iterable[str]) -> str:
    return Counter(reasons).most_common(1)[0][0]


def _guidance(found: Sequence[Vitals], weights: NDArray[np.float64]) -> tuple[str, ...]:
    codes = dict.fromkeys(code for vitals in found for code in vitals.guidance)
    return tuple(code for code in codes if weights @ [float(code in vitals.guidance) for vitals in found] >= _COMMON)


def _details(found: Sequence[Vitals]) -> HrvDetails:
    values: dict[str, float | None] = {}
    withheld: dict[str, str] = {}
    for name in HRV_DETAILS:
        given = [value for vitals in found if (value := vitals.hrv_details.values.get(name)) is not None]
        values[name] = _median(given) if given else None
        if not given:
            withheld[name] = _usual(vitals.hrv_details.withheld.get(name, "LOW_SIGNAL") for vitals in found)
    return HrvDetails(values, withheld)


def _joined(windows: Sequence[Measured], edges: NDArray[np.float64]) -> Series | None:
    """One course from those of the windows: each moment's is that of the window whose middle is nearest."""
    parts = [(window.first_s + window.series.start_s, window.series) for window in windows if window.series is not None]
    if not parts:
        return None
    begin_s = windows[0].first_s + parts[0][1].start_s
    end_s = max(first_s + STEP_S * (len(part.heart_rate_bpm) - 1) for first_s, part in parts)
    at = begin_s + STEP_S * np.arange(max(int((end_s - begin_s) / STEP_S + 1e-6) + 1, 0))
    nearest = np.clip(np.searchsorted(edges[1:-1], at, side="right"), 0, len(windows) - 1)
    lists = np.full((4, len(at)), np.nan)
    for number, window in enumerate(windows):
        if window.series is None:
            continue
        course = window.series
        rates = np.stack(
            [
                *(course.heart_rate_bpm, course.heart_rate_low_bpm, course.heart_rate_high_bpm),
                course.respiration_rate_bpm,
            ]
        )
        index = np.rint((at - window.first_s - course.start_s) / STEP_S).astype(np.intp)
        mine = (nearest == number) & (index >= 0) & (index < rates.shape[1])
        lists[:, mine] = rates[:, index[mine]]
    return Series(parts[0][1].start_s, *lists)
