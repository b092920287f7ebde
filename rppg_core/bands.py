"""Frequency bands, in Hz: every one that more than its own module could ask about, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = (39 / 60, 220 / 60)
"""Heart rates that are looked for: from a trained sleeper's to what the old rule of thumb, 220 less the age, allows."""

ALIAS_HZ = (0.65, 3.7)
"""Rates that may be mistaken for each other: `RATE_HZ`, rounded outwards."""

STABILITY_HZ = (0.6, 3.75)
"""Where a short stretch's strongest tone is looked for: `RATE_HZ` and half the width that a tone has in 6 s."""

PULSE_BAND_HZ = (0.6, 7.5)
"""Where noise is measured against the pulse: the slowest rate, and the second harmonic of all but the fastest."""

FLICKER_HZ = (0.6, 8.0)
"""Tones of a lamp or a screen that reach into the pulse's band or alias beside it."""

BREATH_HZ = (6 / 60, 36 / 60)
"""Breathing rates that are looked for: an adult's at rest is 12 to 20 a minute, a child's or a runner's up to 36."""

MOST_OF_FS = 0.47
"""Share of the sampling rate up to which a spectrum is used: just below half of it lies what resampling left."""


def within(freqs: NDArray[np.floating], band_hz: tuple[float, float], fs: float = np.inf) -> NDArray[np.bool_]:
    """Which frequencies lie in a band, as far as the sampling rate `fs` lets it be seen."""
    return (freqs >= band_hz[0]) & (freqs <= min(band_hz[1], MOST_OF_FS * fs))
