"""`beam measure --plot`: a picture of a measurement's pulse wave, its spectrum, and the breathing.

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
_HARMONICS = 2.5  # of the heart rate, which the smoothed wave keeps: its shape, without the noise
_NEAR = 1 / 3  # of the typical interval: how far from a beat the peak may be that is its own
_WAVE, _BEAT, _RATE, _RAW, _BREATH = "#1f5fa8", "#c8321f", "#c8321f", "#b5b5b5", "#2a7f5e"


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
    help="Draw the pulse wave with its beats, its spectrum and the breathing, as a PNG. Needs the extra `plot`.",
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


def smoothed(ppg: NDArray[np.float64], fs: float, rate_bpm: float) -> NDArray[np.float64]:
    """Return a wave of shape (n,) without what is faster than a pulse of that rate, and without delay."""
    from scipy.signal import butter, sosfiltfilt

    edge_hz = min(_HARMONICS * rate_bpm / 60, 0.45 * fs)
    return np.asarray(sosfiltfilt(butter(2, edge_hz, fs=fs, output="sos"), np.nan_to_num(ppg)))


def peaks_of_beats(beats_s: NDArray[np.float64], wave: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Times at which a wave peaks, one for each beat: the nearest peak, or the beat's own time if none is near.

    A beat's time is found in the signals of all regions together, so the peak of this one wave is some hundredths of a
    second from it.
    """
    inner = wave[1:-1]
    peaks_s = (1 + np.flatnonzero((inner > wave[:-2]) & (inner >= wave[2:]))) / fs
    if not len(peaks_s) or len(beats_s) < 2:
        return beats_s
    nearest = peaks_s[np.argmin(np.abs(beats_s[:, None] - peaks_s), axis=1)]
    near = np.abs(nearest - beats_s) <= _NEAR * np.median(np.diff(beats_s))
    return np.where(near, nearest, beats_s)


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
        breath = [1.4] if _has_breath(data) else []
        heights = [*[2.2] * rows, *breath, 3.0]
        figure = Figure(figsize=(12, 0.6 + sum(heights)), dpi=100, layout="constrained")
        *waves, below = figure.subplots(len(heights), 1, height_ratios=heights)
        if breath:
            _draw_breath(waves.pop(), np.array(raw["respiration"], dtype=float), fs, data["respiration_rate"])
        _draw_wave(waves, ppg, smoothed(ppg, fs, data["heart_rate"]), fs, beats_s)
        _draw_spectrum(below, ppg, fs, data)
    figure.suptitle(_title(data), fontsize=15)
    figure.supxlabel(measurement_meta()["notice"], fontsize=9)
    return figure


def _has_breath(data: dict[str, Any]) -> bool:
    """Whether there is a breathing wave to show: without a rate it is what was left after a filter."""
    return data["respiration_rate"] is not None and len(data["raw"]["respiration"]) > 0


def _draw_wave(
    rows: list[Axes],
    ppg: NDArray[np.float64],
    wave: NDArray[np.float64],
    fs: float,
    beats_s: NDArray[np.float64],
) -> None:
    """Both waves from left to right and on in the next row, all rows to one scale."""
    times_s = np.arange(len(ppg)) / fs
    peaks_s = peaks_of_beats(beats_s, wave, fs)
    heights = np.interp(peaks_s, times_s, wave)
    row_s = len(ppg) / fs / len(rows)
    low, high = float(np.nanmin(ppg)), float(np.nanmax(ppg))
    margin = 0.1 * (high - low) or 1.0
    for i, axes in enumerate(rows):
        axes.plot(times_s, ppg, color=_RAW, linewidth=0.9, label="as measured")
        axes.plot(
            times_s, wave, color=_WAVE, linewidth=1.4, label="pulse wave, smoothed: blood volume, arbitrary units"
        )
        axes.plot(peaks_s, heights, "o", color=_BEAT, markersize=4, label=f"beats ({len(beats_s)})")
        axes.set(xlim=(i * row_s, (i + 1) * row_s), ylim=(low - margin, high + margin), yticks=[])
    _legend_above(rows[0])
    rows[-1].set_xlabel("Time from the window's start (s)")


def _draw_breath(axes: Axes, wave: NDArray[np.float64], fs: float, rate: int) -> None:
    times_s = np.arange(len(wave)) / fs
    axes.plot(times_s, wave, color=_BREATH, linewidth=1.4, label=f"breathing, {rate} a minute")
    axes.set(xlim=(0, len(wave) / fs), yticks=[], xlabel="Time from the window's start (s)")
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=9, borderaxespad=0)


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
