"""What else changes in a picture than the skin: how much detail it holds, and the colours beside the face.

Blood changes the colour of skin and nothing else. A video codec sharpens the whole picture with each keyframe and blurs
it until the next; a lamp and an exposure that hunts change the wall as well as the face. So a few numbers of each frame
are kept as witnesses: what they do at the rate of a supposed pulse, the picture does, and not the heart.

`_witnesses.c` computes the same numbers where it was compiled, in a third of the time: for so few pixels each step of
OpenCV costs more than its sums.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

try:
    from rppg_core.face import _witnesses
except ImportError:  # it was installed where there is no compiler
    _witnesses = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.face.regions import Fit

FACE = (0.0, 0.45, 1.0, 1.0)  # middle and half sides in the canonical frame
PATCHES = ((-2.25, 0.0, 0.5, 1.2), (2.25, 0.0, 0.5, 1.2), (0.0, -1.75, 0.9, 0.3), (-1.6, 2.6, 0.5, 0.4))
FACE_PX, PATCH_PX, CENTRE_PX = (80, 80), ((32, 80), (32, 80), (32, 32), (32, 32)), (48, 48)
LEAST_PX = 6
_MOST_PX = 1e6
FLOOR = 0.05  # levels of detail that a flat picture is granted


def witness(image: NDArray[np.uint8], place: Fit) -> NDArray[np.float32]:
    """The witnesses of one frame, as `WITNESSES`; NaN for what lies beyond the image.

    Parameters
    ----------
    image : ndarray, shape (height, width, 3), uint8
        RGB.
    place : Fit
        From `regions.fit` on the landmarks of this image.
    """
    x, y, size = place.matrix.item(2), place.matrix.item(5), place.pose.item(2)
    plain = image.strides[1:] == (3, 1) and abs(x) < _MOST_PX and abs(y) < _MOST_PX and size < _MOST_PX
    if _witnesses is not None and plain:
        return np.frombuffer(_witnesses.see(image, (x, y, size), place.quarters), np.float32)
    return by_opencv(image, (x, y, size), place.quarters)


def by_opencv(image: NDArray[np.uint8], face: tuple[float, float, float], quarters: int) -> NDArray[np.float32]:
    """The witnesses by x, y and size of the face in pixels, and the right angles that it is rolled by."""
    height, width = image.shape[:2]
    x, y, size = face

    def part(where: tuple[float, float, float, float], most: tuple[int, int]) -> NDArray[np.uint8] | None:
        u, v, half_u, half_v = where
        for _ in range(quarters):
            u, v, half_u, half_v, most = -v, u, half_v, half_u, most[::-1]
        return _part(image, (x + u * size, y + v * size), (2 * half_u * size, 2 * half_v * size), most)

    patches = [part(where, most) for where, most in zip(PATCHES, PATCH_PX, strict=True)]
    colours = [_mean(patch) for patch in patches]
    seen_face, centre = part(FACE, FACE_PX), _part(image, (width / 2, height / 2), (width, height), CENTRE_PX)
    level = _mean(centre)
    seen = [
        *_detail([seen_face], [_mean(seen_face)]),
        *_detail(patches[:2], colours[:2]),
        _detail([centre], [level])[0],
        _brightness(level),
    ]
    for colour in colours:
        seen += colour
    return np.array(seen, np.float32)


def _part(
    image: NDArray[np.uint8], middle: tuple[float, float], size: tuple[float, float], most: tuple[int, int]
) -> NDArray[np.uint8] | None:
    """What a box has in the image, at most so wide and high, by whole pixels."""
    wide, high = min(round(size[0]), most[0]), min(round(size[1]), most[1])
    left, top = round(middle[0] - wide / 2), round(middle[1] - high / 2)
    part = image[max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)]
    return part if min(part.shape[:2]) >= LEAST_PX else None


def _mean(part: NDArray[np.uint8] | None) -> list[float]:
    """Mean of each channel."""
    if part is None:
        return [math.nan] * 3
    count = part.shape[0] * part.shape[1]
    return [total / count for total in cv2.sumElems(part)[:3]]


def _brightness(colour: list[float]) -> float:
    red, green, blue = colour
    return (red + green + blue) / 3


def _detail(parts: list[NDArray[np.uint8] | None], colours: list[list[float]]) -> tuple[float, float]:
    """Detail and edges over some parts of the image."""
    count, size, power, light = 0, 0.0, 0.0, 0.0
    for part, colour in zip(parts, colours, strict=True):
        if part is None:
            continue
        between = cv2.addWeighted(part[2:], 0.5, part[:-2], 0.5, 0)
        count += between.size
        size += cv2.norm(part[1:-1], between, cv2.NORM_L1)
        power += round(cv2.norm(part[1:-1], between, cv2.NORM_L2SQR))  # it is the square of a root
        light += _brightness(colour) * between.size
    if not count:
        return math.nan, math.nan
    level = light / count + 1
    return math.log((size / count + FLOOR) / level), math.log((math.sqrt(power / count) + FLOOR) / level)
