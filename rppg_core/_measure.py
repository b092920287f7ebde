"""A trace to vital signs: the recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.guidance import advise
from rppg_core.pulse.evidence import Evidence, SparseEvidence
from rppg_core.pulse.extract import Pulse, find_pulse
from rppg_core.pulse.pulse_colour import BLOOD_HUE
from rppg_core.pulse.sparse import find_sparse_pulse
from rppg_core.quality.answers import NEEDS_S, Answers
from rppg_core.quality.probability import (
    MIN_CONFIDENCE,
    breath_features,
    confidence,
    heart_rate_quality,
    oxygen_features,
    probability,
    sparse_interval,
    sparse_quality,
    variability_features,
)
from rppg_core.results import Vitals, Waveform
from rppg_core.trace.repeats import distinct
from rppg_core.trace.sampling import MIN_RATE_HZ, frame_rate_hz, slow_part
from rppg_core.trace.traces import Trace
from rppg_core.vital import hrv
from rppg_core.vital.beats import Beats
from rppg_core.vital.oxygen import RED_BLUE, Coefficients, oxygen
from rppg_core.vital.respiration import FS as BREATH_FS
from rppg_core.vital.respiration import Respiration, respiration

_STRESS_BEATS = 25
_PERIODIC_MOTION = 1.3  # log10 of the head's motion at the rate over that around it
_NOTABLE_NOD = 0.003  # of the face's size: landmarks of a still picture jump by less, and may do so in step
_EXACT_S = 0.010  # error of the beats' times below which RMSSD is known to its tolerance, however small it is
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
    span_s = _span_s(trace)
    trace = distinct(trace)
    guidance = advise(trace)
    if span_s < NEEDS_S["heart_rate"] - 1e-3:
        return _nothing(trace, span_s, "WINDOW_TOO_SHORT", guidance)
    if _is_sparse(trace.times_s):
        return _measure_sparse(trace, span_s, guidance)
    pulse = find_pulse(trace)
    if pulse is None:
        return _nothing(trace, span_s, "LOW_SIGNAL", (*guidance, "NO_PULSE"))

    answers = Answers(span_s)
    quality = heart_rate_quality(pulse.evidence)
    sure = confidence(quality)
    no_pulse = _why_no_pulse(pulse.evidence, guidance)
    answers.put("heart_rate", pulse.rate_bpm, quality, reason=None if sure >= MIN_CONFIDENCE else no_pulse)
    breath = np.zeros(0)
    if sure < MIN_CONFIDENCE:
        guidance = (*guidance, "NO_PULSE")
        answers.withhold_rest(no_pulse)
    else:
        _put_variability(answers, pulse, quality, span_s, hrv_needs_s)
        breathing = breathe(pulse, pulse.rate_bpm / 60)
        _put_breath(answers, breathing, quality, span_s)
        _put_oxygen(answers, pulse, quality, coefficients)
        breath = breathing.waveform
        if span_s < hrv_needs_s - 1e-3:
            guidance = (*guidance, "SHORT_FOR_HRV")
    return answers.vitals(trace, guidance, sure=sure, snr_db=pulse.rate.snr_db, waveform=_waveform(pulse, breath))


def _measure_sparse(trace: Trace, span_s: float, guidance: tuple[str, ...]) -> Vitals:
    """The heart rate alone: single beats can't be seen in frames this far apart."""
    pulse = find_sparse_pulse(trace)
    if pulse is None:
        return _nothing(trace, span_s, "LOW_FRAME_RATE", guidance)
    answers = Answers(span_s)
    quality = sparse_quality(pulse.evidence)
    sure = confidence(quality)
    no_pulse = _why_no_pulse(pulse.evidence, guidance)
    answers.put(
        "heart_rate",
        pulse.rate_bpm,
        quality,
        reason=None if sure >= MIN_CONFIDENCE else no_pulse,
        range_=sparse_interval(pulse.rate_bpm, pulse.sigma_bpm, quality),
    )
    if sure < MIN_CONFIDENCE and "EVENLY_SLOW_FRAMES" not in guidance:  # there the pace is to blame
        guidance = (*guidance, "NO_PULSE")
    answers.withhold_rest("LOW_FRAME_RATE")
    return answers.vitals(trace, guidance, sure=sure, snr_db=pulse.snr_db)


