"""A trace to vital signs: the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.guidance import advise
from rppg_core.pulse.extract import Extractor, Pulse, find_pulse
from rppg_core.pulse.modulations import modulations
from rppg_core.pulse.sparse import SparsePulse, find_sparse_pulse
from rppg_core.pulse.succession import is_replaced
from rppg_core.quality.answers import NEEDS_S, SLACK_S, Answers
from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.judging import (
    put_breath,
    put_heart_rate,
    put_oxygen,
    put_sparse_heart_rate,
    put_variability,
)
from rppg_core.quality.probability import MIN_CONFIDENCE, confidence, heart_rate_quality
from rppg_core.quality.sparse import sparse_quality
from rppg_core.results import Vitals, Waveform
from rppg_core.trace.repeats import distinct
from rppg_core.trace.sampling import is_sparse
from rppg_core.vital.oxygen import RED_BLUE, Coefficients, oxygen
from rppg_core.vital.respiration import FS as BREATH_FS
from rppg_core.vital.respiration import Respiration, respiration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.quality.table import Calibration
    from rppg_core.trace.traces import Trace

_DRIFT_HZ = 0.07  # of a breath's modulation: below the slowest breath, 6 a minute


def measure(
    trace: Trace,
    *,
    extract: Extractor = find_pulse,
    calibration: Calibration = CALIBRATION,
    hrv_needs_s: float = NEEDS_S["hrv"],
    coefficients: Coefficients = RED_BLUE,
) -> Vitals:
    """Measure the vital signs of one person.

    Parameters
    ----------
    trace : Trace
        Colours of one or more skin regions over the window.
    extract : Extractor
        Finds the pulse, with the evidence for it. A trace below 8 frames a second, or with long holes, is measured by
        least squares on its capture times with the default one, and withheld with any other.
    calibration : Calibration
        How far to believe that evidence: fitted for the extractor.
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
    answers = Answers(_span_s(trace), calibration)
    trace = distinct(trace)
    guidance = advise(trace)
    if answers.span_s < NEEDS_S["heart_rate"] - SLACK_S:
        return answers.nothing(trace, "WINDOW_TOO_SHORT", guidance)
    if is_sparse(trace.times_s):
        return _measured_sparse(trace, find_sparse_pulse(trace) if extract is find_pulse else None, answers, guidance)
    pulse = extract(trace)  # with its rate, its beats, and the evidence for them
    if pulse is None:
        return answers.nothing(trace, "LOW_SIGNAL", (*guidance, "NO_PULSE"))
    if confidence(heart_rate_quality(pulse.evidence, calibration)) >= MIN_CONFIDENCE and _of_two_people(trace, extract):
        return answers.nothing(trace, "LOW_SIGNAL", _with_several_faces(guidance))

    quality, breath = put_heart_rate(answers, pulse, guidance), np.zeros(0)
    if confidence(quality) < MIN_CONFIDENCE:
        guidance = (*guidance, "NO_PULSE")
        answers.withhold_rest(answers.withheld["heart_rate"])
    else:
        put_variability(answers, pulse, quality, hrv_needs_s)
        breathing = breathe(pulse, pulse.rate_bpm / 60)
        put_breath(answers, breathing, quality, irregular=pulse.counted is not None)
        put_oxygen(answers, oxygen(pulse.colour.strength, pulse.colour.error, coefficients), quality)
        breath = breathing.waveform
        if answers.span_s < hrv_needs_s - SLACK_S:
            guidance = (*guidance, "SHORT_FOR_HRV")
    return answers.vitals(
        trace, guidance, sure=confidence(quality), snr_db=pulse.rate.snr_db, waveform=_waveform(pulse, breath)
    )


def _measured_sparse(trace: Trace, pulse: SparsePulse | None, answers: Answers, guidance: tuple[str, ...]) -> Vitals:
    """The heart rate alone: single beats can't be seen in frames this far apart."""
    if pulse is None:
        return answers.nothing(trace, "LOW_FRAME_RATE", guidance)
    believed = confidence(sparse_quality(pulse.evidence, answers.calibration)) >= MIN_CONFIDENCE
    if believed and _of_two_people(trace, find_pulse):
        return answers.nothing(trace, "LOW_SIGNAL", _with_several_faces(guidance))
    sure = confidence(put_sparse_heart_rate(answers, pulse, guidance))
    if sure < MIN_CONFIDENCE and "EVENLY_SLOW_FRAMES" not in guidance:  # there the pace is to blame
        guidance = (*guidance, "NO_PULSE")
    answers.withhold_rest("LOW_FRAME_RATE")
    return answers.vitals(trace, guidance, sure=sure, snr_db=pulse.snr_db)


def _of_two_people(trace: Trace, extract: Extractor) -> bool:
    """Whether somebody else takes the place in mid window."""

    def rate_bpm(part: Trace) -> float | None:
        pulse = find_sparse_pulse(part) if is_sparse(part.times_s) else extract(part)
        return None if pulse is None else pulse.rate_bpm

    return is_replaced(trace, rate_bpm)


def _with_several_faces(guidance: tuple[str, ...]) -> tuple[str, ...]:
    return guidance if "SEVERAL_FACES" in guidance else (*guidance, "SEVERAL_FACES")


def _span_s(trace: Trace) -> float:
    """Time a trace stands for: from the first frame to the last, and one typical interval for the last itself."""
    times = trace.times_s
    return float(times[-1] - times[0] + np.median(np.diff(times))) if len(times) > 1 else 0.0


def breathe(pulse: Pulse, rate_hz: float) -> Respiration:
    """Breathing, from what it does to the pulse."""
    return respiration(modulations(pulse, rate_hz), rate_hz, cutoff_hz=_DRIFT_HZ)


def _waveform(pulse: Pulse, breath: NDArray[np.float64]) -> Waveform:
    """The signals on the pulse's own grid; `breath` is sampled at `BREATH_FS`, or empty."""
    even = pulse.even
    shown = np.interp(even.times_s, np.arange(len(breath)) / BREATH_FS, breath) if len(breath) else 0 * even.times_s
    beats = pulse.counted or pulse.beats
    return Waveform(fs=even.fs, ppg=pulse.wave, respiration=shown, beats_s=beats.times_s)
