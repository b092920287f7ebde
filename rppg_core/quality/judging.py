"""Each vital with its quality into the answers, or the reason why it is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.quality.answers import NEEDS_S, SLACK_S, Answers
from rppg_core.quality.probability import (
    MIN_CONFIDENCE,
    VAGUE_QUALITY,
    breath_features,
    confidence,
    heart_rate_quality,
    is_vague,
    oxygen_features,
    probability,
    rate_interval,
    rmssd_interval,
    stress_features,
    stress_interval,
    variability_features,
)
from rppg_core.quality.sparse import sparse_interval, sparse_quality
from rppg_core.vital.details import hrv_details
from rppg_core.vital.stress import Stress, stress
from rppg_core.vital.variability import variability

if TYPE_CHECKING:
    from rppg_core.pulse.evidence import Evidence, SparseEvidence
    from rppg_core.pulse.extract import Pulse
    from rppg_core.pulse.sparse import SparsePulse
    from rppg_core.vital.beats import Beats
    from rppg_core.vital.oxygen import Oxygen
    from rppg_core.vital.respiration import Respiration

_STRESS_BEATS = 25  # a histogram of fewer has no mode to speak of
_BEATS_FS_HZ = 9.5
"""Beats of slower frames are off by what halves of the face show alike: on tuning recordings of 8.2 a second RMSSD was
11 ms too high, and half of the ranges held the truth; 83 % of them did at 10."""
_PERIODIC_MOTION = 1.3  # log10 of the head's motion at the rate over that around it
_NOTABLE_NOD = 0.003  # of the face's size: landmarks of a still picture jump by less, and may do so in step


def put_heart_rate(answers: Answers, pulse: Pulse, guidance: tuple[str, ...]) -> float:
    """Put the heart rate in the answers; its quality, with which all else stands or falls."""
    quality = heart_rate_quality(pulse.evidence, answers.calibration)
    range_ = rate_interval(pulse.rate_bpm, pulse.evidence, quality, answers.calibration)
    return _put_rate(answers, pulse.rate_bpm, quality, range_, why_no_pulse(pulse.evidence, guidance))


def put_sparse_heart_rate(answers: Answers, pulse: SparsePulse, guidance: tuple[str, ...]) -> float:
    """The same of a trace that is too sparse for an even grid."""
    quality = sparse_quality(pulse.evidence, answers.calibration)
    range_ = sparse_interval(pulse.rate_bpm, pulse.sigma_bpm, quality, answers.calibration)
    return _put_rate(answers, pulse.rate_bpm, quality, range_, why_no_pulse(pulse.evidence, guidance))


def _put_rate(answers: Answers, rate_bpm: float, quality: float, range_: tuple[float, float], unsure: str) -> float:
    """Withhold a rate as `unsure` for its confidence, or as LOW_SIGNAL for its range alone.

    A withheld rate has a confidence below `MIN_CONFIDENCE`, whatever it is withheld for.
    """
    reason = None if confidence(quality) >= MIN_CONFIDENCE else unsure
    if reason is None and is_vague("heart_rate", range_):
        reason, quality = "LOW_SIGNAL", min(quality, VAGUE_QUALITY)
    answers.put("heart_rate", rate_bpm, quality, reason, range_=range_)
    return quality


def why_no_pulse(evidence: Evidence | SparseEvidence, guidance: tuple[str, ...]) -> str:
    """Why a heart rate is withheld."""
    if "EVENLY_SLOW_FRAMES" in guidance:
        return "LOW_FRAME_RATE"  # a clear pulse that can't be distinguished from its aliases
    nods = evidence.motion > _PERIODIC_MOTION and evidence.nod > _NOTABLE_NOD
    return "MOTION" if nods or "MOTION" in guidance else "LOW_SIGNAL"


def put_variability(answers: Answers, pulse: Pulse, sure: float, needs_s: float) -> None:
    """Put RMSSD, its details and stress index in the answers; `sure` is the quality of the heart rate."""
    beats, table = pulse.beats, answers.calibration
    found = variability(beats)
    features = variability_features(beats, found, table)
    reason = "IRREGULAR_BEATS" if pulse.counted else found.reason
    if reason is None and pulse.even.fs < _BEATS_FS_HZ:
        reason = "LOW_FRAME_RATE"
    if answers.span_s < needs_s - SLACK_S:
        reason = "WINDOW_TOO_SHORT"
    quality = 0.0 if reason else sure * probability("hrv", features, answers.calibration)
    if reason is None and quality < MIN_CONFIDENCE:
        reason = "LOW_SIGNAL"
    range_ = None if found.rmssd_ms is None else rmssd_interval(found, table)
    answers.put("hrv", found.rmssd_ms, quality, reason, range_=range_)
    answers.sdnn_ms = found.sdnn_ms
    if range_ is not None:
        answers.hrv_details = hrv_details(beats, found, range_, answers.span_s)
    unknown = "LOW_SIGNAL" if found.is_mostly_jitter else None  # its histogram is of the intervals as they are seen
    _put_stress_index(answers, beats, stress(beats, found), sure, answers.withheld.get("hrv", unknown))


def _put_stress_index(answers: Answers, beats: Beats, found: Stress | None, sure: float, reason: str | None) -> None:
    """`reason`: why RMSSD is withheld or hardly known, which holds for this too."""
    if answers.span_s < NEEDS_S["stress_index"] - SLACK_S or len(beats.times_s) < _STRESS_BEATS:
        reason = "WINDOW_TOO_SHORT"
    elif reason is None and found is None:
        reason = "NOT_MEASURED"  # the intervals differ by less than one bin of the histogram
    if reason is not None or found is None:
        answers.put("stress_index", None, 0.0, reason)
        return
    quality = sure * probability("stress_index", stress_features(found, beats), answers.calibration)
    unsure = None if quality >= MIN_CONFIDENCE else "LOW_SIGNAL"
    answers.put("stress_index", found.index, quality, unsure, range_=stress_interval(found, answers.calibration))


def put_breath(answers: Answers, breath: Respiration, sure: float, *, irregular: bool = False) -> None:
    """Put the breathing rate in the answers; `sure` is the quality of the heart rate.

    The breath is found in what it does to the beats. Those of an irregular heart differ by themselves.
    """
    quality = sure * probability("respiration_rate", breath_features(breath), answers.calibration)
    reason = None
    if answers.span_s < NEEDS_S["respiration_rate"] - SLACK_S:
        reason, quality = "WINDOW_TOO_SHORT", 0.0
    elif irregular:
        reason, quality = "IRREGULAR_BEATS", 0.0
    elif quality < MIN_CONFIDENCE or not np.isfinite(breath.rate_bpm):
        reason = "LOW_SIGNAL"
    answers.put("respiration_rate", breath.rate_bpm, quality, reason)


def put_oxygen(answers: Answers, seen: Oxygen, sure: float) -> None:
    """Put the SpO2 estimate in the answers; `sure` is the quality of the heart rate."""
    quality = sure * probability("spo2", oxygen_features(seen), answers.calibration) if seen.spo2_percent else 0.0
    answers.put("spo2", seen.spo2_percent, quality, None if quality >= MIN_CONFIDENCE else "LOW_SIGNAL")
