"""One measurement as a row of numbers and words, with a unit in the name of every number that has one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

VITAL_COLUMNS = {
    "heart_rate": "heart_rate_bpm",
    "hrv": "rmssd_ms",
    "respiration_rate": "respiration_rate_bpm",
    "stress_index": "stress_index",
    "spo2": "spo2_percent",
}
"""From the names of the measure API to the columns of their values."""

RANGED = ("heart_rate", "hrv", "respiration_rate", "stress_index")
MEASURED, FAILED = "measured", "failed"

COLUMNS = (
    "file", "status", "reason", "message",
    *VITAL_COLUMNS.values(), "sdnn_ms",
    *(f"{VITAL_COLUMNS[name]}_{end}" for name in RANGED for end in ("low", "high")),
    "confidence", "verdict", *(f"quality_{name}" for name in VITAL_COLUMNS), "snr_db",
    *(f"withheld_{name}" for name in VITAL_COLUMNS), "guidance",
    "frames", "duration_s", "frame_rate_hz", "elapsed_s",
    "beam_version", "settings", "trace", "pulse",
)  # fmt: skip
"""Columns of a table of results, in order."""

UNREADABLE = frozenset({"INVALID_VIDEO", "UNUSABLE_VIDEO", "INVALID_PARAMETER", "UNREADABLE", "CRASHED", "NOT_SENT"})
"""Reasons of failure that say nothing about the person: figures leave these rows out, and count them."""

_PULSE_HZ, _MOST_PULSE_S = 15.0, 30.0
_LEVELS = 127


def row_of(data: Mapping[str, Any], exact: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The row of the `data` of a finished measurement with its `raw`.

    `exact` holds the values and ranges before they were rounded for the API, as `exact_vitals` gives them.
    """
    interval = exact["interval"] if exact else data["interval"]
    raw = data.get("raw")
    row: dict[str, Any] = {
        "status": MEASURED,
        **{column: data[name] for name, column in VITAL_COLUMNS.items()},
        "sdnn_ms": data["hrv_details"]["sdnn_ms"],
        "confidence": data["confidence"],
        "verdict": data["verdict"],
        "snr_db": data["quality"]["snr_db"],
        "guidance": " ".join(data["guidance"]),
        "frames": data["frames"],
        "duration_s": data["duration_ms"] / 1000,
        "frame_rate_hz": data["frame_rate"],
        "pulse": pack_pulse(np.array(raw["ppg"], float), raw["sampling_rate"]) if raw else "",
    }
    for name, column in VITAL_COLUMNS.items():
        row[f"quality_{name}"] = data["quality"][name]
        row[f"withheld_{name}"] = data["withheld"].get(name)
        if name in interval:
            row[f"{column}_low"], row[f"{column}_high"] = interval[name]
    if exact:
        row |= {name: exact[name] for name in (*VITAL_COLUMNS.values(), "sdnn_ms", "confidence")}
        row |= {f"quality_{name}": exact["quality"][name] for name in VITAL_COLUMNS}
    return row


def failed_row(reason: str, message: str) -> dict[str, Any]:
    """The row of a file that could not be measured."""
    return {"status": FAILED, "reason": reason, "message": " ".join(message.split())[:500]}


def pack_pulse(ppg: NDArray[np.float64], fs: float) -> str:
    """The newest seconds of a wave (n,) as base64 of signed bytes, 15 a second, the largest deviation being 127."""
    ppg = ppg[np.isfinite(ppg)]
    if len(ppg) < 2 or fs <= 0:
        return ""
    seconds = min(len(ppg) / fs, _MOST_PULSE_S)
    at_s = (len(ppg) - 1) / fs - np.arange(int(seconds * _PULSE_HZ))[::-1] / _PULSE_HZ
    wave = np.interp(at_s, np.arange(len(ppg)) / fs, ppg)
    wave -= wave.mean()
    largest = np.abs(wave).max()
    if not largest:
        return ""
    return base64.b64encode(np.rint(wave / largest * _LEVELS).astype(np.int8).tobytes()).decode()


def unpack_pulse(packed: str) -> NDArray[np.float64]:
    """Undo `pack_pulse`: values from −1 to 1, 15 a second; empty for what is none."""
    try:
        wave = np.frombuffer(base64.b64decode(packed, validate=True), np.int8)
    except ValueError:
        return np.zeros(0)
    return wave[: int(_PULSE_HZ * _MOST_PULSE_S)].astype(float) / _LEVELS
