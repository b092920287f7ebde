"""Round numbers for JSON. JSON has no NaN: what isn't finite is null."""

from __future__ import annotations

import math


def score(value: float) -> float:
    """A probability or score, rounded down to four digits: none may pass a threshold by rounding."""
    return math.floor(1e4 * value) / 1e4 if math.isfinite(value) else 0.0


def whole(value: float | None) -> int | None:
    """The nearest whole number."""
    return None if value is None or not math.isfinite(value) else round(value)


def rounded(value: float | None, digits: int) -> float | None:
    """A number to so many digits after the point."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
