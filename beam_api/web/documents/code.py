"""Blocks of code: highlighted here, so that no script has to; with tabs, and with a place for the reader's key."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from beam_api.web.documents.directives import TABS, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

ADDRESS = "beamaddressplaceholder"
"""Stands for the service's address: one word in every language."""

_KEY = "beam_sk_your_key"
_NAMES = {"sh": "Shell", "json": "JSON", "yaml": "YAML", "html": "HTML", "mermaid": "Diagram, as Mermaid", "text": ""}


def language(fence: Token) -> str:
    """The language of a block."""
    return fence.info.partition(" ")[0]


def block(fence: Token) -> str:
    """A block by itself."""
    name = language(fence)
    label = _title(fence) or TABS.get(name if name != "sh" else "", _NAMES.get(name, name))
    return panel(name, fence.content, title=label, example=_title(fence))


def panel(name: str, text: str, *, title: str, example: str = "", classes: str = "code") -> str:
    """Code under a line with its title."""
    return f'<figure class="{classes}"><figcaption>{escape(title)}</figcaption>{_pre(name, text, example)}</figure>'


def tabs(fences: Sequence[Token], number: int) -> str:
    """The same thing in several languages, of which one is shown. Without scripts all of them are."""
    buttons, panels = [], []
    for index, fence in enumerate(fences):
        name = language(fence)
        ids = f'id="tab-{number}-{name}" aria-controls="panel-{number}-{name}"'
        state = 'aria-selected="true"' if index == 0 else 'aria-selected="false" tabindex="-1"'
        buttons.append(f'<button type="button" role="tab" {ids} {state} data-language="{name}">{TABS[name]}</button>')
        hidden = "" if index == 0 else " hidden"
        panels.append(
            f'<div role="tabpanel" id="panel-{number}-{name}" aria-labelledby="tab-{number}-{name}"{hidden}>'
            f"{_pre(name, fence.content, _title(fence))}</div>"
        )
    row = f'<div class="tab-row"><div role="tablist" aria-label="Language">{"".join(buttons)}</div></div>'
    return f'<div class="code tabs">{row}{"".join(panels)}</div>'


def trial(wanted: Trial, number: int) -> str:
    """A form that sends a request and shows its answer."""
    fields = [
        f'<label for="try-{number}-{name}">{name}</label><input id="try-{number}-{name}" type="text" name="{name}" '
        'required spellcheck="false" autocomplete="off">'
        for name in re.findall(r"{(\w+)}", wanted.path)
    ]
    if wanted.file:
        kind = "image/jpeg,image/png" if wanted.file == "frame" else "video/*"
        fields.append(
            f'<label for="try-{number}-file">{wanted.file}</label>'
            f'<input id="try-{number}-file" type="file" name="{wanted.file}" accept="{kind}" required>'
        )
    return (
        f'<form class="try" data-method="{wanted.method}" data-path="{escape(wanted.path)}">'
        f"<p><strong>Try it</strong> <code>{wanted.method} {escape(wanted.path)}</code></p>"
        f'<div class="fields">{"".join(fields)}<button class="primary small" type="submit">Send</button></div>'
        '<p class="outcome" role="status"></p>'
        '<pre tabindex="0" aria-label="The answer" hidden><code></code></pre></form>'
    )


def _title(fence: Token) -> str:
    found = re.search(r'title="([^"]+)"', fence.info)
    return found[1] if found else ""


def _pre(name: str, text: str, example: str) -> str:
    try:
        lexer = get_lexer_by_name({"sh": "bash", "mermaid": "text"}.get(name, name or "text"))
    except ClassNotFound:
        lexer = TextLexer()
    coloured = highlight(text, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    coloured = re.sub(r'<span class="(?:w|p|o|n|nx)">(.*?)</span>', r"\1", coloured, flags=re.DOTALL)  # of no colour
    coloured = coloured.replace(_KEY, f'<span class="your-key">{_KEY}</span>')
    named = f' data-example="{escape(example)}"' if example else ""
    return f'<pre tabindex="0"><code{named}>{coloured}</code></pre>'
