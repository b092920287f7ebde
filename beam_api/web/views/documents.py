"""The documentation: the pages of docs/, their search, and the reference."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from markupsafe import Markup, escape

from beam_api.exceptions import NotFound
from beam_api.web.auth import public
from beam_api.web.documents import source
from beam_api.web.reference.operations import operations
from beam_api.web.views.pages import file, packed, page

bp = Blueprint("documents", __name__)
"""Documentation for people. No key needed."""


@bp.get("/docs")
@public
def docs() -> Response:
    """Show how to begin."""
    return _document(source.FIRST)


@bp.get("/docs/reference")
@public
def reference() -> Response:
    """Show every route, to try."""
    from beam_api.web.documents.code import ADDRESS

    html = _reference().replace(ADDRESS, escape(request.host_url.rstrip("/")))
    return page("reference.html", name="reference", html=html, **_sidebar())


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


@bp.get("/docs/<path:name>")
@public
def document(name: str) -> Response:
    """A page of the documentation, or a picture on one."""
    if name.endswith((".png", ".svg")):
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
def _openapi() -> dict[str, Any]:
    """The OpenAPI document, which is that of every app."""
    made: dict[str, Any] = current_app.make_response(current_app.view_functions["openapi"]()).get_json()  # type: ignore[arg-type]
    return made


def _routes() -> list[tuple[str, str, str]]:
    """Method, path and name of every operation."""
    return [(method.upper(), path, operation["operationId"]) for method, path, operation in operations(_openapi())]


@cache
def _reference() -> Markup:
    """Every route, with a placeholder for the address of the service."""
    from beam_api.web.documents.reference import groups

    return Markup(render_template("reference_routes.html", groups=groups(_openapi())))  # noqa: S704 - escaped there
