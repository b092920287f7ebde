"""What the playground loads beside the API."""

from __future__ import annotations

from marshmallow import Schema, fields

from beam_api.web.schemas.envelope import MetaSchema


class SimulatedSecondSchema(Schema):
    """A second of the simulated face."""

    fps = fields.Integer(required=True)
    first_timestamp_ms = fields.Integer(required=True)
    frames = fields.List(fields.String(metadata={"description": "A JPEG in base64."}), required=True)


class SimulatedSecondAnswerSchema(Schema):
    """That, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(SimulatedSecondSchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)
