"""Evidence to probability: calibrated quality, ranges, what is withheld, and each extractor with its calibration."""
