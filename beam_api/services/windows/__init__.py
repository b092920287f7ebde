"""Collect the frames or samples of a person into windows, and answer with measurements."""
