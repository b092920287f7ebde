"""The LGI method: what is left of green when the dominant direction of the colours is projected out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.methods.gate import as_traces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def lgi(traces: ArrayLike, fs: float) -> NDArray[np.float64]:
    """Extract one pulse waveform per region with the LGI method [1]_, over the whole recording.

    Parameters, result and errors are those of `rppg_core.methods._pos.pos`; `fs` is not needed. The first left
    singular vector is taken from the 3 x 3 Gram matrix of each region.

    References
    ----------
    .. [1] C. S. Pilz, S. Zaunseder, J. Krajewski and V. Blazek, "Local Group Invariance for Heart Rate Estimation
       from Face Videos in the Wild", CVPR Workshops, 2018. doi:10.1109/CVPRW.2018.00172
    """
    del fs  # the mix is the same at any rate; every method is called alike
    rgb = as_traces(traces)
    gram = np.einsum("nri,nrj->rij", rgb, rgb, optimize=True)
    dominant = np.linalg.eigh(gram)[1][..., -1]  # (n_regions, 3)
    along = np.einsum("nrc,rc->nr", rgb, dominant)
    left = rgb[..., 1] - along * dominant[:, 1]
    return np.asarray((left - left.mean(axis=0)) / rgb[..., 1].mean(axis=0))
