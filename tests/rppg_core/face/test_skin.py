"""Which regions count as skin, on faces of one colour with a few spots of another."""

from __future__ import annotations

import numpy as np
import pytest

from rppg_core.face.regions import CENTRES, N_REGIONS
from rppg_core.face.skin import MIN_REGIONS, skin_regions

SKINS = [(229.0, 187.0, 161.0), (170.0, 120.0, 100.0), (66.0, 42.0, 34.0)]
SPOTS = (1, 7, 12)


def face(colour):
    level = np.tile(np.array(colour), (N_REGIONS, 1)) * np.linspace(0.9, 1.1, N_REGIONS)[:, None]
    return level.clip(0, 245)


def regions_of(level, yaw=0.0, known=N_REGIONS):
    return skin_regions(known, level, np.arange(len(level)), yaw)


@pytest.mark.parametrize("colour", SKINS)
def test_a_bare_face_is_skin_in_any_tone(colour):
    assert regions_of(face(colour)).all()


@pytest.mark.parametrize("colour", SKINS)
@pytest.mark.parametrize(
    "spot",
    [
        pytest.param(lambda skin: 0.2 * skin, id="hair"),
        pytest.param(lambda skin: skin.mean() * np.array([0.5, 1.0, 1.5]), id="a blue mask"),
        pytest.param(lambda _: np.array([255.0, 254.0, 252.0]), id="glare"),
    ],
)
def test_what_is_not_skin_is_left_out_and_nothing_else(colour, spot):
    level = face(colour)
    for region in SPOTS:
        level[region] = spot(level[region])
    assert np.flatnonzero(~regions_of(level)).tolist() == list(SPOTS)


@pytest.mark.parametrize("gain", [0.3, 1.0, 1.05])
def test_a_dimmer_light_changes_nothing(gain):
    level = face(SKINS[1])
    level[list(SPOTS)] *= 0.2
    assert (regions_of(level) == regions_of(gain * level)).all()


def test_order_is_of_no_account():
    level = face(SKINS[1])
    level[list(SPOTS)] *= 0.2
    order = np.random.default_rng(3).permutation(N_REGIONS)
    shuffled = skin_regions(N_REGIONS, level[order], order, 0.0)
    assert (shuffled == regions_of(level)[order]).all()


@pytest.mark.parametrize("yaw", [-0.3, 0.3])
def test_a_head_that_turns_loses_the_cheek_on_that_side_alone(yaw):
    lost = CENTRES[~regions_of(face(SKINS[1]), yaw), 0]
    assert len(lost)
    assert (np.sign(lost) == np.sign(yaw)).all()
    assert np.abs(lost).min() > np.abs(CENTRES[:, 0]).max() / 2


def test_a_head_that_looks_ahead_or_regions_of_unknown_place_lose_no_cheek():
    assert regions_of(face(SKINS[1]), 0.05).all()
    assert regions_of(face(SKINS[1]), 0.5, known=N_REGIONS + 1).all()


def test_where_too_few_would_be_left_all_are_kept():
    level = face(SKINS[1])
    level[MIN_REGIONS - 1 :] = [255.0, 254.0, 252.0]
    assert regions_of(level).all()
    assert regions_of(level[: MIN_REGIONS - 1]).all()
