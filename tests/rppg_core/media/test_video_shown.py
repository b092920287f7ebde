"""Videos as players show them: every orientation, pixels that are not square, and exact lengths."""

import io
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import av
import numpy as np
import pytest

from rppg_core.errors import InvalidVideo
from rppg_core.media.images import decode
from rppg_core.media.orientation import Orientation, square_size
from rppg_core.media.video import VideoInfo, probe, read_video
from rppg_core.media.video_cost import predicted_s
from tests import videos
from tests.images import as_stored, png
from tests.thorough import rows

_CORNERS = np.full((96, 128, 3), 40, np.uint8)
_CORNERS[:32, :32], _CORNERS[:32, -32:], _CORNERS[-32:, :32] = 240, 180, 120

# EXIF orientation and the display matrix (a, b, c, d) that shows the same.
_MATRICES = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


def _film(
    image, *, count=8, fps=15, container="mp4", matrix=None, tag=None, aspect=None, options=None, tags=()
) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("libx264", rate=Fraction(fps), options={"preset": "ultrafast", **(options or {})})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        if matrix:
            a, b, c, d = (65536 * value for value in matrix)
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        if tag:
            stream.metadata["rotate"] = tag
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if tags:
            stream.pix_fmt, stream.codec_context.colorspace, stream.codec_context.color_range = tags
        for _ in range(count):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("orientation", _MATRICES)
def test_all_eight_display_matrices_are_applied(orientation):
    data = _film(as_stored(_CORNERS, orientation), matrix=_MATRICES[orientation])
    _, image = next(read_video(io.BytesIO(data)))
    assert image.shape == _CORNERS.shape
    assert np.abs(image.astype(int) - _CORNERS).mean() < 6


@pytest.mark.parametrize(("tag", "orientation"), [("90", 6), ("180", 3), ("270", 8), ("-90", 8), ("nonsense", 1)])
def test_the_rotate_tag_is_applied_where_there_is_no_matrix(tag, orientation):
    data = _film(as_stored(_CORNERS, orientation), container="matroska", tag=tag)
    _, image = next(read_video(io.BytesIO(data)))
    assert image.shape == _CORNERS.shape
    assert np.abs(image.astype(int) - _CORNERS).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_of_a_png_are_applied(orientation):
    data = png(np.ascontiguousarray(as_stored(_CORNERS, orientation)))
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation]) + bytes(6)
    chunk = len(tiff).to_bytes(4, "big") + b"eXIf" + tiff + bytes(4)
    assert np.array_equal(decode(data[:33] + chunk + data[33:]), _CORNERS)


@pytest.mark.parametrize("aspect", [Fraction(1, 2), Fraction(3, 4), Fraction(1), Fraction(4, 3), Fraction(2)])
def test_pixels_are_made_square(aspect):
    _, image = next(read_video(io.BytesIO(_film(_CORNERS, aspect=aspect))))
    assert image.shape[1] / image.shape[0] == pytest.approx(float(aspect) * 128 / 96, rel=0.01)
    assert min(image.shape[:2]) >= 96  # no detail is lost


@pytest.mark.parametrize("tags", [("yuv420p", 1, 1), ("yuv420p", 5, 1), ("yuvj420p", 1, 2), ("yuvj420p", 5, 2)])
@pytest.mark.parametrize("aspect", [Fraction(3, 4), Fraction(4, 3), Fraction(41, 31)])
def test_pictures_whose_pixels_are_made_square_keep_the_colours_that_others_have(tags, aspect):
    """Whatever the stream says of its colours."""
    scene = np.full((96, 128, 3), (200, 150, 120), np.uint8)
    scene[:, 64:] = 60, 90, 140
    square, other = (
        [image for _, image in read_video(io.BytesIO(_film(scene, tags=tags, aspect=shown)))]
        for shown in (None, aspect)
    )
    assert len(square) == len(other) == 8
    middle = other[0].shape[1] // 2
    for a, b in zip(square, other, strict=True):
        assert np.abs(a[:, :60].mean(axis=(0, 1)) - b[:, : middle - 8].mean(axis=(0, 1))).max() < 0.75
        assert np.abs(a[:, 68:].mean(axis=(0, 1)) - b[:, middle + 8 :].mean(axis=(0, 1))).max() < 0.75


def test_each_picture_has_memory_of_its_own():
    kept = [image for _, image in read_video(io.BytesIO(_film(_CORNERS, aspect=Fraction(4, 3))))]
    assert not any(np.shares_memory(a, b) for a, b in pairwise(kept))


def test_a_senseless_pixel_aspect_is_ignored_and_sizes_stay_bounded():
    assert square_size(128, 96, 100.0, longest_side=None, most_pixels=10**6) == (128, 96)
    assert square_size(2000, 1000, 2.0, longest_side=1920, most_pixels=10**8) == (1920, 480)
    assert np.prod(square_size(4000, 4000, 4.0, longest_side=None, most_pixels=10**6)) <= 1.01e6
    assert Orientation.of_matrix([0] * 9) == Orientation()


