"""Frames to samples: faces are found, followed and verified, and nothing that isn't a face gets in."""

import subprocess
import sys

import numpy as np
import pytest

from rppg_core.errors import InvalidImage, ModelUnavailable, NoFaceDetected, UnsupportedImage
from rppg_core.face.reader import FaceReader, FaceState, Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene, hard_scene
from rppg_core.trace.traces import Sample
from tests.images import grey_jpeg, jpeg, still_face, wall

STEP_US = 33_333


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    """Two seconds of a face that moves a little."""
    return list(simulate_face(Scene(duration_s=2.0, sway=0.03)).frames())


def errors(readings):
    return [type(r.error) if r.error else None for r in readings]


def test_a_clip_of_a_face_is_read_whole(reader, clip):
    readings = reader.read(clip)
    assert errors(readings) == [None] * len(clip)
    assert all(np.isfinite(r.sample.colours).all() for r in readings)


def test_any_split_and_any_order_inside_requests_gives_the_same_samples(reader, clip):
    whole = reader.read(clip)
    state, parts = None, []
    for start in range(0, len(clip), 7):
        batch = clip[start : start + 7]
        readings = reader.read(batch[::-1], state)[::-1]
        state = readings[-1].face
        parts += readings
    for one, other in zip(whole, parts, strict=True):
        assert one.sample.to_bytes() == other.sample.to_bytes()


@pytest.mark.parametrize("again", [1, 3])
def test_frames_sent_again_do_not_change_how_newer_ones_are_followed(reader, clip, again):
    state = reader.read(clip[:20])[-1].face
    alone = reader.read(clip[20:40], state)
    together = reader.read(clip[20 - again : 40], state)
    assert [r.sample.to_bytes() for r in together[again:]] == [r.sample.to_bytes() for r in alone]


def test_following_agrees_with_finding_anew(reader, clip):
    followed = reader.read(clip)[-1].face.face
    found = reader.read(clip[-1:])[0].face.face
    assert np.hypot(*(followed.landmarks - found.landmarks).T).max() < 0.04 * followed.side


def test_the_state_survives_packing_exactly(reader, clip):
    state = reader.read(clip[:1])[0].face
    again = FaceState.from_bytes(state.to_bytes())
    assert again.time_us == state.time_us
    assert np.array_equal(again.face.landmarks, state.face.landmarks)
    assert again.face.side == state.face.side
    assert FaceState.from_bytes(b"something else") is None


def test_a_wall_is_no_face(reader):
    readings = reader.read([Frame(0, jpeg(wall()))])
    assert errors(readings) == [NoFaceDetected]
    assert readings[0].error.guidance == ("NO_FACE",)


def test_a_wall_in_a_session_that_follows_a_face_is_no_face(reader, clip):
    state = reader.read(clip[:5])[-1].face
    assert errors(reader.read([Frame(clip[5].time_us, jpeg(wall()))], state)) == [NoFaceDetected]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_covered_lens_in_a_session_that_follows_a_face_is_no_face_rather_than_greyscale(reader, clip, level):
    state = reader.read(clip[:5])[-1].face
    blank = jpeg(np.full((440, 480, 3), level, np.uint8))
    assert errors(reader.read([Frame(f.time_us, blank) for f in clip[5:13]], state)) == [NoFaceDetected] * 8


@pytest.mark.parametrize("covered", [range(10, 20), range(30), range(25, 30), range(1, 29), [15]])
def test_walls_among_faces_are_rejected_wherever_they_stand(reader, clip, covered):
    other = jpeg(wall())
    frames = [Frame(f.time_us, other if i in covered else f.data) for i, f in enumerate(clip[:30])]
    assert errors(reader.read(frames)) == [NoFaceDetected if i in covered else None for i in range(30)]


