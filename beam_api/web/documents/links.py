"""Where links of the documents lead: to pages of docs/, to places on them, or out of it."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple


class Target(NamedTuple):
    """What a link names: a file of docs/ by its path there, or None for one outside; and a place on it."""

    file: str | None
    anchor: str


def resolve(link: str, page: str) -> Target | None:
    """The target of a relative link on `page`, the name of its file without `.md`; None for other links."""
    if re.match(r"[a-z]+:|/", link):
        return None
    path, _, anchor = link.partition("#")
    if not path:
        return Target(f"{page}.md", anchor)
    file = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
    return Target(None if file.startswith("..") else file, anchor)


def slug(heading: str) -> str:
    """The name of a heading's place, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
