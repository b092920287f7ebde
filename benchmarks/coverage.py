"""How many 90 % ranges hold the truth, group by group, in the accuracy report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.scores import covered, rmssd_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.recordings import Row

_DARK = 5
_ELSEWHERE = (
    "\n\nPulses laid over real faces are in [variability.md](variability.md); `python -m benchmarks.stress_ways` "
    "compares the stress index of the same people as JPEGs, as video and as JPEGs of that video.\n"
)


def section(done: Sequence[Row]) -> str:
    """Ranges of heart rate, RMSSD, stress index and respiration by group; of RMSSD also the return rate."""
    with_pulse = [r for r in done if r.job.scene.pulse > 0 and r.job.landmarks == "5" and r.job.scene.fps >= 15]
    hard = [r for r in with_pulse if r.job.group.startswith("hard")]
    moderate = [r for r in with_pulse if r.job.group == "moderate" and r.job.scene.codec == "jpeg"]
    groups = {
        "moderate": moderate,
        "hard": hard,
        "light skin (I to IV)": [r for r in (*hard, *moderate) if r.job.scene.skin < _DARK],
        "dark skin (V and VI)": [r for r in (*hard, *moderate) if r.job.scene.skin >= _DARK],
        "H.264, rate factor 23": [r for r in with_pulse if r.job.scene.codec == "h264"],
    }
    head = "| | recordings | RMSSD answered | heart rate | RMSSD | stress index | respiration |\n" + "|---" * 7 + "|\n"
    lines = [_line(name, group) for name, group in groups.items() if group]
    return f"## 90 % ranges that hold the truth, by group\n\n{head}" + "\n".join(lines) + _ELSEWHERE


def _line(name: str, group: Sequence[Row]) -> str:
    answered = np.isfinite([rmssd_error(r) for r in group]).mean()
    held = [
        covered(list(group), "heart_rate", lambda r: r.truth.heart_rate_bpm if r.truth else None),
        covered(list(group), "hrv", lambda r: r.truth.rmssd_ms if r.truth else None),
        covered(list(group), "stress_index", lambda r: r.truth.stress_index if r.truth else None),
        covered(list(group), "respiration_rate", lambda r: r.truth.respiration_rate_bpm if r.truth else None),
    ]
    cells = [f"{share:.0%} of {count}" if count else "" for share, count in held]
    return f"| {name} | {len(group)} | {answered:.0%} | " + " | ".join(cells) + " |"
