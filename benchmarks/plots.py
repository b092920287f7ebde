"""The pictures of docs/accuracy.md."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

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
    for axis, title, quality, good in (
        (
            axes[0],
            "heart rate within 2 bpm",
            [r.vitals.quality.heart_rate for r in people],
            [
                r.vitals.heart_rate_bpm is not None and abs(r.vitals.heart_rate_bpm - r.truth.heart_rate_bpm) <= 2
                for r in people
            ],
        ),
        (
            axes[1],
            "RMSSD within 10 ms",
            [r.vitals.quality.hrv for r in people],
            [
                r.vitals.rmssd_ms is not None
                and r.truth.rmssd_ms is not None
                and abs(r.vitals.rmssd_ms - r.truth.rmssd_ms) <= 10
                for r in people
            ],
        ),
    ):
        q, ok = np.array(quality), np.array(good, float)
        shown = q >= 0.3  # below, nothing is answered that could be right
        edges = np.array([0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 1.0001])
        for low, high in pairwise(edges):
            inside = shown & (q >= low) & (q < high)
            if inside.any():
                axis.scatter(q[inside].mean(), ok[inside].mean(), s=12 + 2 * inside.sum(), color="tab:blue")
                axis.annotate(
                    str(inside.sum()),
                    (q[inside].mean(), ok[inside].mean()),
                    xytext=(4, -12),
                    textcoords="offset points",
                )
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
        bias, spread = difference.mean(), 1.96 * difference.std()
        for level in (bias, bias - spread, bias + spread):
            axis.axhline(level, color="tab:red", lw=1, ls="-" if level == bias else "--")
        axis.set_title(f"{title}: bias {bias:+.2f}, limits ±{spread:.2f}")
        axis.set_xlabel("mean of measured and true")
        axis.set_ylabel("measured − true")
    return figure
