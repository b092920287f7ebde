"""The OMIT method: an orthogonal-matrix image transformation of the colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.methods.gate import as_traces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def omit(traces: ArrayLike, fs: float) -> NDArray[np.float64]:
    """Extract one pulse waveform per region with the OMIT method [1]_, over the whole recording.

    Parameters, result and errors are those of `rppg_core.methods._pos.pos`; `fs` is not needed. The first column of
    Q in the QR decomposition of the colours (3, n_frames) is the direction of the first frame; it is projected out.

    References
    ----------
    .. [1] C. Alvarez Casado and M. Bordallo Lopez, "Face2PPG: An unsupervised pipeline for blood volume pulse
       extraction from faces", IEEE J. Biomed. Health Inform. 27(11), 2023. doi:10.1109/JBHI.2023.3307942
    """
    del fs  # the mix is the same at any rate; every method is called alike
    rgb = as_traces(traces)
    first = rgb[0] / np.linalg.norm(rgb[0], axis=-1, keepdims=True)  # (n_regions, 3)
    along = np.einsum("nrc,rc->nr", rgb, first)
    left = rgb[..., 1] - along * first[:, 1]
    return np.asarray((left - left.mean(axis=0)) / rgb[..., 1].mean(axis=0))
