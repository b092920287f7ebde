"""Frequency bands, in Hz."""

from __future__ import annotations

RATE_HZ = (39 / 60, 220 / 60)
"""Heart rates that are looked for."""

PULSE_BAND_HZ = (0.6, 7.5)  # where noise is measured: the pulse and its first harmonics
