"""How the benchmarks show what they found."""

from __future__ import annotations

from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Figure(NamedTuple):
    """One row: what was measured, its value, and what it ought to be."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def target(self) -> str:
        """What it ought to be; empty if that is nobody's business."""
        bound, sign = (self.at_most, "<=") if self.at_least is None else (self.at_least, ">=")
        return "" if bound is None else f"{sign} {bound:g} {self.unit}".rstrip()

    @property
    def met(self) -> bool:
        """Whether it is."""
        low = float("-inf") if self.at_least is None else self.at_least
        return low <= self.value <= (float("inf") if self.at_most is None else self.at_most)


class Verdict(NamedTuple):
    """One figure of docs/accuracy.md beside what it ought to reach."""

    what: str
    figure: str
    reach: str
    met: bool

    def line(self) -> str:
        """As a row of a Markdown table."""
        return f"| {self.what} | {self.figure} | {self.reach} | {'reached' if self.met else 'missed'} |"


def show(title: str, figures: list[Figure]) -> None:
    """Print a table. A figure beyond its target is marked; it fails nothing, since machines differ."""
    table = Table("what", "measured", "target", "", title=title)
    for figure in figures:
        met = ("met" if figure.met else "missed") if figure.target else ""
        table.add_row(figure.what, f"{figure.value:.4g} {figure.unit}".rstrip(), figure.target, met)
    Console(width=118).print(table)
