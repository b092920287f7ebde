"""Others beside the followed face: seen from half its size on, looked for seldom, and remembered."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from rppg_core import measure
from rppg_core.face.company import PERIOD_US, Company, is_due
from rppg_core.face.faces import FaceFinder
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import FaceState, Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene, hard_scene, moderate_scene
from tests.images import beside, jpeg, still_face, wall


@cache
def face():
    return still_face(eyes_px=60.0)


def with_another(share):
    return beside(face(), still_face(eyes_px=60.0, skin=4, mirror=True), share)


@pytest.mark.parametrize(("share", "seen"), [(0.3, False), (0.55, True), (0.7, True), (1.0, True)])
def test_another_face_counts_from_half_the_size_on(reader, share, seen):
    (first,) = reader.read([Frame(0, face())])
    (reading,) = reader.read([Frame(33_333, with_another(share))])
    assert first.face.company.now is False
    assert reading.face.company.now is seen


@pytest.mark.parametrize("scene", [*map(hard_scene, range(6)), *map(moderate_scene, range(3))])
def test_one_person_is_never_several(reader, scene):
    film = simulate_face(scene)
    for at in (0, len(film) // 2):
        (reading,) = reader.read([Frame(0, film.image(at))])
        if reading.face is not None:
            assert reading.face.company.now is False


def test_a_look_is_taken_once_in_a_period_whatever_the_split(reader, monkeypatch):
    looks = []
    sees = FaceFinder.sees_others
    monkeypatch.setattr(FaceFinder, "sees_others", lambda self, image, face: looks.append(1) or sees(self, image, face))
    picture, step_us = jpeg(with_another(0.8)), 100_000
    film = [Frame(i * step_us, picture) for i in range(2 * PERIOD_US // step_us)]
    state = None
    for start in range(0, len(film), 60):
        state = reader.read(film[start : start + 60], state)[-1].face

    assert len(looks) == 2
    assert (state.company.looked, state.company.several) == (0b11, 0b11)
    reader.read(film[:30], state)  # late frames
    assert len(looks) == 2


def test_who_comes_and_goes_is_noticed_and_remembered_with_the_face(reader):
    at_us, state = 0, None
    shown = [face(), beside(face(), wall()), with_another(0.8), with_another(0.8), beside(face(), wall())]
    seen = []
    for image in shown:
        state = state and FaceState.from_bytes(state.to_bytes())
        state = reader.read([Frame(at_us + PERIOD_US - 50_000, image), Frame(at_us + PERIOD_US, image)], state)[-1].face
        seen.append(state.company.now)
        at_us += PERIOD_US

    assert seen == [False, False, True, True, False]


def test_a_look_is_due_at_the_first_frame_and_at_each_new_period():
    assert is_due(None, 5)
    assert not is_due(5, 33_338)
    assert is_due(PERIOD_US - 1, PERIOD_US)
    assert not is_due(PERIOD_US + 33_333, PERIOD_US - 1)  # a late frame
    assert not is_due(PERIOD_US - 300_000, PERIOD_US + 300_000)  # slow frames, each of which is searched anyway
    assert is_due(5 * PERIOD_US - 300_000, 5 * PERIOD_US + 300_000)


def looks_of(*shown, start=100):
    company = Company()
    for period, several in enumerate(shown, start):
        if several is not None:
            company = company.after_look(period * PERIOD_US + 1, several=several)
    return company


def span(first, last):
    return first * PERIOD_US, (last + 1) * PERIOD_US - 1


@pytest.mark.parametrize(
    ("shown", "several"),
    [
        ((False, False, False), False),
        ((True, True, True), True),
        ((False, True, True), True),
        ((False, False, True, False), False),  # somebody passed by
        ((False, True), True),
        ((None, True), True),
    ],
)
def test_several_means_for_a_good_part_of_the_window(shown, several):
    assert looks_of(*shown).during(*span(100, 99 + len(shown))) is several


def test_a_look_counts_by_the_time_it_stands_for():
    company = looks_of(False, True)
    assert company.during(100 * PERIOD_US, 101 * PERIOD_US + PERIOD_US // 4) is False
    assert company.during(101 * PERIOD_US - PERIOD_US // 4, 102 * PERIOD_US) is True


def test_only_the_looks_of_the_window_count():
    company = looks_of(True, True, True, False, False)
    assert company.during(*span(103, 104)) is False
    assert company.during(*span(100, 102)) is True
    assert company.during(*span(105, 105)) is False  # no look in it: as before it
    assert looks_of(False, True).during(*span(102, 102)) is True


def test_a_clock_that_jumps_begins_anew():
    assert looks_of(True, True).after_look(5, several=False).during(0, 9) is False
    far = looks_of(True, True).after_look(10**12 * 9, several=False)
    assert (far.looked, far.several) == (1, 0)


def test_a_state_of_an_older_version_has_had_no_look(reader):
    (reading,) = reader.read([Frame(0, with_another(0.8))])
    packed = reading.face.to_bytes()
    old = FaceState.from_bytes(packed[: -len(Company().to_bytes())])
    assert old.company == Company()
    assert np.array_equal(old.face.landmarks, reading.face.face.landmarks)
    assert FaceState.from_bytes(packed).company == reading.face.company


def test_a_video_of_two_says_so_and_one_of_one_does_not(reader):
    film = simulate_face(Scene(duration_s=6.0, fps=15.0, seed=5))
    images = [film.image(i) for i in range(len(film))]
    alone = trace_of(zip(film.times_s, images, strict=True), reader)
    other = still_face(skin=2)
    together = trace_of(((t, beside(image, other, 0.7)) for t, image in zip(film.times_s, images, strict=True)), reader)

    assert "SEVERAL_FACES" not in measure(alone).guidance
    assert "SEVERAL_FACES" in measure(together).guidance
