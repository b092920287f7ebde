"""References over time: rates, or a PPG or ECG whose beats are found, from CSV, EDF, BDF and WFDB files.

A series begins with its recording, and counts for as long as that is measured. edfio and wfdb are the extras `edf` and
`wfdb`, and are imported where they are used.
"""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from rppg_core.validation.contact_beats import LEAST_FS, contact_beats

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

ECG, PPG, HEART_RATE, RESPIRATION_RATE = "ecg", "ppg", "heart_rate_bpm", "respiration_rate_bpm"
SUFFIXES = (".csv", ".tsv", ".txt", ".edf", ".bdf", ".hea")

_SIGNALS = {
    ECG: ("ecg", "ekg"),
    PPG: ("ppg", "pleth", "bvp"),
    HEART_RATE: ("heart_rate_bpm", "heart_rate", "hr"),
    RESPIRATION_RATE: ("respiration_rate_bpm", "respiration_rate", "respiratory_rate"),
}
_DERIVED = {"hr", "hrv", "rate", "sdnn", "rmssd", "rr", "peaks", "quality"}  # words of what was made of a wave
_TIMES = {"time_s": 1.0, "time": 1.0, "t": 1.0, "timestamp_s": 1.0, "time_ms": 1e-3, "timestamp_ms": 1e-3}
_RATES = {HEART_RATE: (20.0, 300.0), RESPIRATION_RATE: (1.0, 100.0)}
_LEAST_BEATS = 6
_RMSSD_FS = 200.0  # of a slower wave, the grid moves each beat by as much as healthy hearts vary
_MOST_ODD = 0.1  # share of intervals a third off their neighbours', above which beats were missed or made up
_ODD = 1 / 3
_LEAST_COVERED = 0.5  # of what is measured
_MOST_BYTES = 256_000_000


class UnusableSeries(click.ClickException):
    """A series from which no reference can be taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Values (n,) of one kind at times (n,) in seconds from the first frame of the recording."""

    kind: str
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, kind: str, times_s: ArrayLike, values: ArrayLike) -> Series:
        """Those that are finite, in the order of their times."""
        times, given = np.asarray(times_s, float), np.asarray(values, float)
        if times.shape != given.shape or times.ndim != 1:
            raise UnusableSeries(f"its times and its {kind} differ in number")
        kept = np.isfinite(times) & np.isfinite(given)
        times, first = np.unique(times[kept], return_index=True)
        return cls(kind, times, given[kept][first])


def values_of(series: Sequence[Series], seconds: float) -> dict[str, float]:
    """Reference values over the first `seconds`, by the columns of results.

    An ECG is preferred to a PPG, and either to a rate that a device shows, which lags. Raises UnusableSeries if nothing
    can be taken.
    """
    by_kind = {one.kind: one for one in reversed(series)}
    values: dict[str, float] = {}
    problem = "it holds no PPG, ECG or rate"
    for kind in (HEART_RATE, RESPIRATION_RATE, PPG, ECG):
        if kind not in by_kind:
            continue
        part = by_kind[kind]
        inside = (part.times_s >= 0) & (part.times_s <= seconds)
        part = Series(kind, part.times_s[inside], part.values[inside])
        try:
            values |= _beats(part, seconds) if kind in (PPG, ECG) else {kind: _mean_rate(part)}
        except UnusableSeries as error:
            problem = error.format_message()
    if not values:
        raise UnusableSeries(problem)
    return values


