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
            "intercept": -19.3,
            "snr_db": 0.394,
            "prominence_db": 0,
            "agreement": 2.47,
            "stability": 2.72,
            "hue": 5.18,
            "pallor": -1.74,
            "motion": -1.96,
            "mismatch_bpm": -0.142,
            "log_span": 3.49,
            "chroma_db": 0.15,
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
        "hrv": {"intercept": -5.6, "sigma_ms": -0.208, "noise_share": -0.0657, "kept_share": 9.42},
        # Stress index within 30 %.
        "stress_index": {"intercept": -6.6, "sigma_ms": -0.153, "noise_share": -3.56, "kept_share": 10.6},
        # Respiration within 2 breaths a minute.
        "respiration_rate": {"intercept": -4.68, "concentration": 5.93, "agreement": 3.4},
        # SpO2 within 3 points, on simulated faces only.
        "spo2": {"intercept": 0.162, "clarity": 0.000957},
    }
)

HALF_WIDTH: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"heart_rate": (0.26, 14.0), "hrv": (4.8, 42.0), "respiration_rate": (0.6, 12.0)}
)
"""Half of the 90 % range: at quality 1, and what is added to it at quality 0."""
