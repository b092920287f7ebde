"""Where the skin is: landmarks -> a similarity transform -> cells of a canonical face.

The canonical frame has its origin between the eyes, the distance of the eyes' centres as its unit, x to the
image's right and y down. Its skin is cut into cells of a quarter unit, and cells are joined into the regions
whose mean colours are kept. Regions move with the similarity alone (four numbers fitted to all landmarks), so a
single landmark's jitter is averaged, and edges are sampled between pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Outer and inner corner of the eye on the image's right, the same on its left, base of the nose: dlib's order.
TEMPLATE = np.array([[0.710, 0.003], [0.289, 0.030], [-0.710, 0.003], [-0.289, 0.030], [0.0, 0.820]])

CELL = 0.25
COLUMNS = 7
ROWS = 12
LEFT = -CELL * COLUMNS / 2
TOP = -1.125

# (row, first column, last column) of each region. Row 4 holds the eyes, row 9 the mouth.
_LAYOUT = (
    *((row, first, last) for row in (0, 1, 2) for first, last in ((1, 2), (3, 3), (4, 5))),  # forehead
    (3, 3, 3),  # between the brows
    (5, 3, 3),
    (6, 3, 3),  # nose
    *((5, first, last) for first, last in ((0, 1), (2, 2), (4, 4), (5, 6))),  # cheeks, from the eyes down
    *((6, column, column) for column in (0, 1, 2, 4, 5, 6)),
    *((7, column, column) for column in (0, 1, 5, 6)),
    *((8, first, last) for first, last in ((0, 1), (5, 6))),
    (10, 2, 4),
    (11, 2, 4),  # chin
)
N_REGIONS = len(_LAYOUT)


def _membership() -> NDArray[np.float32]:
    weights = np.zeros((N_REGIONS, ROWS * COLUMNS), np.float32)
    for region, (row, first, last) in enumerate(_LAYOUT):
        weights[region, row * COLUMNS + first : row * COLUMNS + last + 1] = 1.0 / (last - first + 1)
    return weights


MEMBERSHIP = _membership()
"""Shape (n_regions, ROWS * COLUMNS): the share of each cell in each region's mean."""

CORNERS = np.array(
    [
        [(LEFT + CELL * x, TOP + CELL * y) for x, y in ((a, r), (b + 1, r), (b + 1, r + 1), (a, r + 1))]
        for r, a, b in _LAYOUT
    ]
)
"""Shape (n_regions, 4, 2): the corners of each region in the canonical frame."""

CENTRES = CORNERS.mean(axis=1)
"""Shape (n_regions, 2): the centre of each region in the canonical frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A face's place in an image."""

    matrix: NDArray[np.float64]  # (2, 3): canonical -> image pixels
    pose: NDArray[np.float32]  # (5,) as traces.POSE


def _solver() -> NDArray[np.float64]:
    """Shape (2, 10): centred landmarks, row by row, to the cosine and sine of the similarity, times its size."""
    x, y = (TEMPLATE - _TEMPLATE_CENTRE).T
    return np.array([np.column_stack([x, y]).ravel(), np.column_stack([-y, x]).ravel()]) / float((x * x + y * y).sum())


_TEMPLATE_CENTRE = TEMPLATE.mean(axis=0)
_SOLVER = _solver()


def fit(landmarks: NDArray[np.float64]) -> Fit:
    """Fit the canonical face to landmarks by least squares.

    Parameters
    ----------
    landmarks : ndarray, shape (5, 2)
        In pixels, in the order of `TEMPLATE`.

    References
    ----------
    .. [1] S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
       IEEE Trans. Pattern Anal. Mach. Intell. 13(4), 1991. doi:10.1109/34.88573
    """
    centre = landmarks.sum(axis=0) / len(landmarks)
    cos, sin = (_SOLVER @ (landmarks - centre).ravel()).tolist()
    rotation = np.array([[cos, -sin], [sin, cos]])
    shift = centre - rotation @ _TEMPLATE_CENTRE
    size = float(np.hypot(cos, sin))
    right, left, nose = (landmarks[0] + landmarks[1]) / 2, (landmarks[2] + landmarks[3]) / 2, landmarks[4]
    along = right - left
    apart = float(along @ along)
    # The nose's sideways offset from between the eyes, in eye distances, along the eyes' line.
    yaw = float((nose - (right + left) / 2) @ along) / apart if apart > 0 else 0.0
    middle = rotation @ np.array([0.0, 0.4]) + shift
    pose = np.array([middle[0], middle[1], size, np.arctan2(sin, cos), yaw], np.float32)
    return Fit(matrix=np.column_stack([rotation, shift]), pose=pose)
