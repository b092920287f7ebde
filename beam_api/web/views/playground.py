"""`/playground`: measure the visitor, with a key that lasts as long as a visit."""

from __future__ import annotations

import re
import secrets

from flask import Blueprint, Response, request

from beam_api.exceptions import NotFound
from beam_api.services.access.keys import VISITOR_LIFE
from beam_api.web.auth import VISITOR_COOKIE, VISITOR_PATH, public
from beam_api.web.context import parts
from beam_api.web.pages.content import VITALS, recording
from beam_api.web.pages.simulated import FPS, SCENE, SECONDS, second
from beam_api.web.schemas.envelope import success
from beam_api.web.schemas.keys import write_new_key
from beam_api.web.views.pages import page

bp = Blueprint("playground", __name__, url_prefix="/playground")
"""The playground, and what it alone loads. No key needed."""


@bp.get("")
@public
def playground() -> Response:
    """Measure your own pulse with the camera, or a simulated one without."""
    return page(
        "playground.html",
        recording=recording(),
        vitals=VITALS,
        simulated_seconds=SECONDS,
        simulated_rate=round(SCENE.heart_rate_bpm),
    )


@bp.post("/key")
@public
def visitor_key() -> Response:
    """Get the key with which the playground measures.

    It is good for 15 minutes, under /api/rppg/, and only with the cookie that comes with it, which no script can read.
    """
    cookie = request.cookies.get(VISITOR_COOKIE, "")
    if not re.fullmatch(r"[\w-]{43}", cookie, re.ASCII):
        cookie = secrets.token_urlsafe(32)
    response = success(write_new_key(parts().signup.visitor_key(request.remote_addr or "", cookie)), 201)
    for path in (VISITOR_PATH, "/playground"):
        response.set_cookie(
            VISITOR_COOKIE,
            cookie,
            max_age=VISITOR_LIFE,
            path=path,
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )
    return response


@bp.get("/face/<int:number>")
@public
def face(number: int) -> Response:
    """One second of the simulated face, for those without a camera."""
    if not 0 <= number < SECONDS:
        raise NotFound
    response = success({"fps": FPS, "first_timestamp_ms": 1000 * number, "frames": second(number)})
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
