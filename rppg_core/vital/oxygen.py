"""Blood oxygen from the ratio of the pulse's strength in two colours: an uncalibrated estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.numerics import TINY

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Coefficients:
    """SpO2 in percent = offset - slope * (red AC/DC) / (blue AC/DC).

    The defaults are those of a facial ratio of red to blue [1]_. Camera, light and white balance move them: whoever
    has reference readings should fit their own.

    References
    ----------
    .. [1] G. Casalino, G. Castellano and G. Zaza, "A mHealth solution for contact-less self-monitoring of blood oxygen
       saturation", IEEE ISCC, 2020. doi:10.1109/ISCC50000.2020.9219718
    """

    offset: float = 101.6
    slope: float = 5.834


RED_BLUE = Coefficients()

POSSIBLE = (70.0, 100.0)
"""Outside of this a reading is withheld, never clamped."""

MIN_CLARITY = 3.0
"""Both AC signals must be this many times their own error."""


@dataclass(frozen=True, slots=True)
class Oxygen:
    """An estimate and how clear the weaker of its two AC signals is (amplitude over its standard error)."""

    spo2_percent: float | None
    clarity: float


def oxygen(strength: NDArray[np.float64], error: NDArray[np.float64], coefficients: Coefficients = RED_BLUE) -> Oxygen:
    """Estimate SpO2.

    Parameters
    ----------
    strength, error : ndarray, shape (3,)
        AC/DC of the pulse in R, G, B, and its standard error.
    coefficients : Coefficients
        The linear law of the ratio of red to blue.

    Returns
    -------
    Oxygen
        None when an AC signal is not clear, or the law leads outside `POSSIBLE`.
    """
    red, blue = float(strength[0]), float(strength[2])
    clarity = float(np.min(np.abs(strength[[0, 2]]) / (error[[0, 2]] + TINY)))
    if clarity < MIN_CLARITY or red <= 0 or blue <= 0:
        return Oxygen(spo2_percent=None, clarity=clarity)
    percent = coefficients.offset - coefficients.slope * red / blue
    return Oxygen(spo2_percent=percent if POSSIBLE[0] <= percent <= POSSIBLE[1] else None, clarity=clarity)
