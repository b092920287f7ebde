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
            "intercept": -19.2,
            "snr_db": 0.384,
            "prominence_db": 0.135,
            "agreement": 1.1,
            "stability": 3.35,
            "hue": 3.97,
            "pallor": -3.28,
            "motion": -2.36,
            "mismatch_bpm": -0.249,
            "log_span": 4.15,
            "chroma_db": 0.0991,
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
        "hrv": {"intercept": -4.13, "sigma_ms": -0.215, "noise_share": 0, "kept_share": 7.9},
        # Stress index within 30 %.
        "stress_index": {"intercept": -8.68, "sigma_ms": -0.197, "noise_share": -3.21, "kept_share": 12.8},
        # Respiration within 2 breaths a minute.
        "respiration_rate": {"intercept": -5.37, "concentration": 5.53, "agreement": 4.59},
        # SpO2 within 3 points, on simulated faces only.
        "spo2": {"intercept": 0.115, "clarity": 0.00152},
    }
)

HALF_WIDTH: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"heart_rate": (0.03, 5.0, 0.5), "hrv": (2.4, 60.0, 1.0), "respiration_rate": (0.1, 22.0, 1.0)}
)
"""Half of the 90 % range at quality q: the first number, plus the second times (1 - q) to the power of the third."""
