"""How far to believe each vital: evidence to calibrated probability."""

from __future__ import annotations

from dataclasses import fields, replace
from math import erf, sqrt
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.skin import MIN_REGIONS
from rppg_core.quality.calibration import CALIBRATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rppg_core.pulse.evidence import Evidence, SparseEvidence
    from rppg_core.pulse.whole_picture import PictureEvidence
    from rppg_core.quality.table import Calibration
    from rppg_core.vital.beats import Beats
    from rppg_core.vital.oxygen import Oxygen
    from rppg_core.vital.respiration import Respiration
    from rppg_core.vital.stress import Stress
    from rppg_core.vital.variability import Variability

SURE = 0.98
"""Probability from which a heart rate counts as sure: a confidence of 0.7."""

MIN_CONFIDENCE = 0.3
"""A heart rate below this confidence, and another vital below this quality, is withheld."""

_USUAL_MOTION = 1.2  # log10; what chance does to a still head's pose

_CHANCE_COMB_DB, _USUAL_JUMPS = 5.5, 1.9  # what noise and movement do to a clean picture

_CODEC_DB, _LIKELY_DB, _CODEC_JUMPS = 11.0, 8.0, 2.2  # beyond what clean pictures show, alone or together

_COMBED_DB = 5.0  # over chance, from which the wave's shape may be the codec's

_AMPLE_BITS = 0.5  # a pixel of a video, from which a codec leaves the pulse alone

_SINUS, _OF_JITTER, _FIBRILLATION = 0.06, 5.0, 0.02
"""By how much intervals in a row differ: with a rhythm, by their jitter (a multiple), and beyond these without rhythm.

Chosen on tuning windows: of 27 wrong rates of hearts without rhythm 15 are left, and of 956 right ones of others 953.
"""

_CONCENTRATED, _SPREAD = 0.95, 0.2  # share of a rhythm's power at its rate, and how much less fibrillation has there

BOUNDS = {"heart_rate": (30.0, 240.0), "respiration_rate": (3.0, 60.0), "hrv": (0.0, float("inf"))}
"""No heart, breath or RMSSD is beyond these, in the vital's unit, so no range is."""

MOST_WIDTH = {"heart_rate": 20.0, "respiration_rate": 8.0, "hrv": 40.0}
"""A vital whose 90 % range is wider in all is withheld: it would say nothing that isn't known without a measurement."""

MOST_RATIO = 2.5
"""Of the ends of the stress index's range, which is one of shares."""

VAGUE_QUALITY = 0.4
"""At most this is the quality of a heart rate whose range is too wide: a confidence below `MIN_CONFIDENCE`."""

_RHYTHM_CONCENTRATION, _RHYTHM_STABILITY, _RHYTHM_PROMINENCE_DB, _RHYTHM_LEAD_DB = 0.9, 0.8, 6.0, 3.0
"""What a steady heart shows at least. One without rhythm spreads its power and can't; all else must speak for it."""

_STEADY_JITTER, _COUNT_ERRORS, _MISCOUNT_BPM = 0.03, 1.3, 0.3
"""Of a rate that is counted: the jitter allowed to its beats, how many times its sigma it errs by, and what chance adds
to its range. See `vital.upstrokes`."""

_COUNT_SURE, _NEARLY_SURE = 0.95, 0.979
"""The highest quality of a rate that is counted (of 100 windows a few miss a beat between two others), and of one that
only its wave's shape would make sure: a shape speaks for a pulse, not for its exact rate."""

_USUAL_ASYMMETRY = 0.15  # of a wave whose shape says nothing: what the row's intercept makes up for

_TOLERANCE_BPM, _NINETY = 2.0, 1.645

_NO_FEATURES = frozenset(
    ("picture", "bits_a_pixel", "counted_sigma_bpm", "off_count_bpm", "with_surroundings", "hue_at_best")
)
"""Fields of the evidence that have no weight of their own."""

RECOIL = 0.006
"""Of the head with each beat, as a share of its size."""

BLOODLESS_QUALITY = 0.25
"""The most that a heart rate is believed whose colour can't be blood's, however clear it is: a nod before a side light,
a lamp that changes its tint."""

_SHORT_S = 9.5  # the table was fitted on windows from here on

_BREVITY = 3.2
"""What the logarithm of a window's length counts below that, set by hand: chance looks like a pulse in a few beats."""

