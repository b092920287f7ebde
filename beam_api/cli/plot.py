"""`beam measure --plot`: a picture of a measurement's pulse wave and its spectrum.

matplotlib is an extra, and is imported where it is used. Figures are made without pyplot, which keeps a global list.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from beam_api.web.schemas.measure import measurement_meta

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_ROW_S = 30.0  # a longer wave goes on in another row
_SHOWN_BPM = (30.0, 240.0)
_STEP_BPM = 0.25  # between the spectrum's points: it is drawn smoothly, and resolves no more by it
_WAVE, _BEAT, _RATE = "#1f5fa8", "#c8321f", "#c8321f"


def _checked(context: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Refuse, before anything is measured, a picture that could not be made."""
    if file is None or context.resilient_parsing:
        return file
    if file.suffix.lower() != ".png":
        raise click.BadParameter(f"{file} does not end in .png.", context, parameter)
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise click.BadParameter(f"{file.parent} can't be written to: {problem}.", context, parameter) from error
    if file.exists() and not os.access(file, os.W_OK):
        raise click.BadParameter(f"{file} can't be written over.", context, parameter)
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise click.ClickException("--plot needs the extra: pip install 'beam-rppg[plot]'.") from error
    return file


plot_option = click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_checked,
    metavar="PATH",
    help="Draw the pulse wave and its spectrum, as a PNG. Needs the extra `plot`.",
)


def save_plot(data: dict[str, Any], file: Path) -> None:
    """Draw the `data` of a finished measurement with its `raw`. Raises ClickException if the file can't be written."""
    picture = io.BytesIO()
    _draw(data).savefig(picture, format="png", backend="agg")
    try:
        file.write_bytes(picture.getvalue())
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}.") from error


def spectrum(ppg: NDArray[np.float64], fs: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates in beats per minute, and the power of a wave of shape (n,) at each, as a share of the largest.

    Both have shape (m,) and cover the rates that are shown.
    """
    points = max(len(ppg), int(np.ceil(60 * fs / _STEP_BPM)))
    from scipy.signal import periodogram

    freqs, power = periodogram(np.nan_to_num(ppg), fs, window="hann", nfft=points)
    shown = (60 * freqs >= _SHOWN_BPM[0]) & (60 * freqs <= _SHOWN_BPM[1])
    power = power[shown]
    return 60 * freqs[shown], power / max(float(np.max(power, initial=0.0)), np.finfo(float).tiny)


def why_no_wave(data: dict[str, Any]) -> str | None:
    """In words, why there is nothing to draw; None if there is.

    The raw wave of a window without a heart rate is what was left after every filter, and would look like a pulse.
    """
    if data["heart_rate"] is None:
        advice = f"\nGuidance: {', '.join(data['guidance'])}" if data["guidance"] else ""
        return f"No pulse was found ({data['withheld'].get('heart_rate', 'NOT_MEASURED')}): no wave to draw.{advice}"
    raw = data.get("raw")
    if raw is None:
        return "The service sent no waveform."
    if not raw["ppg"]:
        rate = f"{data['frame_rate']:.1f} a second"
        return f"The frames ({rate}) were too far apart to show a pulse wave.\nOnly the rate was found."
    return None


def _draw(data: dict[str, Any]) -> Figure:
    from matplotlib.figure import Figure

    words = why_no_wave(data)
    if words:
        figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=13, linespacing=1.8, transform=axes.transAxes)
    else:
        raw = data["raw"]
        fs, ppg = float(raw["sampling_rate"]), np.array(raw["ppg"], dtype=float)
        beats_s = np.array(raw["beats_ms"], dtype=float) / 1000
        rows = max(1, round(len(ppg) / fs / _ROW_S))
        figure = Figure(figsize=(12, 3.6 + 2.2 * rows), dpi=100, layout="constrained")
        *waves, below = figure.subplots(rows + 1, 1, height_ratios=[*[2.2] * rows, 3.0])
        _draw_wave(waves, ppg, fs, beats_s)
        _draw_spectrum(below, ppg, fs, data)
    figure.suptitle(_title(data), fontsize=15)
    figure.supxlabel(measurement_meta()["notice"], fontsize=9)
    return figure


def _draw_wave(rows: list[Axes], ppg: NDArray[np.float64], fs: float, beats_s: NDArray[np.float64]) -> None:
    """The wave from left to right and on in the next row, all rows to one scale."""
    times_s = np.arange(len(ppg)) / fs
    heights = np.interp(beats_s, times_s, ppg)
    row_s = len(ppg) / fs / len(rows)
    low, high = float(np.nanmin(ppg)), float(np.nanmax(ppg))
    margin = 0.1 * (high - low) or 1.0
    for i, axes in enumerate(rows):
        axes.plot(times_s, ppg, color=_WAVE, linewidth=1.2, label="pulse wave: blood volume, arbitrary units")
        axes.plot(beats_s, heights, "o", color=_BEAT, markersize=4, label=f"beats ({len(beats_s)})")
        axes.set(xlim=(i * row_s, (i + 1) * row_s), ylim=(low - margin, high + margin), yticks=[])
    rows[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9, borderaxespad=0)
    rows[-1].set_xlabel("Time from the window's start (s)")


def _draw_spectrum(axes: Axes, ppg: NDArray[np.float64], fs: float, data: dict[str, Any]) -> None:
    rates_bpm, power = spectrum(ppg, fs)
    axes.plot(rates_bpm, power, color=_WAVE, linewidth=1.4, label="spectrum of the pulse wave")
    axes.fill_between(rates_bpm, power, color=_WAVE, alpha=0.15, linewidth=0)
    rate = data["heart_rate"]
    axes.axvline(rate, color=_RATE, linestyle="--", linewidth=1.4, label=f"measured rate, {rate} bpm")
    if interval := data["interval"].get("heart_rate"):
        label = f"its 90 % range, {interval[0]:g} to {interval[1]:g}"
        axes.axvspan(*interval, color=_RATE, alpha=0.15, linewidth=0, label=label)
    axes.set(xlim=_SHOWN_BPM, ylim=(0, 1.08), yticks=[], xlabel="Beats per minute", ylabel="Power")
    axes.set_xticks(np.arange(_SHOWN_BPM[0], _SHOWN_BPM[1] + 1, 15))
    axes.legend(loc="upper right", fontsize=9)


def _title(data: dict[str, Any]) -> str:
    rate = "No heart rate" if data["heart_rate"] is None else f"Heart rate {data['heart_rate']} bpm"
    return f"{rate}, confidence {data['confidence']:.2f}"
