"""An image and a face's place in it -> the mean colour of each skin region."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rppg_core.regions import CELL, COLUMNS, CORNERS, LEFT, MEMBERSHIP, ROWS, TOP, Fit

# Large faces are first averaged in blocks of _BLOCKS pixels a side, as long as a cell keeps _FINE pixels; then the
# face is sampled with _SAMPLES a cell's side, the fewest that are no coarser than what is sampled. So every pixel
# counts, and few are touched twice.
_BLOCKS = (8, 4, 2, 1)
_FINE = 7.0
_SAMPLES = (6, 8, 10, 12, 16)
_OUTSIDE_PX = 0.5
# The four corners of all regions together: while they are in the image, so is every region.
_OUTLINE = np.array([[(x, y) for x in (LEFT, -LEFT) for y in (TOP, TOP + CELL * ROWS)]])


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
    side = float(place.pose[2]) * CELL
    block = next((n for n in _BLOCKS if side >= n * _FINE), 1)
    part, linear, shift = _in_blocks(image, place, block)
    cell = next((n for n in _SAMPLES if n >= side / block), _SAMPLES[-1])
    step = CELL / cell
    first = linear @ np.array([LEFT + step / 2, TOP + step / 2]) + shift
    # Between pixels in floating point: rounded to whole levels, a smooth cheek would change its colour in steps.
    face = cv2.warpAffine(
        part.astype(np.float32),
        np.array(
            [[linear[0, 0] * step, linear[0, 1] * step, first[0]], [linear[1, 0] * step, linear[1, 1] * step, first[1]]]
        ),
        (COLUMNS * cell, ROWS * cell),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    sums = cv2.integral(face)[::cell, ::cell]
    cells = np.diff(np.diff(sums, axis=0), axis=1).reshape(ROWS * COLUMNS, 3)
    colours: NDArray[np.float32] = MEMBERSHIP @ (cells * np.float32(1 / (cell * cell))).astype(np.float32)
    if not _inside(image, place, _OUTLINE).all():
        colours[~_inside(image, place, CORNERS)] = np.nan
    return colours


def _in_blocks(
    image: NDArray[np.uint8], place: Fit, block: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """The image around the face, averaged in blocks; and linear part (2, 2) and shift (2,): canonical -> its pixels."""
    linear, shift = place.matrix[:, :2], place.matrix[:, 2]
    outline = _OUTLINE[0] @ linear.T + shift
    height, width = image.shape[:2]
    # The grid of blocks is the image's own: it must not wander with the face.
    left, top = (np.clip(outline.min(axis=0) // block - 1, 0, None) * block).astype(int)
    right, bottom = ((outline.max(axis=0) // block + 2) * block).astype(int)
    right, bottom = min(right, width // block * block), min(bottom, height // block * block)
    if right - left < block or bottom - top < block:
        return image, linear, shift
    part = image[top:bottom, left:right]
    for _ in range(block.bit_length() - 1):  # halving again and again is what OpenCV does fast
        half = (part.shape[1] // 2, part.shape[0] // 2)
        part = np.asarray(cv2.resize(part, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # A block's value belongs to its middle.
    return part, linear / block, (shift - (left, top) + 0.5) / block - 0.5


def _inside(image: NDArray[np.uint8], place: Fit, shapes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the shapes (n, n_corners, 2), in the canonical frame, lie in the image whole."""
    n, n_corners, _ = shapes.shape
    corners = shapes.reshape(-1, 2) @ place.matrix[:, :2].T + place.matrix[:, 2]
    limit = (image.shape[1] - 1 + _OUTSIDE_PX, image.shape[0] - 1 + _OUTSIDE_PX)
    inside = ((corners >= -_OUTSIDE_PX) & (corners <= limit)).all(axis=1)
    return np.asarray(inside.reshape(n, n_corners).all(axis=1))
