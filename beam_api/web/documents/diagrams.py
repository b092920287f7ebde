"""Diagrams of the documents: Mermaid in the Markdown, and SVG beside it, which `python -m tools.draw_diagrams` draws.

A drawing is named by a hash of its source, so that one of an earlier source is never shown.
"""

from __future__ import annotations

import hashlib
import re
from html import escape

from beam_api.web.documents.source import FOLDER

FENCE = re.compile(r"^```mermaid\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def file_of(text: str) -> str:
    """The drawing of a diagram, by its path in docs/."""
    return f"diagrams/{hashlib.sha256(text.encode()).hexdigest()[:16]}.svg"


def figure(text: str, subject: str) -> str | None:
    """The drawing, with the diagram as text for who can't see it; None if it isn't drawn."""
    file = file_of(text)
    if not (FOLDER / file).exists():
        return None
    width, height = size(file)
    picture = f'<img src="/docs/{file}" alt="{escape(alt(subject))}" width="{width}" height="{height}" loading="lazy">'
    box = f'<div class="scroll wide" role="region" tabindex="0" aria-label="{escape(subject)}, diagram">{picture}</div>'
    source = f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
    return f'<figure class="diagram">{box}<details><summary>The diagram as text</summary>{source}</details></figure>'


def alt(subject: str) -> str:
    """What stands for the picture."""
    return f"Diagram: {subject}"


def size(file: str) -> tuple[int, int]:
    """Width and height in pixels."""
    beginning = (FOLDER / file).read_text("utf-8")[:400]
    found = re.search(r'width="(\d+)" height="(\d+)"', beginning)
    if found is None:
        raise ValueError(f"{file} has no size")
    return int(found[1]), int(found[2])
