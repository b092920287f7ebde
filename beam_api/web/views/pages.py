"""The pages that people look at, and the files they load. All of it comes from this process: no build, no CDN."""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, render_template, request, send_from_directory

from beam_api.exceptions import NotFound
from beam_api.services.access.signup import SIGNUPS_AN_HOUR
from beam_api.web.auth import public
from beam_api.web.context import parts
from beam_api.web.pages import accuracy as figures
from beam_api.web.pages.content import VITALS, privacy_points, recording, sample_answer
from beam_api.web.security_headers import PAGE_POLICY, WORKER_POLICY

if TYPE_CHECKING:
    from collections.abc import Callable

bp = Blueprint("pages", __name__, template_folder="../pages/templates")
"""Pages for people. No key needed."""

files = Blueprint("files", __name__)
"""What the pages load."""

_TEXTS = ("text/", "application/json", "image/svg+xml")
_STATIC = Path(str(resources.files("beam_api.web") / "pages" / "static"))
_WORKER = "reader/worker.js"


@bp.get("/")
@public
def home() -> Response:
    """Say what this is, what it can and what it can't."""
    return page(
        "home.html",
        url=request.host_url.rstrip("/"),
        figures=figures.figures(),
        recording=recording(),
        vitals=VITALS,
        answer=sample_answer(),
    )


@bp.get("/keys")
@public
def keys() -> Response:
    """Get a key, look at its usage, rotate it, revoke it."""
    return page("keys.html", signup_is_open=parts().signup.open_to_all, signups_an_hour=SIGNUPS_AN_HOUR)


@files.get("/accuracy")
@public
def accuracy() -> Response:
    """The model card."""
    darkest, lightest = figures.answered_by_skin()
    return page("accuracy.html", rows=figures.rows(), darkest=darkest, lightest=lightest)


@files.get("/privacy")
@public
def privacy() -> Response:
    """What is kept, and how long."""
    return page("privacy.html", points=privacy_points())


@files.get("/static/<path:name>")
@public
def static(name: str) -> Response:
    """A file of the pages."""
    response = file(_STATIC, name)
    if name == _WORKER:
        response.headers["Content-Security-Policy"] = WORKER_POLICY
    return response


def page(template: str, *, policy: str = PAGE_POLICY, **values: object) -> Response:
    """A page made from its template, with the policy that it must keep to."""
    settings = parts().settings
    known = {"has_playground": settings.playground == "on", "source_url": settings.source_url}
    response = make_response(render_template(template, **known, **values))
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-cache"
    return packed(response)


def file(folder: Path, name: str) -> Response:
    """A file of a folder; browsers keep it, and ask by its ETag: an upgrade shows at once."""
    if not re.fullmatch(r"[\w./-]+", name):
        raise NotFound
    response = send_from_directory(folder, name, max_age=0)
    response.headers["Cache-Control"] = "no-cache"
    return packed(response, lambda: _packed_file(folder / name, (folder / name).stat().st_mtime_ns))


def packed(response: Response, pack: Callable[[], bytes] | None = None) -> Response:
    """Pack a text with gzip for who takes it. `pack` gives what was packed before.

    Nothing of a caller is in these texts, so their length reveals nothing.
    """
    if not (response.mimetype or "").startswith(_TEXTS) or response.status_code != HTTPStatus.OK:
        return response
    response.vary.add("Accept-Encoding")
    tag, _ = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)  # the same file, packed or not
    if request.accept_encodings.quality("gzip") > 0:
        if pack:
            response.close()  # the file, which is open
        data = pack() if pack else gzip.compress(response.get_data(), 6, mtime=0)
        response.direct_passthrough = False
        response.set_data(data)
        response.headers["Content-Encoding"] = "gzip"
    return response


@lru_cache(maxsize=64)
def _packed_file(path: Path, _modified_ns: int) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)
