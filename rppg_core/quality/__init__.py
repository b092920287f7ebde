"""Evidence to probability: calibrated quality, ranges, and what is withheld."""
