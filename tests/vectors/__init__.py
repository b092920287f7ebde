"""Frames and the samples that our reader makes of them, by which a reader in another language checks itself."""
