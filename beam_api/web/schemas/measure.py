"""What a person's window and a finished measurement look like."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, fields

from beam_api.services.verdict import VERDICTS, verdict
from beam_api.services.windows.measure_result import Buffering, Checked, Measurement
from beam_api.web.schemas.envelope import MetaSchema
from beam_api.web.schemas.hrv_details import HrvDetailsSchema
from rppg_core.results import VITALS, Vitals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rppg_core.trace.traces import Trace


def null_or(kind: type[fields.Field[Any]], description: str) -> Any:
    """A required field that may be null."""
    return kind(allow_none=True, required=True, metadata={"description": description})


class RejectedSchema(Schema):
    """A frame that was not taken: its place in the request, and why."""

    index = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"example": "NO_FACE_DETECTED"})


class FaceSchema(Schema):
    """The last accepted face, in fractions of the upright image."""

    box = fields.List(fields.Float(), required=True, metadata={"description": "left, top, width, height"})
    landmarks = fields.List(fields.List(fields.Float()), required=True)
    timestamp_ms = fields.Float(required=True)


class VitalsFieldsSchema(Schema):
    """What every answer holds, `null` while it is not known."""

    session_id = fields.String(required=True)
    frames = fields.Integer(required=True)
    rejected = fields.List(fields.Nested(RejectedSchema), required=True)
    heart_rate = null_or(fields.Integer, "Beats per minute.")
    hrv = null_or(fields.Float, "RMSSD in milliseconds.")
    spo2 = null_or(fields.Integer, "Percent; an uncalibrated estimate.")
    stress_index = null_or(fields.Float, "Baevsky's index.")
    respiration_rate = null_or(fields.Integer, "Breaths per minute.")
    confidence = null_or(fields.Float, "0-1; from 0.7 on, the heart rate is within 2 bpm with a probability of 0.98.")
    duration_ms = fields.Integer(required=True)
    timestamp = fields.String(required=True, metadata={"format": "date-time", "example": "2026-05-15T14:30:00Z"})
    guidance = fields.List(fields.String(), required=True)
    face = fields.Nested(FaceSchema, allow_none=True, required=True)


class RunningSchema(Schema):
    """What the newest seconds of the window show, about every two seconds from 5 s on."""

    heart_rate = null_or(fields.Float, "Beats per minute; null while its confidence is below 0.3.")
    confidence = fields.Float(required=True)
    ppg = fields.List(fields.Float(), required=True, metadata={"description": "The newest 5 s; empty without a rate."})
    sampling_rate = fields.Float(required=True, metadata={"description": "Of ppg, in Hz."})


class BufferingSchema(VitalsFieldsSchema):
    """A window that is filling."""

    status = fields.String(required=True, metadata={"enum": ["buffering"]})
    progress = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    restarted = fields.Boolean(required=True)
    partial = fields.Nested(RunningSchema, allow_none=True, required=True)  # type: ignore[assignment]
    next_frame_in_ms = null_or(
        fields.Integer,
        "For clients that send one frame per request: take the next one so long after this answer. Null for others.",
    )


class SessionSchema(BufferingSchema):
    """A person's window as it stands."""

    last_measurement_id = fields.String(allow_none=True, required=True)


class QualitySchema(Schema):
    """Per vital, the probability of being within its tolerance; and the pulse's signal-to-noise ratio."""

    heart_rate = fields.Float(required=True)
    hrv = fields.Float(required=True)
    spo2 = fields.Float(required=True)
    stress_index = fields.Float(required=True)
    respiration_rate = fields.Float(required=True)
    snr_db = fields.Float(allow_none=True, required=True)


class RawSchema(Schema):
    """The signals behind the numbers; times are from the window's start."""

    sampling_rate = fields.Float(required=True)
    ppg = fields.List(fields.Float(), required=True)
    respiration = fields.List(fields.Float(), required=True)
    beats_ms = fields.List(fields.Float(), required=True)


def _values(description: str) -> Any:
    return fields.List(fields.Float(allow_none=True), required=True, metadata={"description": description})


class SeriesSchema(Schema):
    """The course of the rates: values `step_ms` apart, null where not known."""

    step_ms = fields.Integer(required=True)
    start_ms = fields.Float(
        required=True, metadata={"description": "Moment of the first value, on the clock of the capture times."}
    )
    heart_rate = _values("Beats per minute, each of the 10 s around its moment.")
    heart_rate_low = _values("Lower end of its 90 % range.")
    heart_rate_high = _values("Upper end of its 90 % range.")
    respiration_rate = _values("Breaths per minute, each of the 30 s around its moment.")


