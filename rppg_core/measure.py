"""A trace to vital signs: the recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rppg_core import hrv
from rppg_core.beats import Beats, find_beats
from rppg_core.fusion import Candidate, Spectra, candidates, near, spectra_of
from rppg_core.guidance import advise
from rppg_core.heart_rate import HeartRate, heart_rate
from rppg_core.methods import METHODS
from rppg_core.methods.pbv import SIGNATURE
from rppg_core.motion import motion_at, remove_motion
from rppg_core.oxygen import RED_BLUE, Coefficients, oxygen
from rppg_core.quality import MIN_CONFIDENCE, Evidence, confidence, heart_rate_quality, interval, probability
from rppg_core.respiration import FS as BREATH_FS
from rppg_core.respiration import Respiration, respiration
from rppg_core.sampling import EvenTrace, frame_rate_hz, resample, slow_part
from rppg_core.traces import Trace
from rppg_core.vitals import VITALS, Quality, Vitals, Waveform

FUSED_METHODS = ("pos", "chrom", "green", "pbv")
"""The methods whose pulses are fused; the others of the registry add no more than time to these."""

MIN_RATE_HZ = 8.0
"""Slower traces are not answered: a pulse and its aliases can't be told apart."""

NEEDS_S = {"heart_rate": 5.0, "hrv": 20.0, "stress_index": 25.0, "respiration_rate": 15.0, "spo2": 5.0}
"""Seconds of trace each vital needs."""

_STRESS_BEATS = 25
_PULSE_CUTOFF_HZ = 0.45
_SURE_OF_BEATS = 0.85  # share of intervals kept from which beats give the rate, being exact where a spectrum is spread
_PERIODIC_MOTION = 1.3  # log10 of the head's motion at the rate over that around it
_MIN_KEPT = 0.75  # share of intervals kept below which the rhythm is called irregular


@dataclass(frozen=True, slots=True, eq=False)
class _Pulse:
    """The fused pulse of a trace and all that is known of it."""

    even: EvenTrace
    changes: NDArray[np.float64]  # (n, n_used, 3) relative colour changes, motion removed
    wave: NDArray[np.float64]  # (n,) rising with blood volume
    region_weights: NDArray[np.float64]  # (n_used,)
    rate: HeartRate
    beats: Beats
    evidence: Evidence


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
    pulse = _find_pulse(trace)
    if pulse is None:
        return _nothing(trace, "LOW_SIGNAL", (*guidance, "NO_PULSE"))

    answers = _Answers()
    quality = heart_rate_quality(pulse.evidence)
    sure = confidence(quality)
    moving = pulse.evidence.motion > _PERIODIC_MOTION or "MOTION" in guidance
    no_pulse = "MOTION" if moving else "LOW_SIGNAL"
    bpm = _rate_bpm(pulse)
    answers.put("heart_rate", bpm, quality, reason=None if sure >= MIN_CONFIDENCE else no_pulse)
    if sure < MIN_CONFIDENCE:
        guidance = (*guidance, "NO_PULSE")
        for vital in VITALS[1:]:
            answers.put(vital, None, 0.0, reason="WINDOW_TOO_SHORT" if span_s < NEEDS_S[vital] - 1e-3 else no_pulse)
        return answers.vitals(trace, pulse, sure, guidance, np.zeros(0))

    _put_variability(answers, pulse, quality, span_s, hrv_needs_s)
    breath = _breathe(pulse, bpm / 60)
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


def _find_pulse(trace: Trace) -> _Pulse | None:
    """Clean the colours, run the methods, fuse them for the likeliest rate, and time the beats."""
    even = resample(trace)
    n, n_used = len(even.times_s), len(even.regions)
    if not n_used:
        return None
    raw = np.concatenate([np.log(even.colours).reshape(n, -1), even.pose], axis=1)
    fast = raw - slow_part(raw, even.known, even.fs, _PULSE_CUTOFF_HZ)
    fast[~even.known] = 0.0
    pose = fast[:, -even.pose.shape[1] :]
    changes = remove_motion(fast[:, : 3 * n_used], pose, even.fs).reshape(n, n_used, 3)
    changes = np.maximum(changes, -0.9)  # a colour stays positive
    colours = even.colours.mean(axis=0) * (1 + changes)

    pulses = np.concatenate([-METHODS[name](colours, even.fs) for name in FUSED_METHODS], axis=1)
    spectra = spectra_of(pulses, even.fs)
    best = max(candidates(spectra), key=lambda candidate: candidate.snr_db, default=None)
    if best is None or not np.any(best.weights > 0):
        return None
    wave = pulses @ best.weights
    rate = heart_rate(wave, even.fs, near_hz=best.rate_hz)
    rate_hz = rate.rate_bpm / 60
    beats = find_beats(wave, even.known, even.fs, rate_hz)
    by_region = np.maximum(best.weights, 0).reshape(len(FUSED_METHODS), n_used).sum(axis=0)
    by_region = by_region / (by_region.sum() + 1e-30)
    strength, _ = _strength(changes, wave, by_region, even.fs, rate_hz)
    beats_bpm = 60 / float(np.mean(beats.intervals_s)) if len(beats.kept) else 0.0
    evidence = Evidence(
        n_regions=n_used,
        snr_db=rate.snr_db,
        prominence_db=rate.prominence_db,
        agreement=_agreement(spectra, best, n_used),
        stability=_stability(wave, even.fs, rate_hz),
        hue=_hue(strength),
        motion=float(np.log10(max(motion_at(pose, even.fs, rate_hz), 1.0))),
        mismatch_bpm=abs(beats_bpm - rate.rate_bpm),
    )
    return _Pulse(even, changes, wave, by_region, rate, beats, evidence)


