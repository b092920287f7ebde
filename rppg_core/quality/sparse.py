"""How far to believe the heart rate of frames that are too far apart for an even grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.probability import BLOODLESS_QUALITY, RECOIL, bloodless, probability

if TYPE_CHECKING:
    from rppg_core.pulse.evidence import SparseEvidence
    from rppg_core.quality.table import Calibration

_USUAL_DETAIL = 0.9  # what noise and movement do to the detail of a clean picture

_PALE = 1.2
"""Pallor from which a rate is doubted twice over: so pale are changes of brightness that a codec makes."""

_MANY_FRAMES = 50.0
"""Of fewer frames chance makes a pulse more easily than their odds tell, most of all where a codec changes them."""

_THIRD = 0.7  # of two rates that are as likely each is believed less than half: it may be a third

_BLOODLESS_HUE, _LEAST_COHERENCE = 0.7, 0.5
"""A change of less of blood's hue is no pulse, nor one that half the face goes through the other way round."""

_ONE_RATE, _ONE_RATE_FADE, _NOISE_AGREES, _NOISE_FADE = 0.45, 0.15, 0.75, 0.1
_VARIES, _SHORT_S = 0.45, 12.0
"""A rhythm's rate explains nearly half of what two halves of the face have in common over 12 s, or they agree no more
than noise lets them on the rest. Rates vary, so that a longer window's rate explains less, as this power of the length.

Chosen on the tuning windows of `python -m benchmarks.calibrate --judge`: for hearts without rhythm 40 wrong answers of
135 are left, and 5 of 13 at 0.7 and more.
"""

CLEAR_OF_ALIASES = 0.85
"""Quality from which a sparse rate's range is that of its peak alone: what is left open below is mostly its aliases.

On tuning windows without a pulse, thinned and slow, this is where no more of them are answered than by ranges that
follow from the quality throughout (0.82 for noise that happened to look like one).
"""


def sparse_features(evidence: SparseEvidence) -> dict[str, float]:
    """Evidence of a sparse trace's heart rate, each held within what was seen when the table was fitted."""
    return {
        "log_odds": float(np.clip(evidence.log_odds, -4.0, 8.0)),
        "margin": min(evidence.margin, 5.0),
        "agreement": evidence.agreement,
        "pallor": evidence.pallor,
        "pale": float(np.clip(evidence.pallor - _PALE, 0.0, 2.0)),
        "phase_coherence": evidence.phase_coherence,
        "log_nod": float(np.log10(np.clip(evidence.nod, RECOIL, 0.1) / RECOIL)),
        "picture": float(np.clip(evidence.picture - _USUAL_DETAIL, 0.0, 1.0)),
        "without_rhythm": _without_rhythm(evidence),
        "low_rate": evidence.low_rate,
        "asymmetry": evidence.asymmetry,
        "few_frames": float(np.log(np.clip(_MANY_FRAMES / evidence.n_frames, 1.0, 5.0))),
    }


def _without_rhythm(evidence: SparseEvidence) -> float:
    """How far, from 0 to 1, two halves of the face agree on what the rate doesn't explain: there is no single rate."""
    explained = evidence.concentration * (max(evidence.span_s, _SHORT_S) / _SHORT_S) ** _VARIES
    spread = np.clip((_ONE_RATE - explained) / _ONE_RATE_FADE, 0.0, 1.0)
    return float(spread * np.clip((evidence.rest_agreement - _NOISE_AGREES) / _NOISE_FADE, 0.0, 1.0))


def against_next(margin: float) -> float:
    """Probability of a rate whose likelihood is e to the `margin` times that of the next best."""
    return float(1 / (1 + np.exp(_THIRD - margin)))


def sparse_quality(evidence: SparseEvidence, calibration: Calibration = CALIBRATION) -> float:
    """Probability that the heart rate of a sparse trace is within 2 bpm.

    However clear a pulse is, its rate is no likelier than its odds against the next best, which may be its alias.
    """
    features = sparse_features(evidence)
    quality = min(probability("heart_rate_sparse", features, calibration), against_next(features["margin"]))
    return min(quality, BLOODLESS_QUALITY) if bloodless(evidence, _BLOODLESS_HUE, _LEAST_COHERENCE) else quality


def sparse_interval(
    rate_bpm: float, sigma_bpm: float, quality: float, calibration: Calibration = CALIBRATION
) -> tuple[float, float]:
    """Ninety per cent range of a sparse trace's heart rate: by the noise, and where it is doubtful, by its aliases."""
    by_noise, added, power = calibration.half_width["heart_rate_sparse"]
    half = by_noise * sigma_bpm
    if quality < CLEAR_OF_ALIASES:
        half += added * (1 - quality) ** power
    return rate_bpm - half, rate_bpm + half
