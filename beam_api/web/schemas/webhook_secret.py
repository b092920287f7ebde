"""What the webhook-secret routes say."""

from __future__ import annotations

from marshmallow import Schema, fields

from beam_api.web.schemas.envelope import MetaSchema


class WebhookSecretSchema(Schema):
    """A secret in the form of Standard Webhooks."""

    secret = fields.String(required=True, metadata={"example": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})


class WebhookSecretAnswerSchema(Schema):
    """The secret, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(WebhookSecretSchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)