_RATES = [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 40, 50, Fraction(60000, 1001), 60, 75, 100, 120]
USUAL_RATES = [
    *(("mp4", fps) for fps in (24, Fraction(30000, 1001), 50, 75, 120)),
    *(("avi", fps) for fps in (Fraction(24000, 1001), 60)),
    *(("matroska", fps) for fps in (Fraction(60000, 1001), 100)),
]


@pytest.mark.parametrize(("container", "fps"), rows(list(product(("mp4", "avi", "matroska"), _RATES)), USUAL_RATES))
def test_a_length_is_exact_and_that_of_the_frames_that_are_read(container, fps):
    count = -int(-5 * fps // 1)
    data = _film(np.full((64, 64, 3), 90, np.uint8), count=count, fps=fps, container=container)
    assert probe(io.BytesIO(data)).duration_s == pytest.approx(count / float(fps), abs=1.1e-3)
    for max_fps in (None, 30):
        times = [at for at, _ in read_video(io.BytesIO(data), max_fps=max_fps)]
        assert times[-1] - times[0] + np.median(np.diff(times)) >= 5.0 - 1e-3


def test_frames_that_no_other_needs_are_skipped_before_they_are_decoded_with_the_same_result():
    images = [np.full((64, 64, 3), 20 + i, np.uint8) for i in range(120)]
    data = videos.encode(images, [i / 60 for i in range(120)], fps=60)
    every = dict(read_video(io.BytesIO(data)))
    kept = dict(read_video(io.BytesIO(data), max_fps=30))
    threaded = dict(read_video(io.BytesIO(data), max_fps=30, threads=2))
    assert len(kept) == 60
    assert kept.keys() == threaded.keys()
    assert all(np.array_equal(every[at], kept[at]) and np.array_equal(kept[at], threaded[at]) for at in kept)


@pytest.mark.parametrize(
    ("fps", "seconds"),
    rows([(40, 5), (40, 10), (40, 15), (40, 20), (75, 10), (101, 20), (135, 25)], [(40, 5), (75, 10), (101, 20)]),
)
def test_frames_that_are_skipped_take_nothing_from_a_length(fps, seconds):
    data = _film(np.full((64, 64, 3), 90, np.uint8), count=seconds * fps, fps=fps)
    times = np.array([at for at, _ in read_video(io.BytesIO(data), max_fps=30)])
    intervals = np.diff(times)
    assert times[-1] - times[0] + np.median(intervals) >= seconds - 1e-3
    assert intervals.min() > 1 / 61  # the service would thin closer ones again
    assert len(times) <= 30 * seconds + 1


def _damaged(damage: str) -> bytes:
    """120 frames, of which some can't be decoded."""
    images = [np.random.default_rng(i).integers(0, 255, (64, 64, 3)).astype(np.uint8) for i in range(120)]
    data = bytearray(videos.encode(images, [i / 15 for i in range(120)]))
    start = data.index(b"mdat") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    where = {"middle": 0.5, "end": 0.97}[damage]
    at = start + int(where * length)
    data[at : at + length // 40] = bytes(length // 40)
    return bytes(data)


@pytest.mark.parametrize("damage", ["middle", "end"])
def test_two_decoder_threads_read_as_much_of_a_damaged_video_as_one(damage):
    data = _damaged(damage)
    one = [at for at, _ in read_video(io.BytesIO(data))]
    two = [at for at, _ in read_video(io.BytesIO(data), threads=2)]
    assert 60 <= len(one) <= 120
    assert two == one


def test_a_video_that_breaks_off_ends_there_with_two_decoder_threads_too():
    data = videos.encoded("avi", "mjpeg")
    for cut in (len(data) // 2, len(data) // 3):
        broken = io.BytesIO(data[:cut])
        one = [at for at, _ in read_video(broken, container="avi")]
        broken.seek(0)
        assert [at for at, _ in read_video(broken, container="avi", threads=2)] == one
        assert len(one) > 40
    with pytest.raises(InvalidVideo):
        next(read_video(io.BytesIO(videos.encoded()[:20_000]), threads=2))


def test_a_video_that_takes_too_long_is_predicted_by_what_is_in_it():
    phone = VideoInfo("mov", "h264", 1920, 1080, 17_880, 0.0, 298.0, 94_000_000)
    assert predicted_s(phone) < 100
    assert predicted_s(VideoInfo("mov", "hevc", 3840, 2160, 18_000, 0.0, 300.0, 90_000_000)) > 100
    assert predicted_s(replace(phone, duration_s=1e12)) < 200
