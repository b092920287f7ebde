"""dlib's HOG detector of frontal faces, and its filter for faces that look straight ahead."""

from __future__ import annotations

import math
import threading
from importlib.resources import as_file
from typing import TYPE_CHECKING, NamedTuple

import dlib

from rppg_core.face import predictors
from rppg_core.face.face import TurnedView, grey, part_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from rppg_core.face.face import Point

WHOLE = "frontal_face_detector.svm"
"""All five filters: faces that look ahead, left and right, or are rolled a little to either side."""

FRONT = "front_face_detector.svm"
"""The first of them alone, in the picture as it is and not at smaller sizes too, at 20 % of the cost."""


class Box(NamedTuple):
    """Where the detector sees a face."""

    centre: Point
    side: float
    score: float


class Detector:
    """A detector of `rppg_core/models`, used by one thread at a time.

    It works in buffers of its own and lets go of the GIL: two threads in one would crash the process. (The predictor
    only reads.)
    """

    def __init__(self, model: str = WHOLE) -> None:
        with as_file(predictors.MODELS / model) as path:
            self._detector = dlib.fhog_object_detector(str(path))
        self._one_at_a_time = threading.Lock()

    def boxes(self, picture: NDArray[np.uint8], score: float, scale: float = 1.0) -> list[Box]:
        """The faces in a grey picture whose score is at least `score`, in pixels of what it is at a `scale`."""
        with self._one_at_a_time:
            boxes, scores, _ = self._detector.run(picture, 0, score)
        return [
            Box(
                ((box.left() + box.right()) / 2 / scale, (box.top() + box.bottom()) / 2 / scale),
                box.width() / scale,
                seen,
            )
            for box, seen in zip(boxes, scores, strict=True)
        ]


class Surroundings:
    """A small grey picture of where a face of some centre, side and turn is supposed to be."""

    def __init__(
        self,
        image: NDArray[np.uint8],
        place: tuple[Point, float, int],
        crop: tuple[float, float],
        shrink: Callable[[NDArray[np.uint8], float], NDArray[np.uint8]] = grey,
    ) -> None:
        """`crop`: by how much of its side it reaches beyond the face, and the face's side in it, in pixels."""
        self._centre, side, turn = place
        margin, face_px = crop
        reach, self._scale = side * (0.5 + margin), face_px / side
        self._view = TurnedView(image, self._centre, reach, turn, self._scale) if turn else None
        part = None if turn else part_of(image, self._centre, reach)
        self._upright = part and (part[0], part[1], shrink(part[2], self._scale))

    def nearest(self, detector: Detector, score: float) -> Box | None:
        """The box of that score at least which is nearest to the supposed centre, in pixels of the image."""
        if self._view is not None:
            boxes = detector.boxes(self._view.image, score)
            found = [Box(self._view.point_outwards(box.centre), box.side / self._scale, box.score) for box in boxes]
        elif self._upright is not None:
            left, top, picture = self._upright
            boxes = detector.boxes(picture, score, self._scale)
            found = [Box((left + box.centre[0], top + box.centre[1]), box.side, box.score) for box in boxes]
        else:
            return None
        return min(found, key=lambda box: math.dist(box.centre, self._centre)) if found else None
