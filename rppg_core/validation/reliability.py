"""Whether a stated probability comes true: the share that is right, in bins of what was stated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

QUALITY_EDGES = (0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 1.0)
"""Of `quality`: below 0.3 nothing is returned; 0.98 is where a heart rate's confidence reaches 0.7."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Recordings whose stated value lies in [low, high), the last bin including its end."""

    low: float
    high: float
    count: int
    stated: float  # mean of what was stated
    right: float  # share that was right
    mean_absolute_error: float  # in the unit of the vital, of those that were returned; NaN without any


def reliability(
    stated: ArrayLike, error: ArrayLike, tolerance: float, edges: Sequence[float] = QUALITY_EDGES
) -> list[ReliabilityBin]:
    """Sort recordings into bins of what was stated, and say how right each bin is. Empty bins are left out.

    Parameters
    ----------
    stated : array_like, shape (n,)
        The quality or the confidence, 0-1.
    error : array_like, shape (n,)
        Measured − reference; NaN, which counts as not right, where nothing was returned.
    tolerance : float
        An error of at most this size is right; in the unit of the vital.
    edges : sequence of float
        Increasing; what lies outside is left out.
    """
    values, size = np.asarray(stated, float), np.abs(np.asarray(error, float))
    found = []
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values < high) | ((high == edges[-1]) & (values == high)))
        if not inside.any():
            continue
        part = size[inside]
        given = part[np.isfinite(part)]
        found.append(
            ReliabilityBin(
                float(low),
                float(high),
                int(inside.sum()),
                float(values[inside].mean()),
                float(np.mean(part <= tolerance)),
                float(given.mean()) if given.size else float("nan"),
            )
        )
    return found
