"""Witnesses: what they see, and how samples with and without them are packed."""

import cv2
import numpy as np
import pytest

from rppg_core.errors import InvalidTraces
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.face.regions import fit
from rppg_core.face.witnesses import witness
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from rppg_core.trace.traces import Sample, Trace, pack
from rppg_core.trace.witnesses import COLOURS, DETAILS, N_WITNESSES, WITNESSES


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
