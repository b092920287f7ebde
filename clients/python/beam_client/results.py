"""What the service answers, as frozen values.

Each holds the answer itself in `data`: a client that does not know a field of a newer service can still read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EMPTY: Mapping[str, Any] = {}
_LABELS = (
    ("heart_rate", "Heart rate", "bpm"),
    ("hrv", "HRV (RMSSD)", "ms"),
    ("respiration_rate", "Respiration", "/min"),
    ("stress_index", "Stress index", ""),
    ("spo2", "SpO2 (estimate)", "%"),
)
_UNITS = {name: unit for name, _label, unit in _LABELS}


@dataclass(frozen=True)
class Vital:
    """One vital sign: its value and 90 % range, or the reason why there is none.

    `quality` is the probability, 0-1, that the value is within its tolerance.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    quality: float | None = None
    reason: str | None = None
    unit: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"withheld: {self.reason}" if self.reason else "not known"
        spread = "" if self.low is None or self.high is None else f" ({self.low:g} to {self.high:g})"
        return f"{self.value:g} {self.unit}".strip() + spread


@dataclass(frozen=True)
class Rejected:
    """A frame that the service did not take: its place in the request, and why."""

    index: int
    code: str


@dataclass(frozen=True)
class Raw:
    """The signals behind the numbers. Times count from the window's start."""

    sampling_rate: float  # Hz
    ppg: tuple[float, ...]
    respiration: tuple[float, ...]
    beats_ms: tuple[float, ...]


@dataclass(frozen=True)
class Face:
    """Where the face is, in fractions of the upright picture."""

    box: tuple[float, ...]  # left, top, width, height
    landmarks: tuple[tuple[float, ...], ...]
    timestamp_ms: float


