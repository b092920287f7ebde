"""The canonical face: it lies where the landmarks say, and its colours don't depend on how the face lies."""

import cv2
import numpy as np
import pytest

from rppg_core.face import regions
from rppg_core.face.colour import mean_colours
from rppg_core.face.regions import CENTRES, N_REGIONS, TEMPLATE, fit


def placed(size: float, roll: float, middle: tuple[float, float]) -> np.ndarray:
    """The template's landmarks on a face of that size, tilt and place."""
    turn = size * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return TEMPLATE @ turn.T + np.array(middle)


def painted(landmarks: np.ndarray, colours: np.ndarray, shape: tuple[int, int] = (600, 700)) -> np.ndarray:
    """An image with the regions of a face painted a little over their edges; black paint is left out."""
    matrix = fit(landmarks).matrix
    image = np.zeros((*shape, 3), np.uint8)
    for corners, colour in zip(regions.CORNERS, colours, strict=True):
        if not colour.any():
            continue
        grown = (corners - corners.mean(0)) * 1.25 + corners.mean(0)
        polygon = np.round(grown @ matrix[:, :2].T + matrix[:, 2]).astype(np.int32)
        cv2.fillPoly(image, [polygon], colour.tolist())
    return image


@pytest.mark.parametrize("size", [20.0, 60.0, 150.0])
@pytest.mark.parametrize("roll", [-0.4, 0.0, 0.3])
def test_the_fit_finds_size_tilt_and_place(size, roll):
    found = fit(placed(size, roll, (300.0, 200.0)))
    assert found.pose[2] == pytest.approx(size, rel=1e-4)
    assert found.pose[3] == pytest.approx(roll, abs=1e-5)
    assert found.matrix[:, 2] == pytest.approx([300.0, 200.0], abs=1e-6)
    assert found.pose[4] == pytest.approx(0.0, abs=1e-6)


def test_a_turned_head_shows_in_the_yaw():
    landmarks = placed(60.0, 0.2, (300.0, 200.0))
    along = landmarks[0] - landmarks[2]
    landmarks[4] += 0.2 * along / np.hypot(*along) * 60.0
    assert fit(landmarks).pose[4] == pytest.approx(0.2, abs=0.002)


@pytest.mark.parametrize(("size", "roll"), [(24.0, 0.0), (60.0, 0.2), (97.0, -0.3), (230.0, 0.0)])
def test_a_region_has_the_colour_of_what_lies_under_it(size, roll):
    """Single regions, so that a neighbour's paint can't help."""
    landmarks = placed(size, roll, (350.0, 250.0))
    for region in (0, 4, 9, 13, 20, N_REGIONS - 1):
        colours = np.zeros((N_REGIONS, 3), np.uint8)
        colours[region] = (200, 120, 80)
        found = mean_colours(painted(landmarks, colours), fit(landmarks))[region]
        assert np.isnan(found).all() or found == pytest.approx([200, 120, 80], abs=2.0)


def test_every_region_is_unlike_its_mirror_image_only_in_side():
    mirrored = CENTRES * (-1, 1)
    for centre in CENTRES:
        assert np.hypot(*(mirrored - centre).T).min() < 1e-9


def test_regions_beyond_the_edge_are_missing_and_the_others_are_not():
    landmarks = placed(60.0, 0.0, (60.0, 300.0))
    colours = mean_colours(np.full((600, 700, 3), 90, np.uint8), fit(landmarks))
    left, right = CENTRES[:, 0] < -0.5, CENTRES[:, 0] > 0.5
    image_x = 60.0 + 60.0 * CENTRES[:, 0]
    assert np.isfinite(colours[right]).all()
    assert np.isfinite(colours[image_x > 20]).all()
    far = fit(placed(60.0, 0.0, (20.0, 300.0)))
    assert np.isnan(mean_colours(np.full((600, 700, 3), 90, np.uint8), far)[left]).all()


@pytest.mark.parametrize("size", [27.0, 41.0, 75.0, 160.0])
def test_moving_by_a_fraction_of_a_pixel_changes_a_colour_by_its_slope_alone(size):
    """On a ramp of light a region's mean follows its place exactly; a mask of whole pixels would move in steps."""
    x = np.arange(900, dtype=np.float32)
    ramp = np.repeat(np.clip(20 + 0.2 * x, 0, 255)[None, :, None], 700, axis=0).repeat(3, axis=2)
    rng = np.random.default_rng(0)
    dithered = np.floor(ramp + rng.random(ramp.shape, dtype=np.float32)).astype(np.uint8)
    shifts = np.linspace(0, 2, 9)
    greens = [mean_colours(dithered, fit(placed(size, 0.05, (450.0 + shift, 300.0))))[:, 1] for shift in shifts]
    slope = np.polyfit(shifts, np.array(greens), 1)[0]
    assert np.median(slope) == pytest.approx(0.2, rel=0.1)
    assert np.abs(slope - 0.2).max() < 0.1
