"""How the commands show a measurement: a bar while it runs, a table when it is done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ROWS = (
    ("heart_rate", "Heart rate", "bpm"),
    ("hrv", "HRV (RMSSD)", "ms"),
    ("respiration_rate", "Respiration", "/min"),
    ("stress_index", "Stress index (Baevsky)", ""),
    ("spo2", "SpO2 (uncalibrated estimate)", "%"),
)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that takes the share done, 0-1. Written to stderr, so that results can be piped."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda share: bar.update(task, completed=min(share, 1.0))


def show_vitals(data: Mapping[str, Any]) -> None:
    """Print the `data` of a finished measurement: values, 90 % ranges, quality, and why one is missing."""
    table = Table("", "value", "90 % range", "quality", "withheld", title=_title(data))
    for name, label, unit in _ROWS:
        value, interval = data[name], data["interval"].get(name)
        table.add_row(
            label,
            "-" if value is None else f"{value} {unit}".strip(),
            f"{interval[0]:g} to {interval[1]:g}" if interval else "",
            f"{data['quality'][name]:.2f}",
            data["withheld"].get(name, ""),
        )
    console = Console()
    console.print(table)
    console.print(f"Confidence {data['confidence']:.2f}. Not a medical device: do not diagnose or treat by it.")


def _title(data: Mapping[str, Any]) -> str:
    advice = f", {', '.join(data['guidance'])}" if data["guidance"] else ""
    return f"{data['frames']} frames in {data['duration_ms'] / 1000:.1f} s{advice}"
