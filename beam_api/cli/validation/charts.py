"""Pictures of the report, as SVG without colours of its own: the page's style sheet gives them, light or dark."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from beam_api.cli.validation.study import Group, VitalFigures
    from rppg_core.validation import Estimate, ReliabilityBin

_WIDTH, _HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 44
_MOST_DOTS = 4000
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass
class Axes:
    """A plot that grows by what is drawn in it; `x` and `y` are the ranges of its data."""

    title: str
    x_label: str
    y_label: str
    x: tuple[float, float]
    y: tuple[float, float]
    parts: list[Markup] = field(default_factory=list)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where data lies in the picture; what is outside, at its edge."""
        across = min(max((x - self.x[0]) / (self.x[1] - self.x[0]), 0.0), 1.0)
        up = min(max((y - self.y[0]) / (self.y[1] - self.y[0]), 0.0), 1.0)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def dot(self, x: float, y: float, radius: float = 3.0) -> None:
        """Draw a dot."""
        across, down = self.place(x, y)
        self.parts.append(
            Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>').format(across, down, radius)
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """Draw a line of a kind that the style sheet knows."""
        (a, b), (c, d) = self.place(*start), self.place(*end)
        self.parts.append(
            Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, a, b, c, d)
        )

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", raised: float = -5) -> None:
        """Write beside a place."""
        across, down = self.place(x, y)
        self.parts.append(
            Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
                across, down + raised, anchor, words
            )
        )

    def svg(self) -> Markup:
        """The picture."""
        left, bottom = self.place(self.x[0], self.y[0])
        right, top = self.place(self.x[1], self.y[1])
        grid = []
        for value in ticks(*self.x):
            across, _ = self.place(value, 0)
            grid.append(
                Markup('<line class="grid" x1="{0:.1f}" y1="{1:.1f}" x2="{0:.1f}" y2="{2:.1f}"/>').format(
                    across, top, bottom
                )
            )
            grid.append(
                Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{:g}</text>').format(
                    across, bottom + 16, value
                )
            )
        for value in ticks(*self.y):
            _, down = self.place(0, value)
            grid.append(
                Markup('<line class="grid" x1="{0:.1f}" y1="{2:.1f}" x2="{1:.1f}" y2="{2:.1f}"/>').format(
                    left, right, down
                )
            )
            grid.append(
                Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="end">{:g}</text>').format(left - 6, down + 4, value)
            )
        middle = (top + bottom) / 2
        labels = Markup(
            '<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
            '<text transform="translate(14 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
        ).format((left + right) / 2, _HEIGHT - 8, self.x_label, middle, self.y_label)
        return _captioned(_WIDTH, _HEIGHT, self.title, [*grid, labels, *self.parts])


def scatter(figures: VitalFigures) -> Markup:
    """Measured over reference, with the line on which they agree."""
    measured, reference = _given(figures)
    if not len(measured):
        return Markup()
    bounds = _around(np.concatenate([measured, reference]))
    unit = _unit(figures)
    axes = Axes(
        f"{figures.vital.label}: measured over reference", f"reference{unit}", f"measured{unit}", bounds, bounds
    )
    axes.line((bounds[0], bounds[0]), (bounds[1], bounds[1]), "even")
    for x, y in _some(reference, measured):
        axes.dot(x, y)
    return axes.svg()


def bland_altman(figures: VitalFigures) -> Markup:
    """Differences over means, with the bias and the limits of agreement."""
    measured, reference = _given(figures)
    if not len(measured):
        return Markup()
    means, differences = (measured + reference) / 2, measured - reference
    found = figures.agreement.figures
    levels = [
        (found["bias"].value, "bias", "level"),
        (found["lower_limit_of_agreement"].value, "−1.96 SD", "limit"),
        (found["upper_limit_of_agreement"].value, "+1.96 SD", "limit"),
    ]
    drawn = [level for level in levels if math.isfinite(level[0])]
    unit = _unit(figures)
    axes = Axes(
        f"{figures.vital.label}: Bland–Altman",
        f"mean of measured and reference{unit}",
        f"measured − reference{unit}",
        _around(means),
        _around(np.concatenate([differences, [0.0], [level for level, _, _ in drawn]])),
    )
    for x, y in _some(means, differences):
        axes.dot(x, y)
    for level, words, kind in drawn:
        axes.line((axes.x[0], level), (axes.x[1], level), kind)
        axes.text(axes.x[1], level, f"{words} {level:+.2f}", anchor="end")
    return axes.svg()


