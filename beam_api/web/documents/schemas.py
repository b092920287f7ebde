"""Schemas of the OpenAPI document as fields for people: name, type, bounds, meaning, and the fields within."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from markdown_it import MarkdownIt
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEEPEST = 5
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


class Field(NamedTuple):
    """A parameter, or a member of a body. `where` is its place in the request, of a body `form` or `json`."""

    name: str
    where: str
    kind: str
    required: bool
    meaning: Markup
    notes: tuple[str, ...]
    example: Any
    fields: tuple[Field, ...]


class Schemas:
    """The schemas of a document, by reference."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._all: Mapping[str, Any] = document["components"]["schemas"]

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema itself where a reference stands; what stands beside the reference stays."""
        if "$ref" not in schema:
            return schema
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return {**self._all[schema["$ref"].rpartition("/")[2]], **beside}

    def fields(self, schema: Mapping[str, Any], where: str = "", depth: int = 0) -> tuple[Field, ...]:
        """The members of an object, or of the objects in a list or in a choice."""
        found = self._object(schema)
        if depth >= _DEEPEST or found is None:
            return ()
        required = found.get("required", ())
        return tuple(
            self.field(name, member, where, required=name in required, depth=depth)
            for name, member in found.get("properties", {}).items()
        )

    def field(self, name: str, schema: Mapping[str, Any], where: str, *, required: bool, depth: int = 0) -> Field:
        """One of them."""
        found = self.resolve(schema)
        inner = self.fields(found, where, depth + 1)
        example = found.get("example", found.get("default", found.get("const")))
        meaning = text(found.get("description", ""))
        return Field(name, where, self.kind(found), required, meaning, _notes(found), example, inner)

    def kind(self, schema: Mapping[str, Any]) -> str:
        """The type in words."""
        found = self.resolve(schema)
        if choices := found.get("anyOf") or found.get("oneOf"):
            return " or ".join(dict.fromkeys(self.kind(choice) for choice in choices))
        if "const" in found:
            return (
                "string"
                if isinstance(found["const"], str)
                else type(found["const"]).__name__.replace("bool", "boolean")
            )
        named = found.get("type", "any")
        names = [named] if isinstance(named, str) else named
        return " or ".join(self._kind(str(name), found) for name in names)

    def _kind(self, name: str, schema: Mapping[str, Any]) -> str:
        if name == "array":
            return f"list of {self.kind(schema.get('items', {}))}"
        if name == "string" and schema.get("format") == "binary":
            return "file"
        return name

    def _object(self, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The object that a schema has members of: itself, that of its items, or that of its choices."""
        found = self.resolve(schema)
        if "properties" in found:
            return found
        if isinstance(found.get("items"), dict):
            return self._object(found["items"])
        if isinstance(found.get("additionalProperties"), dict):
            return self._object(found["additionalProperties"])
        objects = (self._object(choice) for choice in found.get("anyOf") or found.get("oneOf") or ())
        return next((one for one in objects if one), None)


def text(markdown: str) -> Markup:
    """A description as HTML."""
    return Markup(_MARKDOWN.render(markdown))  # noqa: S704 - made by the reader of Markdown, which escapes HTML


def phrase(markdown: str) -> Markup:
    """A description in one line as HTML, without a paragraph around it."""
    return Markup(_MARKDOWN.renderInline(markdown))  # noqa: S704 - as above


def _notes(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Bounds, choices and the default."""
    notes = []
    if "const" in schema:
        notes.append(f"always {_plain(schema['const'])}")
    if choices := [choice for choice in schema.get("enum", ()) if choice is not None]:
        notes.append("one of " + ", ".join(map(_plain, choices)))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        notes.append(f"{low} to {high}")
    elif low is not None or high is not None:
        notes.append(f"at least {low}" if high is None else f"at most {high}")
    if "maxItems" in schema:
        notes.append(f"at most {schema['maxItems']} items")
    if "maxLength" in schema:
        notes.append(f"at most {schema['maxLength']} characters")
    if schema.get("default") is not None:
        notes.append(f"default {_plain(schema['default'])}")
    return tuple(notes)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
