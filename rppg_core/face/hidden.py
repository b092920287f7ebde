"""What hides a face: the eyes' or the mouth's surroundings do not look like the skin above and beside the nose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rppg_core.face.candidates import Candidate

# In distances of the eyes, from between them: to the image's right and down of an upright face.
_BROW = (0.0, -0.55)
_EYES = ((-0.5, 0.0), (0.5, 0.0))
_BELOW = ((-0.45, 1.0), (0.0, 1.0), (0.45, 1.0))
_PATCH = 0.16  # half side
_DARK, _LIGHT, _HUE = 0.4, 1.7, 0.05  # brightness over the brow's; distance of the shares of r, g and b
_TRUSTED_ROLL_DEG = 75.0


def what_hides(image: NDArray[np.uint8], candidate: Candidate) -> tuple[str, ...]:
    """Guidance for a face that is seen, and not confirmed.

    Returns
    -------
    tuple of str
        `EYES_HIDDEN` (dark glasses), `MOUTH_HIDDEN` (a mask), or `FACE_HIDDEN` where neither is plain.
    """
    if abs(candidate.roll_deg) > _TRUSTED_ROLL_DEG:
        return ("FACE_HIDDEN",)
    left, right = candidate.points[0], candidate.points[1]
    apart = float(np.hypot(*(right - left)))
    turn = math.radians(candidate.roll_deg)
    axes = apart * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])

    def colour(place: tuple[float, float]) -> NDArray[np.float64] | None:
        return _mean(image, (left + right) / 2 + axes @ np.array(place), _PATCH * apart)

    brow = colour(_BROW)
    if brow is None:
        return ("FACE_HIDDEN",)
    eyes = [patch.sum() < _DARK * brow.sum() for patch in map(colour, _EYES) if patch is not None]
    below = [_differs(patch, brow) for patch in map(colour, _BELOW) if patch is not None]
    eyes_hidden, mouth_hidden = all(eyes) and len(eyes) == 2, sum(below) >= 2
    if eyes_hidden == mouth_hidden:
        return ("FACE_HIDDEN",)
    return ("EYES_HIDDEN",) if eyes_hidden else ("MOUTH_HIDDEN",)


def _differs(patch: NDArray[np.float64], skin: NDArray[np.float64]) -> bool:
    hue = np.abs(patch / patch.sum() - skin / skin.sum()).max()
    return bool(hue > _HUE or not _DARK < patch.sum() / skin.sum() < _LIGHT)


def _mean(image: NDArray[np.uint8], middle: NDArray[np.float64], reach: float) -> NDArray[np.float64] | None:
    """Mean RGB of a square, plus one level; None beyond the image."""
    height, width = image.shape[:2]
    x, y = float(middle[0]), float(middle[1])
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    part = image[top : min(height, int(y + reach) + 1), left : min(width, int(x + reach) + 1)]
    return np.array(cv2.mean(part)[:3]) + 1.0 if part.size else None
