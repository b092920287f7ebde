"""The service's own secret, from which others derive: set by the operator, or made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from beam_api.config import Settings

FILE = "secret.key"


def secret_key(settings: Settings) -> Callable[[], bytes]:
    """A function that gives the secret; it reads or makes the file when it is first called, not before."""

    @cache
    def get() -> bytes:
        return settings.secret_key.encode() if settings.secret_key else _kept(settings.data_dir)

    return get


def _kept(folder: Path) -> bytes:
    """What the file holds. Of several processes that find none, one makes it."""
    path = folder / FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{FILE}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_urlsafe(48).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # the whole file at once, or somebody else's
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()
