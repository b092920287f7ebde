"""What mkdocs can't read of the documents by itself, in the words that it can: see mkdocs.yml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

from beam_api.web.documents import diagrams, directives
from beam_api.web.documents.links import resolve

if TYPE_CHECKING:
    from mkdocs.structure.files import Files

FENCE = re.compile(r"^```(\w+)[^\n]*\n.*?^```\n", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[([^]]*)\]\(([^)\s]+)\)")
STYLE = """
:root, [data-md-color-scheme] { --md-primary-fg-color: #0b6e63; --md-accent-fg-color: #0b6e63; }
[data-md-color-scheme="default"] { --md-typeset-a-color: #0b6e63; }
[data-md-color-scheme="slate"] { --md-typeset-a-color: #62d3c3; --md-accent-fg-color: #62d3c3; }
[data-md-color-scheme="default"] img { color-scheme: light; }
[data-md-color-scheme="slate"] img { color-scheme: dark; }
"""


def on_files(files: Files, config: Any) -> Files:
    """Add the mark and the colours of the service; its first page is the site's too."""
    icon = Path(__file__).parents[1] / "beam_api" / "web" / "pages" / "static" / "icon.svg"
    files.append(File.generated(config, "icon.svg", content=icon.read_text("utf-8")))
    files.append(File.generated(config, "site.css", content=STYLE))
    forward = (
        '<!doctype html><meta http-equiv="refresh" content="0; url=quickstart.html"><a href="quickstart.html">Beam</a>'
    )
    files.append(File.generated(config, "index.html", content=forward))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Neighbouring languages as tabs, recorded answers, and no link to what is not on the site."""
    name = page.file.src_uri.removesuffix(".md")
    markdown = diagrams.FENCE.sub(lambda found: _drawing(found[1], name), markdown)
    parts: list[str] = []
    at = 0
    for start, end, blocks in _fences(markdown):
        parts += [_prose(markdown[at:start], name), _tabs(blocks) if len(blocks) > 1 else blocks[0][1]]
        at = end
    return "".join([*parts, _prose(markdown[at:], name)])


def _drawing(text: str, page: str) -> str:
    """The drawing of a diagram, with the diagram as text: the theme would load Mermaid from elsewhere."""
    up = "../" * page.count("/")
    shown = "".join(f"    {line}" for line in text.splitlines(keepends=True))
    source = f'??? note "The diagram as text"\n\n    ```text\n{shown}    ```\n'
    return f"![Diagram]({up}{diagrams.file_of(text)})\n\n{source}"


def _fences(markdown: str) -> list[tuple[int, int, list[tuple[str, str]]]]:
    """Begin and end of each run of blocks that belong together, and the blocks with their languages."""
    runs: list[tuple[int, int, list[tuple[str, str]]]] = []
    for found in FENCE.finditer(markdown):
        language, text = found[1], found[0]
        if runs and not markdown[runs[-1][1] : found.start()].strip():
            start, _, blocks = runs[-1]
            tabs = [directives.tab_of(*block) for block in [*blocks, (language, text)]]
            if None not in tabs and len(set(tabs)) == len(tabs):
                runs[-1] = (start, found.end(), [*blocks, (language, text)])
                continue
        runs.append((found.start(), found.end(), [(language, text)]))
    return runs


def _tabs(blocks: list[tuple[str, str]]) -> str:
    shown = [
        f'=== "{directives.TABS[language]}"\n\n' + "".join(f"    {line}" for line in text.splitlines(keepends=True))
        for language, text in blocks
    ]
    return "\n".join(shown)


def _prose(text: str, page: str) -> str:
    text = directives.RECORDED.sub(_answer, directives.TRY.sub("", text))
    return LINK.sub(lambda link: _link(link, page), text)


def _answer(comment: re.Match[str]) -> str:
    title, body = directives.answer(comment[0]) or ("", "")
    return f'```json title="{title}"\n{body}\n```'


def _link(link: re.Match[str], page: str) -> str:
    target = resolve(link[2], page)
    return link[1] if target and target.file is None else link[0]
