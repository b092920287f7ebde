"""What the documents ask for in comments, which other readers of Markdown leave out.

`<!-- recorded: measure 202 -->` is the recorded answer of that operation with that status.
`<!-- try: POST /api/rppg/check frame -->` is a form that sends this request, here with a file in the field `frame`.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from beam_api.web.reference.examples import recorded

RECORDED = re.compile(r"<!-- recorded: (\w+) (\d{3}) -->")
TRY = re.compile(r"<!-- try: (GET|POST|DELETE) (\S+)(?: (\w+))? -->")
_MOST_ITEMS = 6
_WIDTH = 72

TABS = {"sh": "curl", "python": "Python", "javascript": "JavaScript"}
"""Languages of which neighbouring blocks show the same thing: they share one place, with a tab each."""


def tab_of(language: str, text: str) -> str | None:
    """The tab that a block may have; a command that sends no request is something else than what stands beside it."""
    return None if language == "sh" and "curl " not in text else TABS.get(language)


class Trial(NamedTuple):
    """A request that a reader can send from the page."""

    method: str
    path: str
    file: str | None

    @classmethod
    def read(cls, text: str) -> Trial | None:
        """The trial that a comment asks for."""
        found = TRY.fullmatch(text.strip())
        return cls(*found.groups()) if found else None


def answer(text: str) -> tuple[str, str] | None:
    """Heading and JSON of the recorded answer that a comment asks for."""
    found = RECORDED.fullmatch(text.strip())
    if not found:
        return None
    operation, status = found.groups()
    return f"{status} response", json_of(recorded()[operation][status])


def json_of(value: Any, indent: str = "") -> str:
    """JSON for people: what fits a line is on one, and of long lists the beginning is shown."""
    if isinstance(value, list) and len(value) > _MOST_ITEMS:
        value = [*value[:3], "..."]
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + len(indent) <= _WIDTH or not isinstance(value, (dict, list)):
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(name)}: {json_of(part, inner)}" for name, part in value.items()]
    else:
        parts = [json_of(part, inner) for part in value]
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    return f"{opened}\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}{closed}"
