"""Landmark models: dlib shape predictors of 5 or 68 points.

The shipped one is read by `_landmarks.c` where that was compiled, else by dlib as all others are. Both place the
landmarks on the same pixels; dlib waits longer for memory.
"""

from __future__ import annotations

import importlib.metadata
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import dlib
import numpy as np

from rppg_core.errors import ModelUnavailable
from rppg_core.face.face import grey, scaled_size

try:
    from rppg_core.face import _landmarks
except ImportError:  # it was installed where there is no compiler
    _landmarks = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODELS = files("rppg_core") / "models"
SHIPPED = MODELS / "shape_predictor_5_face_landmarks.dat"


class Predictor(Protocol):
    """A landmark model. Safe to share between threads."""

    n_points: int
    by: str
    """What evaluates it."""

    def __call__(
        self, picture: NDArray[np.uint8], scale: float, corner: tuple[int, int], side: int
    ) -> list[tuple[int, int]]:
        """Landmarks for the square box with this corner (left, top) in an RGB or grey picture.

        Both are in whole pixels of `grey(picture, scale)`.
        """


class DlibPredictor:
    """A model that dlib reads and evaluates."""

    by = "dlib"

    def __init__(self, path: Path) -> None:
        """Raises RuntimeError where that is no model of dlib's."""
        self._predictor = dlib.shape_predictor(str(path))
        blank = np.zeros((100, 100, 3), np.uint8)
        self.n_points = int(self._predictor(blank, dlib.rectangle(10, 10, 90, 90)).num_parts)

    def __call__(
        self, picture: NDArray[np.uint8], scale: float, corner: tuple[int, int], side: int
    ) -> list[tuple[int, int]]:
        """As every predictor."""
        left, top = corner
        shape = self._predictor(grey(picture, scale), dlib.rectangle(left, top, left + side, top + side))
        # One by one: dlib ends an iteration over `parts()` by an exception, which costs more than all the calls.
        return [(part.x, part.y) for part in map(shape.part, range(self.n_points))]


class CompiledPredictor:
    """The shipped model, or one of its shape, evaluated by `_landmarks.c`."""

    n_points, by = 5, "compiled code"

    def __init__(self, path: Path) -> None:
        """Raises ValueError where that is a model of another shape, or none."""
        self._model = _landmarks.load(path.read_bytes())

    def __call__(
        self, picture: NDArray[np.uint8], scale: float, corner: tuple[int, int], side: int
    ) -> list[tuple[int, int]]:
        """As every predictor, but no pixel is brought to that scale that the model doesn't ask for."""
        size, (height, width) = scaled_size(picture, scale), picture.shape[:2]
        if picture.ndim == 2 and scale >= 1:
            shown = picture
        elif scale >= 1:
            shown = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        elif picture.strides[1:] == (3, 1) and (width % size[0] or height % size[1]):
            shown = picture
        else:  # OpenCV rounds otherwise where it reduces by whole numbers
            shown = grey(picture, scale)
        return _landmarks.predict(self._model, shown, size, corner, side)


def load(landmarks: str, n_points: frozenset[int]) -> Predictor:
    """The shipped model ("5"), the optional one ("68") or that of a path.

    Raises
    ------
    ModelUnavailable
        If the model is not there, can't be read, or its number of points is not one of `n_points`.
    """
    if landmarks == "5":
        with as_file(SHIPPED) as path:
            return _read(path, n_points)
    path = _path_of_68() if landmarks == "68" else Path(landmarks)
    return _read(path, n_points)


def by_dlib() -> DlibPredictor:
    """The shipped model as dlib evaluates it, to compare with."""
    with as_file(SHIPPED) as path:
        return DlibPredictor(path)


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


def _read(path: Path, n_points: frozenset[int]) -> Predictor:
    try:
        predictor = _fastest(path)
    except (OSError, RuntimeError) as error:
        raise ModelUnavailable("The landmark model can't be read.") from error
    if predictor.n_points not in n_points:
        raise ModelUnavailable(f"The landmark model has {predictor.n_points} points; 5 or 68 are needed.")
    return predictor


def _fastest(path: Path) -> Predictor:
    if _landmarks is not None:
        with suppress(ValueError):
            return CompiledPredictor(path)
    return DlibPredictor(path)