_LIKELY, _NARROW, _TONE_BPM_S = 0.55, 0.65, 90.0
"""A likely rate whose power lies in one tone is within 3/4 of that tone's half width, 2 over the length.

In all of the 1695 tuning windows that are so likely and so narrow it holds the error.
"""

_PLAIN_HUE, _STRANGE_HUE, _SURELY_STRANGE_HUE, _INCOHERENT = 0.8, 0.5, 0.65, 0.4
"""Of an even trace, whose regions show the colour of each half by the pulse of the other, so that noise can't lend it
blood's: a hue below the first counts against it, and no pulse has less than the others. A faint one's is uncertain: the
third bounds a hue that is as good as its errors let it be, and a cold lamp's is below it."""


def probability(name: str, features: Mapping[str, float], calibration: Calibration = CALIBRATION) -> float:
    """Evaluate one row of the calibration table."""
    row = calibration.logistic[name]
    score = row["intercept"] + sum(weight * features[key] for key, weight in row.items() if key != "intercept")
    return float(1 / (1 + np.exp(-np.clip(score, -40, 40))))


def heart_rate_features(evidence: Evidence) -> dict[str, float]:
    """Evidence of a heart rate, each held within what was seen when the table was fitted."""
    evidence = _as_of_a_rhythm(evidence) if evidence.counted_sigma_bpm is not None else evidence
    features = {
        field.name: float(getattr(evidence, field.name)) for field in fields(evidence) if field.name not in _NO_FEATURES
    }
    features["log_span"] = float(np.log(np.clip(evidence.span_s, 10.0, 30.0)))
    features["snr_db"] = float(np.clip(features["snr_db"], -15, 12))
    features["prominence_db"] = float(np.clip(features["prominence_db"], -5, 15))
    features["off_hue"] = float(np.clip(_PLAIN_HUE - evidence.hue, 0.0, 1.0))
    features["lead_db"] = float(np.clip(features["lead_db"], 0, 10))
    features["mismatch_bpm"] = float(min(features["mismatch_bpm"], 20.0))
    features["log_jitter"] = float(np.log(np.clip(evidence.jitter, 0.003, 0.2)))
    features["log_nod"] = float(np.log10(np.clip(evidence.nod, RECOIL, 0.1) / RECOIL))
    features["motion"] = max(features["motion"] - _USUAL_MOTION, 0.0)
    beyond_noise = evidence.unevenness - _SINUS - _OF_JITTER * evidence.jitter
    spread = np.clip((_CONCENTRATED - evidence.concentration) / _SPREAD, 0.0, 1.0)
    features["unevenness"] = float(np.clip(beyond_noise / _FIBRILLATION, 0.0, 3.0) * spread)
    features["thinness"] = thinness(evidence.bits_a_pixel)
    features |= picture_features(evidence.picture)
    if features["asymmetry"] > 0:  # keyframes, too, come at once and fade slowly
        features["asymmetry"] *= max(1 - max(features["comb_db"], features["sharp_comb_db"]) / _COMBED_DB, 0.0)
    return features


def _as_of_a_rhythm(evidence: Evidence) -> Evidence:
    """The same without what only a rhythm has: beats that are counted, one by one, stand for it."""
    return replace(
        evidence,
        concentration=max(evidence.concentration, _RHYTHM_CONCENTRATION),
        stability=max(evidence.stability, _RHYTHM_STABILITY),
        prominence_db=max(evidence.prominence_db, _RHYTHM_PROMINENCE_DB),
        lead_db=max(evidence.lead_db, _RHYTHM_LEAD_DB),
        jitter=min(evidence.jitter, _STEADY_JITTER),
        mismatch_bpm=0.0,
        kept_share=1.0,
        unevenness=0.0,
    )


def picture_features(picture: PictureEvidence) -> dict[str, float]:
    """What the whole picture says against a rate, beyond what it says by chance."""
    return {
        "comb_db": float(np.clip(picture.comb_db - _CHANCE_COMB_DB, 0.0, 15.0)),
        "sharp_comb_db": float(np.clip(picture.sharp_comb_db - _CHANCE_COMB_DB, 0.0, 15.0)),
        "jumps": float(np.clip(picture.jumps - _USUAL_JUMPS, 0.0, 2.0)),
    }


def thinness(bits_a_pixel: float | None) -> float:
    """How far a codec may have thinned out the pulse: 0 for ample bits or frames, 3 for hardly any bits."""
    if bits_a_pixel is None:
        return 0.0
    return float(np.clip(np.log(_AMPLE_BITS / max(bits_a_pixel, 1e-3)), 0.0, 3.0))


