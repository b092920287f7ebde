"""`/api/rppg`: measure people, look at their windows and results, forget them."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from beam_api.exceptions import NotFound
from beam_api.monitoring import counters
from beam_api.services.windows.measure_result import Buffering
from beam_api.services.windows.pacing import Allowance
from beam_api.services.windows.workload import Workload
from beam_api.store.window_values import Session
from beam_api.web import request_log
from beam_api.web.auth import admit_with, admits_itself, check_session, takes_tokens
from beam_api.web.closing_form import read_closing
from beam_api.web.connection import connection
from beam_api.web.context import parts
from beam_api.web.form import Limits, read_form
from beam_api.web.schemas import fhir
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema, success
from beam_api.web.schemas.measure import (
    BufferingAnswerSchema,
    CheckAnswerSchema,
    MeasurementAnswerSchema,
    SessionAnswerSchema,
    measurement_meta,
    write_buffering,
    write_check,
    write_measurement,
)
from beam_api.web.schemas.measure_form import PictureSchema, UploadSchema, read_picture, read_post

if TYPE_CHECKING:
    from beam_api.services.windows.completed import Completed
    from beam_api.services.windows.measure_request import Post
    from beam_api.store.window_values import Source

bp = Blueprint("measure", __name__, url_prefix="/api/rppg", description="Frames of a face in, vital signs out.")

_MIB = 1024 * 1024
LIMITS = Limits(file_bytes=8 * _MIB, files_bytes=32 * _MIB, body_bytes=33 * _MIB)


@bp.post("/measure")
@bp.doc(requestBody={"required": True, "content": {"multipart/form-data": {"schema": UploadSchema}}})
@bp.alt_response(200, schema=MeasurementAnswerSchema, description="This request filled the window.")
@bp.alt_response(202, schema=BufferingAnswerSchema, description="The window is filling.")
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="Invalid field, or no usable frame.")
@bp.alt_response(401, schema=ErrorEnvelopeSchema, description="No valid key.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="`final`, and nothing is buffered.")
@bp.alt_response(413, schema=ErrorEnvelopeSchema, description="The body or a frame is too large.")
@bp.alt_response(415, schema=ErrorEnvelopeSchema, description="Not multipart/form-data.")
@bp.alt_response(429, schema=ErrorEnvelopeSchema, description="Too many requests.")
@bp.alt_response(503, schema=ErrorEnvelopeSchema, description="The store is unavailable.")
@bp.alt_response(403, schema=ErrorEnvelopeSchema, description="Not the session of the token.")
@admits_itself
@takes_tokens
def measure() -> Response:
    """Add frames to a person's window; the request that fills it is answered with the measurement.

    A request sent again changes nothing. If it had filled a window in the last 10 minutes, it is answered with the same
    measurement and the header `Idempotent-Replayed: true`.
    """
    measuring = parts().measuring
    post, arrived = admit_with(
        _read,
        # To ask for times is to take them, so a request that may be refused must not.
        lambda post: () if post.given_times else measuring.arriving(post),
        lambda post: post.workload.megapixels,
    )
    return answered(measuring.post(replace(post, allowance=allowance()), tuple(arrived)), post.source)


def answered(answer: Buffering | Completed, source: Source) -> Response:
    """The response to a request with frames or samples, `source` being which of them it held."""
    warnings = list(answer.warnings)
    if isinstance(answer, Buffering):
        counters.count_window(restarted=answer.restarted)
        return success(write_buffering(answer, request_log.elapsed_ms()), 202, warnings=warnings, source=source)
    for measurement in (*answer.others, answer.measurement):
        counters.count_window(measurement, replayed=answer.replayed)
    data = write_measurement(answer.measurement)
    if answer.others:
        data["results"] = [write_measurement(other) for other in answer.others]
    response = success(data, **measurement_meta(), warnings=warnings, source=answer.measurement.source)
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@bp.post("/check")
@bp.doc(requestBody={"required": True, "content": {"multipart/form-data": {"schema": PictureSchema}}})
@bp.alt_response(200, schema=CheckAnswerSchema, description="What the picture shows, a face or none.")
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="Not one picture that can be read.")
@bp.alt_response(413, schema=ErrorEnvelopeSchema, description="The picture is too large.")
@bp.alt_response(415, schema=ErrorEnvelopeSchema, description="Not multipart/form-data.")
@admits_itself
@takes_tokens
def check() -> Response:
    """Look at one picture before measuring: is there a face, and what should change? Nothing is kept."""
    frame, _ = admit_with(_read_picture, lambda _frame: (), lambda frame: Workload.of((frame,)).megapixels)
    return success(write_check(parts().measuring.check(frame)), warnings=[])


@bp.get("/measurements/<measurement_id>")
@bp.doc(
    parameters=[{"in": "query", "name": "format", "schema": {"type": "string", "enum": list(fhir.FORMATS)}}],
    responses={
        "200": {
            "description": "As it was first answered, or as HL7 FHIR R4.",
            "content": {
                "application/json": {"schema": MeasurementAnswerSchema},
                fhir.MEDIA_TYPE: {"schema": fhir.SCHEMA},
            },
        }
    },
)
@bp.alt_response(400, schema=ErrorEnvelopeSchema, description="There is no such format.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="No such measurement of this key.")
def measurement(measurement_id: str) -> Response:
    """Give a measurement made with this key in the last 24 hours; with `format=fhir` as a Bundle of Observations."""
    wanted = fhir.read_format(request.args.getlist("format"))
    found = parts().measuring.measurement(g.key.key_id, measurement_id)
    if wanted == "fhir":
        response = jsonify(fhir.write_bundle(found))
        response.mimetype = fhir.MEDIA_TYPE
        return response
    return success(write_measurement(found), **measurement_meta(), source=found.source)


@bp.get("/sessions/<session_id>")
@bp.alt_response(200, schema=SessionAnswerSchema, description="The window as it stands.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="Nothing is known of this person.")
def session(session_id: str) -> Response:
    """Show a person's window, and their last measurement."""
    window = parts().measuring.window(session_of(session_id))
    return success({**write_buffering(window), "last_measurement_id": window.last_measurement_id})


@bp.delete("/sessions/<session_id>")
@bp.alt_response(204, description="Nothing is known of this person any more.")
@bp.alt_response(404, schema=ErrorEnvelopeSchema, description="This can't be the name of a person.")
def forget(session_id: str) -> Response:
    """Forget a person: window, face and results."""
    parts().measuring.forget(session_of(session_id))
    return Response(status=204)


def _read(key_id: str) -> Post:
    post = read_post(read_closing(request) or read_form(request, LIMITS), key_id, request.args, connection())
    check_session(post.session.session_id)
    post.workload.check()
    return post


def _read_picture(_key_id: str) -> bytes:
    frame = read_picture(read_form(request, LIMITS))
    Workload.of((frame,)).check()
    return frame


def allowance() -> Allowance:
    """What the key of this request may still send."""
    standing = g.admitted.standing
    free_in_ms = 1000 * (standing.reset_s - time.time())
    return Allowance(standing.bucket.limit, standing.remaining, free_in_ms)


def session_of(session_id: str) -> Session:
    """The session of the current key with this name. Raises NotFound if it can't be one."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", session_id):
        raise NotFound
    return Session(g.key.key_id, session_id)
