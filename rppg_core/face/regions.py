"""Where the skin is: landmarks -> a similarity transform -> cells of a canonical face.

The canonical frame has its origin between the eyes, the distance of the eyes' centres as its unit, x to the
image's right and y down. Its skin is cut into cells of a quarter unit, and cells are joined into the regions
whose mean colours are kept. Regions move with the similarity alone (four numbers fitted to all landmarks), so a
single landmark's jitter is averaged, and edges are sampled between pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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

    @property
    def quarters(self) -> int:
        """Right angles that the face is rolled by clockwise, 0 to 3, to the nearest."""
        return round(2 * float(self.pose[3]) / math.pi) % 4


_CENTRE_X, _CENTRE_Y = TEMPLATE.mean(axis=0).tolist()
_FROM_CENTRE = (TEMPLATE - TEMPLATE.mean(axis=0)).tolist()
_SPREAD = float(np.sum(np.square(_FROM_CENTRE)))


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
    # Plain numbers: for so few, each step of numpy costs more than all the arithmetic.
    points = landmarks.tolist()
    centre_x, centre_y = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    cos = sin = 0.0
    for (x, y), (from_x, from_y) in zip(points, _FROM_CENTRE, strict=True):
        cos += from_x * (x - centre_x) + from_y * (y - centre_y)
        sin += from_x * (y - centre_y) - from_y * (x - centre_x)
    cos, sin = cos / _SPREAD, sin / _SPREAD
    shift_x = centre_x - (cos * _CENTRE_X - sin * _CENTRE_Y)
    shift_y = centre_y - (sin * _CENTRE_X + cos * _CENTRE_Y)
    size, roll = math.hypot(cos, sin), math.atan2(sin, cos)
    pose = (shift_x - 0.4 * sin, shift_y + 0.4 * cos, size, roll, _yaw(points))
    return Fit(
        matrix=np.array([[cos, -sin, shift_x], [sin, cos, shift_y]]),
        pose=np.array(pose, np.float32),
    )


def _yaw(points: list[list[float]]) -> float:
    """The nose's sideways offset from between the eyes, in eye distances, along the eyes' line."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy), nose = points
    along_x, along_y = (ax + bx - cx - dx) / 2, (ay + by - cy - dy) / 2
    apart = along_x * along_x + along_y * along_y
    if apart <= 0:
        return 0.0
    across, down = nose[0] - (ax + bx + cx + dx) / 4, nose[1] - (ay + by + cy + dy) / 4
    return (across * along_x + down * along_y) / apart
