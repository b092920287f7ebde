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
            "intercept": -16.2,
            "prominence_db": 0.142,
            "agreement": 0.993,
            "stability": 2.7,
            "hue": 0.172,
            "pallor": -1.46,
            "unison": 5.22,
            "motion": -0.877,
            "log_nod": -0.977,
            "mismatch_bpm": -0.0886,
            "kept_share": 4.09,
            "log_jitter": -1.01,
            "log_span": 1.42,
        },
        # Many regions, frames too far apart for an even grid.
        "heart_rate_sparse": {"intercept": -1.0, "log_odds": 1.0},
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
        "hrv": {"intercept": 0.0567, "sigma_ms": -0.259, "noise_share": -0.462, "kept_share": 3.91},
        # Stress index within 30 %.
        "stress_index": {"intercept": -7.69, "sigma_ms": -0.266, "noise_share": -0.899, "kept_share": 12.1},
        # Respiration within 2 breaths a minute.
        "respiration_rate": {"intercept": -4.72, "concentration": 6.25, "agreement": 3.11},
        # SpO2 within 3 points, on simulated faces only.
        "spo2": {"intercept": 0.016, "clarity": 0.00762},
    }
)

HALF_WIDTH: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "heart_rate": (0.371, 173.0, 1.5),
        "heart_rate_sparse": (1.5, 40.0, 1.0),
        "hrv": (0.5, 64.0, 0.84),
        "respiration_rate": (0.33, 28.7, 1.21),
    }
)
"""Half of the 90 % range at quality q: the first number, plus the second times (1 - q) to the power of the third.

For a sparse heart rate the first number counts its standard error by the noise.
"""
