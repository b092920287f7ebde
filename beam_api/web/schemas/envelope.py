"""The envelope of the measure API: what surrounds every answer, good or bad."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from beam_api.web import request_log


class MetaSchema(Schema):
    """About the answer, not the person."""

    api_version = fields.String(required=True, metadata={"example": "1.0"})
    processing_ms = fields.Integer(required=True)
    request_id = fields.String(required=True, metadata={"example": "req_5f0c9b0f7d3e4a61b2c8d9e0"})


class ErrorSchema(Schema):
    """What went wrong: `code` for programs, `message` for people."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    status = fields.Integer(required=True, metadata={"description": "That of the response."})
    request_id = fields.String(required=True)
    guidance = fields.List(fields.String(), metadata={"description": "What to mend in the picture."})
    index = fields.Integer(metadata={"description": "Of an invalid sample: its place in the request."})


class ErrorEnvelopeSchema(Schema):
    """Every error of the measure API and of what surrounds it."""

    success = fields.Boolean(required=True, metadata={"enum": [False]})
    error = fields.Nested(ErrorSchema, required=True)


def success(data: Any, status: int = 200, **meta: Any) -> Response:
    """A good answer: `data` in the envelope; `meta` is added to what every `meta` holds."""
    response = jsonify({"success": True, "data": data, "meta": request_log.meta(**meta)})
    response.status_code = status
    return response
