"""`/api/keys/me/webhook-secret`: what a receiver verifies webhooks with."""

from __future__ import annotations

from flask import Response, g
from flask_smorest import Blueprint

from beam_api.web.context import parts
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.webhook_secret import WebhookSecretAnswerSchema

bp = Blueprint("webhooks", __name__, url_prefix="/api/keys/me", description="The secret that signs webhooks.")


@bp.get("/webhook-secret")
@bp.alt_response(200, schema=WebhookSecretAnswerSchema, description="The secret that signs now.")
@bp.alt_response(401, schema=ErrorEnvelopeSchema, description="No valid key.")
@bp.alt_response(429, schema=ErrorEnvelopeSchema, description="Too many requests.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="The store is unavailable.")
def show() -> Response:
    """Return the secret that signs this key's webhooks."""
    return _private(parts().webhook_secrets.current(g.key.key_id))


@bp.post("/webhook-secret/rotate")
@bp.alt_response(200, schema=WebhookSecretAnswerSchema, description="The new secret.")
@bp.alt_response(401, schema=ErrorEnvelopeSchema, description="No valid key.")
@bp.alt_response(429, schema=ErrorEnvelopeSchema, description="Too many requests.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="The store is unavailable.")
def rotate() -> Response:
    """Make a new secret. For 24 hours webhooks are signed with the old one too."""
    return _private(parts().webhook_secrets.rotate(g.key.key_id))


def _private(secret: str) -> Response:
    response = success({"secret": secret})
    response.headers["Cache-Control"] = "no-store"
    return response
