"""Faces at any roll, small ones, and hidden ones: found, followed and measured, or refused with what is wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rppg_core import measure
from rppg_core.errors import NoFaceDetected
from rppg_core.face.face import turn_for
from rppg_core.face.faces import FaceFinder
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import FaceState, Frame
from rppg_core.face.regions import fit
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from rppg_core.trace.traces import ROLL_RAD, Trace
from tests.images import jpeg, still_face, wall
from tests.thorough import rows

WALL = (120, 110, 100)


def rolled(image: np.ndarray, degrees: float, side: int = 640, scale: float = 1.0) -> np.ndarray:
    """The picture turned clockwise about its middle."""
    height, width = image.shape[:2]
    matrix = np.array(cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, scale), np.float64)
    matrix[:, 2] += side / 2 - np.array([width, height]) / 2
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_AREA, borderValue=WALL))


def roll_of(state: FaceState) -> float:
    return float(np.rad2deg(fit(state.face.landmarks).pose[ROLL_RAD]))


ROLLS = [(degrees, skin) for degrees in range(-165, 181, 15) for skin in (2, 4)]
USUAL = [(degrees, skin) for degrees, skin in ROLLS if not degrees % 30 and skin == (4 if degrees % 60 else 2)]


@pytest.mark.parametrize(("degrees", "skin"), rows(ROLLS, USUAL))
def test_a_face_is_found_and_followed_at_any_roll(reader, degrees, skin):
    image = rolled(still_face(eyes_px=60.0, skin=skin), degrees)
    first, second = reader.read([Frame(0, image), Frame(33_333, image)])
    assert first.error is None
    assert second.error is None
    for state in (first.face, second.face):
        assert abs((roll_of(state) - degrees + 180) % 360 - 180) < 5


def test_a_rolled_face_has_the_colours_and_the_surroundings_of_the_upright_one(reader):
    image = rolled(still_face(eyes_px=60.0), 0)
    (upright,) = reader.read([Frame(0, image)])
    for quarters in (1, 2, 3):
        (turned,) = reader.read([Frame(0, np.ascontiguousarray(np.rot90(image, quarters)))])
        off = np.abs(turned.sample.colours - upright.sample.colours)
        assert np.median(off) < 1
        # A landmark that falls on the next pixel shows where a region or a patch ends at the edge of chin or hair.
        assert np.percentile(off, 90) < 3
        assert off.max() < 8
        around = np.abs(turned.sample.witness[4:] - upright.sample.witness[4:])
        assert np.median(around) < 2
        assert around.max() < 12
        assert turned.face.company.now is False


@pytest.mark.parametrize("degrees", rows([90, 130, 180], [130]))
def test_a_rolled_face_has_the_rate_of_the_upright_one(reader, degrees):
    film = simulate_face(Scene(duration_s=12.0, fps=20.0, heart_rate_bpm=77.0, sway=0.02, seed=5))
    rates = []
    for roll in (0, degrees):
        images = (rolled(film.image(i), roll, 520) for i in range(len(film)))
        trace = trace_of(zip(film.times_s, images, strict=True), reader)
        assert len(trace.times_s) == len(film)
        rates.append(measure(trace).heart_rate_bpm)
    assert None not in rates
    assert abs(rates[1] - rates[0]) <= 1


def test_a_head_that_rolls_over_is_followed_all_the_way(reader):
    face = still_face(eyes_px=60.0)
    frames = [Frame(i * 33_333, rolled(face, 6 * i)) for i in range(60)]
    readings = reader.read(frames)
    assert [reading.error for reading in readings] == [None] * 60
    turns = [reading.face.face.turn for reading in readings]
    assert sum(a != b for a, b in zip(turns[1:], turns, strict=False)) == len(set(turns)) == 8

    trace = Trace.of([frame.time_us / 1e6 for frame in frames], [r.sample for r in readings], (640, 640))
    assert np.abs(np.diff(trace.pose[:, ROLL_RAD])).max() < 0.5  # and no jump by a whole turn
    assert np.ptp(trace.pose[:, ROLL_RAD]) == pytest.approx(np.deg2rad(6 * 59), abs=0.2)


def test_a_turn_is_kept_until_another_fits_better():
    assert turn_for(29, 0) == 0
    assert turn_for(31, 0) == 45
    assert turn_for(20, 45) == 45
    assert turn_for(-170, 180) == 180
    assert turn_for(-140, 180) == -135


def test_the_state_of_a_rolled_face_survives_packing_exactly(reader):
    frames = [Frame(i * 33_333, rolled(still_face(eyes_px=60.0), 100 + i)) for i in range(4)]
    (first,) = reader.read(frames[:1])
    packed = first.face.to_bytes()
    again = FaceState.from_bytes(packed)
    assert again.to_bytes() == packed
    assert again.face.turn == first.face.face.turn != 0
    whole, parts = reader.read(frames), reader.read(frames[1:], again)
    assert [r.sample.to_bytes() for r in whole[1:]] == [r.sample.to_bytes() for r in parts]


def test_a_wall_in_a_session_that_follows_a_rolled_face_is_no_face(reader):
    state = reader.read([Frame(0, rolled(still_face(eyes_px=60.0), 90))])[0].face
    (reading,) = reader.read([Frame(33_333, wall((640, 640)))], state)
    assert isinstance(reading.error, NoFaceDetected)


@pytest.mark.parametrize("degrees", [0, 90])
def test_a_face_of_forty_pixels_is_too_small_rather_than_none(reader, degrees):
    small = rolled(still_face(eyes_px=60.0), degrees, scale=40 / 150)
    (reading,) = reader.read([Frame(0, small)])
    assert reading.error.guidance == ("FACE_TOO_SMALL",)


def hidden(image: np.ndarray, what: str) -> np.ndarray:
    """A mask from the nose to below the chin, or dark glasses, on the simulated face."""
    u = 60.0
    x, y = fit(FaceFinder().find(image).landmarks).matrix[:, 2].tolist()
    image = image.copy()
    if what == "mask":
        middle = np.rint((x, y + 1.35 * u)).astype(int).tolist()
        cv2.ellipse(image, middle, (round(1.05 * u), round(0.9 * u)), 0, 0, 360, (190, 215, 235), -1)
    else:
        for side in (-0.5, 0.5):
            middle = np.rint((x + side * u, y)).astype(int).tolist()
            cv2.ellipse(image, middle, (round(0.48 * u), round(0.38 * u)), 0, 0, 360, (15, 15, 18), -1)
    return image


@pytest.mark.parametrize(("what", "codes"), [("mask", {"MOUTH_HIDDEN"}), ("glasses", {"EYES_HIDDEN"})])
@pytest.mark.parametrize("skin", [1, 3, 5])
def test_a_hidden_face_is_measured_or_refused_with_what_hides_it(reader, what, codes, skin):
    image = hidden(still_face(eyes_px=60.0, skin=skin, frame_size=(640, 480)), what)
    (reading,) = reader.read([Frame(0, jpeg(image))])
    assert reading.error is None or set(reading.error.guidance) == codes


def test_frames_passed_over_before_a_face_is_found_are_read_backwards(reader):
    face, empty = jpeg(still_face()), jpeg(wall())
    for first in (3, 14, 16, 28, 29):
        frames = [Frame(i * 33_333, face if i >= first else empty) for i in range(30)]
        readings = reader.read(frames)
        assert [reading.error is None for reading in readings] == [i >= first for i in range(30)]


def test_slow_frames_passed_over_are_read_backwards_too(reader):
    face, empty = jpeg(still_face()), jpeg(wall())
    frames = [Frame(i * 700_000, face if i >= 4 else empty) for i in range(12)]
    assert [reading.error is None for reading in reader.read(frames)] == [i >= 4 for i in range(12)]


def test_a_broken_last_frame_does_not_hide_the_face_before_it(reader):
    face, empty = jpeg(still_face()), jpeg(wall())
    frames = [Frame(i * 33_333, face if i >= 25 else empty) for i in range(30)]
    frames[29] = Frame(frames[29].time_us, b"")
    readings = reader.read(frames)
    assert [reading.error is None for reading in readings] == [25 <= i < 29 for i in range(30)]


def test_frames_passed_over_are_refused_as_the_searched_one_was(reader):
    small = jpeg(still_face(eyes_px=14.0, frame_size=(640, 480)))
    readings = reader.read([Frame(i * 33_333, small) for i in range(8)])
    assert {reading.error.guidance for reading in readings} == {("FACE_TOO_SMALL",)}
