"""Beats in an ECG or in the PPG of a contact sensor, as references: two event-related moving averages [1]_, [2]_.

An average as long as an event (a QRS complex, a systolic peak) is compared with one as long as a beat. Where the short
one is above the long one for at least as long as an event, there is one.

References
----------
.. [1] M. Elgendi, "Fast QRS Detection with an Optimized Knowledge-Based Method: Evaluation on 11 Standard ECG
   Databases", PLoS ONE 8(9): e73557, 2013. doi:10.1371/journal.pone.0073557
.. [2] M. Elgendi, I. Norton, M. Brearley, D. Abbott and D. Schuurmans, "Systolic Peak Detection in Acceleration
   Photoplethysmograms Measured from Emergency Responders in Tropical Conditions", PLoS ONE 8(10): e76585, 2013.
   doi:10.1371/journal.pone.0076585
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from rppg_core.numerics import peaks_apart, vertex

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEAST_FS = 60.0
"""Sampling rate that a wave needs, in Hz: the averages last whole samples, and a QRS complex is short."""


class _Events(NamedTuple):
    """What a method looks for: its band (Hz), order, averages (s), and threshold as a share of the mean power."""

    band_hz: tuple[float, float]
    order: int
    event_s: float
    beat_s: float
    offset: float


_METHODS = {
    "ecg": _Events((8.0, 20.0), 3, 0.097, 0.611, 0.08),
    "ppg": _Events((0.5, 8.0), 2, 0.111, 0.667, 0.02),
}
_LEAST_INTERVAL_S = 60 / 220  # of the fastest rate there is; of two events that are closer, the larger is the beat


def contact_beats(wave: ArrayLike, fs: float, kind: Literal["ecg", "ppg"]) -> NDArray[np.float64]:
    """Find the beats of an evenly sampled wave.

    Parameters
    ----------
    wave : array_like, shape (n,)
        Finite, in any unit. An ECG may have either polarity; a PPG rises with each beat.
    fs : float
        Sampling rate in Hz, at least `LEAST_FS`.
    kind : {"ecg", "ppg"}
        Which wave it is.

    Returns
    -------
    ndarray, shape (n_beats,)
        Times of the R peaks or of the systolic peaks, in seconds from the first sample, between samples. They are those
        of the filtered wave, whose delay is the same for each beat. What either end cuts off is no beat. Empty if the
        wave is shorter than two beats.
    """
    from scipy import ndimage, signal  # nearly a second, of each command that can read references

    if fs < LEAST_FS:
        raise ValueError(f"{fs:g} Hz, at least {LEAST_FS:g} Hz are needed")
    events = _METHODS[kind]
    samples = np.asarray(wave, float)
    if len(samples) < 2 * events.beat_s * fs:
        return np.empty(0)
    band = signal.butter(events.order, events.band_hz, "bandpass", fs=fs, output="sos")
    filtered = signal.sosfiltfilt(band, samples - samples.mean())
    height = np.abs(filtered) if kind == "ecg" else np.maximum(filtered, 0.0)
    power = height**2
    event, beat = (ndimage.uniform_filter1d(power, _odd(seconds * fs)) for seconds in (events.event_s, events.beat_s))
    least = _odd(events.event_s * fs)
    blocks = ndimage.find_objects(ndimage.label(event > beat + events.offset * power.mean())[0])
    peaks = [
        block.start + int(np.argmax(height[block]))
        for (block,) in blocks
        if block.stop - block.start >= least and block.start >= least and block.stop <= len(power) - least
    ]
    tops = np.zeros(len(height))
    tops[peaks] = height[peaks]
    beats = peaks_apart(tops, int(np.ceil(_LEAST_INTERVAL_S * fs)))
    return np.asarray((beats + vertex(height[beats - 1], height[beats], height[beats + 1])[0]) / fs)


def _odd(samples: float) -> int:
    """The nearest odd number: an average around its middle."""
    return 2 * int(samples / 2) + 1
