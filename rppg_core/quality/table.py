"""What turns evidence into probabilities and ranges: one table for each extractor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A fitted table.

    Attributes
    ----------
    logistic : mapping
        Of a logistic function for each vital: an intercept, and a weight for each feature that
        `rppg_core.quality.probability` names.
    half_width : mapping
        Half of the 90 % range at quality q, for each vital that has one: the first number, plus the second times
        (1 - q) to the power of the third. For RMSSD, what `rppg_core.quality.probability.rmssd_interval` names.
    rate_range : mapping, optional
        The logarithm of half of the 90 % range of a face's heart rate: an intercept, and a weight for each feature that
        `rppg_core.quality.probability.rate_range_features` names. Without it `half_width` has to do.
    """

    logistic: Mapping[str, Mapping[str, float]]
    half_width: Mapping[str, tuple[float, float, float]]
    rate_range: Mapping[str, float] = field(default_factory=dict)
