"""Samples to an even grid: traces, resampling, and the motion, flicker and aliasing found in them."""
