"""One true example for each response, as the running service answered.

`python -m tests.integration.record_examples` records `examples.json` anew.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from beam_api.web.reference.operations import operations

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def recorded() -> Mapping[str, Mapping[str, Any]]:
    """The recorded answers, by name of the operation and `example_name`."""
    text = (resources.files("beam_api.web") / "reference" / "examples.json").read_text()
    kept: dict[str, dict[str, Any]] = json.loads(text)
    return kept


def example_name(status: str, media_type: str) -> str:
    """What an answer is recorded under: its status, and its type if that isn't JSON."""
    return status if media_type == "application/json" else f"{status} {media_type}"


def add_examples(document: dict[str, Any]) -> None:
    """Put the recorded answer beside the schema of each response that has one."""
    for _, _, operation in operations(document):
        answers = recorded().get(operation.get("operationId", ""), {})
        for status, response in operation["responses"].items():
            for media_type, media in response.get("content", {}).items():
                name = example_name(status, media_type)
                if name in answers:
                    media["example"] = answers[name]
