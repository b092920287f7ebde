"""`/api/v1/scan-session`, and the same under `/v1`: a whole video in, vitals out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from beam_api.exceptions import PayloadTooLarge
from beam_api.web.context import parts
from beam_api.web.schemas.scan_answer import write_scan
from beam_api.web.schemas.scans import (
    DeliveriesSchema,
    DetailSchema,
    NewScanSchema,
    ScanCreatedSchema,
    ScanSchema,
    VideoAcceptedSchema,
    VideoUploadSchema,
    read_new_scan,
)
from beam_api.web.upload import check_upload, read_upload

if TYPE_CHECKING:
    from beam_api.services.access.admission import Admitted

PREFIX = "/api/v1"
SHORT_PREFIX = "/v1"

bp = Blueprint(
    "scans",
    __name__,
    description=f"A whole video in, vital signs out. Every path under `{PREFIX}` is also at `{SHORT_PREFIX}`.",
)

_MOST_BODY_BYTES = 64 * 1024


@bp.post("/scan-session")
@bp.doc(requestBody={"required": False, "content": {"application/json": {"schema": NewScanSchema}}})
@bp.alt_response(201, schema=ScanCreatedSchema, description="A new session.")
@bp.alt_response(400, schema=DetailSchema, description="The body is no JSON object, or a flag in it no boolean.")
@bp.alt_response(401, schema=DetailSchema, description="No valid key.")
@bp.alt_response(422, schema=DetailSchema, description="The webhook may not go there.")
@bp.alt_response(429, schema=DetailSchema, description="Too many requests.")
@bp.alt_response(503, schema=DetailSchema, description="The store is unavailable.")
def create() -> Response:
    """Make a session. It lives for an hour after its last step."""
    url, series = read_new_scan(_small_body())
    made = parts().scanning.create(key_id=g.key.key_id, owner=g.key.owner, webhook_url=url, series=series)
    return _answer({"session_id": made.session_id, "created_at": made.created_at, "owner": made.owner}, 201)


@bp.post("/scan-session/<session_id>/video")
@bp.doc(requestBody={"required": True, "content": {"multipart/form-data": {"schema": VideoUploadSchema}}})
@bp.alt_response(202, schema=VideoAcceptedSchema, description="The video is being analysed.")
@bp.alt_response(400, schema=DetailSchema, description="No video in the field `file`.")
@bp.alt_response(401, schema=DetailSchema, description="No valid key.")
@bp.alt_response(404, schema=DetailSchema, description="No such session of this key, or no more.")
@bp.alt_response(409, schema=DetailSchema, description="The session has a video already.")
@bp.alt_response(413, schema=DetailSchema, description="The video has more than 100 MB (BEAM_VIDEO_MB).")
@bp.alt_response(415, schema=DetailSchema, description="Not multipart/form-data.")
@bp.alt_response(422, schema=DetailSchema, description="A video that can't be measured.")
@bp.alt_response(
    429,
    schema=DetailSchema,
    description="The key's videos have used up their seconds of analysis in an hour (BEAM_SCAN_BUDGET_S), or too many "
    "requests.",
)
@bp.alt_response(503, schema=DetailSchema, description="The store is unavailable.")
def upload(session_id: str) -> Response:
    """Upload the session's video. It is deleted when its analysis ends, whatever comes of it."""
    most_bytes = parts().settings.video_mb * 2**20
    check_upload(request, most_bytes)
    payer = _payer()
    parts().scanning.check(g.key.key_id, session_id, payer=payer)
    work = parts().scanning.take_video(
        session_id, lambda file: read_upload(request, "file", file, most_bytes), payer=payer
    )
    message = "Video uploaded successfully and is being processed"
    response = _answer({"session_id": session_id, "status": "processing", "message": message}, 202)
    response.headers.update(work.headers())
    return response


@bp.get("/scan-session/<session_id>/vitals")
@bp.alt_response(200, schema=ScanSchema, description="The session as it stands.")
@bp.alt_response(401, schema=DetailSchema, description="No valid key.")
@bp.alt_response(404, schema=DetailSchema, description="No such session of this key, or no more.")
@bp.alt_response(429, schema=DetailSchema, description="Too many requests.")
@bp.alt_response(503, schema=DetailSchema, description="The store is unavailable.")
def vitals(session_id: str) -> Response:
    """Return the state of a session: its progress, its vitals, or why it failed."""
    return _answer(write_scan(parts().scanning.vitals(g.key.key_id, session_id)))


@bp.get("/scan-session/<session_id>/deliveries")
@bp.alt_response(200, schema=DeliveriesSchema, description="All attempts so far.")
@bp.alt_response(401, schema=DetailSchema, description="No valid key.")
@bp.alt_response(404, schema=DetailSchema, description="No such session of this key, or no more.")
@bp.alt_response(429, schema=DetailSchema, description="Too many requests.")
@bp.alt_response(503, schema=DetailSchema, description="The store is unavailable.")
def deliveries(session_id: str) -> Response:
    """List the attempts at the session's webhooks."""
    return _answer({"deliveries": parts().scanning.deliveries(g.key.key_id, session_id)})


@bp.delete("/scan-session/<session_id>")
@bp.alt_response(204, description="The session is gone, and its analysis is stopped.")
@bp.alt_response(401, schema=DetailSchema, description="No valid key.")
@bp.alt_response(404, schema=DetailSchema, description="No such session of this key, or no more.")
@bp.alt_response(429, schema=DetailSchema, description="Too many requests.")
@bp.alt_response(503, schema=DetailSchema, description="The store is unavailable.")
def cancel(session_id: str) -> Response:
    """Delete a session in any state, with its video, its vitals and the webhooks that it owes."""
    parts().scanning.cancel(g.key.key_id, session_id)
    return Response(status=204, headers={"Cache-Control": "no-store"})


def _payer() -> str:
    """Whose budget a video is charged to: the key's, or its address' for a key that was made without an operator."""
    admitted: Admitted = g.admitted
    key_id: str = g.key.key_id
    return key_id if admitted.of_address is None else admitted.of_address.bucket.payer


def _answer(body: object, status: int = 200) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _small_body() -> bytes:
    body: bytes = request.stream.read(_MOST_BODY_BYTES + 1)
    if len(body) > _MOST_BODY_BYTES:
        raise PayloadTooLarge
    return body
