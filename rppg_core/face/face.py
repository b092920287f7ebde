"""One face in one image, and the view in which a rolled face stands upright.

dlib's detector and its landmark model know upright faces only. A face that is rolled by more than half a right angle is
shown to them in a view of its surroundings that is turned by a multiple of 45 degrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Point = tuple[float, float]
"""x and y. A face has so few of them that one step of numpy costs more than all their arithmetic."""

_SMALLEST_PART = 8
_TURN_STEP, _ROLL_LEFT = 45, 30.0  # degrees; a view is changed when the face is rolled by more than the latter in it


@dataclass(frozen=True, slots=True)
class BoxRule:
    """How the box that the predictor wants follows from its own landmarks, in their mean width and height (size).

    It must be the face's own, or box -> landmarks -> box drifts off it: a long nose alone moves it by a tenth.
    """

    right: float  # the box's centre from the landmarks' centroid, in sizes
    down: float
    side: float  # in sizes


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one image, in pixels: five landmarks (5, 2), and centre and side of the predictor's next box.

    `turn` is the roll of the view in which the face is read, in degrees: 0, or another multiple of 45.
    """

    landmarks: NDArray[np.float64]
    centre: Point
    side: float
    rule: BoxRule
    turn: int = 0

    @property
    def roll_deg(self) -> float:
        """The angle of the eyes' line with the image's rows, clockwise, from -180 to 180."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.landmarks[:4].tolist()
        return math.degrees(math.atan2(ay + by - cy - dy, ax + bx - cx - dx))


def turn_for(roll_deg: float, current: int = 0) -> int:
    """The turn to read a face in; the current one as long as it fits, so that no view flickers."""
    if abs((roll_deg - current + 180) % 360 - 180) <= _ROLL_LEFT:
        return current
    return half_turn(round(roll_deg / _TURN_STEP) * _TURN_STEP)


def half_turn(degrees: int) -> int:
    """The same angle from -179 to 180 degrees."""
    return 180 - (180 - degrees) % 360


class TurnedView:
    """The surroundings of a point, turned upright, in grey."""

    def __init__(self, image: NDArray[np.uint8], centre: Point, reach: float, turn: int, scale: float) -> None:
        """A square that reaches `reach` pixels of the image from its centre, `turn` degrees anticlockwise, scaled.

        `image` may be RGB or grey. Beyond its edge its last pixels are repeated.
        """
        self._scale, self._turn = scale, turn
        side = max(_SMALLEST_PART, round(2 * reach * scale))
        part = part_of(image, centre, reach * math.sqrt(2))
        if part is None:
            self.image = np.zeros((side, side), np.uint8)
            self._to_view = np.array([[scale, 0.0, -centre[0] * scale], [0.0, scale, -centre[1] * scale]])
        else:
            left, top, pixels = part
            small = grey(pixels, min(scale, 1.0))
            shrunk = _change_of_scale((left, top), (small.shape[1] / pixels.shape[1], small.shape[0] / pixels.shape[0]))
            turned = _turned(turn, scale / min(scale, 1.0))
            shift = (side - 1) / 2 - turned @ shrunk @ (*centre, 1.0)
            view = cv2.warpAffine(
                small,
                np.column_stack([turned, shift]),
                (side, side),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            self.image = np.asarray(view, dtype=np.uint8)
            self._to_view = turned @ shrunk
            self._to_view[:, 2] += shift
        self._from_view = np.asarray(cv2.invertAffineTransform(self._to_view), dtype=np.float64)

    def inwards(self, face: Face) -> Face:
        """A face of the image as it is in this view."""
        return self._moved(face, self._to_view, self._scale, 0)

    def outwards(self, face: Face) -> Face:
        """A face of this view as it is in the image."""
        return self._moved(face, self._from_view, 1 / self._scale, self._turn)

    def point_outwards(self, point: Point) -> Point:
        """A point of this view in the image."""
        return _mapped(self._from_view, point)

    @property
    def scale(self) -> float:
        """Pixels of this view for one of the image."""
        return self._scale

    @staticmethod
    def _moved(face: Face, matrix: NDArray[np.float64], scale: float, turn: int) -> Face:
        return replace(
            face,
            landmarks=face.landmarks @ matrix[:, :2].T + matrix[:, 2],
            centre=_mapped(matrix, face.centre),
            side=face.side * scale,
            turn=turn,
        )


def _change_of_scale(corner: tuple[int, int], scale: tuple[float, float]) -> NDArray[np.float64]:
    """Matrix (2, 3) to a part of an image that begins at `corner` and is scaled.

    Pixel centres lie at half pixels, which is where a change of scale has to begin.
    """
    (left, top), (across, down) = corner, scale
    return np.array([[across, 0.0, (0.5 - left) * across - 0.5], [0.0, down, (0.5 - top) * down - 0.5]])


def _turned(degrees: int, scale: float) -> NDArray[np.float64]:
    """Matrix (2, 2) that makes a face upright which is rolled clockwise by so much."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return scale * np.array([[cos, sin], [-sin, cos]])


def _mapped(matrix: NDArray[np.float64], point: Point) -> Point:
    x, y = (matrix @ (*point, 1.0)).tolist()
    return x, y


def part_of(image: NDArray[np.uint8], centre: Point, reach: float) -> tuple[int, int, NDArray[np.uint8]] | None:
    """Left, top and pixels of the square around `centre` as far as the image goes; None where it hardly does."""
    height, width = image.shape[:2]
    left, top = max(0, int(centre[0] - reach)), max(0, int(centre[1] - reach))
    right, bottom = min(width, int(centre[0] + reach) + 1), min(height, int(centre[1] + reach) + 1)
    if right - left < _SMALLEST_PART or bottom - top < _SMALLEST_PART:
        return None
    return left, top, image[top:bottom, left:right]


def scaled_size(image: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    """Width and height of an image at another scale."""
    return max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))


def grey(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """An RGB or grey image at another scale, in grey."""
    size = scaled_size(image, scale)
    if image.ndim == 2:
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(image, size, interpolation=flags)
    elif scale < 1:
        small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    else:
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, dtype=np.uint8)


def quick_grey(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """As `grey` at a fifth of its cost, for a detector's eyes: halved as often as it can be, then interpolated."""
    size = scaled_size(image, scale)
    small = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    while small.shape[1] >= 2 * size[0] and small.shape[0] >= 2 * size[1]:
        small = cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
