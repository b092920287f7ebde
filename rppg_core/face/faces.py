"""Find and follow one face, by dlib's detector and landmark model.

A dlib shape predictor answers with landmarks for any box, a wall's too, so landmarks prove nothing: a face is
*found* or *verified* by the HOG detector [1]_, and *followed* from one frame to the next by the predictor [2]_ alone.
Where HOG sees no near face, `candidates` says where faces may be and how they are rolled, and HOG confirms them there.

References
----------
.. [1] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
   doi:10.1109/CVPR.2005.177
.. [2] V. Kazemi and J. Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014.
   doi:10.1109/CVPR.2014.241
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rppg_core.errors import NoFaceDetected
from rppg_core.face import predictors
from rppg_core.face.candidates import Candidate, CandidateDetector
from rppg_core.face.detector import FRONT, Box, Detector, Surroundings
from rppg_core.face.face import (
    BoxRule,
    Face,
    Point,
    TurnedView,
    grey,
    half_turn,
    part_of,
    quick_grey,
    scaled_size,
    turn_for,
)
from rppg_core.face.hidden import what_hides

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MIN_FACE_PX = 60.0
"""Smallest face that is measured: the side of dlib's face box in pixels of the image."""

_SEARCH_SIDE = 320  # what HOG sees at this size costs least: upright faces of a quarter of the image's longer side
# Crops around a supposed face: how much farther than the face they reach on each side, and the size that it is brought
# to. The detector's window has 80 pixels, so it sees no face that is much smaller than supposed.
_VERIFY_CROPS = (0.0, 84.0), (0.2, 84.0)  # the first shows HOG nearly all faces at half the cost
_LAST_PLACE_CROP, _CANDIDATE_CROP = (0.8, 84.0), (0.5, 105.0)
_VERIFY_SCORE = -0.15  # on a small crop, where chance has little room, a turned or dark face may score below zero
_SEARCH_SCORE = 0.0
_TURNED_SCORE = 0.2  # to confirm a candidate in a turned view, of which several are tried
_PLAIN_SCORE, _PLAINER, _CERTAIN_SCORE = 0.7, 0.2, 0.9
# The roll of a plain candidate is known to some 30 degrees; one that is less plain may stand on its head.
_NEXT_TURNS, _ALL_TURNS, _ROLL_SCORE = (0, 45, -45), (0, 180, 45, -45, 90, -90, 135, -135), 0.8
_SURE_SCORE = 0.65  # a candidate that HOG does not confirm, but that is so plain, is a face that something hides
# Another face is looked for where one of half the followed one's size is as large as the detector's window, or as large
# as that allows; and it must be plainer than a followed face, and lie beside it.
_OTHER_PX, _OTHER_SIDE, _OTHER_SHARE, _OTHER_SCORE = 84.0, 640, 0.45, 0.2
_REFINEMENTS = 2
# The predictor answers in whole pixels of what it is shown, so it is shown the face at a size where those are small.
# (Averaging it over boxes a few pixels apart halves its jitter too, and gains nothing once `motion` has taken out what
# the jitter leaks.)
_PREDICT_PX = 320
_PREDICT_MARGIN = 0.1
_VIEW_REACH = 0.8  # of a turned view, in sides of the face's box: what settling may move it by is inside

# The 68-point model's eye corners and nose base, in the order of regions.TEMPLATE.
_FIVE_OF_68 = (45, 42, 36, 39, 33)


# What fits most faces, measured on the detector's boxes; half of a face's own rule is taken from here, since the
# detector's boxes move in steps.
_RULES = {5: BoxRule(0.0, 0.32, 2.08), 68: BoxRule(0.03, -0.03, 0.98)}
_OWN_SHARE = 0.5
_OWN_LIMIT = 0.25  # and it may differ from that by so much, in sizes


