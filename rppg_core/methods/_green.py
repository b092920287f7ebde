"""The GREEN method: the green channel alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rppg_core.methods.gate import as_traces, relative

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def green(traces: ArrayLike, fs: float) -> NDArray[np.float64]:
    """Take the green channel of each region, as a share of its mean [1]_.

    Parameters, result and errors are those of `rppg_core.methods._pos.pos`; `fs` is not needed.

    References
    ----------
    .. [1] W. Verkruysse, L. O. Svaasand and J. S. Nelson, "Remote plethysmographic imaging using ambient light",
       Optics Express 16(26), 2008. doi:10.1364/OE.16.021434
    """
    del fs  # the mix is the same at any rate; every method is called alike
    return relative(as_traces(traces))[..., 1]
