"""The numbers that turn evidence into probabilities, in one place, so that a new fit replaces this table alone.

Each row is a logistic function: an intercept and a weight for each feature that `rppg_core.quality` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LOGISTIC: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # Many regions: the rate within 2 bpm.
        "heart_rate_face": {
            "intercept": -17.2,
            "snr_db": 0.1,
            "prominence_db": 0.2,
            "agreement": 5.4,
            "stability": 5.6,
            "hue": 8.0,
            "pallor": -1.5,
            "motion": -4.0,
            "mismatch_bpm": -0.2,
        },
        # One or few regions, which can't agree with each other.
        "heart_rate_spot": {
            "intercept": -4.4,
            "snr_db": 0.1,
            "prominence_db": 0.23,
            "stability": 1.9,
            "motion": -4.0,
            "mismatch_bpm": -0.25,
        },
        # RMSSD within 10 ms.
        "hrv": {"intercept": -1.5, "sigma_ms": -0.25, "noise_share": -5.0, "kept_share": 5.0},
        # Stress index within 30 %.
        "stress_index": {"intercept": -3.0, "sigma_ms": -0.25, "noise_share": -5.0, "kept_share": 5.0},
        # Respiration within 2 breaths a minute.
        "respiration_rate": {"intercept": -5.0, "concentration": 6.0, "agreement": 3.5},
        # SpO2 within 3 points, on simulated faces only.
        "spo2": {"intercept": -3.0, "clarity": 0.15},
    }
)

HALF_WIDTH: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"heart_rate": (0.45, 4.0), "hrv": (5.0, 10.0), "respiration_rate": (0.7, 3.0)}
)
"""Half of the 90 % range: at quality 1, and what is added to it at quality 0."""
