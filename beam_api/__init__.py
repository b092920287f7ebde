"""Beam's service: HTTP and Redis around `rppg_core`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beam_api.config import Settings
    from beam_api.web.app import create_app

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: `beam keys` and the parent of `beam serve` need neither Flask nor OpenCV nor dlib.
    if name == "create_app":
        from beam_api.web.app import create_app

        return create_app
    if name == "Settings":
        from beam_api.config import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
