"""Where faces may be in a picture, at any roll: a small neural detector beside HOG.

BlazeFace [1]_ sees rolled, masked and bespectacled faces that HOG doesn't, in one look at a small picture. It is also
deceived more often, so what it sees is a *candidate*, which the caller confirms.

References
----------
.. [1] V. Bazarevsky et al., "BlazeFace: sub-millisecond neural face detection on mobile GPUs", CVPR workshop on
   computer vision for augmented and virtual reality, 2019. arXiv:1907.05047
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INPUT_PX = 256
_GRIDS = ((16, 2), (8, 6))  # cells a side, and anchors in each cell
_LEAST_SCORE = 0.4
_OVERLAP = 0.3
_MOST = 3  # candidates; more people than that are searched for again when the first are gone


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a face, in pixels of the image. Its roll is right for faces up to 120 degrees, and a guess beyond."""

    centre: tuple[float, float]
    side: float
    score: float  # 0 to 1
    roll_deg: float
    points: NDArray[np.float64]  # (4, 2): the eye on the image's left, the other, tip of the nose, mouth


class CandidateDetector:
    """BlazeFace, used by one thread at a time, and loaded by the first search."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._network: cv2.dnn.Net | None = None
        self._anchors = np.concatenate([_anchors(cells, each) for cells, each in _GRIDS])

    def find(self, image: NDArray[np.uint8]) -> list[Candidate]:
        """Up to three candidates, the largest first."""
        square, scale, corner = _input(image)
        logits, boxes = self._run(square)

        scores = 1 / (1 + np.exp(-np.clip(logits, -30, 30).astype(np.float64)))
        likely = np.flatnonzero(scores >= _LEAST_SCORE)
        # Pairs: centre, size, and six points, all but the size from the anchor.
        pairs = boxes[likely].reshape(-1, 8, 2).astype(np.float64)
        pairs[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[likely, None] * _INPUT_PX - corner
        found = [
            _candidate(pairs[at] / scale, float(scores[likely[at]])) for at in _apart(pairs[:, :2], scores[likely])
        ]
        return sorted(found, key=lambda one: one.side, reverse=True)[:_MOST]

    def _run(self, square: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (896,) and boxes (896, 16) in pixels of the input."""
        with self._one_at_a_time:
            if self._network is None:
                self._network = _load()
            self._network.setInput(square)
            logits, boxes = self._network.forward(["classificators", "regressors"])
            return np.array(logits[0, :, 0], np.float32), np.array(boxes[0], np.float32)


def _load() -> cv2.dnn.Net:
    with as_file(files("rppg_core") / "models" / "face_detection_back.tflite") as path:
        # OpenCV 5's new engine gives one of the two outputs only.
        return cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)


def _input(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float, tuple[int, int]]:
    """The picture in the middle of a grey square as the network takes it, its scale, and where it begins."""
    height, width = image.shape[:2]
    scale = _INPUT_PX / max(height, width)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    while image.shape[0] >= 2 * high and image.shape[1] >= 2 * wide:  # halving is many times as fast as other shares
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    small = cv2.resize(image, (wide, high), interpolation=cv2.INTER_LINEAR)
    left, top = (_INPUT_PX - wide) // 2, (_INPUT_PX - high) // 2
    square = np.zeros((1, 3, _INPUT_PX, _INPUT_PX), np.float32)
    blob = cv2.dnn.blobFromImage(small, 1 / 127.5, (wide, high), (127.5, 127.5, 127.5))
    square[:, :, top : top + high, left : left + wide] = blob
    return square, scale, (left, top)


def _apart(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> list[int]:
    """Which boxes, by centre and size (n, 2, 2), overlap no better one."""
    corners = np.concatenate([boxes[:, 0] - boxes[:, 1] / 2, boxes[:, 1]], axis=1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), _LEAST_SCORE, _OVERLAP)
    return [int(at) for at in np.array(kept).ravel() if boxes[at, 1].min() > 0]


def _candidate(pairs: NDArray[np.float64], score: float) -> Candidate:
    (x, y), side = pairs[0].tolist(), float(pairs[1].mean())
    return Candidate((x, y), side, score, _roll(pairs), pairs[2:6])


def _anchors(cells: int, each: int) -> NDArray[np.float64]:
    """Middles of the cells in shares of the picture, row by row."""
    at = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(at, at)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0)


def _roll(pairs: NDArray[np.float64]) -> float:
    """The roll by the eyes' line and by the line from between the eyes to the mouth."""
    one, other, mouth = pairs[2], pairs[3], pairs[5]
    right, down = other - one, mouth - (one + other) / 2
    return math.degrees(math.atan2(right[1] - down[0], right[0] + down[1]))
