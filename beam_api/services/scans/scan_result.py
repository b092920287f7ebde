"""What the scanning use case answers with: plain values, and how a measurement becomes them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from beam_api.services import hrv_details
from beam_api.services.course import course_of
from beam_api.services.rounding import ranges, rounded, score
from beam_api.services.rounding import whole as integer
from beam_api.services.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beam_api.services.course import Course
    from beam_api.store.scans import ScanRecord, Status
    from rppg_core.course.whole_video import Measured
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
    windows: Sequence[Mapping[str, Any]] | None = None

    def to_json(self) -> bytes:
        """As it is kept; without a series or windows if there are none."""
        values = asdict(self)
        for name in ("series", "windows"):
            if values[name] is None:
                del values[name]
        return json.dumps(values, separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Scan:
    """A session as it is answered: `vitals` when completed, `error` when failed, `partial` while processing."""

    session_id: str
    status: Status
    progress: float = 0.0
    error: str = ""
    vitals: Mapping[str, Any] | None = None
    partial: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, record: ScanRecord) -> Scan:
        """The public view of a record."""
        vitals = json.loads(record.vitals) if record.status == "completed" else None
        partial = json.loads(record.partial) if record.status == "processing" and record.partial else None
        return cls(record.session_id, record.status, record.progress, record.error, vitals, partial)


def scan_vitals(windows: Sequence[Measured], *, processing_time_ms: int, with_series: bool) -> ScanVitals | str:
    """The vitals of a video, or why it has no heart rate, without which there is nothing to complete."""
    from rppg_core.course.whole_video import whole_of  # SciPy: an idle video worker has no use for it

    whole = whole_of(windows)
    vitals, heart_rate = whole.vitals, whole.vitals.heart_rate_bpm
    if heart_rate is None:
        return why_no_pulse(vitals)
    details, missing = hrv_details.written(vitals.hrv_details)
    return ScanVitals(
        heart_rate=round(float(heart_rate), 1),
        respiratory_rate=rounded(vitals.respiration_rate_bpm, 1),
        hrv=rounded(vitals.rmssd_ms, 1),
        confidence=score(vitals.confidence),
        timestamp=now_iso(),
        processing_time_ms=processing_time_ms,
        signal_quality={
            "snr": rounded(vitals.quality.snr_db, 2),
            "stability": score(whole.regular.stability),
            "periodicity": score(whole.regular.periodicity),
        },
        stress_index=rounded(vitals.stress_index, 1),
        spo2=integer(vitals.spo2_percent),
        quality={
            _NAMES.get(name, name): score(getattr(vitals.quality, name))
            for name in ("heart_rate", "hrv", "spo2", "stress_index", "respiration_rate")
        },
        withheld=_named(vitals.withheld) | missing,
        verdict=verdict(score(vitals.confidence), vitals.withheld, vitals.guidance),
        interval=_ranges(vitals),
        hrv_details=details,
        guidance=tuple(vitals.guidance),
        frames=whole.frames,
        duration_ms=round(1000 * (windows[-1].last_s - windows[0].first_s)),
        series=course_of(whole.series, 1000 * windows[0].first_s) if with_series else None,
        windows=[_window(window) for window in windows] if len(windows) > 1 else None,
    )


def _window(window: Measured) -> Mapping[str, Any]:
    """One window of a long video, as it is answered."""
    vitals = window.vitals
    return {
        "start_ms": round(1000 * window.start_s),
        "duration_ms": round(1000 * (window.end_s - window.start_s)),
        "heart_rate": rounded(vitals.heart_rate_bpm, 1),
        "respiratory_rate": rounded(vitals.respiration_rate_bpm, 1),
        "hrv": rounded(vitals.rmssd_ms, 1),
        "stress_index": rounded(vitals.stress_index, 1),
        "spo2": integer(vitals.spo2_percent),
        "confidence": score(vitals.confidence),
        "interval": _ranges(vitals),
        "withheld": _named(vitals.withheld),
        "guidance": vitals.guidance,
    }


def _named(values: Mapping[str, str]) -> dict[str, str]:
    return {_NAMES.get(name, name): value for name, value in values.items()}


def _ranges(vitals: Vitals) -> dict[str, tuple[float, ...]]:
    return {_NAMES.get(name, name): ends for name, ends in ranges(vitals).items()}


def why_no_pulse(vitals: Vitals) -> str:
    """Why a video has no heart rate, for people."""
    if "MOTION" in vitals.guidance:
        return _TOO_MUCH_MOTION
    return _NO_PULSE.get(vitals.withheld.get("heart_rate", ""), _NO_PULSE_OTHERWISE)


def now_iso() -> str:
    """The time, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
