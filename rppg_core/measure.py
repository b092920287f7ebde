"""A trace to vital signs: the recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rppg_core import hrv
from rppg_core.beats import Beats, find_beats
from rppg_core.blood import PulseColour, pulse_colour
from rppg_core.fusion import Candidate, Spectra, band_spectrum, candidates, common_weights, near, spectra_of
from rppg_core.guidance import advise
from rppg_core.heart_rate import HeartRate, heart_rate
from rppg_core.methods import METHODS
from rppg_core.methods.pbv import SIGNATURE
from rppg_core.motion import motion_at, remove_motion
from rppg_core.oxygen import RED_BLUE, Coefficients, oxygen
from rppg_core.quality import (
    FACE_REGIONS,
    MIN_CONFIDENCE,
    Evidence,
    confidence,
    heart_rate_quality,
    interval,
    probability,
)
from rppg_core.respiration import FS as BREATH_FS
from rppg_core.respiration import Respiration, respiration
from rppg_core.sampling import EvenTrace, frame_rate_hz, resample, slow_part
from rppg_core.traces import Trace
from rppg_core.vitals import VITALS, Quality, Vitals, Waveform

FUSED_METHODS = ("pos", "chrom", "pbv")
"""The methods whose pulses are fused; the others of the registry add no more than time to these."""

MIN_RATE_HZ = 8.0
"""Slower traces are not answered: a pulse and its aliases can't be told apart."""

NEEDS_S = {"heart_rate": 5.0, "hrv": 20.0, "stress_index": 25.0, "respiration_rate": 15.0, "spo2": 5.0}
"""Seconds of trace each vital needs."""

_STRESS_BEATS = 25
_WRONG_HUE_DB, _PALLOR_DB = 3.0, 1.0  # what a candidate loses for not having blood's colour
_BLACK = 4.0  # level below which a channel holds noise alone
_PULSE_CUTOFF_HZ = 0.45
_SURE_OF_BEATS = 0.85  # share of intervals kept from which beats give the rate, being exact where a spectrum is spread
_ALL_KEPT = 0.97
_PERIODIC_MOTION = 1.3  # log10 of the head's motion at the rate over that around it
_MIN_KEPT = 0.75  # share of intervals kept below which the rhythm is called irregular


@dataclass(frozen=True, slots=True, eq=False)
class _Pulse:
    """The fused pulse of a trace and all that is known of it."""

    even: EvenTrace
    wave: NDArray[np.float64]  # (n,) rising with blood volume
    region_weights: NDArray[np.float64]  # (n_used,)
    colour: PulseColour
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
    pulses = _pulses(even.colours.mean(axis=0), changes, even.fs)
    spectra = spectra_of(pulses, even.fs)
    best, colour, by_region = _choose(spectra, changes, even.fs)
    if best is None or colour is None:
        return None
    wave = pulses @ best.weights
    rate = heart_rate(wave, even.fs, near_hz=best.rate_hz)
    rate_hz = rate.rate_bpm / 60
    beats = find_beats(wave, even.known, even.fs, rate_hz)
    evidence = Evidence(
        n_regions=n_used,
        snr_db=rate.snr_db,
        prominence_db=rate.prominence_db,
        agreement=_agreement(spectra, best, n_used),
        stability=_stability(wave, even.fs, rate_hz),
        hue=colour.hue,
        pallor=colour.pallor,
        motion=float(np.log10(max(motion_at(pose, even.fs, rate_hz), 1.0))),
        mismatch_bpm=abs(_beats_bpm(beats) - rate.rate_bpm),
    )
    return _Pulse(even, wave, by_region, colour, rate, beats, evidence)


def _choose(
    spectra: Spectra, changes: NDArray[np.float64], fs: float
) -> tuple[Candidate | None, PulseColour | None, NDArray[np.float64]]:
    """The clearest candidate whose colour is a pulse's, its colour, and the share of each region in it."""
    n, n_used, _ = changes.shape
    _, raw = band_spectrum(changes.reshape(n, -1), fs)
    raw = raw.reshape(len(raw), n_used, 3)
    best, best_colour, best_score, best_share = None, None, -np.inf, np.zeros(n_used)
    for candidate in candidates(spectra):
        share = np.maximum(candidate.weights, 0).reshape(-1, n_used).sum(axis=0)
        if not share.any():
            continue
        share = share / share.sum()
        at = near(spectra, candidate.rate_hz) | near(spectra, 2 * candidate.rate_hz)
        colour = pulse_colour(np.einsum("frc,r->fc", raw[at], share), candidate.fused[at])
        score = candidate.snr_db
        if n_used >= FACE_REGIONS:  # a fingertip on a lit lens has other colours
            score -= _WRONG_HUE_DB * (1 - colour.hue) + _PALLOR_DB * max(colour.pallor - 1.5, 0.0)
        if score > best_score:
            best, best_colour, best_score, best_share = candidate, colour, score, share
    return best, best_colour, best_share


def _pulses(level: NDArray[np.float64], changes: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Candidate pulses, rising with blood volume, shape (n, k * n_used), in blocks of the regions.

    A face is lit from outside, and methods that set its chrominance against its brightness hold off motion. One or a
    few spots (a fingertip on a lit lens) have channels that are black or saturated, which such methods would divide
    by; there each channel that isn't black counts for itself, in levels.
    """
    if level.shape[0] >= FACE_REGIONS:
        # What all channels share is light and shade; taken out first, no method can take a flicker for a pulse.
        colours = level * (1 + changes - changes.mean(axis=2, keepdims=True))
        return np.concatenate([-METHODS[name](colours, fs) for name in FUSED_METHODS], axis=1)
    shown = np.where(level > _BLACK, 1.0, 0.0)
    return np.concatenate([-changes[..., channel] * shown[:, channel] for channel in range(3)], axis=1)


def _agreement(spectra: Spectra, best: Candidate, n_used: int) -> float:
    """Correlation around the rate of two pulses, each from every other region; weighed by noise only, not by fit."""
    if n_used < 2:
        return 0.0
    weights = common_weights(spectra)
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


def _rate_bpm(pulse: _Pulse) -> float:
    """Rate by the beats where they are sound and near the spectrum's, which a variable rhythm spreads; else by that."""
    rate, by_beats = pulse.rate.rate_bpm, _beats_bpm(pulse.beats)
    # A fast heart is a regular one: there, one beat missed or doubled explains more than the rhythm does.
    near_enough = abs(by_beats - rate) <= (4.0 if pulse.beats.kept_share > _ALL_KEPT else min(4.0, 300 / rate))
    return by_beats if pulse.beats.kept_share >= _SURE_OF_BEATS and near_enough else rate


def _beats_bpm(beats: Beats) -> float:
    """Rate by the intervals that are kept; 0 without any."""
    return 60 / float(np.mean(beats.intervals_s[beats.kept])) if beats.kept.any() else 0.0


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
    features = {"concentration": breath.concentration, "agreement": breath.agreement}
    quality = sure * probability("respiration_rate", features)
    reason = None
    if span_s < NEEDS_S["respiration_rate"] - 1e-3:
        reason, quality = "WINDOW_TOO_SHORT", 0.0
    elif quality < MIN_CONFIDENCE or not np.isfinite(breath.rate_bpm):
        reason = "LOW_SIGNAL"
    answers.put("respiration_rate", breath.rate_bpm, quality, reason)


def _put_oxygen(answers: _Answers, pulse: _Pulse, sure: float, coefficients: Coefficients) -> None:
    seen = oxygen(pulse.colour.strength, pulse.colour.error, coefficients)
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