def reliability_chart(bins: Sequence[ReliabilityBin], title: str, stated: str) -> Markup:
    """The share that was right over what was stated, with the number of recordings in each bin."""
    if not bins:
        return Markup()
    axes = Axes(title, stated, "share within tolerance", (0.0, 1.0), (0.0, 1.0))
    axes.line((0, 0), (1, 1), "even")
    largest = max(part.count for part in bins)
    for part in bins:
        axes.dot(part.stated, part.right, 3 + 6 * math.sqrt(part.count / largest))
        axes.text(part.stated, part.right, str(part.count), anchor="middle", raised=20 if part.right > 0.5 else -12)
    return axes.svg()


_GROUP_LEFT, _GROUP_TOP, _GROUP_STEP = 170, 10, 24


def error_by_group(groups: Sequence[Group], unit: str, title: str) -> Markup:
    """The mean absolute error of each group with its confidence interval."""
    errors = [(group, group.agreement.figures["mean_absolute_error"]) for group in groups]
    shown = [(group, error) for group, error in errors if math.isfinite(error.value)]
    if not shown:
        return Markup()
    most = 1.1 * max(np.nanmax([error.value, error.high]) for _, error in shown) or 1.0
    bottom = _GROUP_TOP + _GROUP_STEP * len(shown)
    scale = (_WIDTH - _GROUP_LEFT - 60) / most
    parts = []
    for value in ticks(0, most, 5):
        at = _GROUP_LEFT + value * scale
        line = Markup('<line class="grid" x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}"/>')
        parts.append(line.format(at, _GROUP_TOP, bottom))
        parts.append(Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(at, bottom + 16, value))
    for number, (group, error) in enumerate(shown):
        parts.append(_group_line(group, error, _GROUP_TOP + _GROUP_STEP * (number + 0.5), scale))
    label = Markup('<text x="{}" y="{}" text-anchor="middle">mean absolute error{}</text>').format(
        (_GROUP_LEFT + _WIDTH) / 2 - 30, bottom + 34, f", {unit}" if unit else ""
    )
    return _captioned(_WIDTH, bottom + 40, title, [*parts, label])


def _group_line(group: Group, error: Estimate, down: float, scale: float) -> Markup:
    """A group's name, interval, mean error and number of values."""
    name = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
        _GROUP_LEFT - 8, down + 4, f"{group.column}: {group.value}"[:26]
    )
    interval = Markup()
    if math.isfinite(error.low):
        ends = _GROUP_LEFT + error.low * scale, _GROUP_LEFT + error.high * scale
        interval = Markup('<line class="range" x1="{0:.1f}" y1="{2}" x2="{1:.1f}" y2="{2}"/>').format(*ends, down)
    dot = Markup('<circle class="dot solid" cx="{:.1f}" cy="{}" r="4.5"/>').format(
        _GROUP_LEFT + error.value * scale, down
    )
    count = Markup('<text x="{}" y="{}" text-anchor="end">n = {}</text>').format(
        _WIDTH - 4, down + 4, group.agreement.returned
    )
    return Markup().join([name, interval, dot, count])


def pulse_line(wave: NDArray[np.float64]) -> Markup:
    """A pulse wave from −1 to 1, 15 values a second."""
    if len(wave) < 2:
        return Markup()
    width, height = 420, 56
    points = " ".join(
        f"{width * i / (len(wave) - 1):.1f},{height / 2 - 0.45 * height * v:.1f}" for i, v in enumerate(wave)
    )
    line = Markup('<polyline class="wave" points="{}"/>').format(points)
    return _framed(width, height, f"pulse of the last {len(wave) / 15:.0f} s", [line])


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round values in a range, at most so many."""
    span = high - low
    power = 10 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in _STEPS if span / (power * factor) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(step * number, 10) + 0.0 for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _captioned(width: float, height: float, title: str, parts: Sequence[Markup]) -> Markup:
    return Markup("<figcaption>{}</figcaption>{}").format(title, _framed(width, height, title, parts))


def _framed(width: float, height: float, title: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, Markup().join(parts)
    )


def _given(figures: VitalFigures) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = np.isfinite(figures.measured)
    return figures.measured[both], figures.reference[both]


def _around(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or max(0.05 * abs(high), 1.0)
    return low - margin, high + margin


def _some(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """All pairs, or so many of them, evenly, that a page can show them."""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_DOTS)).astype(int))
    return [(float(x[i]), float(y[i])) for i in chosen]


def _unit(figures: VitalFigures) -> str:
    return f", {figures.vital.unit}" if figures.vital.unit else ""
