"""An image and a face's place in it -> the mean colour of each skin region."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from rppg_core.face.regions import CELL, COLUMNS, CORNERS, LEFT, MEMBERSHIP, ROWS, TOP, Fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Large faces are first averaged in blocks of _BLOCKS pixels a side, as long as a cell keeps _FINE pixels; then the
# face is sampled with _SAMPLES a cell's side, the fewest that are no coarser than what is sampled. So every pixel
# counts, and few are touched twice.
_BLOCKS = (8, 4, 2, 1)
_FINE = 7.0
_SAMPLES = (6, 8, 10, 12, 16)
_OUTSIDE_PX = 0.5
# The four corners of all regions together: while they are in the image, so is every region.
_OUTLINE = tuple((x, y) for x in (LEFT, -LEFT) for y in (TOP, TOP + CELL * ROWS))


def mean_colours(image: NDArray[np.uint8], place: Fit) -> NDArray[np.float32]:
    """Average each region.

    Parameters
    ----------
    image : ndarray, shape (height, width, 3), uint8
        RGB.
    place : Fit
        From `regions.fit` on the landmarks of this image.

    Returns
    -------
    ndarray, shape (n_regions, 3), float32
        Mean RGB on the 8-bit scale; NaN for a region that reaches beyond the image.
    """
    outline, side = _outline(place)
    block = next((n for n in _BLOCKS if side >= n * _FINE), 1)
    part, left, top, block = _in_blocks(image, outline, block)
    cell = next((n for n in _SAMPLES if n >= side / block), _SAMPLES[-1])
    # Between pixels in floating point: rounded to whole levels, a smooth cheek would change its colour in steps.
    face = cv2.warpAffine(
        part.astype(np.float32),
        _samples_in_part(place, cell, (left, top), block),
        (COLUMNS * cell, ROWS * cell),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    cells = cv2.resize(face, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)  # the mean of each cell's samples
    colours: NDArray[np.float32] = MEMBERSHIP @ cells.reshape(-1, 3)
    if not _holds(image, outline):
        colours[~_inside(image, place, CORNERS)] = np.nan
    return colours


def _outline(place: Fit) -> tuple[tuple[float, float, float, float], float]:
    """Left, top, right and bottom of all regions together, and the side of a cell, in pixels of the image."""
    (a, b, shift_x), (c, d, shift_y) = place.matrix.tolist()
    xs, ys = zip(*((a * u + b * v + shift_x, c * u + d * v + shift_y) for u, v in _OUTLINE), strict=True)
    return (min(xs), min(ys), max(xs), max(ys)), math.hypot(a, c) * CELL


def _samples_in_part(place: Fit, cell: int, corner: tuple[int, int], block: int) -> NDArray[np.float64]:
    """The 2 x 3 matrix that takes a sample, of `cell` to a cell's side, to its place in a part made of blocks."""
    (a, b, shift_x), (c, d, shift_y) = place.matrix.tolist()
    step, u, v = CELL / cell, LEFT + CELL / cell / 2, TOP + CELL / cell / 2
    # A block's value belongs to its middle.
    x = (a * u + b * v + shift_x - corner[0] + 0.5) / block - 0.5
    y = (c * u + d * v + shift_y - corner[1] + 0.5) / block - 0.5
    return np.array([[a * step / block, b * step / block, x], [c * step / block, d * step / block, y]])


def _in_blocks(
    image: NDArray[np.uint8], outline: tuple[float, float, float, float], block: int
) -> tuple[NDArray[np.uint8], int, int, int]:
    """The image around an outline (left, top, right, bottom), averaged in blocks; its left, top, and blocks' side."""
    height, width = image.shape[:2]
    # The grid of blocks is the image's own: it must not wander with the face.
    left, top = (max(int(low // block) - 1, 0) * block for low in outline[:2])
    right, bottom = (
        min((int(high // block) + 2) * block, limit // block * block)
        for high, limit in zip(outline[2:], (width, height), strict=True)
    )
    if right - left < block or bottom - top < block:
        return image, 0, 0, 1
    part = image[top:bottom, left:right]
    for _ in range(block.bit_length() - 1):  # halving again and again is what OpenCV does fast
        half = (part.shape[1] // 2, part.shape[0] // 2)
        part = np.asarray(cv2.resize(part, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return part, left, top, block


def _holds(image: NDArray[np.uint8], outline: tuple[float, float, float, float]) -> bool:
    height, width = image.shape[:2]
    left, top, right, bottom = outline
    reach = _OUTSIDE_PX
    return left >= -reach and top >= -reach and right <= width - 1 + reach and bottom <= height - 1 + reach


def _inside(image: NDArray[np.uint8], place: Fit, shapes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the shapes (n, n_corners, 2), in the canonical frame, lie in the image whole."""
    n, n_corners, _ = shapes.shape
    corners = shapes.reshape(-1, 2) @ place.matrix[:, :2].T + place.matrix[:, 2]
    limit = (image.shape[1] - 1 + _OUTSIDE_PX, image.shape[0] - 1 + _OUTSIDE_PX)
    inside = ((corners >= -_OUTSIDE_PX) & (corners <= limit)).all(axis=1)
    return np.asarray(inside.reshape(n, n_corners).all(axis=1))
