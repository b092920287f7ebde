"""The pages that people look at, and the files they load. All of it comes from this process: no build, no CDN."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, request, send_from_directory

from beam_api.exceptions import NotFound
from beam_api.services.signup import SIGNUPS_AN_HOUR
from beam_api.web.auth import public
from beam_api.web.context import parts
from beam_api.web.pages.content import (
    ACCURACY,
    DETAILS,
    ERRORS,
    FIGURES,
    PRIVACY,
    TIER_ROWS,
    VITALS,
    examples,
    recording,
    sample_answer,
)
from beam_api.web.security_headers import PAGE_POLICY, REFERENCE_POLICY, WORKER_POLICY

bp = Blueprint("pages", __name__, template_folder="../pages/templates")
"""Pages for people. No key needed."""

files = Blueprint("files", __name__)
"""What the pages load."""

_STATIC = Path(str(resources.files("beam_api.web") / "pages" / "static"))
_REFERENCE = Path(str(resources.files("flask_swagger_ui") / "dist"))
_WORKER = "reader/worker.js"
_REFERENCE_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE")


@bp.get("/")
@public
def home() -> Response:
    """Say what this is, what it can and what it can't."""
    return page(
        "home.html",
        url=request.host_url.rstrip("/"),
        figures=FIGURES,
        recording=recording(),
        vitals=VITALS,
        answer=sample_answer(),
    )


@bp.get("/keys")
@public
def keys() -> Response:
    """Get a key, look at its usage, rotate it, revoke it."""
    return page("keys.html", signup_is_open=parts().signup.open_to_all, signups_an_hour=SIGNUPS_AN_HOUR)


@bp.get("/docs")
@public
def docs() -> Response:
    """Show how to begin, and every route to try."""
    shown = {
        "examples": examples(request.host_url.rstrip("/")),
        "errors": ERRORS,
        "details": DETAILS,
        "tiers": TIER_ROWS,
    }
    return page("docs.html", policy=REFERENCE_POLICY, **shown)


@files.get("/accuracy")
@public
def accuracy() -> Response:
    """The model card."""
    return page("accuracy.html", rows=ACCURACY)


@files.get("/privacy")
@public
def privacy() -> Response:
    """What is kept, and how long."""
    return page("privacy.html", points=PRIVACY)


@files.get("/static/<path:name>")
@public
def static(name: str) -> Response:
    """A file of the pages."""
    response = _file(_STATIC, name)
    if name == _WORKER:
        response.headers["Content-Security-Policy"] = WORKER_POLICY
    return response


@files.get("/docs/assets/<name>")
@public
def reference(name: str) -> Response:
    """A file of the interactive reference."""
    if name not in _REFERENCE_FILES:
        raise NotFound
    return _file(_REFERENCE, name)


def page(template: str, *, policy: str = PAGE_POLICY, **values: object) -> Response:
    """A page made from its template, with the policy that it must keep to."""
    has_playground = parts().settings.playground == "on"
    response = make_response(render_template(template, has_playground=has_playground, **values))
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-cache"
    return response


def _file(folder: Path, name: str) -> Response:
    if not re.fullmatch(r"[\w./-]+", name):
        raise NotFound
    response = send_from_directory(folder, name, max_age=0)
    response.headers["Cache-Control"] = "no-cache"  # kept, and asked about by its ETag: an upgrade shows at once
    return response
