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
    """The recorded answers, by name of the operation and status."""
    text = (resources.files("beam_api.web") / "reference" / "examples.json").read_text()
    kept: dict[str, dict[str, Any]] = json.loads(text)
    return kept


def add_examples(document: dict[str, Any]) -> None:
    """Put the recorded answer beside the schema of each response that has one."""
    for _, _, operation in operations(document):
        answers = recorded().get(operation.get("operationId", ""), {})
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values():
                if status in answers:
                    media["example"] = answers[status]
