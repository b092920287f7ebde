"""The compiled evaluation of the landmark model places landmarks where dlib does, and refuses what is no such model."""

import threading
from importlib.resources import as_file

import cv2
import numpy as np
import pytest

from rppg_core.errors import ModelUnavailable
from rppg_core.face import predictors
from rppg_core.face.faces import FaceFinder
from rppg_core.face.reader import FaceReader
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

try:
    from rppg_core.face import _landmarks
except ImportError:  # it was installed without a C compiler
    _landmarks = None  # type: ignore[assignment]

SIDE = 320
compiled_here = pytest.mark.skipif(_landmarks is None, reason="was installed without a C compiler")


@pytest.fixture(scope="module")
def by_dlib():
    return predictors.by_dlib()


@pytest.fixture(scope="module")
def compiled():
    if _landmarks is None:
        pytest.skip("was installed without a C compiler")
    with as_file(predictors.SHIPPED) as path:
        return predictors.CompiledPredictor(path)


@pytest.fixture(scope="module")
def frames():
    return list(simulate_face(Scene(duration_s=1.0, sway=0.08, turn=0.05)).frames())


def grey(frame):
    return cv2.cvtColor(frame.image(), cv2.COLOR_RGB2GRAY)


# At the first the picture is brought to half its size, which OpenCV does in another way than the others.
@pytest.mark.parametrize("scale", [0.5, 0.41, 0.7713, 0.97, 1.0, 1.4725, 2.2])
@pytest.mark.parametrize("colours", [True, False])
def test_landmarks_are_dlibs_anywhere_in_a_picture_at_any_scale_and_beyond_its_borders(
    compiled, by_dlib, frames, scale, colours
):
    rng = np.random.default_rng(7)
    picture = frames[0].image() if colours else grey(frames[0])
    for _ in range(100):
        corner = tuple(int(rng.integers(-SIDE, scale * side)) for side in picture.shape[1::-1])
        assert compiled(picture, scale, corner, SIDE) == by_dlib(picture, scale, corner, SIDE)


def test_landmarks_are_dlibs_in_parts_of_any_size_whose_levels_are_noise(compiled, by_dlib):
    """In noise each level decides: one that is off by one moves a landmark in one of some hundred pictures."""
    rng = np.random.default_rng(5)
    whole = rng.integers(0, 256, (700, 700, 3)).astype(np.uint8)
    for _ in range(400):
        left, top, width, height = (int(number) for number in rng.integers(0, 300, 4))
        part = whole[top : top + height + 8, left : left + width + 8]
        scale = float(rng.uniform(0.3, 3.0))
        assert compiled(part, scale, (-20, -20), SIDE) == by_dlib(part, scale, (-20, -20), SIDE)


def test_pixels_that_lie_in_another_order_are_looked_at_too(compiled, by_dlib, frames):
    picture = frames[0].image()
    for other in (picture[:, :, ::-1], picture[::-1], picture[:, ::-1], np.asfortranarray(picture), picture[::2, ::2]):
        for scale in (0.7, 1.3):
            assert compiled(other, scale, (10, 10), SIDE) == by_dlib(other, scale, (10, 10), SIDE)


