"""What /health and /ready say."""

from __future__ import annotations

from marshmallow import Schema, fields

from beam_api.web.schemas.envelope import MetaSchema


class HealthSchema(Schema):
    """The process answers."""

    status = fields.String(required=True, metadata={"enum": ["ok"]})
    timestamp = fields.String(required=True, metadata={"example": "2026-05-15T14:30:00.123Z"})
    service = fields.String(required=True, metadata={"enum": ["rppg-backend"]})


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
