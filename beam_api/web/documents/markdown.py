"""Markdown to HTML in the pages' own shapes: code with tabs, answers, trials, tables that scroll by themselves."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from beam_api.web.documents import code, diagrams, directives, source
from beam_api.web.documents.links import resolve, slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.renderer import RendererHTML


class Heading(NamedTuple):
    """A heading of the second or third level."""

    level: int
    anchor: str
    text: str


class Document(NamedTuple):
    """A page, made from its file. `code.ADDRESS` in the HTML stands for the address of the service."""

    title: str
    html: str
    headings: tuple[Heading, ...]

    def at(self, url: str) -> str:
        """The HTML with the service's address in it."""
        return self.html.replace(code.ADDRESS, escape(url))


@lru_cache(maxsize=len(source.NAMES))
def document(name: str) -> Document:
    """The page of one of `source.NAMES`."""
    return render(source.read(name), name)


def render(text: str, name: str) -> Document:
    """Make a page of a document; `name` is that of its file, from which links lead on."""
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = reader.parse(text.replace("http://localhost:8000", code.ADDRESS))
    reader.add_render_rule("code_inline", _code)
    headings = list(_anchored(tokens))
    _link(tokens, name)
    title = next((heading.text for heading in headings if heading.level == 1), name)
    html = reader.renderer.render(list(_shaped(tokens, title)), reader.options, {})
    return Document(title, html, tuple(heading for heading in headings if heading.level in (2, 3)))


def _code(_renderer: RendererHTML, tokens: Sequence[Token], index: int, *_: object) -> str:
    """Inline code, which may be broken behind a bar of a path and within the name of a code."""
    breakable = re.sub(r"(?<=[\w}])([_/,])(?=[\w{])", r"\1<wbr>", escape(tokens[index].content))
    return f"<code>{breakable}</code>"


def _anchored(tokens: Sequence[Token]) -> Iterator[Heading]:
    """Name the place of each heading; no two of a page are the same."""
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = _plain(inline)
            anchor = slug(text)
            number = seen.get(anchor, 0)
            seen[anchor] = number + 1
            anchor = f"{anchor}-{number}" if number else anchor
            opening.attrSet("id", anchor)
            yield Heading(int(opening.tag[1]), anchor, text)


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


def _link(tokens: Sequence[Token], page: str) -> None:
    """Lead links to pages of the service. Those to files outside docs/ become plain text."""
    for inline in tokens:
        outside = False
        children = inline.children or []
        for token, following in zip(children, [*children[1:], None], strict=False):
            name = {"link_open": "href", "image": "src"}.get(token.type)
            target = resolve(str(token.attrGet(name)), page) if name else None
            if name and target and target.file:
                token.attrSet(name, _path(target.file, target.anchor, page))
                if following and following.content.endswith(".md"):
                    following.content = source.label_of(target.file.removesuffix(".md")) or following.content
            elif target:
                outside = True
                token.tag, token.attrs = "span", {"class": "outside"}
            elif token.type == "link_close" and outside:
                outside = False
                token.tag = "span"


def _path(file: str, anchor: str, page: str) -> str:
    if file == f"{page}.md" and anchor:
        return f"#{anchor}"
    path = source.path_of(file.removesuffix(".md")) if file.endswith(".md") else f"/docs/{file}"
    return f"{path}#{anchor}" if anchor else path


def _shaped(tokens: Sequence[Token], title: str) -> Iterator[Token]:
    """The tokens with blocks of code, answers, trials and tables in their final shape."""
    numbers = iter(range(1, len(tokens) + 1))
    heading, at = title, 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token.type == "fence":
            run = [token, *_same_thing(tokens[at:], token)]
            at += len(run) - 1
            drawn = diagrams.figure(token.content, heading) if code.language(token) == "mermaid" else None
            yield _html(drawn or (code.tabs(run, next(numbers)) if len(run) > 1 else code.block(token)))
        elif token.type == "html_block":
            yield _html(_directive(token.content, next(numbers)))
        elif token.type == "table_open":
            label = escape(f"{heading}, table {next(numbers)}")
            yield _html(f'<div class="scroll wide" role="region" tabindex="0" aria-label="{label}">')
            yield token
        elif token.type == "th_open" and not tokens[at].content:  # a corner of the table, which heads nothing
            token.tag = tokens[at + 1].tag = "td"
            yield token
        elif token.type == "table_close":
            yield token
            yield _html("</div>")
        else:
            heading = _plain(tokens[at]) if token.type == "heading_open" else heading
            yield token


def _same_thing(following: Sequence[Token], first: Token) -> Iterator[Token]:
    """Blocks of other languages that follow at once, of those that have tabs."""
    seen = {_tab(first)}
    for token in following:
        found = _tab(token)
        if None in seen or found is None or found in seen:
            return
        seen.add(found)
        yield token


def _tab(token: Token) -> str | None:
    return directives.tab_of(code.language(token), token.content) if token.type == "fence" else None


def _directive(text: str, number: int) -> str:
    if answered := directives.answer(text):
        title, body = answered
        return code.panel("json", body, title=title, classes="code answer")
    if trial := directives.Trial.read(text):
        return code.trial(trial, number)
    return text if re.fullmatch(r"<!--.*?-->\s*", text, re.DOTALL) is None else ""


def _html(text: str) -> Token:
    return Token("html_block", "", 0, content=text + "\n")
