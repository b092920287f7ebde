"""The pictures of docs/accuracy.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from benchmarks.scores import heart_rate_error, rmssd_error
from rppg_core.validation import bias, limits_of_agreement, reliability

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from benchmarks.recordings import Row

mpl.use("Agg")

PICTURES = (
    ("error", "Heart rate error by skin, movement, frame rate, compression and heart rate"),
    ("reliability", "Reliability of quality.heart_rate and quality.hrv"),
    ("bland-altman", "Bland–Altman plots of heart rate and RMSSD"),
)


def draw(done: list[Row], folder: Path) -> None:
    """Draw every picture from the test recordings that were read with the default model."""
    folder.mkdir(parents=True, exist_ok=True)
    people = [
        r
        for r in done
        if r.job.landmarks == "5" and r.job.group.startswith(("hard", "moderate")) and r.vitals and r.truth
    ]
    for name, make in zip((n for n, _ in PICTURES), (_error, _reliability, _bland_altman), strict=True):
        figure = make(people)
        figure.savefig(folder / f"{name}.png", dpi=80, bbox_inches="tight")
        plt.close(figure)


def _error(people: list[Row]) -> Figure:
    figure, axes = plt.subplots(1, 5, figsize=(17, 3.4), sharey=True)
    rng = np.random.default_rng(0)
    for axis, (title, value) in zip(
        axes,
        (
            ("skin type", lambda s: s.skin),
            ("movement (sway + turn + talk)", lambda s: s.sway + s.turn + s.talk),
            ("frames per second", lambda s: s.fps),
            ("JPEG quality", lambda s: s.jpeg_quality),
            ("heart rate, bpm", lambda s: s.heart_rate_bpm),
        ),
        strict=True,
    ):
        for group, colour in (("hard", "tab:orange"), ("moderate", "tab:blue")):
            given = [r for r in people if r.job.group == group and r.vitals.heart_rate_bpm is not None]
            x = np.array([value(r.job.scene) for r in given], float)
            y = np.array([r.vitals.heart_rate_bpm - r.truth.heart_rate_bpm for r in given])
            shake = rng.uniform(-0.15, 0.15, len(x)) if title == "skin type" else 0.0
            axis.scatter(x + shake, np.clip(y, -6, 6), s=9, alpha=0.6, color=colour, label=group)
        axis.axhspan(-2, 2, color="tab:green", alpha=0.12)
        axis.set_xlabel(title)
    axes[0].set_ylabel("error, bpm (clipped at 6)")
    axes[0].legend(loc="upper left")
    return figure


def _reliability(people: list[Row]) -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4))
    for axis, title, quality, error, tolerance in (
        (
            axes[0],
            "heart rate within 2 bpm",
            [r.vitals.quality.heart_rate for r in people],
            [heart_rate_error(r) for r in people],
            2.0,
        ),
        (
            axes[1],
            "RMSSD within 10 ms",
            [r.vitals.quality.hrv for r in people],
            [rmssd_error(r) for r in people],
            10.0,
        ),
    ):
        for part in reliability(quality, error, tolerance):
            place = (part.stated, part.right)
            axis.scatter(*place, s=12 + 2 * part.count, color="tab:blue")
            axis.annotate(str(part.count), place, xytext=(4, -12), textcoords="offset points")
        axis.plot([0, 1], [0, 1], color="grey", lw=1)
        axis.set_xlabel("quality")
        axis.set_ylabel("share")
        axis.set_title(title)
    return figure


def _bland_altman(people: list[Row]) -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    for axis, title, pairs in (
        (axes[0], "heart rate, bpm", [(r.vitals.heart_rate_bpm, r.truth.heart_rate_bpm) for r in people]),
        (axes[1], "RMSSD, ms", [(r.vitals.rmssd_ms, r.truth.rmssd_ms) for r in people]),
    ):
        given = np.array([(a, b) for a, b in pairs if a is not None and b is not None])
        if not len(given):
            continue
        middle, difference = given.mean(axis=1), given[:, 0] - given[:, 1]
        axis.scatter(middle, difference, s=8, alpha=0.6)
        middle_line, (low, high) = bias(difference), limits_of_agreement(difference)
        for level in (middle_line, low, high):
            axis.axhline(level, color="tab:red", lw=1, ls="-" if level == middle_line else "--")
        axis.set_title(f"{title}: bias {middle_line:+.2f}, limits ±{(high - low) / 2:.2f}")
        axis.set_xlabel("mean of measured and true")
        axis.set_ylabel("measured − true")
    return figure
