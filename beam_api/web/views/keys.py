"""`/api/keys`: get a key, look at it, rotate it, revoke it."""

from __future__ import annotations

from flask import Response, g, request
from flask_smorest import Blueprint

from beam_api.web.auth import public
from beam_api.web.context import parts
from beam_api.web.json_body import read_object
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.keys import (
    KeyAnswerSchema,
    NewKeyAnswerSchema,
    SignupSchema,
    read_signup,
    write_key,
    write_new_key,
)
from beam_api.web.schemas.session_tokens import (
    MOST_BYTES,
    MOST_NESTED,
    NewSessionTokenAnswerSchema,
    SessionTokenSchema,
    read_token_wish,
    write_new_token,
)

bp = Blueprint("keys", __name__, url_prefix="/api/keys", description="API keys. A secret is shown once.")


@bp.post("")
@bp.doc(security=[], requestBody={"required": False, "content": {"application/json": {"schema": SignupSchema}}})
@bp.alt_response(201, schema=NewKeyAnswerSchema, description="A sandbox key. It is shown only here.")
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="The name won't do, or the body is no JSON.")
@bp.alt_response(403, schema=ErrorEnvelopeSchema, description="No keys for the public, or none by way of another site.")
@bp.alt_response(413, schema=ErrorEnvelopeSchema, description="The body is larger than any name.")
@bp.alt_response(415, schema=ErrorEnvelopeSchema, description="The body is not JSON.")
@bp.alt_response(429, schema=ErrorEnvelopeSchema, description="This address has had its share of keys for the hour.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="The store is unavailable.")
@public
def create() -> Response:
    """Get a free sandbox key.

    It expires after 90 days unless it is rotated. An address is given at most 20 an hour.
    """
    return success(write_new_key(parts().signup.sandbox_key(request.remote_addr or "", read_signup())), 201)


@bp.get("/me")
@bp.alt_response(200, schema=KeyAnswerSchema, description="The key that was sent, and its usage.")
def me() -> Response:
    """Show the key that is sent along: its tier, its limit, and how much it was used."""
    return success(write_key(g.admitted.record, parts().keys.usage(g.key.key_id)))


@bp.post("/me/rotate")
@bp.alt_response(201, schema=NewKeyAnswerSchema, description="The same key with a new secret, shown only here.")
def rotate() -> Response:
    """Give the key a new secret.

    The old one is refused from its next request on. Windows, results, usage and limit stay with the key.
    """
    return success(write_new_key(parts().keys.rotate(g.admitted.record)), 201)


@bp.post("/me/tokens")
@bp.doc(requestBody={"required": True, "content": {"application/json": {"schema": SessionTokenSchema}}})
@bp.alt_response(201, schema=NewSessionTokenAnswerSchema, description="A token. It is shown only here.")
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="A field won't do, or the body is no JSON object.")
@bp.alt_response(413, schema=ErrorEnvelopeSchema, description="The body is larger than any wish.")
@bp.alt_response(415, schema=ErrorEnvelopeSchema, description="The body is not JSON.")
def make_token() -> Response:
    """Make a session token: for a browser or a phone, which must not hold a key.

    It can send frames and samples of one session and nothing else. What it sends counts against the key. It ends with
    its time, with its requests, and when the key is revoked or rotated.
    """
    wish = read_token_wish(read_object(request, MOST_BYTES, MOST_NESTED))
    return success(write_new_token(parts().session_tokens.create(g.admitted.record, **wish)), 201)


@bp.delete("/me")
@bp.alt_response(204, description="The key is of no use any more.")
def revoke() -> Response:
    """Revoke the key that is sent along. Nothing brings it back."""
    parts().keys.revoke(g.key.key_id)
    return Response(status=204)
