"""What a client should do with a measurement, in one word: use it, take it again, or see that there is no pulse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

RELEASE, RETAKE, NO_PULSE = "release", "retake", "no_pulse"
VERDICTS = (RELEASE, RETAKE, NO_PULSE)

SURE = 0.7
"""The confidence from which a heart rate is within 2 bpm with a probability of 0.98."""


def verdict(confidence: float | None, withheld: Mapping[str, str], guidance: Collection[str]) -> str:
    """Judge a measurement by its confidence, as it is answered, by what is withheld, and by its guidance."""
    if "heart_rate" not in withheld:
        return RELEASE if (confidence or 0.0) >= SURE else RETAKE
    return NO_PULSE if "NO_PULSE" in guidance else RETAKE
