"""Which regions of a face are bare skin: hair, glasses, glare and the far cheek of a turned head are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.face.regions import CENTRES, N_REGIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_REGIONS = 6
"""Fewer regions can't be distinguished, nor split into halves that say something about each other."""

_DARK_SHARE, _HUE_REACH, _GLARE = 0.5, 0.06, 250.0  # of the face's median brightness; of r, g, b shares; in levels
_TURNED, _FAR_CHEEK = 0.15, 0.45  # nose's offset and cheek's place, in eye distances: a head turned by some 20 degrees


def skin_regions(
    trace_regions: int, level: NDArray[np.float64], regions: NDArray[np.intp], yaw: float
) -> NDArray[np.bool_]:
    """Regions that are not far darker than the rest, of another hue, saturated, or on a cheek that is turned away.

    Parameters
    ----------
    trace_regions : int
        How many regions the trace had: the places of a face's own are known.
    level : ndarray, shape (n, 3)
        Mean RGB of the regions that were seen.
    regions : ndarray of int, shape (n,)
        Which regions of the trace these are.
    yaw : float
        The nose's offset as a share of the face's size.

    Returns
    -------
    ndarray of bool, shape (n,)
        All True where too few would be left.
    """
    everything = np.ones(len(level), dtype=bool)
    if len(level) < MIN_REGIONS:
        return everything
    brightness = level.mean(axis=1)
    hue = level / level.sum(axis=1, keepdims=True)
    skin = brightness > _DARK_SHARE * np.median(brightness)
    skin &= np.abs(hue - np.median(hue, axis=0)).max(axis=1) < _HUE_REACH
    skin &= level.max(axis=1) < _GLARE
    if trace_regions == N_REGIONS and abs(yaw) > _TURNED:
        skin &= np.sign(yaw) * CENTRES[regions, 0] < _FAR_CHEEK
    return skin if np.count_nonzero(skin) >= MIN_REGIONS else everything
