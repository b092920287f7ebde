"""The witnesses of a frame: their names and order. `rppg_core.face.witnesses` computes them."""

from __future__ import annotations

CONTROLS = ("left", "right", "above", "below")
"""Control patches beside the head, above it and on the clothes."""

WITNESSES = (
    "face_detail", "face_edges", "around_detail", "around_edges", "centre_detail", "centre_level",
    *(f"{place}_{channel}" for place in CONTROLS for channel in "rgb"),
)  # fmt: skip
"""What is kept of each frame.

Detail and edges are the logarithm of the mean and of the root mean square of the size of the second difference from
row to row, over the brightness, so that light alone doesn't change them: flat texture counts more in the first, and
edges in the second. `around` is
beside the head. `centre` is a place of the picture, not of the face: it is the same number where the same picture comes
again. Levels and colours are on the 8-bit scale.
"""

N_WITNESSES = len(WITNESSES)
DETAILS = slice(0, 5)
CENTRE = slice(4, 6)
COLOURS = slice(6, N_WITNESSES)