def variability_features(beats: Beats, found: Variability, calibration: Calibration = CALIBRATION) -> dict[str, float]:
    """Evidence of RMSSD."""
    low, high = 0.0, float("inf")
    if found.rmssd_ms is not None:
        low, high = rmssd_interval(found, calibration)
    return {
        "kept_share": beats.kept_share,
        "log_range": float(np.log(np.clip((high - low) / 2, 1.0, 100.0))),
    }


def rmssd_interval(found: Variability, calibration: Calibration = CALIBRATION) -> tuple[float, float]:
    """Ninety per cent range of RMSSD, even in its square, where errors of the beats' times add up.

    Three things widen it: chance, by which these errors go with the rhythm or against it; what is not known of their
    size; and what is off by a share of it all, as beats at the window's ends and intervals that are shrunk. Where most
    of what is seen is jitter, the range goes from zero to what is seen.
    """
    by_chance, by_jitter, by_share = calibration.half_width["hrv"]
    square = (found.rmssd_ms or 0.0) ** 2
    jitter = found.most_jitter_ms2
    chance = 2 * np.sqrt(square * jitter / max(found.differences, 1))
    half = float(np.hypot(np.hypot(by_chance * chance, by_jitter * jitter), by_share * square))
    low, high = float(np.sqrt(max(square - half, 0.0))), float(np.sqrt(square + half))
    return (0.0, max(high, found.raw_ms or 0.0)) if found.is_mostly_jitter else (low, high)


def stress_interval(found: Stress, calibration: Calibration = CALIBRATION) -> tuple[float, float]:
    """Ninety per cent range of the stress index, even in its logarithm: by jitter, over the range of the intervals."""
    best, added, power = calibration.half_width.get("stress_index", CALIBRATION.half_width["stress_index"])
    half = best + added * found.jitter_share**power
    return found.index * float(np.exp(-half)), found.index * float(np.exp(half))


def stress_features(found: Stress, beats: Beats) -> dict[str, float]:
    """Evidence of a stress index."""
    return {
        "log_jitter_share": float(np.log(np.clip(found.jitter_share, 0.01, 1.0))),
        "kept_share": beats.kept_share,
    }


def breath_features(breath: Respiration) -> dict[str, float]:
    """Evidence of a breathing rate."""
    return {"concentration": breath.concentration, "agreement": breath.agreement}


def oxygen_features(seen: Oxygen) -> dict[str, float]:
    """Evidence of an SpO2 estimate."""
    return {"clarity": min(seen.clarity, 30.0)}


def heart_rate_quality(evidence: Evidence, calibration: Calibration = CALIBRATION) -> float:
    """Probability that the heart rate is within 2 bpm."""
    features = heart_rate_features(evidence)
    if evidence.n_regions < MIN_REGIONS:
        return _for_length(probability("heart_rate_spot", features, calibration), evidence.span_s)
    quality = _for_length(probability("heart_rate_face", features, calibration), evidence.span_s)
    if quality >= SURE:
        shapeless = features | {"asymmetry": min(features["asymmetry"], _USUAL_ASYMMETRY)}
        if _for_length(probability("heart_rate_face", shapeless, calibration), evidence.span_s) < SURE:
            quality = _NEARLY_SURE
    if evidence.counted_sigma_bpm is not None:
        quality = min(quality, _COUNT_SURE, _counted_right(evidence.counted_sigma_bpm))
    elif evidence.off_count_bpm > _TOLERANCE_BPM:
        quality = min(quality, _COUNT_SURE)
    return min(quality, BLOODLESS_QUALITY) if is_excluded(evidence) else quality


def _counted_right(sigma_bpm: float) -> float:
    """Probability that a counted rate is within its tolerance, as far as the window's ends decide it."""
    return erf(_TOLERANCE_BPM / (sqrt(2) * _COUNT_ERRORS * sigma_bpm)) if sigma_bpm > 0 else 1.0


def is_excluded(evidence: Evidence) -> bool:
    """Whether a face's rate is no pulse, however clear it is: by its colour, by the regions' phases, by the picture."""
    strange = bloodless(evidence, _STRANGE_HUE, _INCOHERENT) or evidence.hue_at_best < _SURELY_STRANGE_HUE
    return strange or _jumps(evidence.picture)