def _agreement(spectra: Spectra, best: Candidate, n_used: int) -> float:
    """Correlation around the rate of two pulses, each from every other region; weighed by noise only, not by fit."""
    if n_used < 2:
        return 0.0
    weights = 1 / spectra.scale / np.max(1 / spectra.scale)
    odd = (np.arange(len(weights)) % n_used) % 2 == 1
    at = np.abs(spectra.freqs - best.rate_hz) <= max(1.5 * spectra.width_hz, 0.15)
    a, b = spectra.values[at][:, odd] @ weights[odd], spectra.values[at][:, ~odd] @ weights[~odd]
    power = np.sqrt(np.sum(np.abs(a) ** 2) * np.sum(np.abs(b) ** 2))
    return float(np.sum(a * b.conj()).real / (power + 1e-30))


def _stability(wave: NDArray[np.float64], fs: float, rate_hz: float) -> float:
    """Share of stretches of 6 s whose own strongest peak is within 6 bpm (or 8 %) of the rate."""
    width = min(int(6 * fs), len(wave))
    starts = np.linspace(0, len(wave) - width, max(1, round(2 * len(wave) / width) - 1)).astype(int)
    stretches = np.stack([wave[s : s + width] for s in starts], axis=1)
    n_fft = 4 * width
    freqs = np.fft.rfftfreq(n_fft, 1 / fs)
    stretches = stretches - stretches.mean(axis=0)
    power = np.abs(np.fft.rfft(stretches * np.hanning(width)[:, None], n_fft, axis=0)) ** 2
    band = (freqs >= 0.6) & (freqs <= 3.75)
    tops = freqs[band][np.argmax(power[band], axis=0)]
    return float(np.mean(np.abs(tops - rate_hz) <= max(0.1, 0.08 * rate_hz)))


