"""The documentation: the pages of docs/, their search, and the interactive reference."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from markupsafe import Markup

from beam_api.exceptions import NotFound
from beam_api.web.auth import public
from beam_api.web.documents import source
from beam_api.web.reference.operations import operations
from beam_api.web.security_headers import REFERENCE_POLICY
from beam_api.web.views.pages import file, packed, page

bp = Blueprint("documents", __name__)
"""Documentation for people. No key needed."""

_REFERENCE = Path(str(resources.files("flask_swagger_ui") / "dist"))
_REFERENCE_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE")


@bp.get("/docs")
@public
def docs() -> Response:
    """Show how to begin."""
    return _document(source.FIRST)


@bp.get("/docs/reference")
@public
def reference() -> Response:
    """Show every route, to try."""
    return page("reference.html", policy=REFERENCE_POLICY, name="reference", **_sidebar())


@bp.get("/docs/search.json")
@public
def search() -> Response:
    """The index of the search."""
    from beam_api.web.documents.search import index

    response = jsonify(index())
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return packed(response)


@bp.get("/docs/assets/<name>")
@public
def reference_file(name: str) -> Response:
    """A file of the interactive reference."""
    if name not in _REFERENCE_FILES:
        raise NotFound
    return file(_REFERENCE, name)


@bp.get("/docs/<path:name>")
@public
def document(name: str) -> Response:
    """A page of the documentation, or a picture on one."""
    if name.endswith(".png"):
        return file(source.FOLDER, name)
    if name not in source.NAMES:
        raise NotFound
    return _document(name)


def _sidebar() -> dict[str, Any]:
    return {"navigation": source.NAVIGATION, "path_of": source.path_of}


def _document(name: str) -> Response:
    # Imported here: the parts of Markdown and of highlighting are loaded by who reads, not by who measures.
    from beam_api.web.documents.markdown import document

    made = document(name)
    before, after = source.neighbours(name)
    html = made.at(request.host_url.rstrip("/"))
    return page(
        "document.html",
        name=name,
        first=source.FIRST,
        document=made,
        html=Markup(html),  # noqa: S704 - made of our own files
        before=before,
        after=after,
        takes_key="your-key" in html or 'class="try"' in html,
        routes=_routes() if name == source.FIRST else [],
        **_sidebar(),
    )


@cache
def _routes() -> list[tuple[str, str, str, str]]:
    """Method, path, name and group of every operation of the OpenAPI document, which is that of every app."""
    made = current_app.make_response(current_app.view_functions["openapi"]()).get_json()  # type: ignore[arg-type]
    return [
        (method.upper(), path, operation["operationId"], operation["tags"][0])
        for method, path, operation in operations(made)
    ]
