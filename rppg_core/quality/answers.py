"""Vitals as they are collected: each with its quality and range, or with the reason why it is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.quality.calibration import CALIBRATION
from rppg_core.quality.probability import clipped, interval, is_vague
from rppg_core.results import VITALS, HrvDetails, Quality, Vitals, Waveform
from rppg_core.trace.sampling import frame_rate_hz
from rppg_core.vital.details import SPECTRUM_NEEDS_S

if TYPE_CHECKING:
    from rppg_core.quality.table import Calibration
    from rppg_core.trace.traces import Trace

NEEDS_S = {"heart_rate": 5.0, "hrv": 20.0, "stress_index": 25.0, "respiration_rate": 15.0, "spo2": 5.0}
"""Seconds of trace each vital needs."""

SLACK_S = 1e-3
"""How much less will do: times are rounded."""

_RANGED = ("heart_rate", "hrv", "stress_index", "respiration_rate")
_NO_WAVEFORM = Waveform(fs=4.0, ppg=np.zeros(0), respiration=np.zeros(0), beats_s=np.zeros(0))


class Answers:
    """Collects the vitals of a window of `span_s`, so that none is None without a reason."""

    def __init__(self, span_s: float, calibration: Calibration = CALIBRATION) -> None:
        self.span_s, self.calibration = span_s, calibration
        self.values: dict[str, float | None] = dict.fromkeys(VITALS)
        self.quality: dict[str, float] = dict.fromkeys(VITALS, 0.0)
        self.withheld: dict[str, str] = {}
        self.interval: dict[str, tuple[float, float]] = {}
        self.sdnn_ms: float | None = None
        self.hrv_details: dict[str, float | None] = {}

    def put(
        self,
        vital: str,
        value: float | None,
        quality: float,
        reason: str | None,
        *,
        range_: tuple[float, float] | None = None,
    ) -> None:
        """Keep a vital, or with a `reason` or for too wide a range withhold it.

        `range_` is its 90 % range, where quality alone doesn't tell.
        """
        self.quality[vital] = quality
        if reason is not None or value is None:
            self.withheld[vital] = reason or "LOW_SIGNAL"
            return
        if vital in _RANGED:
            range_ = range_ or interval(vital, value, quality, self.span_s, self.calibration)
            if is_vague(vital, range_):
                self.withheld[vital] = "LOW_SIGNAL"
                return
            self.interval[vital] = clipped(vital, range_)
        self.values[vital] = value

    def withhold_rest(self, reason: str) -> None:
        """Withhold everything that was not put: for a window that is too short, else for `reason`."""
        for vital in VITALS:
            if self.values[vital] is None and vital not in self.withheld:
                self.put(vital, None, 0.0, "WINDOW_TOO_SHORT" if self.span_s < NEEDS_S[vital] - SLACK_S else reason)

    def vitals(
        self,
        trace: Trace,
        guidance: tuple[str, ...],
        *,
        sure: float = 0.0,
        snr_db: float = float("-inf"),
        waveform: Waveform = _NO_WAVEFORM,
    ) -> Vitals:
        """Put everything in the result; `sure` is the confidence."""
        return Vitals(
            heart_rate_bpm=self.values["heart_rate"],
            rmssd_ms=self.values["hrv"],
            sdnn_ms=self.sdnn_ms if self.values["hrv"] is not None else None,
            spo2_percent=self.values["spo2"],
            stress_index=self.values["stress_index"],
            respiration_rate_bpm=self.values["respiration_rate"],
            confidence=sure,
            quality=Quality(**self.quality, snr_db=snr_db),
            withheld=self.withheld,
            interval=self.interval,
            guidance=guidance,
            frame_rate_hz=frame_rate_hz(trace.times_s),
            waveform=waveform,
            hrv_details=self._details(),
        )

    def _details(self) -> HrvDetails:
        """What was put, while RMSSD is answered; else nothing, for the reason for which that is withheld."""
        spectral = "WINDOW_TOO_SHORT" if self.span_s < SPECTRUM_NEEDS_S - SLACK_S else None
        if self.values["hrv"] is None:
            return HrvDetails.of({}, self.withheld.get("hrv", "NOT_MEASURED"), spectral)
        return HrvDetails.of(self.hrv_details, "LOW_SIGNAL", spectral)

    def nothing(self, trace: Trace, reason: str, guidance: tuple[str, ...]) -> Vitals:
        """Put no vital at all in the result, each with its reason."""
        self.withhold_rest(reason)
        return self.vitals(trace, guidance)
