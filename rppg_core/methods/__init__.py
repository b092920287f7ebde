"""Traces to pulse: published methods by name. All are called `method(traces, fs)` and follow reflected light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rppg_core.methods._chrom import chrom
from rppg_core.methods._green import green
from rppg_core.methods._lgi import lgi
from rppg_core.methods._omit import omit
from rppg_core.methods._pbv import pbv
from rppg_core.methods._pos import pos

Method = Callable[[NDArray[np.float64], float], NDArray[np.float64]]

METHODS: Mapping[str, Method] = MappingProxyType(
    {"pos": pos, "chrom": chrom, "green": green, "lgi": lgi, "omit": omit, "pbv": pbv}
)
"""Every method, by the name it is published under."""

__all__ = ["METHODS", "Method", "chrom", "green", "lgi", "omit", "pbv", "pos"]
