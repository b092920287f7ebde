"""The numbers that turn evidence into probabilities, in one place, so that a new fit replaces this table alone.

Each row is a logistic function: an intercept and a weight for each feature that `rppg_core.quality.probability` names.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from rppg_core.quality.table import Calibration

if TYPE_CHECKING:
    from collections.abc import Mapping

LOGISTIC: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        # Many regions: the rate within 2 bpm. This row is from `python -m benchmarks.calibrate --only heart_rate_face
        # respiration_rate` on 2026-11-28: 4457 windows, 47 % right. Its intercept is 1.25 lower than the fit's, so that
        # hardly a window without a pulse is answered. By hand after it: pallor, log_nod, comb_db, sharp_comb_db and
        # unevenness, which the fit had as small as 0, 0, -0.14, -0.40 and -2.66: its recordings know few of the lamps,
        # nods and codecs that there are. low_rate came later, by hand too: of 3080 windows of photographs through
        # codecs, on seeds of which most are not in the fit, one is answered instead of ten, and of the right answers of
        # faces through codecs 386 of 392 are left, of all others all.
        # asymmetry came last, by hand with an intercept that is 0.3 lower, so that no photograph more is answered: of
        # the right rates of faces through codecs 417 instead of 386 are, of skin VI 65 instead of 53, in part because a
        # likely rate's range is bound by its tone more often.
        # `python -m benchmarks.calibrate --judge` prints how each group is answered; with `--photographs 120`, 1907 of
        # the windows that no fit has seen: none of them is.
        "heart_rate_face": {
            "intercept": -16.4,
            "prominence_db": 0.167,
            "agreement": 2.0,
            "concentration": 1.36,
            "stability": 0.804,
            "pallor": -0.2,
            "phase_coherence": 4.84,
            "motion": -1.73,
            "log_nod": -0.5,
            "mismatch_bpm": -0.105,
            "kept_share": 0.303,
            "log_jitter": -1.34,
            "log_span": 1.38,
            "lead_db": 0.163,
            "off_hue": -1.8,
            "comb_db": -0.6,
            "sharp_comb_db": -0.45,
            "jumps": -2.0,
            "thinness": -0.364,
            "unevenness": -2.7,
            "low_rate": -2.0,
            "asymmetry": 2.0,
        },
        # Many regions, frames too far apart for an even grid. By hand after the fit: without_rhythm, pale, few_frames
        # and asymmetry with an intercept that is 1 lower, by the table of `python -m benchmarks.calibrate --judge`. By
        # asymmetry, windows without a pulse that are answered fell from 9 of 3483 to 2, wrong rates from 22 to 19, and
        # right ones rose from 1312 to 1339.
        "heart_rate_sparse": {
            "intercept": -6.26,
            "log_odds": 0.376,
            "margin": 0.303,
            "agreement": 1.51,
            "pallor": -0.76,
            "phase_coherence": 4.51,
            "log_nod": -0.665,
            "picture": -5.0,
            "without_rhythm": -5.0,
            "pale": -1.5,
            "few_frames": -1.0,
            "low_rate": -2.0,
            "asymmetry": 2.0,
        },
        # One or few regions, which can't agree with each other. This row was fitted on the fingertips of
        # `benchmarks.real`, by code that was not kept; `benchmarks.calibrate` fits it on `benchmarks.spots`.
        "heart_rate_spot": {
            "intercept": -4.4,
            "snr_db": 0.1,
            "prominence_db": 0.23,
            "stability": 1.9,
            "motion": -4.0,
            "mismatch_bpm": -0.25,
        },
        # RMSSD within 10 ms. This row and RMSSD's range are from `python -m benchmarks.variability --fit --takes 6` on
        # 2026-11-28: 24 painted faces of light skin, 12 each of dark skin, hard scenes and H.264, and 6 takes of real
        # faces with three recordings each; 137 windows, 91 % right.
        "hrv": {"intercept": 8.95, "log_range": -2.55, "kept_share": 0.0},
        # Stress index within 30 %. This row and its range are from the same command: 90 windows, 97 % right.
        "stress_index": {"intercept": -15.9, "log_jitter_share": -0.967, "kept_share": 17.0},
        # Respiration within 2 breaths a minute. This row and its range are from `python -m benchmarks.calibrate
        # --only heart_rate_face respiration_rate` on 2026-11-28: 1202 windows, 65 % right.
        "respiration_rate": {"intercept": -5.1, "concentration": 6.67, "agreement": 2.63},
        # SpO2 within 3 points, on simulated faces only.
        "spo2": {"intercept": -0.228, "clarity": 0.0336},
    }
)

HALF_WIDTH: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "heart_rate": (0.476, 347.0, 2.97),
        "heart_rate_sparse": (2.5, 231.0, 1.41),
        "hrv": (1.59, 0.0, 0.25),
        "stress_index": (0.113, 2.19, 1.0),
        "respiration_rate": (0.0599, 8.02, 0.813),
    }
)
"""Half of the 90 % range at quality q: the first number, plus the second times (1 - q) to the power of the third.

A face's heart rate from an even grid has `RATE_RANGE` instead, beside which "heart_rate" is for single spots.
For a sparse heart rate the first number counts its standard error by the noise (`python -m benchmarks.sparse_ranges
--at-most 45` on 2026-11-28: 3809 windows), and the others count below the quality `CLEAR_OF_ALIASES` alone.
For a single spot's heart rate, and for respiration, all counts
the square root of 20 s over the window's length. For RMSSD the three are other factors, in its square: of chance, of
the jitter at most, and of the square itself (`rppg_core.quality.probability.rmssd_interval`). The stress index's range
is of its logarithm, and has the share of jitter in place of 1 - q (`stress_interval`).
"""

RATE_RANGE: Mapping[str, float] = MappingProxyType(
    {
        "intercept": 5.56,
        "log_span": -1.34,
        "snr": -1.2,
        "log_mismatch": 0.517,
        "kept_share": -6.26,
    }
)
"""Logarithm of half of the 90 % range of a face's heart rate in bpm, by `python -m benchmarks.rate_ranges`.

On 2026-11-28: 1302 answered windows, 90 of each hard situation of seeds 20000 to 20089 that has a right rate, and 240
streams of the seeds 11000 to 11059 of `benchmarks.codecs`.
"""

CALIBRATION = Calibration(LOGISTIC, HALF_WIDTH, RATE_RANGE)
"""The default."""
