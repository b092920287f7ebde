"""Traces in files, with the vitals that this version found in them: recordings without a picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rppg_core.results import VITALS
from rppg_core.trace.files import save_trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace


def save_measured(file: Path, trace: Trace, vitals: Vitals, settings: Mapping[str, Any]) -> None:
    """Save a trace and its vitals in a file of its owner alone. Raises OSError, and InvalidTraces beyond an hour."""
    about = {"settings": dict(settings), "vitals": exact_vitals(vitals)}
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        save_trace(opened, trace, about=about)


def exact_vitals(vitals: Vitals) -> dict[str, Any]:
    """Vitals with their units in their names, unrounded, as they are kept for comparison."""
    values = {
        "heart_rate_bpm": vitals.heart_rate_bpm,
        "rmssd_ms": vitals.rmssd_ms,
        "sdnn_ms": vitals.sdnn_ms,
        "respiration_rate_bpm": vitals.respiration_rate_bpm,
        "stress_index": vitals.stress_index,
        "spo2_percent": vitals.spo2_percent,
        "confidence": vitals.confidence,
        "snr_db": vitals.quality.snr_db,
    }
    return {
        **{name: None if value is None else float(value) for name, value in values.items()},
        "quality": {name: float(getattr(vitals.quality, name)) for name in VITALS},
        "interval": {name: [float(low), float(high)] for name, (low, high) in vitals.interval.items()},
        "withheld": dict(vitals.withheld),
        "guidance": list(vitals.guidance),
    }
