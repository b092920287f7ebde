"""What the measuring use case answers with: a window that is filling, or a finished measurement. Plain values."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from beam_api.services import hrv_details
from beam_api.services.rounding import ranges
from beam_api.services.rounding import rounded as _rounded
from beam_api.services.rounding import score as _score
from beam_api.services.rounding import whole as _whole
from rppg_core.results import VITALS, Quality, Vitals, Waveform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from beam_api.services.course import Course
    from beam_api.store.window_values import Source
    from rppg_core.face.exchange import FaceOutline
    from rppg_core.face.reader import FaceState
    from rppg_core.rolling import Partial


@dataclass(frozen=True, slots=True)
class Rejected:
    """A frame that was not taken: its place in the request, and the code of its failure."""

    index: int
    code: str


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face in fractions of the upright image, and when it was captured."""

    box: tuple[float, ...]
    landmarks: tuple[tuple[float, ...], ...]
    timestamp_ms: float

    @classmethod
    def of(cls, state: FaceState) -> SeenFace:
        """The face of a state."""
        return cls(
            box=tuple(round(float(side), 4) for side in state.box),
            landmarks=tuple(tuple(round(float(x), 4) for x in point) for point in state.landmarks),
            timestamp_ms=state.time_us / 1000,
        )

    @classmethod
    def of_outline(cls, outline: FaceOutline, time_us: int) -> SeenFace:
        """A face that the client has seen."""
        return cls(
            box=tuple(round(side, 4) for side in outline.box),
            landmarks=tuple(tuple(round(x, 4) for x in point) for point in outline.landmarks),
            timestamp_ms=time_us / 1000,
        )


@dataclass(frozen=True, slots=True)
class Raw:
    """The signals behind the numbers; beats in milliseconds from the window's start."""

    sampling_rate: float
    ppg: tuple[float | None, ...]
    respiration: tuple[float | None, ...]
    beats_ms: tuple[float | None, ...]

    @classmethod
    def of(cls, waveform: Waveform) -> Raw:
        """The signals of a waveform, to five digits."""
        return cls(
            sampling_rate=round(float(waveform.fs), 3),
            ppg=_short(waveform.ppg),
            respiration=_short(waveform.respiration),
            beats_ms=tuple(_rounded(1000 * float(beat), 2) for beat in waveform.beats_s),
        )


@dataclass(frozen=True, slots=True)
class Running:
    """What the newest seconds of a filling window show. A rate that can't be believed is None, and `ppg` empty."""

    heart_rate: float | None
    confidence: float
    ppg: tuple[float | None, ...]
    sampling_rate: float

    def to_json(self) -> bytes:
        """As it is noted for other requests."""
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, noted: bytes) -> Running:
        """Undo `to_json`."""
        values = json.loads(noted)
        return cls(**{**values, "ppg": tuple(values["ppg"])})

    @classmethod
    def of(cls, seen: Partial) -> Running:
        """The running rate to a tenth, the pulse to three digits: it is only drawn."""
        return cls(
            heart_rate=_rounded(seen.heart_rate_bpm, 1),
            confidence=_score(seen.confidence),
            ppg=tuple(_rounded(value, 3) for value in _unit(seen.ppg)),
            sampling_rate=round(float(seen.fs), 3),
        )


