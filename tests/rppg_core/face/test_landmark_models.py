"""The shipped detector and 5-point model, beside dlib's own and the optional 68-point one."""

import importlib.metadata
from importlib.resources import files
from pathlib import Path

import dlib
import numpy as np
import pytest

from benchmarks.front_detector import front_detector
from benchmarks.prune_landmarks import LEAF_BITS, pruned, rounded, shipped
from rppg_core.errors import ModelUnavailable
from rppg_core.face.detector import FRONT, WHOLE
from rppg_core.face.reader import FaceReader
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene


def installed() -> bool:
    try:
        return bool(importlib.metadata.distribution("face_recognition_models"))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not installed(), reason="the extra landmarks68 is not installed")
def test_68_points_place_the_same_regions_on_a_moving_face(reader):
    frames = list(simulate_face(Scene(duration_s=2.0, sway=0.05, turn=0.05)).frames())
    five, many = reader.read(frames), FaceReader("68").read(frames)
    assert all(reading.error is None for reading in many)
    for one, other in zip(five, many, strict=True):
        assert other.face.face.landmarks.shape == (5, 2)
        assert np.hypot(*(one.sample.pose[:2] - other.sample.pose[:2])) < 0.1 * one.sample.pose[2]
    colours = [np.nanmedian([r.sample.colours for r in readings], axis=0) for readings in (five, many)]
    assert np.median(np.abs(colours[0] - colours[1])) < 6


def test_the_shipped_detector_is_dlibs_own(tmp_path):
    own = dlib.get_frontal_face_detector()
    own.save(str(tmp_path / "own.svm"))
    shipped = files("rppg_core") / "models" / "frontal_face_detector.svm"
    assert (tmp_path / "own.svm").read_bytes() == shipped.read_bytes()


def test_the_front_detector_is_the_first_filter_of_the_whole_one_at_one_size():
    whole, front = (files("rppg_core") / "models" / name for name in (WHOLE, FRONT))
    assert front_detector(whole.read_bytes()) == front.read_bytes()


def original() -> Path:
    """dlib's own 5-point model."""
    listed = importlib.metadata.distribution("face_recognition_models").files or []
    return next(Path(str(f.locate())) for f in listed if f.name == "shape_predictor_5_face_landmarks.dat")


@pytest.mark.skipif(not installed(), reason="the extra landmarks68 is not installed")
def test_the_shipped_model_is_a_part_of_dlibs_own():
    model = (files("rppg_core") / "models" / "shape_predictor_5_face_landmarks.dat").read_bytes()
    assert shipped(original().read_bytes()) == model
    assert rounded(model, LEAF_BITS) == model
    assert pruned(original().read_bytes(), 500) == original().read_bytes()


@pytest.mark.skipif(not installed(), reason="the extra landmarks68 is not installed")
def test_the_shipped_model_places_a_moving_face_where_the_whole_one_does(reader):
    frames = list(simulate_face(Scene(duration_s=2.0, sway=0.05, turn=0.05)).frames())
    readings, whole = reader.read(frames), FaceReader(str(original())).read(frames)
    off = np.array([a.sample.pose - b.sample.pose for a, b in zip(readings, whole, strict=True)])
    size = whole[0].sample.pose[2]
    assert np.hypot(*off[:, :2].T).max() < 0.02 * size
    assert np.abs(off[:, 2]).max() < 0.02 * size
    assert np.abs(off[:, 3]).max() < 0.02


@pytest.mark.skipif(installed(), reason="the extra landmarks68 is installed")
def test_without_the_extra_the_message_says_how_to_get_it():
    with pytest.raises(ModelUnavailable, match="landmarks68"):
        FaceReader("68")
