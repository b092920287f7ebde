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
            "intercept": -13.4,
            "snr_db": 0.516,
            "prominence_db": 0,
            "agreement": 1.96,
            "stability": 0.854,
            "hue": 2.3,
            "pallor": -3.79,
            "motion": -2.01,
            "mismatch_bpm": -0.32,
            "log_span": 3.97,
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
        "hrv": {"intercept": -0.492, "sigma_ms": -0.144, "noise_share": 0, "kept_share": 3.48},
        # Stress index within 30 %.
        "stress_index": {"intercept": -4.11, "sigma_ms": -0.188, "noise_share": -1.99, "kept_share": 7.99},
        # Respiration within 2 breaths a minute.
        "respiration_rate": {"intercept": -5.49, "concentration": 7.3, "agreement": 3.56},
        # SpO2 within 3 points, on simulated faces only.
        "spo2": {"intercept": -0.313, "clarity": 0.0212},
    }
)

HALF_WIDTH: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"heart_rate": (0.05, 6.5, 0.5), "hrv": (2.4, 60.0, 1.0), "respiration_rate": (0.35, 22.0, 1.0)}
)
"""Half of the 90 % range at quality q: the first number, plus the second times (1 - q) to the power of the third."""
