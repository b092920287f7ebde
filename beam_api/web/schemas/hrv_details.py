"""The further measures of variability, in the answers of both APIs."""

from __future__ import annotations

from marshmallow import Schema, fields


def _measure(description: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": description})


class HrvDetailsSchema(Schema):
    """Measures of variability beside RMSSD. Why one is null is in `withheld`, under `hrv_details.NAME`."""

    sdnn_ms = _measure("Standard deviation of the intervals between beats.")
    pnn50_percent = _measure("Share of successive intervals that differ by more than 50 ms.")
    mean_nn_ms = _measure("Mean interval between beats.")
    sd1_ms = _measure("Width of the Poincare plot.")
    sd2_ms = _measure("Length of the Poincare plot.")
    lf_ms2 = _measure("Power of the intervals from 0.04 to 0.15 Hz; from 120 s on.")
    hf_ms2 = _measure("Power of the intervals from 0.15 to 0.4 Hz; from 120 s on.")
    lf_hf = _measure("Ratio of the two powers; from 120 s on.")
