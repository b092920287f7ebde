"""The one gate of all methods: what they may be given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import InvalidTraces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def as_traces(traces: ArrayLike) -> NDArray[np.float64]:
    """Return `traces` as float64 (n_frames, n_regions, 3); raise InvalidTraces unless all are finite and positive."""
    rgb = np.asarray(traces, dtype=np.float64)
    if rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise InvalidTraces(f"traces must be (n_frames, n_regions, 3), not {rgb.shape}")
    if not np.all(np.isfinite(rgb)) or np.any(rgb <= 0):
        raise InvalidTraces("traces must be finite and positive")
    return rgb


def relative(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each channel of each region as its deviation from its own mean, as a share of that mean."""
    return np.asarray(rgb / rgb.mean(axis=0) - 1.0)