class MeasurementSchema(VitalsFieldsSchema):
    """A finished measurement."""

    status = fields.String(required=True, metadata={"enum": ["complete"]})
    measurement_id = fields.String(required=True)
    frame_rate = fields.Float(required=True, metadata={"description": "Effective, in Hz."})
    quality = fields.Nested(QualitySchema, required=True)
    withheld = fields.Dict(fields.String(), fields.String(), required=True)
    interval = fields.Dict(fields.String(), fields.List(fields.Float()), required=True)
    hrv_details = fields.Nested(HrvDetailsSchema, required=True)
    verdict = fields.String(
        required=True,
        metadata={
            "enum": list(VERDICTS),
            "description": "release: confidence is 0.7 or more. no_pulse: nothing here has a pulse. retake: measure "
            "again; `guidance` says what to change.",
        },
    )
    raw = fields.Nested(RawSchema)
    series = fields.Nested(SeriesSchema, metadata={"description": "If it was asked for."})
    results = fields.List(
        fields.Nested(lambda: MeasurementSchema(exclude=("results",))),
        metadata={"description": "Earlier measurements that the same request completed, oldest first; on POST alone."},
    )


class CheckSchema(Schema):
    """What one picture shows."""

    ok = fields.Boolean(
        required=True, metadata={"description": "Whether a face is seen and there is nothing to change."}
    )
    face = fields.Nested(FaceSchema, allow_none=True, required=True)
    guidance = fields.List(fields.String(), required=True)


class AlgorithmSchema(Schema):
    """What made the numbers."""

    name = fields.String(required=True)
    version = fields.String(required=True)


class MeasureMetaSchema(MetaSchema):
    """About a request to measure, not the person."""

    warnings = fields.List(
        fields.String(),
        metadata={"description": "Sentences on what is odd about the request; empty as a rule. On POST alone."},
    )
    source = fields.String(
        metadata={
            "enum": ["images", "samples"],
            "description": "What the window was fed with. Of samples the service can't say that there was a face. Not "
            "on a check.",
        }
    )


class MeasurementMetaSchema(MeasureMetaSchema):
    """About a measurement, not the person."""

    algorithm = fields.Nested(AlgorithmSchema, required=True)
    notice = fields.String(required=True)
    estimates = fields.Dict(fields.String(), fields.String(), required=True)


class BufferingAnswerSchema(Schema):
    """202: go on sending."""

    success = fields.Boolean(required=True)
    data = fields.Nested(BufferingSchema, required=True)
    meta = fields.Nested(MeasureMetaSchema, required=True)


class CheckAnswerSchema(Schema):
    """What one picture shows, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(CheckSchema, required=True)
    meta = fields.Nested(MeasureMetaSchema, required=True)


class SessionAnswerSchema(Schema):
    """A person's window, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(SessionSchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)


class MeasurementAnswerSchema(Schema):
    """A finished measurement, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(MeasurementSchema, required=True)
    meta = fields.Nested(MeasurementMetaSchema, required=True)


_META: Mapping[str, Any] = {
    "algorithm": {"name": "beam-rppg", "version": "1"},
    "notice": "Not a medical device: not for diagnosis, treatment or monitoring of any condition.",
    "estimates": {"spo2": "uncalibrated ratio of ratios"},
}
_NO_VITALS: Mapping[str, None] = dict.fromkeys((*VITALS, "confidence"))


def write_buffering(window: Buffering, spent_ms: float = 0.0) -> dict[str, Any]:
    """The `data` of a window that is filling: every vital present, and null.

    `spent_ms` have passed since the request began: who waits for its answer has waited that long already.
    """
    pause_ms = window.next_frame_in_ms
    return {
        "status": "buffering",
        "session_id": window.session_id,
        "progress": window.progress,
        "frames": window.frames,
        "rejected": [asdict(frame) for frame in window.rejected],
        "restarted": window.restarted,
        **_NO_VITALS,
        "duration_ms": window.duration_ms,
        "timestamp": to_the_second(window.at_us),
        "guidance": list(window.guidance),
        "face": asdict(window.face) if window.face else None,
        "partial": asdict(window.partial) if window.partial else None,
        "next_frame_in_ms": None if pause_ms is None else max(0, math.ceil(pause_ms - spent_ms)),
    }


def write_measurement(measurement: Measurement) -> dict[str, Any]:
    """The `data` of a finished measurement."""
    data = {
        "status": "complete",
        **asdict(measurement),
        "verdict": verdict(measurement.confidence, measurement.withheld, measurement.guidance),
        "timestamp": to_the_second(measurement.at_us),
    }
    del data["at_us"], data["source"]
    for extra in ("raw", "series"):
        if data[extra] is None:
            del data[extra]
    return data


def write_check(found: Checked) -> dict[str, Any]:
    """The `data` of a check."""
    return asdict(found)


def complete_data(vitals: Vitals, trace: Trace) -> dict[str, Any]:
    """The `data` of a trace that was measured without the service."""
    measurement = Measurement.of(
        vitals,
        [round(1e6 * at) for at in trace.times_s],
        with_raw=True,
        session_id="",
        measurement_id="",
        rejected=(),
        at_us=time.time_ns() // 1000,
        guidance=vitals.guidance,
        face=None,
    )
    return write_measurement(measurement)


def measurement_meta() -> dict[str, Any]:
    """What the `meta` of a measurement holds beside what every `meta` holds."""
    return dict(_META)


def to_the_second(at_us: int) -> str:
    """A time as the measure API writes it."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
