"""`/api/rppg/sessions/...`: what a person's measurements come to over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request
from flask_smorest import Blueprint

from beam_api.web.context import parts
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.trend import LIMIT, TrendAnswerSchema, read_limit, write_trend
from beam_api.web.views.measure import session_of

if TYPE_CHECKING:
    from flask import Response

bp = Blueprint("continuous", __name__, url_prefix="/api/rppg", description="People who are monitored.")


@bp.get("/sessions/<session_id>/trend")
@bp.doc(parameters=[LIMIT])
@bp.alt_response(200, schema=TrendAnswerSchema, description="Measurements of the last 24 hours, oldest first.")
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="`limit` is out of range.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="Nothing is known of this person.")
def trend(session_id: str) -> Response:
    """Show a person's measurements of the last 24 hours, at most 1000."""
    session, most = session_of(session_id), read_limit(request.args.getlist("limit"))
    points = parts().trends.of(session, most)
    if not points:
        parts().measuring.window(session)  # raises NotFound if nothing is known of this person
    return success(write_trend(points))