@dataclass(frozen=True)
class Progress:
    """A window that is filling. `heart_rate` and `confidence` are of its newest seconds, when they show a rate."""

    session_id: str
    share: float  # 0-1
    frames: int
    duration_ms: float
    guidance: tuple[str, ...] = ()
    heart_rate: float | None = None
    confidence: float | None = None
    rejected: tuple[Rejected, ...] = ()
    restarted: bool = False
    face: Face | None = None
    warnings: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    meta: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Measurement:
    """The vital signs of one window, or of one scanned video.

    `verdict` is "release", "retake" or "no_pulse"; `guidance` says what to change before a retake. `data` is the
    service's whole answer, `meta` what it says about the request.
    """

    heart_rate: Vital
    hrv: Vital
    respiration_rate: Vital
    stress_index: Vital
    spo2: Vital
    confidence: float
    verdict: str | None = None
    guidance: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
    session_id: str = ""
    measurement_id: str = ""
    duration_ms: float = 0.0
    frames: int = 0
    frame_rate: float | None = None  # Hz
    timestamp: str = ""
    rejected: tuple[Rejected, ...] = ()
    raw: Raw | None = None
    replayed: bool = field(default=False, compare=False)
    request_id: str = field(default="", compare=False)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    meta: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        lines = [f"{label + ':':<17} {getattr(self, name)}" for name, label, _unit in _LABELS]
        lines.append(f"{'Confidence:':<17} {self.confidence:.2f}")
        if self.guidance:
            lines.append(f"{'Guidance:':<17} {', '.join(self.guidance)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Partial:
    """The running rate of a person who is watched; None while the newest seconds show no rate."""

    heart_rate: float | None
    confidence: float | None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Restarted:
    """A new window of a person who is watched began, and dropped what an earlier one held."""

    session_id: str


@dataclass(frozen=True)
class Expired:
    """No frame of a person who is watched has come for 120 s, and the open window was forgotten."""

    session_id: str


Event = Union[Partial, Measurement, Restarted, Expired]
"""What `watch` yields."""


@dataclass(frozen=True)
class Check:
    """What one picture shows. `ok` if a face is seen and there is nothing to change."""

    ok: bool
    guidance: tuple[str, ...] = ()
    face: Face | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ScanJob:
    """A video that is being analysed, or was: `status` is "pending", "processing", "completed" or "failed"."""

    session_id: str
    status: str
    progress: float = 0.0
    result: Measurement | None = None
    error: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    canceller: Callable[[str], Any] | None = field(default=None, repr=False, compare=False)

    def cancel(self) -> Any:
        """End the scan: its analysis is stopped, its video and vitals are deleted. Of an `AsyncBeam`, await it."""
        if self.canceller is None:
            raise ValueError("This job belongs to no client: use cancel_scan of one.")
        return self.canceller(self.session_id)


@dataclass(frozen=True)
class NewKey:
    """An API key that was just made. The service shows `key` this once, and does not store it."""

    key: str = field(repr=False)
    key_id: str
    tier: str
    expires_at: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class KeyInfo:
    """What a key may do, and has done: requests that counted today and this month, in UTC."""

    key_id: str
    tier: str
    limit_per_minute: int
    requests_today: int
    requests_this_month: int
    expires_at: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


def new_key(body: Mapping[str, Any]) -> NewKey:
    """Return what `POST /api/keys` answers."""
    data = body["data"]
    return NewKey(data["key"], data["key_id"], data["tier"], data.get("expires_at"), data)


def key_info(body: Mapping[str, Any]) -> KeyInfo:
    """Return what `GET /api/keys/me` answers."""
    data, usage = body["data"], body["data"]["usage"]
    limit = data["limit_per_minute"]
    return KeyInfo(data["key_id"], data["tier"], limit, usage["today"], usage["month"], data.get("expires_at"), data)


def measurement(body: Mapping[str, Any], *, replayed: bool = False) -> Measurement:
    """Return the measurement in an answer of the measure API."""
    data, meta = body["data"], body.get("meta") or _EMPTY
    raw = data.get("raw")
    return Measurement(
        **_vitals(data),
        confidence=data["confidence"] or 0.0,
        verdict=data.get("verdict"),
        guidance=tuple(data.get("guidance") or ()),
        warnings=tuple(meta.get("warnings") or ()),
        session_id=data.get("session_id", ""),
        measurement_id=data.get("measurement_id", ""),
        duration_ms=data.get("duration_ms") or 0.0,
        frames=data.get("frames") or 0,
        frame_rate=data.get("frame_rate"),
        timestamp=data.get("timestamp", ""),
        rejected=_rejected(data),
        raw=_raw(raw) if raw else None,
        replayed=replayed,
        request_id=meta.get("request_id", ""),
        data=data,
        meta=meta,
    )


def progress(body: Mapping[str, Any]) -> Progress:
    """Return the state of a window in an answer of the measure API."""
    data, meta = body["data"], body.get("meta") or _EMPTY
    partial = data.get("partial") or _EMPTY
    return Progress(
        session_id=data.get("session_id", ""),
        share=data.get("progress") or 0.0,
        frames=data.get("frames") or 0,
        duration_ms=data.get("duration_ms") or 0.0,
        guidance=tuple(data.get("guidance") or ()),
        heart_rate=partial.get("heart_rate"),
        confidence=partial.get("confidence"),
        rejected=_rejected(data),
        restarted=bool(data.get("restarted")),
        face=_face(data.get("face")),
        warnings=tuple(meta.get("warnings") or ()),
        data=data,
        meta=meta,
    )


def check(body: Mapping[str, Any]) -> Check:
    """Return what `POST /api/rppg/check` answers."""
    data = body["data"]
    return Check(bool(data["ok"]), tuple(data.get("guidance") or ()), _face(data.get("face")), data)


def scan_job(body: Mapping[str, Any], session_id: str) -> ScanJob:
    """Return the state of a scan, with its vitals under the names of the measure API."""
    status = str(body["status"])
    share = 1.0 if status in ("completed", "failed") else float(body.get("progress") or 0.0)
    result = _scanned(body["vitals"], session_id) if status == "completed" else None
    return ScanJob(session_id, status, share, result, body.get("error"), body)


def _scanned(vitals: Mapping[str, Any], session_id: str) -> Measurement:
    renamed = {key: _renamed(value) if isinstance(value, dict) else value for key, value in _renamed(vitals).items()}
    return replace(measurement({"data": {**renamed, "session_id": session_id}}), data=vitals)


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"respiration_rate" if key == "respiratory_rate" else key: value for key, value in values.items()}


def _vitals(data: Mapping[str, Any]) -> dict[str, Vital]:
    quality, withheld = data.get("quality") or _EMPTY, data.get("withheld") or _EMPTY
    intervals = data.get("interval") or _EMPTY
    found = {}
    for name, unit in _UNITS.items():
        low, high = intervals.get(name) or (None, None)
        found[name] = Vital(data.get(name), low, high, quality.get(name), withheld.get(name), unit)
    return found


def _rejected(data: Mapping[str, Any]) -> tuple[Rejected, ...]:
    return tuple(Rejected(entry["index"], entry["code"]) for entry in data.get("rejected") or ())


def _raw(raw: Mapping[str, Any]) -> Raw:
    return Raw(raw["sampling_rate"], tuple(raw["ppg"]), tuple(raw["respiration"]), tuple(raw["beats_ms"]))


def _face(face: Mapping[str, Any] | None) -> Face | None:
    if not face:
        return None
    landmarks = tuple(tuple(point) for point in face["landmarks"])
    return Face(tuple(face["box"]), landmarks, face["timestamp_ms"])
