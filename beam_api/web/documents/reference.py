"""The OpenAPI document as a page: operations by group, with their fields, their answers and their requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from beam_api.web.documents import code, directives, requests
from beam_api.web.documents.schemas import Field, Schemas, phrase, text
from beam_api.web.reference.operations import operations

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDS_THE_KEY = {"revokeKey", "rotateKey", "rotateWebhookSecret"}
"""Not to be tried from the page, where one click would end what its reader uses: /keys asks before it does."""

_OPERATION = {"health", "metrics"}


class Answer(NamedTuple):
    """A response: its status, what it means, its fields, and one that was recorded."""

    status: str
    meaning: Markup
    media: str
    fields: tuple[Field, ...]
    example: Markup

    @property
    def is_good(self) -> bool:
        """Whether the request was done."""
        return self.status.startswith("2")


class Operation(NamedTuple):
    """A route with a method."""

    name: str
    method: str
    path: str
    summary: Markup
    description: Markup
    needs_key: bool
    parameters: tuple[Field, ...]
    media: str
    body: tuple[Field, ...]
    answers: tuple[Answer, ...]

    @property
    def is_stream(self) -> bool:
        """Whether its answer has no end."""
        return self.answers[0].media == "text/event-stream"

    @property
    def takes_video(self) -> bool:
        """Whether its file is a video; else it is a picture."""
        return self.name == "uploadScanVideo"

    @property
    def can_be_tried(self) -> bool:
        """Whether the page sends it."""
        return not self.is_stream and self.name not in _ENDS_THE_KEY

    def media_of(self, status: str) -> int:
        """In how many forms a response is described."""
        return sum(answer.status == status and bool(answer.fields) for answer in self.answers)

    def samples(self, number: int) -> Markup:
        """The request in each language, with `code.ADDRESS` for the address."""
        return Markup(code.tabs(requests.fences(self), number))  # noqa: S704 - escaped by the highlighter

    @property
    def json_body(self) -> str:
        """A body to begin with."""
        return directives.json_of(requests.body_example(self.body)) if self.media == "application/json" else ""


class Group(NamedTuple):
    """The operations of a tag."""

    name: str
    description: Markup
    operations: tuple[Operation, ...]


def groups(document: Mapping[str, Any]) -> tuple[Group, ...]:
    """The document's operations in its order; what operators ask comes last."""
    schemas = Schemas(document)
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for method, path, described in operations(dict(document)):
        shared = document["paths"][path].get("parameters", [])
        found[described["tags"][0]].append(_operation(schemas, method, path, described, shared))
    tags = sorted(document["tags"], key=lambda tag: tag["name"] in _OPERATION)
    return tuple(Group(tag["name"], text(tag.get("description", "")), tuple(found[tag["name"]])) for tag in tags)


def _operation(
    schemas: Schemas, method: str, path: str, described: Mapping[str, Any], shared: list[Mapping[str, Any]]
) -> Operation:
    parameters = tuple(
        schemas.field(
            one["name"],
            {"description": one.get("description", ""), **one["schema"]},
            one["in"],
            required=one.get("required", False),
        )
        for one in (*shared, *described.get("parameters", ()))
    )
    content = described.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    where = "json" if media == "application/json" else "form"
    body = schemas.fields(content[media]["schema"], where) if media else ()
    answers = [
        answer for status, response in described["responses"].items() for answer in _answers(schemas, status, response)
    ]
    return Operation(
        described["operationId"],
        method.upper(),
        path,
        phrase(described.get("summary", "")),
        text(described.get("description", "")),
        described.get("security") != [],
        parameters,
        media,
        body,
        tuple(sorted(answers, key=lambda answer: answer.status)),
    )


def _answers(schemas: Schemas, status: str, response: Mapping[str, Any]) -> list[Answer]:
    meaning = phrase(response.get("description", ""))
    if not response.get("content"):
        return [Answer(status, meaning, "", (), Markup(""))]
    return [
        Answer(
            status,
            meaning,
            media,
            schemas.fields(content.get("schema", {})) if status.startswith("2") else (),
            _example(status, media, content.get("example")),
        )
        for media, content in response["content"].items()
    ]


def _example(status: str, media: str, value: Any) -> Markup:
    """A recorded answer; those of errors are short, and have one colour."""
    if value is None:
        return Markup("")
    is_json = media.endswith("json")
    shown = directives.json_of(value) if is_json else str(value)
    language = "json" if is_json and status.startswith("2") else "text"
    return Markup(code.panel(language, shown, title=f"{status} {media}", classes="code answer"))  # noqa: S704 - escaped
