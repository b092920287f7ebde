"""RGB picture to sample: face, landmarks, skin regions and their mean colours."""
