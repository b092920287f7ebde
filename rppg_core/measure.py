"""A trace to vital signs: the recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rppg_core import hrv
from rppg_core.beats import Beats
from rppg_core.guidance import advise
from rppg_core.methods.pbv import SIGNATURE
from rppg_core.oxygen import RED_BLUE, Coefficients, oxygen
from rppg_core.pulse import Pulse, find_pulse
from rppg_core.quality import (
    FACE_REGIONS,
    MIN_CONFIDENCE,
    breath_features,
    confidence,
    heart_rate_quality,
    interval,
    oxygen_features,
    probability,
    variability_features,
)
from rppg_core.respiration import FS as BREATH_FS
from rppg_core.respiration import Respiration, respiration
from rppg_core.sampling import frame_rate_hz, slow_part
from rppg_core.traces import Trace
from rppg_core.vitals import VITALS, Quality, Vitals, Waveform

MIN_RATE_HZ = 8.0
"""Slower traces are not answered: a pulse and its aliases can't be told apart."""

NEEDS_S = {"heart_rate": 5.0, "hrv": 20.0, "stress_index": 25.0, "respiration_rate": 15.0, "spo2": 5.0}
"""Seconds of trace each vital needs."""

_STRESS_BEATS = 25
_PERIODIC_MOTION = 1.3  # log10 of the head's motion at the rate over that around it
_NEGLIGIBLE_JITTER_MS2 = 100.0  # what the beats' jitter may add to RMSSD^2 however small that is: the tolerance's own
_MOST_JITTER = 0.65  # share of RMSSD^2 that jitter may explain; its own estimate is good to a quarter
_MIN_KEPT = 0.75  # share of intervals kept below which the rhythm is called irregular


def measure(trace: Trace, *, hrv_needs_s: float = NEEDS_S["hrv"], coefficients: Coefficients = RED_BLUE) -> Vitals:
    """Measure the vital signs of one person.

    Parameters
    ----------
    trace : Trace
        Colours of one or more skin regions over the window.
    hrv_needs_s : float
        Seconds of trace below which heart-rate variability is withheld; the accuracy benchmark lowers it for a clip.
    coefficients : Coefficients
        The law that turns a ratio of ratios into SpO2.

    Returns
    -------
    Vitals
        What the trace doesn't support is None, with its reason. A trace is never refused: a window of one frame
        gives no vitals and its guidance.
    """
    guidance = advise(trace)
    span_s = _span_s(trace)
    reason = _unusable(trace, span_s)
    if reason is not None:
        return _nothing(trace, reason, guidance)
    pulse = find_pulse(trace)
    if pulse is None:
        return _nothing(trace, "LOW_SIGNAL", (*guidance, "NO_PULSE"))

    answers = _Answers()
    quality = heart_rate_quality(pulse.evidence)
    sure = confidence(quality)
    moving = pulse.evidence.motion > _PERIODIC_MOTION or "MOTION" in guidance
    no_pulse = "MOTION" if moving else "LOW_SIGNAL"
    answers.put("heart_rate", pulse.rate_bpm, quality, reason=None if sure >= MIN_CONFIDENCE else no_pulse)
    if sure < MIN_CONFIDENCE:
        guidance = (*guidance, "NO_PULSE")
        for vital in VITALS[1:]:
            answers.put(vital, None, 0.0, reason="WINDOW_TOO_SHORT" if span_s < NEEDS_S[vital] - 1e-3 else no_pulse)
        return answers.vitals(trace, pulse, sure, guidance, np.zeros(0))

    _put_variability(answers, pulse, quality, span_s, hrv_needs_s)
    breath = breathe(pulse, pulse.rate_bpm / 60)
    _put_breath(answers, breath, quality, span_s)
    _put_oxygen(answers, pulse, quality, coefficients)
    if span_s < hrv_needs_s - 1e-3:
        guidance = (*guidance, "SHORT_FOR_HRV")
    return answers.vitals(trace, pulse, sure, guidance, breath.waveform)


def _span_s(trace: Trace) -> float:
    """Time a trace stands for: from the first frame to the last, and one typical interval for the last itself."""
    times = trace.times_s
    return float(times[-1] - times[0] + np.median(np.diff(times))) if len(times) > 1 else 0.0