@dataclass(frozen=True, slots=True)
class Buffering:
    """A window that is filling; `at_us` is the server's time.

    `next_frame_in_ms` counts from the moment at which this request began; None if it didn't bring a single frame.
    """

    session_id: str
    progress: float
    frames: int
    rejected: tuple[Rejected, ...]
    restarted: bool
    duration_ms: int
    at_us: int
    guidance: tuple[str, ...]
    face: SeenFace | None
    next_frame_in_ms: float | None = None
    last_measurement_id: str | None = None
    partial: Running | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What one picture shows, of which nothing is kept; `ok` if a face is seen and there is nothing to change."""

    ok: bool
    face: SeenFace | None
    guidance: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A finished measurement, as it is kept and answered; `at_us` is the server's time when it was made."""

    session_id: str
    measurement_id: str
    frames: int
    rejected: tuple[Rejected, ...]
    heart_rate: int | None
    hrv: float | None
    spo2: int | None
    stress_index: float | None
    respiration_rate: int | None
    confidence: float
    duration_ms: int
    at_us: int
    frame_rate: float
    quality: Mapping[str, float | None]
    withheld: Mapping[str, str]
    interval: Mapping[str, tuple[float, ...]]
    hrv_details: Mapping[str, float | None]
    guidance: tuple[str, ...]
    face: SeenFace | None
    raw: Raw | None
    source: Source = "images"
    series: Course | None = None

    @classmethod
    def of(cls, vitals: Vitals, times_us: list[int], *, with_raw: bool, **about: Any) -> Measurement:
        """What the vitals of a window of these frames say; `about` are the fields that they don't."""
        details, missing = hrv_details.written(vitals.hrv_details)
        return cls(
            frames=len(times_us),
            heart_rate=_whole(vitals.heart_rate_bpm),
            hrv=_rounded(vitals.rmssd_ms, 1),
            spo2=_whole(vitals.spo2_percent),
            stress_index=_rounded(vitals.stress_index, 1),
            respiration_rate=_whole(vitals.respiration_rate_bpm),
            confidence=_score(vitals.confidence),
            duration_ms=round(span_us(times_us) / 1000),
            frame_rate=_rounded(vitals.frame_rate_hz, 3) or 0.0,
            quality=_quality(vitals.quality),
            withheld={**vitals.withheld, **missing},
            interval=ranges(vitals),
            hrv_details=details,
            raw=Raw.of(vitals.waveform) if with_raw else None,
            **about,
        )

    @classmethod
    def nothing(cls, times_us: list[int], *, with_raw: bool, reason: str = "NOT_MEASURED", **about: Any) -> Measurement:
        """A window that could not be analysed: no vital, each withheld for this reason."""
        span = span_us(times_us)
        details, missing = hrv_details.not_measured()
        return cls(
            frames=len(times_us),
            heart_rate=None,
            hrv=None,
            spo2=None,
            stress_index=None,
            respiration_rate=None,
            confidence=0.0,
            duration_ms=round(span / 1000),
            frame_rate=round(len(times_us) / span * 1e6, 3) if span else 0.0,
            quality={**dict.fromkeys(VITALS, 0.0), "snr_db": None},
            withheld={**dict.fromkeys(VITALS, reason), **missing},
            interval={},
            hrv_details=details,
            raw=Raw(0.0, (), (), ()) if with_raw else None,
            **about,
        )

    def to_json(self) -> bytes:
        """As it is kept."""
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, kept: bytes) -> Measurement:
        """Undo `to_json`."""
        values = hrv_details.completed(json.loads(kept))
        values["rejected"] = tuple(Rejected(**frame) for frame in values["rejected"])
        values["face"] = SeenFace(**values["face"]) if values["face"] else None
        values["raw"] = Raw(**values["raw"]) if values["raw"] else None
        return cls(**values)


def span_us(times_us: list[int]) -> float:
    """Last - first + median interval of sorted times."""
    if len(times_us) < 2:
        return 0.0
    return times_us[-1] - times_us[0] + median(b - a for a, b in pairwise(times_us))


def _quality(quality: Quality) -> dict[str, float | None]:
    scores: dict[str, float | None] = {name: _score(getattr(quality, name)) for name in VITALS}
    return {**scores, "snr_db": _rounded(quality.snr_db, 2)}


def _unit(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled to a greatest height of 1."""
    top = float(np.max(np.abs(wave), initial=0.0))
    return np.asarray(wave / top) if top > 0 else wave


def _short(values: Iterable[float]) -> tuple[float | None, ...]:
    return tuple(float(f"{value:.5g}") if math.isfinite(value) else None for value in values)
