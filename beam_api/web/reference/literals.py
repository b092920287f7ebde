"""Literal types, so that generated clients tell answers apart by their types."""

from __future__ import annotations

from typing import Any


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
