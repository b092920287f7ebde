"""The optional 68-point model, where it is installed: found, followed and read like the default one."""

import importlib.metadata

import numpy as np
import pytest

from rppg_core.errors import ModelUnavailable
from rppg_core.reader import FaceReader
from rppg_core.scenes import Scene
from rppg_core.simulate import simulate_face


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


@pytest.mark.skipif(installed(), reason="the extra landmarks68 is installed")
def test_without_the_extra_the_message_says_how_to_get_it():
    with pytest.raises(ModelUnavailable, match="landmarks68"):
        FaceReader("68")