class FaceFinder:
    """dlib's detector and one landmark model. Holds no state of any person; safe to share between threads."""

    def __init__(self, landmarks: str = "5", *, model: predictors.Predictor | None = None) -> None:
        """`landmarks`: "5" (shipped), "68" (the optional package), or a path to a dlib predictor of 5 or 68 points.

        `model` is one that is loaded already.

        Raises
        ------
        ModelUnavailable
            If the model is not there, can't be read, or has another number of points.
        """
        # One for crops around a known face, and one for whole pictures, so that the quick check of a followed face
        # never waits for a search, which takes a hundred times as long.
        self._in_crops, self._in_pictures = Detector(), Detector()
        self._front = Detector(FRONT)
        self._for_others = Detector()  # nor does that look wait for a search
        self._candidates = CandidateDetector()
        self._predictor = model or predictors.load(landmarks, frozenset(_RULES))
        self.n_points, self.landmarks_by = self._predictor.n_points, self._predictor.by

    def beside(self) -> FaceFinder:
        """Another one with the same model, which never waits for this one's detectors."""
        return FaceFinder(model=self._predictor)

    def find_near(self, image: NDArray[np.uint8], near: Face) -> Face | None:
        """Search for a face around its last place."""
        return self._in_crop(image, near, _LAST_PLACE_CROP, _SEARCH_SCORE)

    def find(self, image: NDArray[np.uint8], *, thorough: bool = True) -> Face:
        """Search for a face in the whole image, the largest one.

        A search that is not `thorough` costs a fourth, and sees only upright faces of a quarter of the image's longer
        side. A thorough one costs as much as some twenty decodes.

        Raises
        ------
        NoFaceDetected
            If there is none, or only one below `MIN_FACE_PX`, or one that something hides; its `guidance` says which.
        """
        scale = _SEARCH_SIDE / max(image.shape[:2])
        box = self._largest(grey(image, scale), scale)
        if box is None:
            if thorough:
                return self._find_candidate(image)
            raise NoFaceDetected
        if box.side < MIN_FACE_PX:
            raise _too_small(box.side)
        return self._settle_turned(image, *self._upright_or_turned(image, box))

    def follow(self, image: NDArray[np.uint8], last: Face) -> Face:
        """Landmarks from the last place. Says nothing about whether a face is there: see `verify`."""
        if last.turn:
            view = TurnedView(image, last.centre, last.side * _VIEW_REACH, last.turn, _view_scale(last.side))
            inside = view.inwards(last)
            face = view.outwards(self._align(view.image, inside.centre, inside.side, inside.rule))
        else:
            face = self._align(image, last.centre, last.side, last.rule)
        turn = turn_for(face.roll_deg, last.turn)
        return face if turn == face.turn else replace(face, turn=turn)

    def verify(self, image: NDArray[np.uint8], face: Face) -> bool:
        """Whether the detector too sees a face there, of about that size."""
        place, (near, wide) = (face.centre, face.side, face.turn), _VERIFY_CROPS
        # The filter for faces that look ahead confirms nearly all; what it doesn't see, the others may.
        for crop, detectors in ((near, (self._front, self._in_crops)), (wide, (self._in_crops,))):
            around = Surroundings(image, place, crop, shrink=quick_grey)
            for detector in detectors:
                found = around.nearest(detector, _VERIFY_SCORE)
                if found is not None and _agrees(found, face):
                    return True
        return False

    def sees_others(self, image: NDArray[np.uint8], face: Face) -> bool:
        """Whether there is another face, at least half as large as this one. Costs as much as following it for long."""
        scale = min(2 * _OTHER_PX / face.side, _OTHER_SIDE / max(image.shape[:2]))
        for centre, side, _score in self._for_others.boxes(grey(image, scale), _OTHER_SCORE, scale):
            # The detector sees one face twice at times, at another size; two heads can't be as near as that.
            beside = math.dist(centre, face.centre) > 0.5 * max(side, face.side) + 0.2 * min(side, face.side)
            if beside and side >= _OTHER_SHARE * face.side:
                return True
        return False

    def _find_candidate(self, image: NDArray[np.uint8]) -> Face:
        refusal = NoFaceDetected()
        for candidate in self._candidates.find(image):
            face = self._confirmed(image, candidate)
            if face is not None and face.side >= MIN_FACE_PX:
                return face
            if face is not None or candidate.score >= _SURE_SCORE:
                side = face.side if face is not None else candidate.side
                refusal = _too_small(side) if side < MIN_FACE_PX else _hidden(what_hides(image, candidate))
        raise refusal

    def _confirmed(self, image: NDArray[np.uint8], candidate: Candidate) -> Face | None:
        """The face of a candidate as HOG sees it, in the turn in which it is plainest."""
        turns = _NEXT_TURNS if candidate.score >= _ROLL_SCORE else _ALL_TURNS
        first = turn_for(candidate.roll_deg)
        place = candidate.centre, candidate.side
        best = self._plainest(image, place, [half_turn(first + more) for more in turns])
        if best is None:
            return None
        face = self._settle_turned(image, *best)
        # Of a box at the wrong roll the landmarks are no face's.
        return face if not face.turn or self.verify(image, face) else None

    def _plainest(
        self, image: NDArray[np.uint8], place: tuple[Point, float], turns: Iterable[int]
    ) -> tuple[Box, int] | None:
        """The first box, or one of a later turn in which HOG sees it much more plainly."""
        best: tuple[Box, int] | None = None
        for turn in turns:
            least = max(_TURNED_SCORE if turn else _SEARCH_SCORE, best[0].score + _PLAINER if best else -math.inf)
            box = Surroundings(image, (*place, turn), _CANDIDATE_CROP).nearest(self._in_crops, least)
            if box is not None:
                best = box, turn
            if best is not None and best[0].score > _CERTAIN_SCORE:
                break
        return best

    def _upright_or_turned(self, image: NDArray[np.uint8], box: Box) -> tuple[Box, int]:
        """A box of an upright face, or that of a turned view where HOG sees the face much more plainly.

        HOG just sees some faces that are rolled by 45 degrees, on which the landmark model fails.
        """
        if box.score < _PLAIN_SCORE:
            best = self._plainest(image, (box.centre, box.side), (45, -45))
            if best is not None and best[0].score > box.score + _PLAINER:
                return best
        return box, 0

    def _settle_turned(self, image: NDArray[np.uint8], box: Box, turn: int) -> Face:
        """Settle in the view of the turn, and again in that of the landmarks' own roll if it is another."""
        face = self._settle_in_view(image, box.centre, box.side, turn)
        own = turn_for(face.roll_deg)
        return face if own == turn else self._settle_in_view(image, face.centre, face.side, own)

    def _settle_in_view(self, image: NDArray[np.uint8], centre: Point, side: float, turn: int) -> Face:
        if not turn:
            return self._settle(image, centre, side, None)
        view = TurnedView(image, centre, side * _VIEW_REACH, turn, _view_scale(side))
        middle = (view.image.shape[1] - 1) / 2
        return view.outwards(self._settle(view.image, (middle, middle), side * view.scale, None))

    def _in_crop(self, image: NDArray[np.uint8], near: Face, crop: tuple[float, float], score: float) -> Face | None:
        found = Surroundings(image, (near.centre, near.side, near.turn), crop).nearest(self._in_crops, score)
        if found is None or found.side < MIN_FACE_PX:
            return None
        if near.turn:
            return self._settle_turned(image, found, near.turn)
        return self._settle(image, found.centre, found.side, near.rule)

    def _largest(self, grey: NDArray[np.uint8], scale: float) -> Box | None:
        found = self._in_pictures.boxes(grey, _SEARCH_SCORE, scale)
        return max(found, key=lambda box: box.side) if found else None

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
        part = part_of(image, centre, side * (0.5 + _PREDICT_MARGIN))
        if part is None:
            raise NoFaceDetected
        left, top, crop = part
        scale = _PREDICT_PX / side
        width, height = scaled_size(crop, scale)
        across, down = width / crop.shape[1], height / crop.shape[0]
        # Pixel centres lie at half pixels, which is where a change of scale has to begin.
        x = round((centre[0] - left + 0.5) * across - 0.5 - _PREDICT_PX / 2)
        y = round((centre[1] - top + 0.5) * down - 0.5 - _PREDICT_PX / 2)
        found = self._predictor(crop, scale, (x, y), _PREDICT_PX)
        return [((x + 0.5) / across - 0.5 + left, (y + 0.5) / down - 0.5 + top) for x, y in found]


def _agrees(found: Box, face: Face) -> bool:
    """Whether the detector's box is about that of a face."""
    return math.dist(found.centre, face.centre) <= 0.3 * face.side and 0.6 <= found.side / face.side <= 1.6


def _extent(points: list[Point]) -> tuple[Point, float]:
    """Centroid and size, the mean of width and height."""
    xs, ys = zip(*points, strict=True)
    size = (max(xs) - min(xs) + max(ys) - min(ys)) / 2
    return (sum(xs) / len(xs), sum(ys) / len(ys)), max(size, 1.0)


def _view_scale(side: float) -> float:
    """No finer than the image, nor than the predictor sees."""
    return min(1.0, _PREDICT_PX / side)


def _too_small(side: float) -> NoFaceDetected:
    return NoFaceDetected(
        f"The face is too small: {side:.0f} pixels, at least {MIN_FACE_PX:.0f} are needed.",
        guidance=("FACE_TOO_SMALL",),
    )


def _hidden(guidance: tuple[str, ...]) -> NoFaceDetected:
    return NoFaceDetected("A face is there, but something hides too much of it.", guidance=guidance)
