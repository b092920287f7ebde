"""The table of results: a row is on disk when its file is done, so that whatever ends a batch leaves a usable file."""

from __future__ import annotations

import csv
import io
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from beam_api.cli.validation.table import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NUMBERS = tuple(
    name
    for name in COLUMNS
    if name.startswith("quality_")
    or name in ("stress_index", "confidence", "frames")
    or name.endswith(("_bpm", "_ms", "_percent", "_db", "_s", "_hz", "_low", "_high"))
)
PARQUET = ".parquet"
_MOST_FIELD = 1_000_000


class Results:
    """Rows in a CSV file, one for each file; a Parquet file is made of it when the batch ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._csv = path.with_suffix(".partial.csv") if path.suffix.lower() == PARQUET else path
        self.rows: dict[str, dict[str, Any]] = {}

    @property
    def is_parquet(self) -> bool:
        """Whether a Parquet file is wanted."""
        return self._csv != self.path

    def begin(self, *, resume: bool) -> None:
        """Read what was done before, or begin anew. Raises ClickException."""
        if not resume:
            if self.path.exists():
                raise click.UsageError(
                    f"{self.path} exists: --resume measures what it lacks, and another --out leaves it as it is."
                )
            self._rewrite()
            return
        if self._csv.exists():
            self.rows = read_rows(self._csv)
        elif self.is_parquet and self.path.exists():
            self.rows = _read_parquet(self.path)
        self._rewrite()

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row, at once."""
        self.rows[row["file"]] = _typed({name: str(_written(row.get(name))) for name in COLUMNS})
        try:
            with self._csv.open("a", newline="", encoding="utf-8") as file:
                file.write(_line(row))
        except OSError as error:
            raise click.ClickException(f"{self._csv} can't be written: {error.strerror}.") from error

    def finish(self) -> None:
        """Put the rows in the order of their files, and write the Parquet file if that is wanted."""
        self.rows = dict(sorted(self.rows.items()))
        self._rewrite()
        if self.is_parquet:
            _write_parquet(list(self.rows.values()), self.path)
            self._csv.unlink()

    def _rewrite(self) -> None:
        """Write all rows to a new file and put it in the place of the old one."""
        text = ",".join(COLUMNS) + "\n" + "".join(map(_line, self.rows.values()))
        beside = self._csv.with_name(f".{self._csv.name}.new")
        try:
            beside.write_text(text, encoding="utf-8", newline="")
            beside.replace(self._csv)
        except OSError as error:
            raise click.ClickException(f"{self._csv} can't be written: {error.strerror}.") from error


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of a CSV of results by their files; a last line that was cut off is left out. Raises ClickException."""
    csv.field_size_limit(_MOST_FIELD)
    try:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rindex("\n") + 1] if "\n" in text else ""
        reader = csv.DictReader(io.StringIO(whole, newline=""))
        if not {"file", "status", "settings"} <= set(reader.fieldnames or ()):
            raise click.ClickException(f"{path} is no table of results: name another --out.")
        return {row["file"]: _typed(row) for row in reader if None not in row.values() and None not in row}
    except (OSError, ValueError, csv.Error) as error:
        raise click.ClickException(f"{path} can't be read as a table of results: {error}.") from error


def require_parquet() -> None:
    """Raise ClickException unless Parquet files can be written."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise click.ClickException("A .parquet file needs the extra: pip install 'beam-rppg[parquet]'.") from error


def _typed(row: Mapping[str, str]) -> dict[str, Any]:
    """A row with its numbers; an empty field is None."""
    values: dict[str, Any] = {name: row.get(name) or None for name in COLUMNS}
    for name in _NUMBERS:
        if values[name] is not None:
            number = math.nan
            with suppress(ValueError):
                number = float(values[name])
            values[name] = number if math.isfinite(number) else None
    return values


def _line(row: Mapping[str, Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_written(row.get(name)) for name in COLUMNS])
    return text.getvalue()


def _written(value: object) -> object:
    """Numbers to nine digits: more than any of them means, and the same figures from the file as from memory."""
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else ""
    return "" if value is None else value


def _write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.float64() if name in _NUMBERS else pa.string()) for name in COLUMNS])
    table = pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in rows], schema=schema)
    parquet.write_table(table, path)


def _read_parquet(path: Path) -> dict[str, dict[str, Any]]:
    require_parquet()
    from pyarrow import parquet

    return {row["file"]: row for row in parquet.read_table(path).to_pylist()}
