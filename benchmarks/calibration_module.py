"""Write a calibration as a Python module, with when, on what and by which command it was fitted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rppg_core.quality.table import Calibration

ROWS = {
    "heart_rate_face": "Many regions: the rate within 2 bpm.",
    "heart_rate_sparse": "Many regions, frames too far apart for an even grid: the rate within 2 bpm.",
    "heart_rate_spot": "One or few regions, which can't agree with each other: the rate within 2 bpm.",
    "hrv": "RMSSD within 10 ms.",
    "stress_index": "Stress index within 30 %.",
    "respiration_rate": "Respiration within 2 breaths a minute.",
    "spo2": "SpO2 within 3 points, on simulated faces only.",
}
"""Rows of the table, and what each gives the probability of."""

_HEAD = '''\
"""The numbers that turn evidence into probabilities, in one place, so that a new fit replaces this table alone.

Each row is a logistic function: an intercept and a weight for each feature that `rppg_core.quality.probability` names.
{provenance}
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rppg_core.quality.table import Calibration

'''

_FOOT = '''\
"""Half of the 90 % range at quality q: the first number, plus the second times (1 - q) to the power of the third.

For a sparse heart rate the first number counts its standard error by the noise (`python -m benchmarks.sparse_ranges`),
and the others count below the quality `CLEAR_OF_ALIASES` alone.
For a single spot's heart rate, and for respiration, all counts
the square root of 20 s over the window's length. For RMSSD the three are other factors, in its square: of chance, of
the jitter at most, and of the square itself (`rppg_core.quality.probability.rmssd_interval`). The stress index's range
is of its logarithm, and has the share of jitter in place of 1 - q (`stress_interval`).
"""

RATE_RANGE: Mapping[str, float] = MappingProxyType({rate_range})
"""Logarithm of half of the 90 % range of a face's heart rate in bpm, by `python -m benchmarks.rate_ranges`."""

CALIBRATION = Calibration(LOGISTIC, HALF_WIDTH, RATE_RANGE)
"""The table as a whole."""
'''


@dataclass(frozen=True, slots=True)
class Fit:
    """How a table was made. `windows` and `right` count, for each row, what it was fitted on."""

    method: str
    command: tuple[str, ...]
    seeds: tuple[int, int]  # first and last
    recordings: int
    windows: Mapping[str, int]
    right: Mapping[str, float]

    def text(self) -> str:
        """A paragraph for the module's docstring."""
        first, last = self.seeds
        return (
            f"\nFitted for `{self.method}` on {datetime.now(UTC):%Y-%m-%d} by\n`{shlex.join(self.command)}`,\n"
            f"on {self.recordings} simulated recordings of the tuning seeds {first} to {last}. Behind each row are the "
            "windows it was\nfitted on, and the share of them that was right."
        )


def write_module(path: Path, table: Calibration, fit: Fit) -> None:
    """Write the module; a row that was not fitted is marked as carried over."""
    parts = [
        _HEAD.format(provenance=fit.text()),
        "LOGISTIC: Mapping[str, Mapping[str, float]] = MappingProxyType(\n    {\n",
    ]
    for name, weights in table.logistic.items():
        fitted = name in fit.windows
        known = (
            f"{fit.windows[name]} windows, {fit.right[name]:.0%} right" if fitted else "carried over, not fitted here"
        )
        parts.append(f"        # {ROWS.get(name, name)}\n        # {known}\n        {name!r}: {{\n".replace("'", '"'))
        parts += [f'            "{feature}": {weight:.3g},\n' for feature, weight in weights.items()]
        parts.append("        },\n")
    parts.append("    }\n)\n\nHALF_WIDTH: Mapping[str, tuple[float, float, float]] = MappingProxyType(\n    {\n")
    parts += [
        f'        "{name}": ({", ".join(f"{n:.3g}" for n in three)}),\n' for name, three in table.half_width.items()
    ]
    ranged = ", ".join(f'"{name}": {weight:.3g}' for name, weight in table.rate_range.items())
    parts.append("    }\n)\n" + _FOOT.replace("{rate_range}", f"{{{ranged}}}"))
    path.write_text("".join(parts))
