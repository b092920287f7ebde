"""What a scan session looks like, in the names of the scan API."""

from __future__ import annotations

import json

from marshmallow import Schema, ValidationError, fields

from beam_api.exceptions import InvalidParameter, Unprocessable
from beam_api.services.verdict import VERDICTS
from beam_api.web.schemas.hrv_details import HrvDetailsSchema
from beam_api.web.schemas.measure import SeriesSchema

_ID = "sess_20251026123456_k3v9q0x7m2c8d1fa"
_TIME = {"format": "date-time", "example": "2025-10-26T12:34:56.789Z"}


class DetailSchema(Schema):
    """Every error of the scan API."""

    detail = fields.String(required=True, metadata={"description": "What went wrong, for people."})


class NewScanSchema(Schema):
    """What may be sent to make a session; nothing need be."""

    webhook_url = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "Called when the session has completed or failed.", "format": "uri"},
    )
    include_series = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "Add the course of heart rate and breathing to the vitals."},
    )


class ScanCreatedSchema(Schema):
    """A new session."""

    session_id = fields.String(required=True, metadata={"example": _ID})
    created_at = fields.String(required=True, metadata=_TIME)
    owner = fields.String(required=True, metadata={"description": "Whose API key made it."})


class VideoUploadSchema(Schema):
    """The form of an upload."""

    file = fields.Raw(
        required=True,
        metadata={
            "type": "string",
            "format": "binary",
            "description": "MP4, WebM, MOV or AVI; 5 s to 60 min (10 to 30 s are recommended); at most 100 MB.",
        },
    )


class VideoAcceptedSchema(Schema):
    """The video is being analysed."""

    session_id = fields.String(required=True, metadata={"example": _ID})
    status = fields.String(required=True, metadata={"enum": ["processing"]})
    message = fields.String(required=True)


class SignalQualitySchema(Schema):
    """How good the pulse wave is; docs/scans.md defines each."""

    snr = fields.Float(required=True, allow_none=True, metadata={"description": "Signal-to-noise ratio in dB."})
    stability = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    periodicity = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})


class WindowSchema(Schema):
    """A window of a long video; fields as those of the whole."""

    start_ms = fields.Integer(required=True, metadata={"description": "Since the video's first frame."})
    duration_ms = fields.Integer(required=True)
    heart_rate = fields.Float(required=True, allow_none=True)
    respiratory_rate = fields.Float(required=True, allow_none=True)
    hrv = fields.Float(required=True, allow_none=True)
    stress_index = fields.Float(required=True, allow_none=True)
    spo2 = fields.Integer(required=True, allow_none=True)
    confidence = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    interval = fields.Dict(fields.String(), fields.List(fields.Float()), required=True)
    withheld = fields.Dict(fields.String(), fields.String(), required=True)
    guidance = fields.List(fields.String(), required=True)


class ScanVitalsSchema(Schema):
    """The vitals of a completed session."""

    heart_rate = fields.Float(required=True, metadata={"description": "Beats per minute; never null."})
    respiratory_rate = fields.Float(required=True, allow_none=True, metadata={"description": "Breaths per minute."})
    hrv = fields.Float(required=True, allow_none=True, metadata={"description": "RMSSD in milliseconds."})
    blood_pressure = fields.String(
        required=True, allow_none=True, metadata={"description": "Always null: it is not measured."}
    )
    confidence = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    timestamp = fields.String(required=True, metadata=_TIME)
    processing_time_ms = fields.Integer(required=True)
    signal_quality = fields.Nested(SignalQualitySchema, required=True)
    stress_index = fields.Float(required=True, allow_none=True, metadata={"description": "Baevsky's index."})
    spo2 = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Percent; an uncalibrated estimate."}
    )
    quality = fields.Dict(
        fields.String(),
        fields.Float(),
        required=True,
        metadata={"description": "Per vital, the probability (0-1) of being within its tolerance."},
    )
    withheld = fields.Dict(
        fields.String(), fields.String(), required=True, metadata={"description": "Why a vital is null."}
    )
    interval = fields.Dict(
        fields.String(),
        fields.List(fields.Float()),
        required=True,
        metadata={"description": "90 % ranges."},
    )
    hrv_details = fields.Nested(
        HrvDetailsSchema,
        metadata={"description": "Measures of variability beside RMSSD. Missing in results of an older version."},
    )
    verdict = fields.String(
        metadata={
            "enum": list(VERDICTS),
            "description": "release: confidence is 0.7 or more; else retake. Missing in results of an older version.",
        }
    )
    series = fields.Nested(SeriesSchema, metadata={"description": "If it was asked for; times are the video's."})
    windows = fields.List(
        fields.Nested(WindowSchema),
        metadata={"description": "Of a video of more than five minutes: its windows, in order."},
    )
    guidance = fields.List(fields.String(), required=True)
    frames = fields.Integer(required=True, metadata={"description": "Frames that showed the face."})
    duration_ms = fields.Integer(required=True, metadata={"description": "From the first of them to the last."})


class ScanSchema(Schema):
    """A session as it stands."""

    status = fields.String(required=True, metadata={"enum": ["pending", "processing", "completed", "failed"]})
    session_id = fields.String(required=True, metadata={"example": _ID})
    progress = fields.Float(metadata={"minimum": 0, "maximum": 1, "description": "While processing."})
    so_far = fields.Nested(
        ScanVitalsSchema,
        data_key="partial",
        metadata={"description": "While processing: vitals so far, from the first minute with a heart rate on."},
    )
    vitals = fields.Nested(ScanVitalsSchema, metadata={"description": "When completed."})
    error = fields.String(metadata={"description": "When failed: why, for people."})


class DeliverySchema(Schema):
    """One attempt at a webhook."""

    id = fields.String(required=True, metadata={"description": "The message's `webhook-id`, the same in all attempts."})
    at = fields.String(required=True, metadata=_TIME)
    status = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Of the receiver's answer; null if none came."}
    )
    attempt = fields.Integer(required=True)
    next_at = fields.String(required=True, allow_none=True, metadata=_TIME)
    error = fields.String(metadata={"description": "Why no answer came."})


class DeliveriesSchema(Schema):
    """All attempts so far, the oldest first."""

    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)


def read_new_scan(body: bytes) -> tuple[str | None, bool]:
    """What the body of a request to make a session asks: the webhook's URL, if there is one, and whether for a series.

    Raises
    ------
    InvalidParameter
        If the body is neither empty nor a JSON object, or a flag in it is neither true nor false.
    Unprocessable
        If the URL is no text.
    """
    if not body.strip():
        return None, False
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter("body", "must be a JSON object, or empty") from error
    if not isinstance(sent, dict):
        raise InvalidParameter("body", "must be a JSON object, or empty")
    try:
        asked = NewScanSchema(unknown="exclude").load(sent)
    except ValidationError as error:
        if "webhook_url" not in error.messages_dict:
            raise InvalidParameter("include_series", "must be true or false") from error
        raise Unprocessable("'webhook_url' must be a URL.") from error
    return asked["webhook_url"], asked["include_series"]
