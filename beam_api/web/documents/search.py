"""The index of the search on the pages: each section of the documents with its words."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from beam_api.web.documents import source
from beam_api.web.documents.links import slug

_SHOWN = 110
_WORD = re.compile(r"\b(?=[0-9_]*[a-z])[a-z0-9_]{2,40}\b|\b[1-5]\d\d\b")  # of numbers those of statuses alone


@cache
def index() -> dict[str, Any]:
    """Sections as `[path, page, heading, beginning]`, and for each word the numbers of the sections that hold it."""
    sections: list[tuple[str, str, str, str]] = []
    words: dict[str, list[int]] = {}
    for name in source.NAMES:
        for heading, anchor, text in _sections(source.read(name)):
            number = len(sections)
            path = source.path_of(name) + (f"#{anchor}" if anchor else "")
            page = source.label_of(name) or name
            sections.append((path, page, heading, _beginning(text)))
            for word in sorted(set(_WORD.findall(f"{heading} {page} {text}".lower()))):
                words.setdefault(word, []).append(number)
    return {"sections": sections, "words": words}


def _sections(text: str) -> list[tuple[str, str, str]]:
    """Heading, anchor and text of each section; the page's own has no anchor."""
    found: list[tuple[str, str, list[str]]] = []
    seen: dict[str, int] = {}
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        if not fenced and (match := re.match(r"(#{1,6}) (.+)", line)):
            heading = re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", lambda part: part[1] or "", match[2])
            anchor = slug(heading)
            number = seen[anchor] = seen.get(anchor, -1) + 1
            anchor = f"{anchor}-{number}" if number else anchor
            found.append((heading, "" if len(match[1]) == 1 else anchor, []))
        elif found:
            found[-1][2].append(line)
    return [(heading, anchor, "\n".join(lines)) for heading, anchor, lines in found]


def _beginning(text: str) -> str:
    prose = re.sub(r"```.*?```|<!--.*?-->|^\|.*$", " ", text, flags=re.DOTALL | re.MULTILINE)
    prose = " ".join(re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", lambda part: part[1] or "", prose).split())
    return prose if len(prose) <= _SHOWN else prose[:_SHOWN].rsplit(" ", 1)[0] + " …"
