"""More measures of heart-rate variability: by the distribution of intervals, by their Poincaré plot, by their spectrum.

Each is freed of what the errors of the beats' times add, by the same estimate as RMSSD is (`vital.variability`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rppg_core.vital.beats import Beats
    from rppg_core.vital.variability import Variability

SPECTRUM_NEEDS_S = 120.0
"""Seconds of trace below which the slow band has too few waves to be measured."""

LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.4)

_PNN_MS = 50.0
_MOST_PNN_WIDTH = 25.0  # percentage points between the ends of RMSSD's range
_MOST_JITTER = 0.65  # share of a band's power that jitter may explain, as of RMSSD^2
_TAPERS = 3
_STEP = 8  # frequencies for each wave that the window holds
_CHUNK = 256  # frequencies at a time: all at once would take the square of a long window in memory


def pnn50_percent(differences_ms: ArrayLike) -> float:
    """Share of successive differences beyond 50 ms, in percent [1]_.

    References
    ----------
    .. [1] Task Force of the ESC and NASPE, "Heart rate variability", Circulation 93, 1996.
       doi:10.1161/01.CIR.93.5.1043
    """
    return float(100 * np.mean(np.abs(np.asarray(differences_ms, dtype=np.float64)) > _PNN_MS))


def spectrum(
    times_s: NDArray[np.float64], intervals_ms: NDArray[np.float64], freqs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One-sided power spectral density of intervals at the times of their beats, in ms^2 / Hz, shape (n_freqs,).

    The mean of the spectra of the intervals under a few sine tapers [1]_, which together count all of the window nearly
    alike. They are taken at the beats' own times, so that nothing is put in for an interval that is left out, and
    nothing is smoothed by a resampling.

    Parameters
    ----------
    times_s, intervals_ms : ndarray, shape (n,)
        Of the intervals that count; their straight trend is taken off.
    freqs : ndarray, shape (n_freqs,)
        In Hz, below half of the mean heart rate.

    References
    ----------
    .. [1] K. S. Riedel and A. Sidorenko, "Minimum bias multiple taper spectral estimation", IEEE Trans. Signal
       Process. 43(1), 1995. doi:10.1109/78.365298
    """
    since = times_s - times_s.mean()
    rest = intervals_ms - np.polynomial.Polynomial.fit(since, intervals_ms, 1)(since)
    spacing_s = float(intervals_ms.mean()) / 1000
    place = (times_s - times_s[0] + spacing_s / 2) / (times_s[-1] - times_s[0] + spacing_s)  # 0 to 1 over the window
    tapers = np.sin(np.pi * np.outer(np.arange(1, _TAPERS + 1), place))
    tapers /= np.linalg.norm(tapers, axis=1)[:, None]
    density = np.zeros(len(freqs))
    for start in range(0, len(freqs), _CHUNK):
        waves = np.exp(-2j * np.pi * np.outer(since, freqs[start : start + _CHUNK]))
        density[start : start + _CHUNK] = np.mean(np.abs((tapers * rest) @ waves) ** 2, axis=0)
    return 2 * spacing_s * density


def jitter_spectrum(freqs: NDArray[np.float64], of_differences_ms2: float, spacing_s: float) -> NDArray[np.float64]:
    """What independent errors of the beats' times add to `spectrum`.

    An error of variance s^2 makes one interval longer and the next one shorter: 2 s^2 in their mean square, 6 s^2 in
    that of their differences (which is given), and little at low frequencies.
    """
    return np.asarray(8 * spacing_s * of_differences_ms2 / 6 * np.sin(np.pi * freqs * spacing_s) ** 2)


def hrv_details(
    beats: Beats, found: Variability, range_ms: tuple[float, float], span_s: float
) -> dict[str, float | None]:
    """Measure them, by the names of `rppg_core.results.HRV_DETAILS`; None for what can't be believed.

    Parameters
    ----------
    beats : Beats
        Their intervals.
    found : Variability
        RMSSD and SDNN of these beats, and what their jitter adds.
    range_ms : (float, float)
        Ninety per cent range of RMSSD.
    span_s : float
        Length of the trace. One shorter than `SPECTRUM_NEEDS_S` has no spectrum.
    """
    rmssd, sdnn, raw = found.rmssd_ms, found.sdnn_ms, found.raw_ms
    if rmssd is None or sdnn is None or not raw:
        return {}
    bands = _bands(beats, found.jitter_ms2) if span_s >= SPECTRUM_NEEDS_S - 1e-3 else {}
    return {
        "sdnn_ms": sdnn,
        "mean_nn_ms": float(1000 * beats.intervals_s[beats.normal].mean()),
        "pnn50_percent": _freed_pnn50(beats, rmssd / raw, (range_ms[0] / raw, range_ms[1] / raw)),
        **_poincare(rmssd, sdnn),
        **bands,
    }


def _poincare(rmssd_ms: float, sdnn_ms: float) -> dict[str, float | None]:
    """Width and length of the Poincaré plot, which RMSSD and SDNN determine [1]_.

    References
    ----------
    .. [1] M. Brennan, M. Palaniswami and P. Kamen, "Do existing measures of Poincare plot geometry reflect nonlinear
       features of heart rate variability?", IEEE Trans. Biomed. Eng. 48(11), 2001. doi:10.1109/10.959330
    """
    square = 2 * sdnn_ms**2 - rmssd_ms**2 / 2
    # Intervals that go up and down in turn have no length at all; nor has one that is lost in the errors of the two.
    return {
        "sd1_ms": float(rmssd_ms / np.sqrt(2)),
        "sd2_ms": float(np.sqrt(square)) if square > 0.1 * sdnn_ms**2 else None,
    }


def _freed_pnn50(beats: Beats, shrink: float, ends: tuple[float, float]) -> float | None:
    """pNN50 of differences shrunk to the RMSSD without jitter; None if it depends too much on which that is.

    `shrink` and `ends` are RMSSD and its range, as shares of that of the differences as they are.
    """
    both = beats.normal[1:] & beats.normal[:-1]
    differences = 1000 * np.diff(beats.intervals_s)[both]
    low, high = (pnn50_percent(share * differences) for share in ends)
    return pnn50_percent(shrink * differences) if high - low <= _MOST_PNN_WIDTH else None


def _bands(beats: Beats, of_differences_ms2: float) -> dict[str, float | None]:
    """Power of the two bands and their ratio, without jitter; None where it is most of what is seen."""
    kept = beats.normal
    times, intervals = beats.times_s[1:][kept], 1000 * beats.intervals_s[kept]
    spacing_s = float(intervals.mean()) / 1000
    step = 1 / (_STEP * (times[-1] - times[0]))
    powers = []
    for low, high in (LF_HZ, HF_HZ):
        end = min(high, 0.5 / spacing_s)  # a slow heart can't show more
        freqs = np.linspace(low, end, max(2, int(np.ceil((end - low) / step)) + 1))
        seen = float(np.trapezoid(spectrum(times, intervals, freqs), freqs))
        added = float(np.trapezoid(jitter_spectrum(freqs, of_differences_ms2, spacing_s), freqs))
        powers.append(seen - added if seen > 0 and added <= _MOST_JITTER * seen else None)
    lf, hf = powers
    return {"lf_ms2": lf, "hf_ms2": hf, "lf_hf": lf / hf if lf is not None and hf else None}