def _why_no_pulse(evidence: Evidence | SparseEvidence, guidance: tuple[str, ...]) -> str:
    if "EVENLY_SLOW_FRAMES" in guidance:
        return "LOW_FRAME_RATE"  # a pulse may be seen well, and can't be told from its aliases
    nods = evidence.motion > _PERIODIC_MOTION and evidence.nod > _NOTABLE_NOD
    return "MOTION" if nods or "MOTION" in guidance else "LOW_SIGNAL"


def _span_s(trace: Trace) -> float:
    """Time a trace stands for: from the first frame to the last, and one typical interval for the last itself."""
    times = trace.times_s
    return float(times[-1] - times[0] + np.median(np.diff(times))) if len(times) > 1 else 0.0


def _is_sparse(times_s: NDArray[np.float64]) -> bool:
    """Whether frames are too far apart for an even grid, all of them or, in bursts with little between, many."""
    intervals = np.diff(times_s)
    apart = intervals[intervals > 1.5 / MIN_RATE_HZ].sum() / (times_s[-1] - times_s[0])
    return bool(frame_rate_hz(times_s) < MIN_RATE_HZ or apart > 0.25)


def _waveform(pulse: Pulse, breath: NDArray[np.float64]) -> Waveform:
    """The signals on the pulse's own grid; `breath` is sampled at `BREATH_FS`, or empty."""
    even = pulse.even
    shown = np.interp(even.times_s, np.arange(len(breath)) / BREATH_FS, breath) if len(breath) else 0 * even.times_s
    return Waveform(fs=even.fs, ppg=pulse.wave, respiration=shown, beats_s=pulse.beats.times_s)


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
    if beats.timing_sigma_s > _EXACT_S and jitter_ms2 > _MOST_JITTER * seen_ms**2:
        return Variability(None, None, "LOW_SIGNAL")
    return Variability(
        rmssd_ms=hrv.without_jitter_ms(seen_ms, beats.timing_sigma_s),
        # An error of both of an interval's beats adds 2 sigma^2 to its variance.
        sdnn_ms=float(np.sqrt(max(seen_sdnn**2 - jitter_ms2 / 3, 0.0))),
        reason=None,
    )


def _put_variability(answers: Answers, pulse: Pulse, sure: float, span_s: float, needs_s: float) -> None:
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
    # The brightness of a face follows light and posture; its hue follows the blood. A covered lens has no such choice.
    baseline = smooth @ BLOOD_HUE if len(even.regions) >= MIN_REGIONS else smooth[:, 0]
    modulations = {"baseline": np.interp(times, even.times_s, -baseline)}
    if len(beats.times_s) > 4:
        good = np.concatenate([[True], beats.kept]) | np.concatenate([beats.kept, [True]])
        if np.count_nonzero(good) > 4:
            modulations["height"] = np.interp(times, beats.times_s[good], beats.heights[good])
        if np.count_nonzero(beats.kept) > 4:
            middle = (beats.times_s[1:] + beats.times_s[:-1]) / 2
            modulations["rhythm"] = np.interp(times, middle[beats.kept], -beats.intervals_s[beats.kept])
    return respiration(modulations, rate_hz, cutoff_hz=0.07)


def _put_breath(answers: Answers, breath: Respiration, sure: float, span_s: float) -> None:
    quality = sure * probability("respiration_rate", breath_features(breath))
    reason = None
    if span_s < NEEDS_S["respiration_rate"] - 1e-3:
        reason, quality = "WINDOW_TOO_SHORT", 0.0
    elif quality < MIN_CONFIDENCE or not np.isfinite(breath.rate_bpm):
        reason = "LOW_SIGNAL"
    answers.put("respiration_rate", breath.rate_bpm, quality, reason)


def _put_oxygen(answers: Answers, pulse: Pulse, sure: float, coefficients: Coefficients) -> None:
    seen = oxygen(pulse.colour.strength, pulse.colour.error, coefficients)
    quality = sure * probability("spo2", oxygen_features(seen)) if seen.spo2_percent else 0.0
    answers.put("spo2", seen.spo2_percent, quality, None if quality >= MIN_CONFIDENCE else "LOW_SIGNAL")


def _nothing(trace: Trace, span_s: float, reason: str, guidance: tuple[str, ...]) -> Vitals:
    """No vital at all, each with its reason."""
    answers = Answers(span_s)
    answers.withhold_rest(reason)
    return answers.vitals(trace, guidance)
