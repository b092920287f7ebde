"""Witnesses: what they see, and how samples with and without them are packed."""

import cv2
import numpy as np
import pytest

from rppg_core.errors import InvalidTraces
from rppg_core.face import witnesses
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.face.regions import fit
from rppg_core.face.witnesses import by_opencv, witness
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from rppg_core.trace.traces import Sample, Trace, pack
from rppg_core.trace.witnesses import COLOURS, DETAILS, N_WITNESSES, WITNESSES

try:
    from rppg_core.face import _witnesses
except ImportError:  # it was installed without a C compiler
    _witnesses = None  # type: ignore[assignment]
compiled_here = pytest.mark.skipif(_witnesses is None, reason="was installed without a C compiler")


@pytest.fixture(scope="module")
def picture():
    return simulate_face(Scene(duration_s=1.0, frame_size=(320, 300), eyes_px=56.0, seed=3)).image(0)


@pytest.fixture(scope="module")
def place(picture):
    return fit(FaceReader().read([Frame(0, picture)])[0].face.face.landmarks)


def named(seen):
    return dict(zip(WITNESSES, seen.tolist(), strict=True))


def test_blur_takes_detail_away_and_leaves_colours(picture, place):
    sharp, blurred = witness(picture, place), witness(cv2.GaussianBlur(picture, (0, 0), 1.0), place)
    assert (blurred[DETAILS] < sharp[DETAILS] - 0.2).all()
    assert np.nanmax(np.abs(blurred[COLOURS] - sharp[COLOURS])) < 1.5


def test_dimmer_light_changes_colours_and_hardly_detail(picture, place):
    bright, dim = witness(picture, place), witness((picture * 0.95).astype(np.uint8), place)
    assert np.abs(dim[DETAILS] - bright[DETAILS]).max() < 0.03
    assert np.nanmedian(dim[COLOURS] / bright[COLOURS]) == pytest.approx(0.95, abs=0.01)


def test_what_stands_beside_the_head_is_seen_apart_from_the_face(picture, place):
    changed = picture.copy()
    changed[:, -24:] //= 2
    before, after = named(witness(picture, place)), named(witness(changed, place))
    assert after["face_detail"] == before["face_detail"]
    assert abs(after["right_g"] - before["right_g"]) + abs(after["left_g"] - before["left_g"]) > 5


def test_what_lies_beyond_the_image_is_not_seen(picture, place):
    left, top = (int(v) for v in place.matrix[:, 2] - 1.2 * place.pose[2])
    close = np.ascontiguousarray(
        picture[max(top, 0) :, max(left, 0) :][: int(3 * place.pose[2]), : int(2.4 * place.pose[2])]
    )
    landmarks = FaceReader().read([Frame(0, picture)])[0].face.face.landmarks - (max(left, 0), max(top, 0))
    seen = named(witness(close, fit(landmarks)))
    assert np.isnan(seen["left_g"])
    assert np.isnan(seen["around_detail"])
    assert np.isfinite(seen["face_detail"])


@compiled_here
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("half_steps", [True, False], ids=["at half pixels", "anywhere"])
def test_compiled_code_sees_the_same_to_the_last_digit(quarters, half_steps):
    rng = np.random.default_rng(quarters)
    for _ in range(150):
        height, width = rng.integers(1, 400, 2)
        noise = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        for image in (noise, noise[::-1], np.full_like(noise, rng.integers(0, 256))):
            x, y, size = rng.uniform((-100, -100, 0.1), (500, 500, 250))
            if half_steps:
                x, y, size = (round(2 * number) / 2 for number in (x, y, size))
            seen = np.frombuffer(_witnesses.see(image, (x, y, size), quarters), np.float32)
            np.testing.assert_array_equal(seen, by_opencv(image, (x, y, size), quarters))


@compiled_here
def test_what_is_no_picture_of_a_face_is_refused_by_compiled_code(picture):
    near = (100.0, 100.0, 50.0)
    for other in (picture[:, :, 0], picture[:, :, ::-1], picture[:, ::2], picture[None], picture.astype(np.float32)):
        with pytest.raises(ValueError, match="RGB"):
            _witnesses.see(other, near, 0)
    for far in ((1e9, 0.0, 50.0), (0.0, np.nan, 50.0), (0.0, 0.0, np.inf), (0.0, 0.0, -1.0)):
        with pytest.raises(ValueError, match="far"):
            _witnesses.see(picture, far, 0)


def test_without_compiled_code_and_in_pixels_of_another_order_the_same_is_seen(picture, place, monkeypatch):
    seen = witness(picture, place)
    np.testing.assert_array_equal(witness(np.asfortranarray(picture), place), seen)
    monkeypatch.setattr(witnesses, "_witnesses", None)
    np.testing.assert_array_equal(witness(picture, place), seen)


def samples(count):
    rng = np.random.default_rng(1)
    return [
        Sample(
            colours=rng.uniform(1, 255, (30, 3)).astype(np.float32),
            pose=rng.uniform(-1, 400, 5).astype(np.float32),
            witness=np.concatenate([rng.uniform(-9, 5, 5), rng.uniform(0, 255, N_WITNESSES - 5)]).astype(np.float32),
        )
        for _ in range(count)
    ]


def old_form(sample):
    """As samples were packed before there were witnesses."""
    levels = np.where(np.isfinite(sample.colours), np.rint(sample.colours * 256), 0xFFFF)
    return sample.pose.astype("<f4").tobytes() + levels.astype("<u2").tobytes()


def test_samples_come_back_as_they_were_packed():
    sample = samples(1)[0]
    sample.witness[7] = np.nan
    again = Sample.from_bytes(sample.to_bytes())
    assert np.nanmax(np.abs(again.colours - sample.colours)) < 1 / 500
    assert np.nanmax(np.abs(again.witness - sample.witness)) < 1 / 500
    assert np.isnan(again.witness[7])
    assert (again.pose == sample.pose).all()


def test_windows_of_the_old_form_are_still_read():
    trace = Trace.of_packed(np.arange(4.0), [old_form(sample) for sample in samples(4)], (640, 480))
    assert np.abs(trace.colours - [sample.colours for sample in samples(4)]).max() < 1 / 500
    assert trace.witness is not None
    assert np.isnan(trace.witness).all()


def test_a_window_that_an_older_service_began_goes_on():
    both = samples(6)
    packed = [old_form(sample) for sample in both[:2]] + pack(both[2:5]) + [old_form(both[5])]
    trace = Trace.of_packed(np.arange(6.0), packed, (640, 480))
    assert np.abs(trace.colours - [sample.colours for sample in both]).max() < 1 / 500
    assert np.abs(trace.pose - [sample.pose for sample in both]).max() < 1e-3
    assert trace.witness is not None
    assert np.isfinite(trace.witness).all(axis=1).tolist() == [False, False, True, True, True, False]


@pytest.mark.parametrize("broken", [b"", b"x" * 20, b"x" * 23, b"x" * 199])
def test_what_is_no_packed_sample_is_refused(broken):
    with pytest.raises(InvalidTraces):
        Sample.from_bytes(broken)


def test_an_unknown_version_is_refused():
    with pytest.raises(InvalidTraces, match="version"):
        Sample.from_bytes(samples(1)[0].to_bytes()[:-1] + b"\x09")