def test_a_face_that_fades_into_grey_is_not_followed_into_nothing(reader):
    """No frame differs much from the one before, so only the check at the end can tell."""
    face = still_face().astype(np.float32)
    flat = np.full_like(face, 128) + np.array([6, 0, -6], np.float32)
    steps = np.linspace(0, 1, 30)
    frames = [Frame(i * STEP_US, jpeg(((1 - s) * face + s * flat).astype(np.uint8))) for i, s in enumerate(steps)]
    readings = reader.read(frames)
    assert readings[0].error is None
    assert errors(readings)[-3:] == [NoFaceDetected] * 3


def test_a_face_that_jumps_is_found_again(reader, clip):
    image = still_face()
    moved = np.roll(image, 90, axis=1)
    frames = [Frame(i * STEP_US, jpeg(image if i < 10 else moved)) for i in range(20)]
    readings = reader.read(frames)
    assert errors(readings) == [None] * 20
    shift = readings[-1].face.face.landmarks - readings[0].face.face.landmarks
    assert shift[:, 0] == pytest.approx([90.0] * 5, abs=3.0)


def test_broken_frames_fail_alone(reader, clip):
    frames = list(clip[:10])
    frames[3] = Frame(frames[3].time_us, b"not an image")
    frames[6] = Frame(frames[6].time_us, frames[6].data[:2000])
    frames[9] = Frame(frames[9].time_us, b"")
    expected: list[type | None] = [None] * 10
    expected[3], expected[6], expected[9] = UnsupportedImage, InvalidImage, UnsupportedImage
    assert errors(reader.read(frames)) == expected


def test_a_small_face_is_refused_with_the_reason(reader):
    image = still_face(eyes_px=14.0, frame_size=(640, 480))
    (reading,) = reader.read([Frame(0, jpeg(image))])
    assert isinstance(reading.error, NoFaceDetected)
    assert reading.error.guidance == ("FACE_TOO_SMALL",)


@pytest.mark.parametrize("eyes_px", [26.0, 60.0, 120.0])
def test_faces_from_small_to_close_are_found(reader, eyes_px):
    image = still_face(eyes_px=eyes_px, frame_size=(640, 480))
    (reading,) = reader.read([Frame(0, jpeg(image))])
    assert reading.error is None
    assert reading.sample.pose[2] == pytest.approx(eyes_px, rel=0.1)


def test_a_picture_without_colour_is_unsupported_even_in_a_colour_file(reader):
    image = still_face()
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    for data in (jpeg(grey), grey_jpeg(image)):
        assert errors(reader.read([Frame(0, data)])) == [UnsupportedImage]


def test_of_two_faces_the_followed_one_stays_and_else_the_largest_is_taken(reader):
    near, far = still_face(eyes_px=60.0, frame_size=(400, 440)), still_face(eyes_px=45.0, frame_size=(400, 440), skin=3)
    both = jpeg(np.hstack([near, far]))
    (largest,) = reader.read([Frame(0, both)])
    assert largest.face.landmarks[:, 0].mean() < 0.5
    alone = jpeg(np.hstack([wall((400, 440)), far]))
    (state,) = (r.face for r in reader.read([Frame(0, alone)]))
    (followed,) = reader.read([Frame(1_000_000, both)], state)
    assert followed.face.landmarks[:, 0].mean() > 0.5


def test_pixels_that_are_already_decoded_are_read_as_they_are(reader):
    (reading,) = reader.read([Frame(0, still_face())])
    assert reading.error is None


def test_a_sample_survives_packing(reader, clip):
    sample = reader.read(clip[:1])[0].sample
    again = Sample.from_bytes(sample.to_bytes())
    assert np.abs(again.colours - sample.colours).max() <= 1 / 512
    assert np.array_equal(again.pose, sample.pose)
    missing = Sample(colours=np.full_like(sample.colours, np.nan), pose=sample.pose)
    assert np.isnan(Sample.from_bytes(missing.to_bytes()).colours).all()


@pytest.mark.parametrize("seed", range(4))
def test_hard_scenes_are_followed_without_drifting_off_the_face(reader, seed):
    face = simulate_face(hard_scene(seed, duration_s=4.0, dropped=0.0))
    readings = reader.read(list(face.frames()))
    good = [r for r in readings if r.error is None]
    assert len(good) > 0.8 * len(readings)
    sizes = np.array([r.sample.pose[2] for r in good])
    assert np.ptp(sizes) < 0.3 * np.median(sizes)


