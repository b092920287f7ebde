"""The further measures of variability, as they are kept and answered."""

from __future__ import annotations

from typing import Any

from beam_api.services.rounding import rounded
from rppg_core.results import HRV_DETAILS, HrvDetails

NAME = "hrv_details"

_DIGITS = {"lf_hf": 2}
_NOT_FINITE = "LOW_SIGNAL"


def written(details: HrvDetails) -> tuple[dict[str, float | None], dict[str, str]]:
    """The values in the digits of the contract, and why each that is null is withheld, as `withheld` names them."""
    values = {name: rounded(details.values[name], _DIGITS.get(name, 1)) for name in HRV_DETAILS}
    reasons = {
        f"{NAME}.{name}": details.withheld.get(name, _NOT_FINITE) for name, value in values.items() if value is None
    }
    return values, reasons


def not_measured() -> tuple[dict[str, float | None], dict[str, str]]:
    """The same of a window that could not be analysed, or was by a version that knew none of them."""
    return written(HrvDetails.of({}, "NOT_MEASURED"))


def completed(kept: dict[str, Any]) -> dict[str, Any]:
    """The fields of a kept measurement, with these among them where an older version kept it."""
    if NAME in kept:
        return kept
    values, reasons = not_measured()
    return {**kept, NAME: values, "withheld": {**kept["withheld"], **reasons}}