def test_landmarks_are_dlibs_in_boxes_of_any_size(compiled, by_dlib, frames):
    picture = grey(frames[0])
    for side in (1, 2, 17, 80, 161, 319, 640, 2000, 900_000):
        for corner in ((0, 0), (-side // 2, 5), (200, 150), (5000, -5000)):
            assert compiled(picture, 1.0, corner, side) == by_dlib(picture, 1.0, corner, side)


def test_landmarks_are_dlibs_in_noise_where_pixels_hardly_differ_and_in_the_smallest_pictures(compiled, by_dlib):
    rng = np.random.default_rng(8)
    for shape in ((1, 1), (1, 400), (8, 3), (390, 390)):
        for levels in (rng.integers(0, 256, shape), rng.integers(120, 123, shape), np.full(shape, 255)):
            picture = levels.astype(np.uint8)
            for corner in ((-160, -160), (0, 0), (35, 35)):
                for scale in (1.0, 2.7):
                    assert compiled(picture, scale, corner, SIDE) == by_dlib(picture, scale, corner, SIDE)


def test_a_face_is_followed_to_the_same_places(compiled, by_dlib, frames):
    one, other = (FaceReader(finder=FaceFinder(model=model)) for model in (compiled, by_dlib))
    assert (one.landmarks_by, other.landmarks_by) == ("compiled code", "dlib")
    for a, b in zip(one.read(frames), other.read(frames), strict=True):
        assert a.face.to_bytes() == b.face.to_bytes()
        assert a.sample.to_bytes() == b.sample.to_bytes()


def test_threads_share_a_model(compiled, frames):
    pictures = [grey(frame) for frame in frames]
    alone = [compiled(picture, 1.0, (150, 100), SIDE) for picture in pictures]
    together = {}

    def work(which):
        together[which] = [compiled(picture, 1.0, (150, 100), SIDE) for picture in pictures for _ in range(5)][::5]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(4)] == [alone] * 4


@compiled_here
def test_the_shipped_model_is_read_by_compiled_code_and_one_of_another_shape_by_dlib(tmp_path):
    from benchmarks.prune_landmarks import pruned

    assert FaceReader().landmarks_by == "compiled code"
    fewer = tmp_path / "fewer.dat"
    fewer.write_bytes(pruned(predictors.SHIPPED.read_bytes(), 100))
    assert FaceReader(str(fewer)).landmarks_by == "dlib"


def test_without_compiled_code_dlib_reads_the_shipped_model(monkeypatch):
    monkeypatch.setattr(predictors, "_landmarks", None)
    assert FaceReader().landmarks_by == "dlib"


@pytest.mark.parametrize("content", [None, b"", b"\x01\x01", b"no model" * 1000])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.dat"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnavailable):
        FaceReader(str(path))


@compiled_here
def test_a_model_that_is_cut_short_goes_on_or_names_what_is_not_there_is_refused():
    model, load = predictors.SHIPPED.read_bytes(), _landmarks.load
    load(model)
    for length in (0, 1, 2, 50, 1000, len(model) // 2, len(model) - 1):
        with pytest.raises(ValueError, match="shape"):
            load(model[:length])
    with pytest.raises(ValueError, match="shape"):
        load(model + b"\x00")
    # The first tree's first pixel is number 799 at most: it is stored as two bytes before all others.
    first_tree = model.index(bytes([1, 15, 2]), 40)
    assert int.from_bytes(model[first_tree + 3 : first_tree + 5], "little") < 800
    with pytest.raises(ValueError, match="shape"):
        load(model[: first_tree + 3] + (800).to_bytes(2, "little") + model[first_tree + 5 :])


@compiled_here
def test_a_model_with_any_bytes_changed_is_refused_or_predicts_without_harm():
    model, picture = bytearray(predictors.SHIPPED.read_bytes()), np.full((400, 400), 99, np.uint8)
    rng = np.random.default_rng(9)
    for _ in range(60):
        changed = bytearray(model)
        for at in rng.integers(0, len(model) if rng.random() < 0.5 else 400, 3):
            changed[at] = rng.integers(0, 256)
        try:
            loaded = _landmarks.load(bytes(changed))
        except ValueError:
            continue
        assert len(_landmarks.predict(loaded, picture, (400, 400), (40, 40), SIDE)) == 5


@pytest.fixture(scope="module")
def model():
    if _landmarks is None:
        pytest.skip("was installed without a C compiler")
    return _landmarks.load(predictors.SHIPPED.read_bytes())


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        (np.zeros((50, 50, 4), np.uint8), ValueError),
        (np.zeros((50, 50, 3), np.uint8)[:, :, ::-1], ValueError),
        (np.zeros((50, 50, 3), np.uint8)[:, ::2], ValueError),
        (np.zeros((0, 50, 3), np.uint8), ValueError),
        (np.zeros((50, 0), np.uint8), ValueError),
        (np.zeros(50, np.uint8), ValueError),
        (np.zeros((50, 50), np.float32), ValueError),
        (np.zeros((50, 50), np.uint8)[:, ::2], ValueError),
        (np.zeros((50, 50), np.uint8)[::-1], ValueError),
        ([[0, 1], [2, 3]], TypeError),
    ],
)
def test_what_is_no_picture_is_refused(model, picture, error):
    with pytest.raises(error):
        _landmarks.predict(model, picture, (20, 20), (0, 0), SIDE)


@pytest.mark.parametrize("size", [(0, 20), (20, 0), (-1, 20), (5000, 20), (20, 2**30), (51, 50), (50, 51)])
def test_a_size_that_a_picture_is_not_looked_at_in_is_refused(model, size):
    """One of colours becomes no larger."""
    with pytest.raises(ValueError, match="size"):
        _landmarks.predict(model, np.zeros((50, 50, 3), np.uint8), size, (0, 0), SIDE)


@pytest.mark.parametrize(("corner", "side"), [((0, 0), 0), ((0, 0), -5), ((2**30, 0), SIDE), ((0, -(2**30)), SIDE)])
def test_a_box_of_no_size_or_far_away_is_refused(compiled, corner, side):
    with pytest.raises(ValueError, match="box"):
        compiled(np.zeros((50, 50), np.uint8), 1.0, corner, side)
    with pytest.raises(OverflowError):
        compiled(np.zeros((50, 50), np.uint8), 1.0, (2**40, 0), SIDE)


@compiled_here
@pytest.mark.parametrize("other", [object(), None, b"model"])
def test_what_is_no_loaded_model_is_refused(other):
    with pytest.raises(ValueError, match="PyCapsule"):
        _landmarks.predict(other, np.zeros((50, 50), np.uint8), (50, 50), (0, 0), SIDE)
