"""What /health, /ready and /reader.json say."""

from __future__ import annotations

from marshmallow import Schema, fields

from beam_api.web.schemas.envelope import MetaSchema


class HealthSchema(Schema):
    """The process answers."""

    status = fields.String(required=True, metadata={"enum": ["ok"]})
    timestamp = fields.String(required=True, metadata={"example": "2026-05-15T14:30:00.123Z"})
    service = fields.String(required=True, metadata={"enum": ["rppg-backend"]})


class ReaderSchema(Schema):
    """The constants of the reader; docs/mobile.md explains them."""

    sample_version = fields.Integer(required=True)
    fields_ = fields.List(fields.String(), required=True, data_key="fields")
    colours = fields.Dict(required=True, metadata={"description": "How many, and how they are encoded."})
    pose = fields.Dict(required=True)
    landmarks = fields.List(fields.Dict(), required=True, metadata={"description": "In order, with their template."})
    regions = fields.List(fields.Dict(), required=True, metadata={"description": "Corners in the canonical face."})
    cell = fields.Float(required=True)
    controls = fields.List(fields.Dict(), required=True, metadata={"description": "Boxes beside the face."})
    detail = fields.Dict(required=True)
    least_part_px = fields.Integer(required=True)
    least_face_px = fields.Float(required=True)
    follow_ms = fields.Float(required=True)


class ReadinessSchema(Schema):
    """What the service needs, and that it has it."""

    status = fields.String(required=True, metadata={"enum": ["ready"]})
    redis = fields.String(required=True, metadata={"enum": ["ok"]})
    model = fields.String(required=True, metadata={"enum": ["ok"]})


class ReadySchema(Schema):
    """Readiness, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(ReadinessSchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)
