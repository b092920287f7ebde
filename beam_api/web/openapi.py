"""The OpenAPI document, made from the blueprints and the schemas that validate."""

from __future__ import annotations

from copy import deepcopy
from threading import Lock
from typing import Any

from flask import Flask, Response, jsonify
from flask_smorest import Api, Blueprint

from beam_api.web.auth import public
from beam_api.web.error_responses import DETAIL_PATHS
from beam_api.web.reference.examples import add_examples
from beam_api.web.reference.operations import fold_aliases, name_operations, operations
from beam_api.web.reference.schemas import drop_unused, narrow, open_answers
from beam_api.web.schemas.envelope import ErrorEnvelopeSchema

_OF_EVERY_KEY = {
    "401": "No valid key.",
    "403": "A session token can't be used for this.",
    "429": "Too many requests.",
    "503": "The store is unavailable.",
}
_KEY = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
_FOR_EVERY_TOKEN = {"checkPicture"}  # it is of no session
_RETRY_AFTER = {"description": "Seconds to wait before sending it again.", "schema": {"type": "integer", "minimum": 0}}


class BeamApi(Api):  # type: ignore[misc]
    """flask-smorest's document without its error handlers: `beam_api.web.error_responses` has the only ones.

    It is made when it is first asked for: to describe all routes costs more than the rest of the app.
    """

    ERROR_SCHEMA = ErrorEnvelopeSchema

    def __init__(self, app: Flask) -> None:
        self._blueprints: list[Blueprint] = []
        self._document: dict[str, Any] = {}
        self._making = Lock()
        super().__init__()
        self._app = app

    def _register_error_handlers(self) -> None:
        pass

    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Register the routes with the app, and keep them for the document."""
        self._app.register_blueprint(blueprint, **options)
        self._blueprints.append(blueprint)

    def document(self) -> dict[str, Any]:
        """The document, the same at every call."""
        with self._making:
            if not self._document:
                self.init_app(self._app)
                self.spec.components.security_scheme("ApiKeyHeader", _KEY)
                self.spec.components.security_scheme("BearerToken", {"type": "http", "scheme": "bearer"})
                for blueprint in self._blueprints:
                    blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
                    self.spec.tag({"name": blueprint.name, "description": blueprint.description})
                self._document = _finished(self.spec.to_dict())
        return self._document


def init_app(app: Flask) -> BeamApi:
    """Prepare the document and serve it; the caller registers its blueprints on what is returned."""
    app.config.update(API_TITLE="Beam rPPG", API_VERSION="1.0", OPENAPI_VERSION="3.1.0", API_SPEC_OPTIONS=_options())
    api = BeamApi(app)

    @app.get("/openapi.json")
    @public
    def openapi() -> Response:
        return jsonify(api.document())

    return api


def _finished(described: dict[str, Any]) -> dict[str, Any]:
    """What flask-smorest has described, with what it doesn't know."""
    made = deepcopy(described)
    fold_aliases(made)
    name_operations(made)
    _complete(made)
    drop_unused(made)
    narrow(made)
    open_answers(made)
    add_examples(made)
    return made


def _complete(document: dict[str, Any]) -> None:
    """Document how each route with a key answers without one, over the limit, and while the store is unavailable.

    What flask-smorest adds for whatever else may happen goes: each answer is named, and a test looks for others.
    """
    for _, path, operation in operations(document):
        detail = f"{path}/".startswith(DETAIL_PATHS)
        operation["responses"].pop("default", None)
        if operation.get("security") != []:
            for status, meaning in _OF_EVERY_KEY.items():
                operation["responses"].setdefault(status, _error(meaning, detail=detail))
            if operation.get("operationId") in _FOR_EVERY_TOKEN:
                operation["responses"].pop("403")
        for status in {"429", "503"} & operation["responses"].keys():
            operation["responses"][status]["headers"] = {"Retry-After": _RETRY_AFTER}


def _error(meaning: str, *, detail: bool) -> dict[str, Any]:
    """A response with the body of an error, in the shape of its path."""
    schema = {"$ref": f"#/components/schemas/{'Detail' if detail else 'ErrorEnvelope'}"}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _options() -> dict[str, Any]:
    return {
        "info": {
            "description": "Contactless vital signs from frames of a face. Not a medical device.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"ApiKeyHeader": []}, {"BearerToken": []}],
    }
