"""The PBV method: the mix of channels that best shows a pulse of the known colour of blood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.methods.gate import as_traces, relative
from rppg_core.numerics import TINY

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SIGNATURE = np.array([0.33, 0.77, 0.53])
"""Relative strength of the pulse in R, G, B under white light (the paper's measurement)."""


def pbv(traces: ArrayLike, fs: float) -> NDArray[np.float64]:
    """Extract one pulse waveform per region with the PBV method [1]_, over the whole recording.

    Parameters, result and errors are those of `rppg_core.methods._pos.pos`; `fs` is not needed.

    References
    ----------
    .. [1] G. de Haan and A. van Leest, "Improved motion robustness of remote-PPG by using the blood volume pulse
       signature", Physiol. Meas. 35(9), 2014. doi:10.1088/0967-3334/35/9/1913
    """
    del fs  # the mix is the same at any rate; every method is called alike
    change = relative(as_traces(traces))
    by_region = np.ascontiguousarray(np.moveaxis(change, 0, 2))  # (n_regions, 3, n)
    spread = by_region @ np.swapaxes(by_region, 1, 2)
    # Channels that move exactly alike leave the matrix singular; a millionth of its trace decides such ties.
    ridge = 1e-6 * np.trace(spread, axis1=1, axis2=2) + TINY
    weights = np.linalg.solve(
        spread + ridge[:, None, None] * np.eye(3), np.broadcast_to(SIGNATURE[:, None], (len(spread), 3, 1))
    )
    weights = weights[..., 0] / (weights[..., 0] @ SIGNATURE)[:, None]
    return np.asarray((weights[:, None] @ by_region)[:, 0].T)