def test_an_unknown_model_is_named_as_unavailable(tmp_path):
    (tmp_path / "model.dat").write_bytes(b"nothing")
    with pytest.raises(ModelUnavailable):
        FaceReader(str(tmp_path / "model.dat"))


def test_threads_may_share_a_reader(tmp_path):
    """In a process of its own: dlib's detector, used by two threads at once, would take this one down."""
    np.save(tmp_path / "face.npy", still_face())
    script = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from rppg_core.face.reader import FaceReader, Frame

reader, image = FaceReader(), np.load(sys.argv[1])
images = [image[5 * k :, 7 * k :] for k in range(8)]

def read(i):
    return reader.read([Frame(0, images[i % 8])])[0].sample.to_bytes()

expected = [read(i) for i in range(8)]
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(read, range(96))) == 12 * expected
"""
    command = [sys.executable, "-c", script, str(tmp_path / "face.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def searches(reader, monkeypatch) -> tuple[list[int], list[int]]:
    """Lists that grow with each search by HOG and each by the network."""
    by_hog: list[int] = []
    by_network: list[int] = []
    pictures, candidates = reader._finder._in_pictures, reader._finder._candidates
    boxes, find = pictures.boxes, candidates.find

    def counted_boxes(grey, score, scale):
        by_hog.append(max(grey.shape))
        return boxes(grey, score, scale)

    def counted_find(image):
        by_network.append(max(image.shape))
        return find(image)

    monkeypatch.setattr(pictures, "boxes", counted_boxes)
    monkeypatch.setattr(candidates, "find", counted_find)
    return by_hog, by_network


@pytest.mark.parametrize("step_us", [33_333, 600_000, 6_000_000])
def test_a_request_without_a_face_is_searched_three_times_whatever_it_holds(reader, monkeypatch, step_us):
    by_hog, by_network = searches(reader, monkeypatch)
    data = jpeg(wall((160, 120)))
    readings = reader.read([Frame(step_us * i, data) for i in range(30)])
    assert all(isinstance(reading.error, NoFaceDetected) for reading in readings)
    assert by_hog == [320] * 3
    assert by_network == [160] * 3


def test_a_request_in_which_a_face_comes_and_goes_is_searched_thoroughly_a_few_times(reader, monkeypatch):
    face, empty = jpeg(still_face()), jpeg(wall())
    _by_hog, by_network = searches(reader, monkeypatch)
    reader.read([Frame(6_000_000 * i, face if i % 2 else empty) for i in range(40)])
    assert len(by_network) <= 4


def test_a_reader_beside_another_reads_the_same_with_detectors_of_its_own(reader):
    other = reader.beside()
    assert other._finder._in_pictures is not reader._finder._in_pictures
    assert other._finder._in_crops is not reader._finder._in_crops
    frame = Frame(0, jpeg(still_face()))
    assert np.array_equal(other.read([frame])[0].sample.colours, reader.read([frame])[0].sample.colours)


def test_frames_read_together_are_read_as_if_they_came_alone(reader, clip):
    """Broken frames, a cut to another place and another size among them."""
    frames = list(clip[:24])
    frames[3] = Frame(frames[3].time_us, frames[3].data[:2000])
    frames[9] = Frame(frames[9].time_us, jpeg(frames[9].image()[:-40]))
    frames[15] = Frame(frames[15].time_us, jpeg(np.roll(frames[15].image(), 60, axis=1)))
    frames[20] = Frame(frames[20].time_us, jpeg(wall()))
    state, alone = None, []
    for frame in frames:
        alone += reader.read([frame], state)
        state = alone[-1].face or state
    for one, other in zip(alone, reader.read(frames), strict=True):
        assert type(one.error) is type(other.error)
        assert (one.sample and one.sample.to_bytes()) == (other.sample and other.sample.to_bytes())