def _strength(
    changes: NDArray[np.float64], wave: NDArray[np.float64], by_region: NDArray[np.float64], fs: float, rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AC/DC of the pulse in R, G, B and its standard error, by regression on the fused pulse at the rate and 2 x it."""
    n = len(wave)
    freqs = np.fft.rfftfreq(n, 1 / fs)
    width = max(1.5 * fs / n, 0.12)
    at = (np.abs(freqs - rate_hz) <= width) | (np.abs(freqs - 2 * rate_hz) <= width)
    colour = np.fft.rfft(np.einsum("nrc,r->nc", changes, by_region), axis=0)[at]
    reference = np.fft.rfft(wave)[at]
    power = float(np.sum(np.abs(reference) ** 2)) + 1e-30
    slope = -(colour.T @ reference.conj()).real / power
    residual = colour + np.outer(reference, slope)
    error = np.sqrt(np.sum(np.abs(residual) ** 2, axis=0) / max(2 * at.sum() - 1, 1) / power)
    return slope * float(np.std(wave)), error * float(np.std(wave))


def _hue(strength: NDArray[np.float64]) -> float:
    """Cosine between the pulse's colour and that of blood, what all channels share taken out of both."""
    seen, blood = strength - strength.mean(), SIGNATURE - SIGNATURE.mean()
    return float(seen @ blood / (np.linalg.norm(seen) * np.linalg.norm(blood) + 1e-30))


def _rate_bpm(pulse: _Pulse) -> float:
    """Rate by the beats where they are sound and agree with the spectrum, else by the spectrum."""
    beats, rate = pulse.beats, pulse.rate.rate_bpm
    if beats.kept_share < _SURE_OF_BEATS or not pulse.even.known.all():
        return rate
    by_beats = 60 / float(np.mean(beats.intervals_s))
    return by_beats if abs(by_beats - rate) <= max(3.0, 0.06 * rate) else rate


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
        self, trace: Trace, pulse: _Pulse, sure: float, guidance: tuple[str, ...], breath: NDArray[np.float64]
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


def _put_variability(answers: _Answers, pulse: _Pulse, sure: float, span_s: float, needs_s: float) -> None:
    """RMSSD, SDNN and stress index, corrected for the jitter of the beats' times."""
    beats = pulse.beats
    seen_ms = hrv.rmssd_ms(beats.intervals_s, beats.kept)
    jitter_ms2 = 6e6 * beats.timing_sigma_s**2
    reason = None
    if span_s < needs_s - 1e-3:
        reason = "WINDOW_TOO_SHORT"
    elif seen_ms is None or beats.kept_share < _MIN_KEPT:
        reason = "IRREGULAR_BEATS"
    elif jitter_ms2 > seen_ms**2 / 2:
        reason = "LOW_SIGNAL"
    features = {
        "sigma_ms": 1000 * beats.timing_sigma_s,
        "noise_share": jitter_ms2 / seen_ms**2 if seen_ms else 1.0,
        "kept_share": beats.kept_share,
    }
    quality = 0.0 if reason else sure * probability("hrv", features)
    if reason is None and quality < MIN_CONFIDENCE:
        reason = "LOW_SIGNAL"
    rmssd = None if reason or seen_ms is None else float(np.sqrt(seen_ms**2 - jitter_ms2))
    answers.put("hrv", rmssd, quality, reason)
    seen_sdnn = hrv.sdnn_ms(beats.intervals_s, beats.kept)
    if seen_sdnn is not None:  # an error of both of an interval's beats adds 2 sigma^2 to its variance
        answers.sdnn_ms = float(np.sqrt(max(seen_sdnn**2 - jitter_ms2 / 3, 0.0)))

    index = hrv.stress_index(beats.intervals_s, beats.kept)
    if span_s < NEEDS_S["stress_index"] - 1e-3 or len(beats.times_s) < _STRESS_BEATS:
        reason = "WINDOW_TOO_SHORT"
    elif reason is None and index is None:
        reason = "NOT_MEASURED"  # the intervals differ by less than one bin of the histogram
    quality = 0.0 if reason else sure * probability("stress_index", features)
    if reason is None and quality < MIN_CONFIDENCE:
        reason = "LOW_SIGNAL"
    answers.put("stress_index", index, quality, reason)


def _breathe(pulse: _Pulse, rate_hz: float) -> Respiration:
    """The breath's modulations of baseline (brightness and hue), height and rhythm, on one grid."""
    even, beats = pulse.even, pulse.beats
    times = np.arange(int(even.times_s[-1] * BREATH_FS) + 1) / BREATH_FS
    level = np.einsum("nrc,r->nc", np.log(even.colours), pulse.region_weights)
    cutoff = min(0.6, 0.6 * rate_hz)
    smooth = slow_part(level, even.known, even.fs, cutoff)
    blood = SIGNATURE - SIGNATURE.mean()
    modulations = {
        "baseline": np.interp(times, even.times_s, -smooth[:, 1]),
        "hue": np.interp(times, even.times_s, -(smooth @ blood)),
    }
    if len(beats.times_s) > 4:
        good = np.concatenate([[True], beats.kept]) | np.concatenate([beats.kept, [True]])
        if np.count_nonzero(good) > 4:
            modulations["height"] = np.interp(times, beats.times_s[good], beats.heights[good])
        if np.count_nonzero(beats.kept) > 4:
            middle = (beats.times_s[1:] + beats.times_s[:-1]) / 2
            modulations["rhythm"] = np.interp(times, middle[beats.kept], -beats.intervals_s[beats.kept])
    return respiration(modulations, rate_hz, cutoff_hz=0.07)


def _put_breath(answers: _Answers, breath: Respiration, sure: float, span_s: float) -> None:
    features = {"concentration": breath.concentration, "agreement": breath.agreement}
    quality = sure * probability("respiration_rate", features)
    reason = None
    if span_s < NEEDS_S["respiration_rate"] - 1e-3:
        reason, quality = "WINDOW_TOO_SHORT", 0.0
    elif quality < MIN_CONFIDENCE or not np.isfinite(breath.rate_bpm):
        reason = "LOW_SIGNAL"
    answers.put("respiration_rate", breath.rate_bpm, quality, reason)


def _put_oxygen(answers: _Answers, pulse: _Pulse, sure: float, coefficients: Coefficients) -> None:
    rate_hz = pulse.rate.rate_bpm / 60
    strength, error = _strength(pulse.changes, pulse.wave, pulse.region_weights, pulse.even.fs, rate_hz)
    seen = oxygen(strength, error, coefficients)
    quality = sure * probability("spo2", {"clarity": min(seen.clarity, 30.0)}) if seen.spo2_percent else 0.0
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
