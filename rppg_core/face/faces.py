"""Find and follow one face. The only module that imports dlib.

A dlib shape predictor answers with landmarks for any box, a wall's too, so landmarks prove nothing: a face is
*found* or *verified* by the HOG detector [1]_, and *followed* from one frame to the next by the predictor [2]_ alone.

References
----------
.. [1] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
   doi:10.1109/CVPR.2005.177
.. [2] V. Kazemi and J. Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014.
   doi:10.1109/CVPR.2014.241
"""

from __future__ import annotations

import importlib.metadata
import math
import threading
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import dlib
import numpy as np

from rppg_core.errors import ModelUnavailable, NoFaceDetected

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MODELS = files("rppg_core") / "models"

MIN_FACE_PX = 60.0
"""Smallest face that is measured: the side of dlib's face box in pixels of the image."""

# The image's longer side is brought to these in turn: near faces are found cheaply, far ones at all.
_SEARCH_SIDES = (320, 640, 1280)
_CROP_FACE_PX = 84.0  # a followed face is verified at this size: a little more than the detector's own window
_CROP_MARGIN = 0.2
_LAST_PLACE_MARGIN = 0.8
_VERIFY_SCORE = -0.15  # on a small crop, where chance has little room, a turned or dark face may score below zero
_SEARCH_SCORE = 0.0
# Another face is looked for where one of half the followed one's size is as large as the detector's window, or as large
# as that allows; and it must be plainer than a followed face, and lie beside it.
_OTHER_PX, _OTHER_SIDE, _OTHER_SHARE, _OTHER_SCORE = 84.0, 640, 0.45, 0.2
_REFINEMENTS = 2
_SMALLEST_PART = 8
# The predictor answers in whole pixels of what it is shown, so it is shown the face at a size where those are small.
# (Averaging it over boxes a few pixels apart halves its jitter too, and gains nothing once `motion` has taken out what
# the jitter leaks.)
_PREDICT_PX = 320
_PREDICT_MARGIN = 0.1

# The 68-point model's eye corners and nose base, in the order of regions.TEMPLATE.
_FIVE_OF_68 = (45, 42, 36, 39, 33)


Point = tuple[float, float]
"""x and y. A face has so few of them that one step of numpy costs more than all their arithmetic."""


@dataclass(frozen=True, slots=True)
class BoxRule:
    """How the box that the predictor wants follows from its own landmarks, in their mean width and height (size).

    It must be the face's own, or box -> landmarks -> box drifts off it: a long nose alone moves it by a tenth.
    """

    right: float  # the box's centre from the landmarks' centroid, in sizes
    down: float
    side: float  # in sizes


# What fits most faces, measured on the detector's boxes; half of a face's own rule is taken from here, since the
# detector's boxes move in steps.
_RULES = {5: BoxRule(0.0, 0.32, 2.08), 68: BoxRule(0.03, -0.03, 0.98)}
_OWN_SHARE = 0.5
_OWN_LIMIT = 0.25  # and it may differ from that by so much, in sizes


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one image, in pixels: five landmarks (5, 2), and centre and side of the predictor's next box."""

    landmarks: NDArray[np.float64]
    centre: Point
    side: float
    rule: BoxRule


class _Detector:
    """dlib's detector, used by one thread at a time.

    It works in buffers of its own and lets go of the GIL: two threads in one would crash the process. (The predictor
    only reads.)
    """

    def __init__(self) -> None:
        with as_file(_MODELS / "frontal_face_detector.svm") as path:
            self._detector = dlib.fhog_object_detector(str(path))
        self._one_at_a_time = threading.Lock()

    def boxes(self, grey: NDArray[np.uint8], score: float) -> dlib.rectangles:
        """The faces in a picture whose score is at least `score`."""
        with self._one_at_a_time:
            boxes, _scores, _ = self._detector.run(grey, 0, score)
        return boxes


