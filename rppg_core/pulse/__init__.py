"""Trace to pulse: the BVP wave, fused from regions and methods, with the evidence for it."""