def read_series(path: Path) -> list[Series]:
    """The series in a file. Raises UnusableSeries."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnusableSeries(f"it has more than {_MOST_BYTES // 1_000_000} MB")
        read = {".edf": _read_edf, ".bdf": _read_edf, ".hea": _read_wfdb}.get(path.suffix.lower(), _read_csv)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries about their own libraries
            return read(path)
    except (OSError, ValueError, NotImplementedError, csv.Error, KeyError, IndexError) as error:
        raise UnusableSeries(f"it can't be read: {error}") from error


def kind_of(name: str) -> str | None:
    """What a column or a channel holds, by its name."""
    plain = name.strip().lower().replace(" ", "_")
    for kind in (HEART_RATE, RESPIRATION_RATE):
        if plain in _SIGNALS[kind]:
            return kind
    words = set(plain.split("_"))
    if words & _DERIVED:
        return None
    return next((kind for kind in (ECG, PPG) if words & set(_SIGNALS[kind])), None)


def _read_csv(path: Path) -> list[Series]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        file.seek(0)
        rows = list(csv.reader(file, delimiter=max(",;\t", key=head.count)))
    names = [name.strip().lower() for name in rows[0]]
    time_column = next((i for i, name in enumerate(names) if name in _TIMES), None)
    if time_column is None:
        raise UnusableSeries(f"it has no column of times ({', '.join(_TIMES)})")
    table = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows[1:] if row], float)
    times_s = table[:, time_column] * _TIMES[names[time_column]]
    found = [(kind_of(name), i) for i, name in enumerate(names) if i != time_column]
    start_s = np.nanmin(times_s)
    return [Series.of(kind, times_s - start_s, table[:, i]) for kind, i in found if kind]


def _read_edf(path: Path) -> list[Series]:
    edfio = _library("edfio", "edf")
    read = edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf
    found = []
    for channel in read(path, header_encoding="latin-1").signals:  # the standard is ASCII; devices write °, µ and names
        kind = kind_of(channel.label)
        if kind:
            found.append(Series.of(kind, np.arange(len(channel.data)) / channel.sampling_frequency, channel.data))
    return found


def _read_wfdb(path: Path) -> list[Series]:
    record = _library("wfdb", "wfdb").rdrecord(str(path.with_suffix("")))
    times_s = np.arange(record.sig_len) / record.fs
    found = [(kind_of(name), record.p_signal[:, i]) for i, name in enumerate(record.sig_name)]
    if not any(kind for kind, _ in found) and record.n_sig:  # leads of an ECG are called I, II, MLII, V5 …
        units = [unit.lower() for unit in record.units]
        found = [(ECG, record.p_signal[:, units.index("mv")])] if "mv" in units else []
    return [Series.of(kind, times_s, values) for kind, values in found if kind]


def _mean_rate(part: Series) -> float:
    low, high = _RATES[part.kind]
    good = (part.values >= low) & (part.values <= high)  # devices write 0 or −1 for what they don't know
    if not good.any():
        raise UnusableSeries(f"it has no {part.kind} in the time that is measured")
    return float(part.values[good].mean())


def _beats(part: Series, seconds: float) -> dict[str, float]:
    """Mean rate of the beats of a wave, and what their intervals say if they are sampled finely enough."""
    span_s = float(part.times_s[-1] - part.times_s[0]) if len(part.times_s) > 1 else 0.0
    if span_s < _LEAST_COVERED * seconds:
        raise UnusableSeries(f"its {part.kind} lasts {span_s:.1f} s of {seconds:.1f} s that are measured")
    fs = (len(part.times_s) - 1) / span_s
    even_fs = max(fs, LEAST_FS)
    even_s = part.times_s[0] + np.arange(int(span_s * even_fs) + 1) / even_fs
    wave = np.interp(even_s, part.times_s, part.values)
    if not np.ptp(wave):
        raise UnusableSeries(f"its {part.kind} is constant")
    beats_s = contact_beats(wave, even_fs, "ecg" if part.kind == ECG else "ppg")
    intervals_s = np.diff(beats_s)
    if len(beats_s) < _LEAST_BEATS:
        raise UnusableSeries(f"{len(beats_s)} beats are found in its {part.kind}")
    odd = np.abs(np.diff(intervals_s)) > _ODD * np.median(intervals_s)
    rate_bpm = 60 / float(intervals_s.mean())
    if odd.mean() > _MOST_ODD or not _RATES[HEART_RATE][0] <= rate_bpm <= _RATES[HEART_RATE][1]:
        raise UnusableSeries(f"beats can't be separated in its {part.kind}")
    values = {HEART_RATE: rate_bpm}
    if fs >= _RMSSD_FS and not odd.any():
        values["rmssd_ms"] = 1000 * float(np.sqrt(np.mean(np.diff(intervals_s) ** 2)))
        values["sdnn_ms"] = 1000 * float(intervals_s.std(ddof=1))
    return values


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise click.ClickException(
            f"{name} reads this reference: pip install 'beam-rppg[{extra}]' brings it."
        ) from error
