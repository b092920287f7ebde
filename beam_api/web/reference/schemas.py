"""Schemas as generators need them: literal types, and answers to which fields may be added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beam_api.web.reference.operations import operations

if TYPE_CHECKING:
    from collections.abc import Iterator


def narrow(document: dict[str, Any]) -> None:
    """Declare what has one value as `const`: `status` of a 200 and of a 202, `success` of an envelope.

    Generators make a literal type of it, so that `data.status` discriminates a union of answers.
    """
    for schema in document["components"]["schemas"].values():
        properties = schema.get("properties", {})
        if {"success", "data"} <= properties.keys():
            properties["success"].update(const=True)
        for member in properties.values():
            if len(member.get("enum", ())) == 1:
                (member["const"],) = member.pop("enum")


def open_answers(document: dict[str, Any]) -> None:
    """Let answers have further fields. New ones are added within a version, and no client should fail of them."""
    schemas = document["components"]["schemas"]
    for name in _reachable(document, [operation["responses"] for _, _, operation in operations(document)]):
        if schemas[name].get("additionalProperties") is False:
            del schemas[name]["additionalProperties"]


def drop_unused(document: dict[str, Any]) -> None:
    """Leave out what the framework brings and no operation uses: generators would make a type of it."""
    used = _reachable(document, document["paths"])
    components = document["components"]
    document["components"] = {
        "schemas": {name: schema for name, schema in components["schemas"].items() if name in used},
        "securitySchemes": components["securitySchemes"],
    }


def _reachable(document: dict[str, Any], node: Any) -> set[str]:
    """The names of the schemas that a part of the document refers to, and that those refer to."""
    seen: set[str] = set()
    waiting = list(_references(node))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _references(document["components"]["schemas"][name])
    return seen


def _references(node: Any) -> Iterator[str]:
    """The names of the schemas that a part of the document refers to itself."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
