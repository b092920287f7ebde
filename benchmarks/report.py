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
        target = "" if figure.at_most is None else f"<= {figure.at_most:g} {figure.unit}".rstrip()
        met = "" if figure.at_most is None else ("met" if figure.value <= figure.at_most else "missed")
        table.add_row(figure.what, f"{figure.value:.4g} {figure.unit}".rstrip(), target, met)
    Console(width=110).print(table)
