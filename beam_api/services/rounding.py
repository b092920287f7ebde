"""Round numbers for JSON. JSON has no NaN: what isn't finite is null."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rppg_core.results import Vitals


def score(value: float) -> float:
    """A probability or score, rounded down to four digits: none may pass a threshold by rounding."""
    return math.floor(1e4 * value) / 1e4 if math.isfinite(value) else 0.0


def whole(value: float | None) -> int | None:
    """The nearest whole number."""
    return None if value is None or not math.isfinite(value) else round(value)


def rounded(value: float | None, digits: int) -> float | None:
    """A number to so many digits after the point."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def ranges(vitals: Vitals) -> dict[str, tuple[float, float]]:
    """The ranges of vitals to one digit, each wide enough to hold its vital as it is answered, rounded too."""
    answered = {
        "heart_rate": whole(vitals.heart_rate_bpm),
        "respiration_rate": whole(vitals.respiration_rate_bpm),
        "hrv": rounded(vitals.rmssd_ms, 1),
        "stress_index": rounded(vitals.stress_index, 1),
    }
    found = {}
    for name, ends in vitals.interval.items():
        low, high = (round(float(end), 1) for end in ends)
        value = answered.get(name)
        found[name] = (low, high) if value is None else (min(low, float(value)), max(high, float(value)))
    return found
