"""The client takes the frames of a file that the service's own reader takes, at their times and the right way up."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from beam_client import SourceError, _video
from rppg_core.media.video import probe, read_video
from tests import videos
from tests.images import as_stored
from tests.rppg_core.media.test_video_shown import _CORNERS as CORNERS
from tests.rppg_core.media.test_video_shown import _MATRICES as MATRICES
from tests.rppg_core.media.test_video_shown import _RATES as RATES
from tests.rppg_core.media.test_video_shown import USUAL_RATES
from tests.rppg_core.media.test_video_shown import _film as made
from tests.thorough import rows, thorough

if TYPE_CHECKING:
    from pathlib import Path

MAX_FPS = 30.0


def shown(jpeg: bytes) -> np.ndarray:
    """A picture as a reader shows it that honours EXIF."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg))).convert("RGB"))


def assert_the_same(path: Path) -> None:
    ours, theirs = list(_video.frames(path)), list(read_video(path, max_fps=MAX_FPS))
    np.testing.assert_allclose([time_ms for time_ms, _ in ours], [1000 * time_s for time_s, _ in theirs])
    assert _video.length_ms(path) == pytest.approx(1000 * probe(path).duration_s)
    for at in (0, len(ours) // 2, -1):
        picture, expected = shown(ours[at][1]), theirs[at][1]
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(
    ("container", "codec", "turned"),
    [
        ("mp4", "libx264", 90),
        ("mov", "mjpeg", 270),
        ("avi", "libx264", 0),
        ("webm", "libvpx-vp9", 0),
        pytest.param("mp4", "libx264", 0, marks=thorough),
        pytest.param("mp4", "libx264", 180, marks=thorough),
        pytest.param("avi", "mjpeg", 0, marks=thorough),
    ],
)
def test_frames_of_a_file_are_those_of_the_service(tmp_path: Path, container: str, codec: str, turned: int) -> None:
    path = tmp_path / f"face.{container}"
    path.write_bytes(videos.encoded(container, codec, turned=turned))
    assert_the_same(path)


def test_a_fast_camera_is_thinned_evenly_and_keeps_its_last_frame(tmp_path: Path) -> None:
    images = [*videos.pictures()[:92]]
    path = tmp_path / "fast.mp4"
    path.write_bytes(videos.encode(images, [i / 60 for i in range(len(images))], fps=60))
    assert_the_same(path)
    times = [time_ms for time_ms, _ in _video.frames(path)]
    assert len(times) == 46
    assert times[-1] == pytest.approx(1000 * 91 / 60, abs=0.1)


@pytest.mark.parametrize(("container", "fps"), rows(list(product(("mp4", "avi", "matroska"), RATES)), USUAL_RATES))
def test_every_rate_is_thinned_and_measured_in_length_as_by_the_service(
    tmp_path: Path, container: str, fps: Fraction
) -> None:
    path = tmp_path / "rate.video"
    path.write_bytes(made(np.full((64, 64, 3), 90, np.uint8), count=45, fps=fps, container=container))
    assert_the_same(path)


@pytest.mark.parametrize("orientation", MATRICES)
def test_all_eight_display_matrices_are_applied(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.mp4"
    path.write_bytes(made(as_stored(CORNERS, orientation), matrix=MATRICES[orientation]))
    picture = shown(next(iter(_video.frames(path)))[1])
    assert picture.shape == CORNERS.shape
    assert np.abs(picture.astype(int) - CORNERS).mean() < 6


@pytest.mark.parametrize(("tag", "orientation"), [("90", 6), ("180", 3), ("-90", 8), ("nonsense", 1)])
def test_the_rotate_tag_is_applied_where_there_is_no_matrix(tmp_path: Path, tag: str, orientation: int) -> None:
    path = tmp_path / "tagged.mkv"
    path.write_bytes(made(as_stored(CORNERS, orientation), container="matroska", tag=tag))
    assert np.abs(shown(next(iter(_video.frames(path)))[1]).astype(int) - CORNERS).mean() < 6


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.034, 0.12, 60))
    path = tmp_path / "uneven.mp4"
    path.write_bytes(videos.encode(videos.pictures()[:60], times_s))
    assert_the_same(path)
    np.testing.assert_allclose([time_ms for time_ms, _ in _video.frames(path)], 1000 * times_s, atol=0.1)


def test_what_an_edit_list_hides_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "edited.mp4"
    path.write_bytes(videos.beginning_later(videos.encoded(), 4.5))
    assert_the_same(path)
    assert len(list(_video.frames(path))) == pytest.approx(159 - 67, abs=1)


def test_wide_pixels_are_made_square(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    path.write_bytes(made(videos.pictures()[0], count=30, aspect=Fraction(2)))
    assert_the_same(path)
    assert shown(next(iter(_video.frames(path)))[1]).shape[1] == 640


def test_large_pictures_are_halved(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.write_bytes(made(cv2.resize(videos.pictures()[0], (2560, 2400)), count=6))
    assert max(shown(next(iter(_video.frames(path)))[1]).shape) == 1920


def test_a_file_that_breaks_off_gives_what_there_is(tmp_path: Path) -> None:
    whole = videos.encoded("webm", "libvpx")
    path = tmp_path / "cut.webm"
    path.write_bytes(whole[: len(whole) // 2])
    assert 20 < len(list(_video.frames(path))) < 159


def test_a_video_without_frames_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.write_bytes(videos.no_frames())
    with pytest.raises(SourceError, match="has no"):
        _video.length_ms(path)
