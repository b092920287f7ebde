"""What the scanning use case answers with: plain values, and how a measurement becomes them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from beam_api.services import hrv_details
from beam_api.services.rounding import rounded, score, whole
from beam_api.services.verdict import verdict
from rppg_core.quality.regularity import regularity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beam_api.services.course import Course
    from beam_api.store.scans import ScanRecord, Status
    from rppg_core.results import Vitals

_NAMES = {"heart_rate": "heart_rate", "respiration_rate": "respiratory_rate"}
"""Vitals whose names differ between the two APIs; the rest have one."""

_NO_PULSE = {
    "WINDOW_TOO_SHORT": "The face was seen for less than 5 seconds, too short to measure a pulse.",
    "LOW_FRAME_RATE": "The video has too few frames per second to measure a pulse.",
}
_TOO_MUCH_MOTION = "No pulse could be measured: the head moved too much."
_NO_PULSE_OTHERWISE = "No pulse could be measured in the video."


@dataclass(frozen=True, slots=True)
class ScanVitals:
    """The vitals of a video, as they are kept and answered, under the names of the scan API."""

    heart_rate: float
    respiratory_rate: float | None
    hrv: float | None
    confidence: float
    timestamp: str
    processing_time_ms: int
    signal_quality: Mapping[str, float | None]
    stress_index: float | None
    spo2: int | None
    quality: Mapping[str, float]
    withheld: Mapping[str, str]
    verdict: str
    interval: Mapping[str, tuple[float, ...]]
    hrv_details: Mapping[str, float | None]
    guidance: tuple[str, ...]
    frames: int
    duration_ms: int
    blood_pressure: None = None
    series: Course | None = None

    def to_json(self) -> bytes:
        """As it is kept; without a series if there is none."""
        values = asdict(self)
        if self.series is None:
            del values["series"]
        return json.dumps(values, separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Scan:
    """A session as it is answered: `vitals` when completed, `error` when failed."""

    session_id: str
    status: Status
    progress: float = 0.0
    error: str = ""
    vitals: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, record: ScanRecord) -> Scan:
        """The public view of a record."""
        vitals = json.loads(record.vitals) if record.status == "completed" else None
        return cls(record.session_id, record.status, record.progress, record.error, vitals)


def scan_vitals(
    vitals: Vitals, *, frames: int, duration_ms: int, processing_time_ms: int, series: Course | None = None
) -> ScanVitals | None:
    """The vitals of a video; None if no heart rate could be measured, without which there is nothing to complete."""
    if vitals.heart_rate_bpm is None:
        return None
    details, missing = hrv_details.written(vitals.hrv_details)
    regular = regularity(vitals.waveform, vitals.heart_rate_bpm)
    return ScanVitals(
        heart_rate=round(float(vitals.heart_rate_bpm), 1),
        respiratory_rate=rounded(vitals.respiration_rate_bpm, 1),
        hrv=rounded(vitals.rmssd_ms, 1),
        confidence=score(vitals.confidence),
        timestamp=now_iso(),
        processing_time_ms=processing_time_ms,
        signal_quality={
            "snr": rounded(vitals.quality.snr_db, 2),
            "stability": score(regular.stability),
            "periodicity": score(regular.periodicity),
        },
        stress_index=rounded(vitals.stress_index, 1),
        spo2=whole(vitals.spo2_percent),
        quality={
            _NAMES.get(name, name): score(getattr(vitals.quality, name))
            for name in ("heart_rate", "hrv", "spo2", "stress_index", "respiration_rate")
        },
        withheld={_NAMES.get(name, name): reason for name, reason in vitals.withheld.items()} | missing,
        verdict=verdict(score(vitals.confidence), vitals.withheld, vitals.guidance),
        interval={
            _NAMES.get(name, name): tuple(round(float(end), 1) for end in ends)
            for name, ends in vitals.interval.items()
        },
        hrv_details=details,
        guidance=tuple(vitals.guidance),
        frames=frames,
        duration_ms=duration_ms,
        series=series,
    )


def why_no_pulse(vitals: Vitals) -> str:
    """Why a video has no heart rate, for people."""
    if "MOTION" in vitals.guidance:
        return _TOO_MUCH_MOTION
    return _NO_PULSE.get(vitals.withheld.get("heart_rate", ""), _NO_PULSE_OTHERWISE)


def now_iso() -> str:
    """The time, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
