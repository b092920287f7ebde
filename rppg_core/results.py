"""What a measurement says: frozen values, named by vital, with their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

VITALS = ("heart_rate", "hrv", "spo2", "stress_index", "respiration_rate")

SPECTRAL_DETAILS = ("lf_ms2", "hf_ms2", "lf_hf")
HRV_DETAILS = ("sdnn_ms", "pnn50_percent", "mean_nn_ms", "sd1_ms", "sd2_ms", *SPECTRAL_DETAILS)


@dataclass(frozen=True, slots=True)
class Quality:
    """Per vital, the probability (0-1) of being within its tolerance (docs/accuracy.md), and the pulse's SNR."""

    heart_rate: float
    hrv: float
    spo2: float
    stress_index: float
    respiration_rate: float
    snr_db: float


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """The signals behind the numbers, evenly sampled at `fs` Hz from the window's start.

    `ppg` and `respiration` have shape (n,), in arbitrary units; `ppg` rises with blood volume. `beats_s` are the
    times of the beats in seconds from the window's start, kept to sub-frame precision.
    """

    fs: float
    ppg: NDArray[np.float64]
    respiration: NDArray[np.float64]
    beats_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HrvDetails:
    """Measures of variability beside RMSSD, by the names of `HRV_DETAILS`: each a number, or None with its reason."""

    values: Mapping[str, float | None]
    withheld: Mapping[str, str]

    @classmethod
    def of(cls, values: Mapping[str, float | None], reason: str, spectral: str | None = None) -> HrvDetails:
        """Those of `values`; what is missing or None there is withheld for `reason`, a spectrum's for `spectral`."""
        whole = {name: values.get(name) for name in HRV_DETAILS}
        reasons = {name: spectral or reason if name in SPECTRAL_DETAILS else reason for name in HRV_DETAILS}
        return cls(whole, {name: reasons[name] for name, value in whole.items() if value is None})


@dataclass(frozen=True, slots=True, eq=False)
class Vitals:
    """The answer to one window. A vital that the signal doesn't support is None, with its reason in `withheld`."""

    heart_rate_bpm: float | None
    rmssd_ms: float | None
    sdnn_ms: float | None
    spo2_percent: float | None
    stress_index: float | None
    respiration_rate_bpm: float | None
    confidence: float  # score of quality.heart_rate: >= 0.7 exactly when that is >= 0.98
    quality: Quality
    withheld: Mapping[str, str]  # vital (a name of VITALS) -> WINDOW_TOO_SHORT | LOW_SIGNAL | MOTION | ...
    interval: Mapping[str, tuple[float, float]]  # vital -> 90 % range, in the vital's unit
    guidance: tuple[str, ...]
    frame_rate_hz: float  # effective: frames over the window's span
    waveform: Waveform
    hrv_details: HrvDetails = field(default_factory=lambda: HrvDetails.of({}, "NOT_MEASURED"))
