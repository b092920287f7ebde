"""`/api/rppg/sessions/...`: what a person's measurements come to over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, g, request
from flask_smorest import Blueprint

from beam_api.services.windows.streaming import OPENING
from beam_api.web.attached import attached
from beam_api.web.context import parts
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.trend import LIMIT, TrendAnswerSchema, read_limit, write_trend
from beam_api.web.views.measure import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beam_api.services.windows.streaming import Sink

_LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string"},
    "description": "The id of the last event that was received: what came after it, within 10 minutes, is sent first.",
}
_EVENTS = {"type": "string", "description": "`event:`, `id:` and `data:` lines; the data is JSON."}

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


@bp.get("/sessions/<session_id>/events")
@bp.doc(parameters=[_LAST_EVENT_ID])
@bp.alt_response(200, schema=_EVENTS, content_type="text/event-stream", description="Server-Sent Events, without end.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="This can't be the name of a person.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="Too many streams are open.")
def events(session_id: str) -> Response:
    """Follow a person: events `partial`, `measurement`, `restarted` and `expired`, as they come.

    The id of an event is that of its measurement; `Last-Event-ID` resumes after it, within 10 minutes.
    """
    session, streaming = session_of(session_id), parts().streaming
    streaming.check_room()
    place = streaming.place(session)
    after, is_good = request.headers.get("Last-Event-ID", ""), parts().keys.watch(g.key.key_id)

    def begin(sink: Sink) -> None:
        streaming.open(session, sink, place=place, after=after, is_good=is_good)

    # A server that lets a connection leave its thread offers that; any other one gives it a thread.
    body: Iterable[bytes] = ()
    if request.method != "HEAD":
        body = request.environ.get("beam.detach", attached)(OPENING, begin)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(body, content_type="text/event-stream", headers=headers)