def _for_length(quality: float, span_s: float) -> float:
    """A probability for a window that may be shorter than any that the table was fitted on."""
    if span_s >= _SHORT_S:
        return quality
    odds = float((span_s / _SHORT_S) ** _BREVITY) * quality
    return odds / (odds + 1 - quality)


def _jumps(picture: PictureEvidence) -> bool:
    """Whether the whole picture jumps with the rate, as clean pictures never do: then it is the codec's.

    A comb alone is not enough: where a small picture holds little beside the face, a strong pulse leaves one too.
    """
    comb_db = max(picture.comb_db, picture.sharp_comb_db)
    needed = _USUAL_JUMPS if picture.comb_db >= _CODEC_DB else _CODEC_JUMPS
    return comb_db >= _LIKELY_DB and picture.jumps >= needed


def bloodless(evidence: Evidence | SparseEvidence, least_hue: float, least_coherence: float) -> bool:
    """Whether a rate is not blood's: by its hue, by regions that go against each other, by what is beside the face.

    Or it lies at the band's end.
    """
    strange = evidence.hue < least_hue or evidence.phase_coherence < least_coherence or evidence.at_edge
    return strange or evidence.with_surroundings


def confidence(quality: float) -> float:
    """Score of a heart rate's quality: at least 0.7 exactly when that is at least `SURE`; rises with it throughout."""
    return 0.7 * quality / SURE if quality < SURE else 0.7 + 15 * (quality - SURE)


def interval(
    vital: str, value: float, quality: float, span_s: float, calibration: Calibration = CALIBRATION
) -> tuple[float, float]:
    """Ninety per cent range of a vital, in its unit, before `clipped`. A rate is the surer, the longer it is seen."""
    best, added, power = calibration.half_width[vital]
    half = range_unit(span_s) * (best + added * (1 - quality) ** power)
    return value - half, value + half


def rate_range_features(evidence: Evidence) -> dict[str, float]:
    """What sets the spread of a heart rate whose peak is the pulse's: the window's length, noise, and the beats."""
    seen = heart_rate_features(evidence)
    return {
        "log_span": float(np.log(evidence.span_s / 20.0)),
        "snr": seen["snr_db"] / 10.0,
        "log_mismatch": float(np.log1p(seen["mismatch_bpm"])),
        "kept_share": seen["kept_share"],
    }


def rate_interval(
    rate_bpm: float, evidence: Evidence, quality: float, calibration: Calibration = CALIBRATION
) -> tuple[float, float]:
    """Ninety per cent range of a heart rate from an even grid, before `clipped`.

    It is that of a rate whose peak is the pulse's. What the quality leaves open is no matter of bpm: a wrong peak may
    lie anywhere. In windows of a few beats, where chance makes a peak of any rate, a doubtful rate has a wide range.
    """
    if evidence.counted_sigma_bpm is not None:
        half = _NINETY * _COUNT_ERRORS * evidence.counted_sigma_bpm + _MISCOUNT_BPM
        return rate_bpm - half, rate_bpm + half
    by_quality = interval("heart_rate", rate_bpm, quality, evidence.span_s, calibration)
    weights = calibration.rate_range
    doubtful = evidence.span_s < _SHORT_S and is_vague("heart_rate", by_quality)
    if not weights or evidence.n_regions < MIN_REGIONS or doubtful:
        return by_quality
    features = rate_range_features(evidence)
    half = float(np.exp(weights["intercept"] + sum(weights[name] * value for name, value in features.items())))
    if quality >= _LIKELY and evidence.concentration >= _NARROW:
        half = min(half, _TONE_BPM_S / evidence.span_s)
    return rate_bpm - half, rate_bpm + half


def is_vague(vital: str, range_: tuple[float, float]) -> bool:
    """Whether a range, before `clipped`, is too wide for its vital to be answered."""
    if vital == "stress_index":
        return not range_[1] <= MOST_RATIO * range_[0]
    return not range_[1] - range_[0] <= MOST_WIDTH[vital]


def clipped(vital: str, range_: tuple[float, float]) -> tuple[float, float]:
    """As much of a range as lies within what is possible."""
    low, high = BOUNDS.get(vital, (0.0, float("inf")))
    return max(range_[0], low), min(range_[1], high)


def range_unit(span_s: float) -> float:
    """What the half of a range is counted in, as a function of the window's length.

    With few beats their variability and the width of a tone count more than chance does.
    """
    return float(np.sqrt(20.0 / span_s) * max(_SHORT_S / span_s, 1.0))
