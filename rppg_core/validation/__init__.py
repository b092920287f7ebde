"""How well measured vitals agree with a reference: figures, their confidence intervals, and reliability.

Pure functions of numbers: nothing here reads a file or a clock. NaN stands for a vital that was withheld, or for a
reference that is missing. `benchmarks/accuracy.py` and the report of `beam batch` take their figures from here;
docs/validation.md defines each of them. `contact_beats` finds the beats of a reference that is a wave.
"""

from rppg_core.validation.agreement import (
    FIGURES,
    Agreement,
    Estimate,
    agreement,
    bias,
    interval_coverage,
    limits_of_agreement,
    mean_absolute_error,
    pearson_r,
    rate_upper_bound,
    return_rate,
    root_mean_square_error,
    within_tolerance,
)
from rppg_core.validation.contact_beats import contact_beats
from rppg_core.validation.reliability import ReliabilityBin, reliability

__all__ = [
    "FIGURES",
    "Agreement",
    "Estimate",
    "ReliabilityBin",
    "agreement",
    "bias",
    "contact_beats",
    "interval_coverage",
    "limits_of_agreement",
    "mean_absolute_error",
    "pearson_r",
    "rate_upper_bound",
    "reliability",
    "return_rate",
    "root_mean_square_error",
    "within_tolerance",
]