def _unusable(trace: Trace, span_s: float) -> str | None:
    """Why a trace can't be analysed at all."""
    if span_s < NEEDS_S["heart_rate"] - 1e-3:
        return "WINDOW_TOO_SHORT"
    intervals = np.diff(trace.times_s)
    # A trace that is fast in bursts has as little between them as a slow one.
    sparse = intervals[intervals > 1.5 / MIN_RATE_HZ].sum() / (trace.times_s[-1] - trace.times_s[0])
    if frame_rate_hz(trace.times_s) < MIN_RATE_HZ or sparse > 0.25:
        return "LOW_FRAME_RATE"
    return None


class _Answers:
    """Collects vitals with their qualities, reasons and ranges, so that none is None without a reason."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = dict.fromkeys(VITALS)
        self.quality: dict[str, float] = dict.fromkeys(VITALS, 0.0)
        self.withheld: dict[str, str] = {}
        self.interval: dict[str, tuple[float, float]] = {}
        self.sdnn_ms: float | None = None

    def put(self, vital: str, value: float | None, quality: float, reason: str | None) -> None:
        """Keep a vital, or with a `reason` withhold it."""
        self.quality[vital] = quality
        if reason is not None or value is None:
            self.withheld[vital] = reason or "LOW_SIGNAL"
            return
        self.values[vital] = value
        if vital in ("heart_rate", "hrv", "respiration_rate"):
            self.interval[vital] = interval(vital, value, quality)

    def vitals(
        self, trace: Trace, pulse: Pulse, sure: float, guidance: tuple[str, ...], breath: NDArray[np.float64]
    ) -> Vitals:
        """Put everything in the result."""
        even = pulse.even
        times = np.arange(len(breath)) / BREATH_FS
        shown = np.interp(even.times_s, times, breath) if len(breath) else np.zeros(len(even.times_s))
        return Vitals(
            heart_rate_bpm=self.values["heart_rate"],
            rmssd_ms=self.values["hrv"],
            sdnn_ms=self.sdnn_ms if self.values["hrv"] is not None else None,
            spo2_percent=self.values["spo2"],
            stress_index=self.values["stress_index"],
            respiration_rate_bpm=self.values["respiration_rate"],
            confidence=sure,
            quality=Quality(**self.quality, snr_db=pulse.rate.snr_db),
            withheld=self.withheld,
            interval=self.interval,
            guidance=guidance,
            frame_rate_hz=frame_rate_hz(trace.times_s),
            waveform=Waveform(fs=even.fs, ppg=pulse.wave, respiration=shown, beats_s=pulse.beats.times_s),
        )


@dataclass(frozen=True, slots=True)
class Variability:
    """Heart-rate variability freed of the beats' jitter, or the reason why the beats don't give one."""

    rmssd_ms: float | None
    sdnn_ms: float | None
    reason: str | None


def variability(beats: Beats) -> Variability:
    """RMSSD and SDNN of beats, less what the jitter of their times adds."""
    seen_ms, seen_sdnn = hrv.rmssd_ms(beats.intervals_s, beats.kept), hrv.sdnn_ms(beats.intervals_s, beats.kept)
    jitter_ms2 = hrv.jitter_ms2(beats.timing_sigma_s)
    if seen_ms is None or seen_sdnn is None or beats.kept_share < _MIN_KEPT:
        return Variability(None, None, "IRREGULAR_BEATS")
    if jitter_ms2 > max(_MOST_JITTER * seen_ms**2, _NEGLIGIBLE_JITTER_MS2):
        return Variability(None, None, "LOW_SIGNAL")
    return Variability(
        rmssd_ms=hrv.without_jitter_ms(seen_ms, beats.timing_sigma_s),
        # An error of both of an interval's beats adds 2 sigma^2 to its variance.
        sdnn_ms=float(np.sqrt(max(seen_sdnn**2 - jitter_ms2 / 3, 0.0))),
        reason=None,
    )


def _put_variability(answers: _Answers, pulse: Pulse, sure: float, span_s: float, needs_s: float) -> None:
    """RMSSD, SDNN and stress index."""
    beats = pulse.beats
    found, features = variability(beats), variability_features(beats)
    reason = "WINDOW_TOO_SHORT" if span_s < needs_s - 1e-3 else found.reason
    quality = 0.0 if reason else sure * probability("hrv", features)
    if reason is None and quality < MIN_CONFIDENCE:
        reason = "LOW_SIGNAL"
    answers.put("hrv", found.rmssd_ms, quality, reason)
    answers.sdnn_ms = found.sdnn_ms

    index = hrv.stress_index(beats.intervals_s, beats.kept)
    if span_s < NEEDS_S["stress_index"] - 1e-3 or len(beats.times_s) < _STRESS_BEATS:
        reason = "WINDOW_TOO_SHORT"
    elif reason is None and index is None:
        reason = "NOT_MEASURED"  # the intervals differ by less than one bin of the histogram
    quality = 0.0 if reason else sure * probability("stress_index", features)
    if reason is None and quality < MIN_CONFIDENCE:
        reason = "LOW_SIGNAL"
    answers.put("stress_index", index, quality, reason)


def breathe(pulse: Pulse, rate_hz: float) -> Respiration:
    """The breath's modulations of baseline, height and rhythm, on one grid."""
    even, beats = pulse.even, pulse.beats
    times = np.arange(int(even.times_s[-1] * BREATH_FS) + 1) / BREATH_FS
    level = np.einsum("nrc,r->nc", np.log(even.colours), pulse.region_weights)
    cutoff = min(0.6, 0.6 * rate_hz)
    smooth = slow_part(level, even.known, even.fs, cutoff)
    blood = SIGNATURE - SIGNATURE.mean()
    # The brightness of a face follows light and posture; its hue follows the blood. A covered lens has no such choice.
    baseline = smooth @ blood if len(even.regions) >= FACE_REGIONS else smooth[:, 0]
    modulations = {"baseline": np.interp(times, even.times_s, -baseline)}
    if len(beats.times_s) > 4:
        good = np.concatenate([[True], beats.kept]) | np.concatenate([beats.kept, [True]])
        if np.count_nonzero(good) > 4:
            modulations["height"] = np.interp(times, beats.times_s[good], beats.heights[good])
        if np.count_nonzero(beats.kept) > 4:
            middle = (beats.times_s[1:] + beats.times_s[:-1]) / 2
            modulations["rhythm"] = np.interp(times, middle[beats.kept], -beats.intervals_s[beats.kept])
    return respiration(modulations, rate_hz, cutoff_hz=0.07)


