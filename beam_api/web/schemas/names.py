"""Names of fields that mean nothing here: how a message repeats them, and which field was probably meant."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def meant(name: str, known: Sequence[str]) -> str:
    """A question that names the field which was probably meant; empty if none is like it."""
    plain = re.sub(r"[^a-z0-9]", "_", name[:64].lower())
    plain = {"timestamp": "timestamp_ms", "time": "timestamp_ms", "duration": "duration_ms"}.get(plain, plain)
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.7)
    return f" Did you mean `{close[0]}`?" if close else ""


def short(name: str) -> str:
    """As much of a name as a message repeats, without what can't be printed."""
    return "".join(c if c.isprintable() else "?" for c in name[:64])
