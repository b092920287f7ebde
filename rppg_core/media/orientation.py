"""How stored pictures are to be shown: the eight turns and mirrorings, and pixels that are not square."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDEST_PIXEL = 4.0
"""Pixels wider than this, or as much higher, are taken for a mistake, and the picture for one of square pixels."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """Swap rows and columns first if `transposed`, then mirror left-right, then top-bottom."""

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    @classmethod
    def of_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """Nearest orientation to a display matrix of nine numbers: a point goes to (ax + cy, bx + dy)."""
        a, b, c, d = (int(matrix[at]) for at in (0, 1, 3, 4))
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(mirrored=a < 0, upside_down=d < 0)
        return cls(transposed=True, mirrored=c < 0, upside_down=b < 0)

    @classmethod
    def of_rotation(cls, clockwise_degrees: float) -> Orientation:
        """Nearest quarter turn."""
        return (cls(), cls(True, True, False), cls(False, True, True), cls(True, False, True))[
            round(clockwise_degrees / 90) % 4
        ]

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an image (height, width, 3)."""
        return np.ascontiguousarray(self.view(image))

    def view(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same pixels as `apply`, where they are."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.mirrored:
            image = image[:, ::-1]
        return image[::-1] if self.upside_down else image


@lru_cache(maxsize=16)  # a video asks for the same with each picture
def square_size(
    width: int, height: int, pixel_aspect: float, *, longest_side: int | None, most_pixels: int
) -> tuple[int, int]:
    """Size of a stored picture in square pixels.

    The side along which its pixels are longer is stretched, as players do, so no detail is lost. Both sides are
    reduced where the result exceeds `longest_side` or `most_pixels`.
    """
    if not 1 / WIDEST_PIXEL <= pixel_aspect <= WIDEST_PIXEL:
        pixel_aspect = 1.0
    wide, high = width * max(1.0, pixel_aspect), height * max(1.0, 1 / pixel_aspect)
    scale = min(1.0, (longest_side or max(wide, high)) / max(wide, high), (most_pixels / (wide * high)) ** 0.5)
    return max(2, round(wide * scale)), max(2, round(high * scale))