def _put_breath(answers: _Answers, breath: Respiration, sure: float, span_s: float) -> None:
    quality = sure * probability("respiration_rate", breath_features(breath))
    reason = None
    if span_s < NEEDS_S["respiration_rate"] - 1e-3:
        reason, quality = "WINDOW_TOO_SHORT", 0.0
    elif quality < MIN_CONFIDENCE or not np.isfinite(breath.rate_bpm):
        reason = "LOW_SIGNAL"
    answers.put("respiration_rate", breath.rate_bpm, quality, reason)


def _put_oxygen(answers: _Answers, pulse: Pulse, sure: float, coefficients: Coefficients) -> None:
    seen = oxygen(pulse.colour.strength, pulse.colour.error, coefficients)
    quality = sure * probability("spo2", oxygen_features(seen)) if seen.spo2_percent else 0.0
    answers.put("spo2", seen.spo2_percent, quality, None if quality >= MIN_CONFIDENCE else "LOW_SIGNAL")


def _nothing(trace: Trace, reason: str, guidance: tuple[str, ...]) -> Vitals:
    """No vital at all, each with its reason."""
    empty = np.zeros(0)
    span_s = _span_s(trace)
    return Vitals(
        heart_rate_bpm=None,
        rmssd_ms=None,
        sdnn_ms=None,
        spo2_percent=None,
        stress_index=None,
        respiration_rate_bpm=None,
        confidence=0.0,
        quality=Quality(0.0, 0.0, 0.0, 0.0, 0.0, snr_db=float("-inf")),
        withheld={v: "WINDOW_TOO_SHORT" if span_s < NEEDS_S[v] - 1e-3 else reason for v in VITALS},
        interval={},
        guidance=guidance,
        frame_rate_hz=frame_rate_hz(trace.times_s),
        waveform=Waveform(fs=BREATH_FS, ppg=empty, respiration=empty, beats_s=empty),
    )
