"""What the trend of a person looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import Schema, fields

from beam_api.exceptions import InvalidParameter
from beam_api.services.verdict import VERDICTS
from beam_api.store.trend import MOST
from beam_api.web.schemas.envelope import MetaSchema
from beam_api.web.schemas.measure import null_or, to_the_second

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beam_api.services.windows.trend import TrendPoint


class TrendPointSchema(Schema):
    """One measurement of a trend."""

    measurement_id = fields.String(required=True)
    timestamp = fields.String(required=True, metadata={"format": "date-time", "example": "2026-05-15T14:30:00Z"})
    at_ms = fields.Float(required=True, metadata={"description": "Capture time of the newest frame."})
    heart_rate = null_or(fields.Integer, "Beats per minute.")
    hrv = null_or(fields.Float, "RMSSD in milliseconds.")
    spo2 = null_or(fields.Integer, "Percent; an uncalibrated estimate.")
    stress_index = null_or(fields.Float, "Baevsky's index.")
    respiration_rate = null_or(fields.Integer, "Breaths per minute.")
    confidence = fields.Float(required=True)
    interval = fields.Dict(fields.String(), fields.List(fields.Float()), required=True)
    verdict = fields.String(required=True, metadata={"enum": list(VERDICTS)})


class TrendSchema(Schema):
    """The measurements of a person, oldest first."""

    measurements = fields.List(fields.Nested(TrendPointSchema), required=True)


class TrendAnswerSchema(Schema):
    """A trend, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(TrendSchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)


LIMIT = {
    "in": "query",
    "name": "limit",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": MOST},
    "description": "How many measurements at most: the newest.",
}
"""The parameter, for the document."""


def read_limit(sent: Sequence[str]) -> int:
    """How many measurements are asked for. Raises InvalidParameter."""
    if not sent:
        return MOST
    text = sent[0]
    limit = int(text) if len(sent) == 1 and text.isascii() and text.isdecimal() and len(text) < 9 else 0
    if not 1 <= limit <= MOST:
        raise InvalidParameter("limit", f"must be a whole number from 1 to {MOST}, given once")
    return limit


def write_trend(points: Sequence[TrendPoint]) -> dict[str, Any]:
    """The `data` of a trend."""
    return {"measurements": [_point(point) for point in points]}


def _point(point: TrendPoint) -> dict[str, Any]:
    return {
        "measurement_id": point.measurement_id,
        "timestamp": to_the_second(point.made_us),
        "at_ms": point.at_ms,
        **point.vitals,
        "confidence": point.confidence,
        "interval": point.interval,
        "verdict": point.verdict,
    }
