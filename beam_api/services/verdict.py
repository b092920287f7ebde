"""What a client should do with a measurement, in one word: use it, take it again, or see that there is no pulse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE, RETAKE, NO_PULSE = "release", "retake", "no_pulse"
VERDICTS = (RELEASE, RETAKE, NO_PULSE)

SURE = 0.7
"""The confidence from which a heart rate is within 2 bpm with a probability of 0.98."""


def verdict(confidence: float | None, withheld: Mapping[str, str]) -> str:
    """Judge a measurement by its confidence, as it is answered, and by why its heart rate is withheld, if it is."""
    if (confidence or 0.0) >= SURE and "heart_rate" not in withheld:
        return RELEASE
    return NO_PULSE if withheld.get("heart_rate") == "NO_PULSE" else RETAKE
