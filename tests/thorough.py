"""What `make test` leaves to `make test-all`: more rows and more examples of what fewer show already.

`THOROUGH=1 pytest` runs them too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

THOROUGH = os.environ.get("THOROUGH", "") not in ("", "0")

thorough = pytest.mark.thorough
"""A test, or a row of one, for `make test-all`."""


def examples(usual: int, in_all: int) -> int:
    """How many examples to try."""
    return in_all if THOROUGH else usual


def rows(every: Iterable[Any], usual: Iterable[Any]) -> list[Any]:
    """Rows for `parametrize`, of which those that aren't `usual` are for `make test-all`."""
    kept = list(usual)
    assert all(row in every for row in kept)
    return [
        row if row in kept else pytest.param(*(row if isinstance(row, tuple) else (row,)), marks=thorough)
        for row in every
    ]


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `thorough`, unless it is wanted."""
    if THOROUGH:
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