class FaceFinder:
    """dlib's detector and one landmark model. Holds no state of any person; safe to share between threads."""

    def __init__(self, landmarks: str = "5", *, model: tuple[dlib.shape_predictor, int] | None = None) -> None:
        """`landmarks`: "5" (shipped), "68" (the optional package), or a path to a dlib predictor of 5 or 68 points.

        `model` is one that is loaded already, with its number of points.

        Raises
        ------
        ModelUnavailable
            If the model is not there, can't be read, or has another number of points.
        """
        # One for crops around a known face, and one for whole pictures, so that the quick check of a followed face
        # never waits for a search, which takes a hundred times as long.
        self._in_crops, self._in_pictures = _Detector(), _Detector()
        self._for_others = _Detector()  # nor does that look wait for a search
        self._predictor, self.n_points = model or _load(landmarks)

    def beside(self) -> FaceFinder:
        """Another one with the same model, which never waits for this one's detectors."""
        return FaceFinder(model=(self._predictor, self.n_points))

    def find_near(self, image: NDArray[np.uint8], near: Face) -> Face | None:
        """Search for a face around its last place."""
        return self._in_crop(image, near, _LAST_PLACE_MARGIN, _SEARCH_SCORE)

    def find(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Face:
        """Search for a face in the whole image, the largest one.

        A search that is not `thorough` costs a twentieth and sees only faces of a quarter of the image's longer side.

        Raises
        ------
        NoFaceDetected
            If there is none, or only one below `MIN_FACE_PX`; its `guidance` says which.
        """
        longer = max(image.shape[:2])
        for wanted in _SEARCH_SIDES if thorough else _SEARCH_SIDES[:1]:
            scale = wanted / longer
            box = self._largest(_grey(image, scale), scale)
            if box is None:
                continue
            centre, side = box
            if side < MIN_FACE_PX:
                break
            return self._settle(image, centre, side, None)
        else:
            raise NoFaceDetected
        raise NoFaceDetected(
            f"The face is too small: {side:.0f} pixels, at least {MIN_FACE_PX:.0f} are needed.",
            guidance=("FACE_TOO_SMALL",),
        )

    def follow(self, image: NDArray[np.uint8], last: Face) -> Face:
        """Landmarks from the last place. Says nothing about whether a face is there: see `verify`."""
        return self._align(image, last.centre, last.side, last.rule)

    def verify(self, image: NDArray[np.uint8], face: Face) -> bool:
        """Whether the detector too sees a face there, of about that size."""
        found = self._detect_in_crop(image, face, _CROP_MARGIN, _VERIFY_SCORE)
        if found is None:
            return False
        centre, side = found
        off = math.dist(centre, face.centre)
        return off <= 0.3 * face.side and 0.6 <= side / face.side <= 1.6

    def sees_others(self, image: NDArray[np.uint8], face: Face) -> bool:
        """Whether there is another face, at least half as large as this one. Costs as much as following it for long."""
        scale = min(2 * _OTHER_PX / face.side, _OTHER_SIDE / max(image.shape[:2]))
        for box in self._for_others.boxes(_grey(image, scale), _OTHER_SCORE):
            centre, side = _unscaled(box, scale)
            # The detector sees one face twice at times, at another size; two heads can't be as near as that.
            beside = math.dist(centre, face.centre) > 0.5 * max(side, face.side) + 0.2 * min(side, face.side)
            if beside and side >= _OTHER_SHARE * face.side:
                return True
        return False

    def _in_crop(self, image: NDArray[np.uint8], near: Face, margin: float, score: float) -> Face | None:
        found = self._detect_in_crop(image, near, margin, score)
        if found is None or found[1] < MIN_FACE_PX:
            return None
        return self._settle(image, *found, near.rule)

    def _detect_in_crop(
        self, image: NDArray[np.uint8], near: Face, margin: float, score: float
    ) -> tuple[Point, float] | None:
        part = _part(image, near.centre, near.side * (0.5 + margin))
        if part is None:
            return None
        left, top, pixels = part
        scale = _CROP_FACE_PX / near.side
        crop = _grey(pixels, scale)
        boxes = self._in_crops.boxes(crop, score)
        found = [((left + x, top + y), side) for (x, y), side in (_unscaled(box, scale) for box in boxes)]
        return min(found, key=lambda f: math.dist(f[0], near.centre)) if found else None

    def _largest(self, grey: NDArray[np.uint8], scale: float) -> tuple[Point, float] | None:
        found = [_unscaled(box, scale) for box in self._in_pictures.boxes(grey, _SEARCH_SCORE)]
        return max(found, key=lambda f: f[1]) if found else None

    def _settle(self, image: NDArray[np.uint8], centre: Point, side: float, rule: BoxRule | None) -> Face:
        """Repeat until the box is the one that following would use, so that a found face and a followed one agree."""
        if rule is None:
            rule = self._own_rule(self._predict(image, centre, side), centre, side)
        face = self._align(image, centre, side, rule)
        for _ in range(_REFINEMENTS):
            face = self._align(image, face.centre, face.side, rule)
        return face

    def _own_rule(self, points: list[Point], centre: Point, side: float) -> BoxRule:
        usual, (x, y), size = _RULES[self.n_points], *_extent(points)

        def between(usual_one: float, own: float) -> float:
            return usual_one + _OWN_SHARE * min(max(own - usual_one, -_OWN_LIMIT), _OWN_LIMIT)

        return BoxRule(
            right=between(usual.right, (centre[0] - x) / size),
            down=between(usual.down, (centre[1] - y) / size),
            side=between(usual.side, side / size),
        )

    def _align(self, image: NDArray[np.uint8], centre: Point, side: float, rule: BoxRule) -> Face:
        points = self._predict(image, centre, side)
        (x, y), size = _extent(points)
        return Face(
            landmarks=np.array(points if self.n_points == 5 else [points[i] for i in _FIVE_OF_68]),
            centre=(x + rule.right * size, y + rule.down * size),
            side=rule.side * size,
            rule=rule,
        )

    def _predict(self, image: NDArray[np.uint8], centre: Point, side: float) -> list[Point]:
        """The model's landmarks in pixels of the image for a box in it."""
        part = _part(image, centre, side * (0.5 + _PREDICT_MARGIN))
        if part is None:
            raise NoFaceDetected
        left, top, crop = part
        shown = _grey(crop, _PREDICT_PX / side)
        across, down = shown.shape[1] / crop.shape[1], shown.shape[0] / crop.shape[0]
        # Pixel centres lie at half pixels, which is where a change of scale has to begin.
        x = round((centre[0] - left + 0.5) * across - 0.5 - _PREDICT_PX / 2)
        y = round((centre[1] - top + 0.5) * down - 0.5 - _PREDICT_PX / 2)
        shape = self._predictor(shown, dlib.rectangle(x, y, x + _PREDICT_PX, y + _PREDICT_PX))
        # One by one: dlib ends an iteration over `parts()` by an exception, which costs more than all the calls.
        parts = map(shape.part, range(self.n_points))
        return [((p.x + 0.5) / across - 0.5 + left, (p.y + 0.5) / down - 0.5 + top) for p in parts]


def _extent(points: list[Point]) -> tuple[Point, float]:
    """Centroid and size, the mean of width and height."""
    xs, ys = zip(*points, strict=True)
    size = (max(xs) - min(xs) + max(ys) - min(ys)) / 2
    return (sum(xs) / len(xs), sum(ys) / len(ys)), max(size, 1.0)


def _part(image: NDArray[np.uint8], centre: Point, reach: float) -> tuple[int, int, NDArray[np.uint8]] | None:
    """Left, top and pixels of the square around `centre` as far as the image goes; None where it hardly does."""
    height, width = image.shape[:2]
    left, top = max(0, int(centre[0] - reach)), max(0, int(centre[1] - reach))
    right, bottom = min(width, int(centre[0] + reach) + 1), min(height, int(centre[1] + reach) + 1)
    if right - left < _SMALLEST_PART or bottom - top < _SMALLEST_PART:
        return None
    return left, top, image[top:bottom, left:right]


def _grey(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    if scale < 1:
        small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    else:
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, dtype=np.uint8)


def _unscaled(box: dlib.rectangle, scale: float) -> tuple[Point, float]:
    centre = (box.left() + box.right()) / 2 / scale, (box.top() + box.bottom()) / 2 / scale
    return centre, box.width() / scale


def _load(landmarks: str) -> tuple[dlib.shape_predictor, int]:
    if landmarks == "5":
        with as_file(_MODELS / "shape_predictor_5_face_landmarks.dat") as path:
            return _read_model(path)
    path = _path_of_68() if landmarks == "68" else Path(landmarks)
    return _read_model(path)


def _path_of_68() -> Path:
    """The optional package can't be imported where pkg_resources is gone, so its files are asked for instead."""
    try:
        listed = importlib.metadata.distribution("face_recognition_models").files or []
    except importlib.metadata.PackageNotFoundError:
        listed = []
    for file in listed:
        if file.name == "shape_predictor_68_face_landmarks.dat":
            return Path(str(file.locate()))
    raise ModelUnavailable("The 68-point model needs the extra: pip install 'beam-rppg[landmarks68]'.")


def _read_model(path: Path) -> tuple[dlib.shape_predictor, int]:
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise ModelUnavailable("The landmark model can't be read.") from error
    blank = np.zeros((100, 100, 3), np.uint8)
    n_points = int(predictor(blank, dlib.rectangle(10, 10, 90, 90)).num_parts)
    if n_points not in _RULES:
        raise ModelUnavailable(f"The landmark model has {n_points} points; 5 or 68 are needed.")
    return predictor, n_points
