"""`/api/rppg/samples`: measure people from the colours that a reader on their own device has taken."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flask import g, request
from flask_smorest import Blueprint

from beam_api.services.windows.samples import MEGAPIXELS
from beam_api.web.auth import admit_with, admits_itself, check_session, takes_tokens
from beam_api.web.connection import connection
from beam_api.web.context import parts
from beam_api.web.json_body import read_object
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema
from beam_api.web.schemas.measure import BufferingAnswerSchema, MeasurementAnswerSchema
from beam_api.web.schemas.samples_form import MOST_BYTES, MOST_NESTED, SamplesSchema, read_samples_post
from beam_api.web.views.measure import allowance, answered

if TYPE_CHECKING:
    from flask import Response

bp = Blueprint("samples", __name__, url_prefix="/api/rppg", description="Colours of a face in, vital signs out.")


@bp.post("/samples")
@bp.doc(requestBody={"required": True, "content": {"application/json": {"schema": SamplesSchema}}})
@bp.alt_response(200, schema=MeasurementAnswerSchema, description="This request filled the window.")
@bp.alt_response(202, schema=BufferingAnswerSchema, description="The window is filling.")
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="A field or a sample is of no use.")
@bp.alt_response(401, schema=ErrorEnvelopeSchema, description="No valid key.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="`final`, and nothing is buffered.")
@bp.alt_response(413, schema=ErrorEnvelopeSchema, description="The body is too large, as sent or decompressed.")
@bp.alt_response(415, schema=ErrorEnvelopeSchema, description="Not application/json, or compressed otherwise.")
@bp.alt_response(429, schema=ErrorEnvelopeSchema, description="Too many requests.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="The store is unavailable.")
@bp.alt_response(403, schema=ErrorEnvelopeSchema, description="Not the session of the token.")
@admits_itself
@takes_tokens
def samples() -> Response:
    """Add samples to a person's window, as `POST /api/rppg/measure` adds frames: no image leaves the device.

    The body may be compressed with gzip. A window takes images or samples, not both.
    """
    # A few bytes may hold a megabyte to parse, so the key and its limit come first.
    admit_with(lambda _key_id: None, lambda _none: (), lambda _none: MEGAPIXELS)
    body = read_object(request, MOST_BYTES, MOST_NESTED, explain=lambda body: read_samples_post(body, g.key.key_id))
    post = read_samples_post(body, g.key.key_id, request.args, connection())
    check_session(post.session.session_id)
    return answered(parts().measuring.post(replace(post, allowance=allowance())), post.source)
