"""Video files: true times, upright pixels, and a clear refusal of what is none."""

import io
import os
from pathlib import Path

import av
import numpy as np
import pytest

from rppg_core.errors import InvalidVideo, UnusableVideo
from rppg_core.media.containers import sniff
from rppg_core.media.video import probe, read_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.film import film
from rppg_core.simulation.scenes import Scene
from tests import videos
from tests.hostile import films


@pytest.fixture(scope="module")
def face():
    return simulate_face(
        Scene(duration_s=2.0, fps=15.0, time_jitter=0.1, dropped=0.1, frame_size=(240, 220), eyes_px=40.0)
    )


@pytest.fixture(scope="module")
def clip(face, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "face.mp4"
    film(face, path, crf=10)
    return path


def test_frames_come_with_the_times_they_were_captured_at(face, clip):
    times = np.array([time_s for time_s, _ in read_video(clip)])
    assert np.abs(np.diff(times) - np.diff(face.times_s)).max() < 1e-3
    shown_s = np.ptp(times) + np.median(np.diff(times))
    assert probe(clip).duration_s == pytest.approx(shown_s, abs=1e-6)


def test_frames_come_as_they_were_filmed(face, clip):
    for index, (_, image) in enumerate(read_video(clip)):
        assert np.abs(image.astype(int) - face.image(index)).mean() < 4


def test_a_file_in_memory_is_read_as_well(face, clip):
    assert len(list(read_video(io.BytesIO(clip.read_bytes())))) == len(face)


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"this is text" * 1000)
    for read in (probe, lambda p: next(read_video(p))):
        with pytest.raises(InvalidVideo):
            read(path)


def test_sound_without_pictures_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44_100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44_100
        out.mux(stream.encode(sound))
        out.mux(stream.encode(None))
    with pytest.raises(InvalidVideo, match="no video stream"):
        probe(path)


def test_a_truncated_video_is_refused(clip, tmp_path):
    path = tmp_path / "half.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(InvalidVideo):
        next(read_video(path))


@pytest.mark.parametrize(("container", "codec"), videos.CONTAINERS)
def test_every_container_and_codec_is_read_with_its_times(container, codec):
    data = videos.encoded(container, codec)
    info = probe(io.BytesIO(data))
    kinds = {"libx264": "h264", "libx265": "hevc", "libsvtav1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}
    assert info.codec == kinds.get(codec, codec)
    assert info.container == {"mp4": "mov", "webm": "matroska"}.get(container, container)
    assert (info.width, info.height) == (320, 300)
    assert info.frames == len(videos.pictures())
    assert info.duration_s == pytest.approx(10.6, abs=0.02)
    times = np.array([at for at, _ in read_video(io.BytesIO(data), container=info.container)])
    assert len(times) == info.frames
    assert np.abs(np.diff(times) - 1 / 15).max() < 2e-3


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_video_filmed_sideways_is_turned_upright(turned):
    _, image = next(read_video(io.BytesIO(videos.encoded(turned=turned))))
    assert np.abs(image.astype(int) - videos.pictures()[0]).mean() < 4


def test_frames_that_were_reordered_in_avi_come_in_order():
    images = [np.full((64, 64, 3), 10 + 7 * i, np.uint8) for i in range(30)]
    out = io.BytesIO()
    with av.open(out, "w", format="avi") as file:
        stream = file.add_stream("libx264", rate=15, options={"bf": "3", "b-adapt": "0", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode(None))
    levels = [image.mean() for _, image in read_video(io.BytesIO(out.getvalue()))]
    assert len(levels) == 30
    assert levels == sorted(levels)


@pytest.mark.parametrize(("fps", "expected"), [(15, 15), (29.97, 29.97), (30.1, 30), (50, 30), (60, 30), (120, 30)])
def test_frames_beyond_a_rate_are_skipped_evenly(fps, expected):
    times = np.arange(0, 6, 1 / fps)
    images = [np.full((64, 64, 3), 100, np.uint8)] * len(times)
    data = videos.encode(images, times, fps=round(fps))
    kept = np.array([at for at, _ in read_video(io.BytesIO(data), max_fps=30)])
    assert len(kept) / 6 == pytest.approx(expected, rel=0.02)
    assert np.diff(kept).max() <= 1 / 30 + 1 / fps + 1e-3
    if fps in (60, 120):
        assert np.ptp(np.diff(kept)[:-1]) < 1e-3  # the last frame is kept, so that no length is lost


def test_a_rate_that_jitters_around_the_limit_loses_no_frame():
    times = np.arange(300) / 30 + np.random.default_rng(0).uniform(-0.003, 0.003, 300) + 0.01
    images = [np.full((64, 64, 3), 100, np.uint8)] * 300
    assert len(list(read_video(io.BytesIO(videos.encode(images, times, fps=30)), max_fps=30))) == 300


def test_large_pictures_are_reduced_to_the_mean_of_what_they_cover():
    stripes = np.zeros((240, 480, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 200
    data = videos.encode([stripes] * 3, [0.0, 0.1, 0.2])
    _, image = next(read_video(io.BytesIO(data), longest_side=120))
    assert image.shape == (60, 120, 3)
    assert np.abs(image.astype(int) - 100).mean() < 6


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x18ftypisom", "mov"),
        (b"\0\0\0\x08wide", "mov"),
        (b"\x1a\x45\xdf\xa3rest", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"PK\x03\x04" + bytes(60), None),
        (b"#EXTM3U\nfile:///etc/passwd", None),
        (b"ffconcat version 1.0", None),
        (b"", None),
    ],
)
def test_a_container_is_recognised_by_its_first_bytes(data, kind):
    assert sniff(data) == kind


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (videos.sound, "no video stream"),
        (videos.no_frames, "no video stream|no frames"),
        (lambda: videos.blank(6, size=(1, 1), container="mov", codec="mjpeg"), "too small: 1x1"),
        (
            lambda: videos.encode([np.zeros((64, 64, 3), np.uint8)] * 3, [0, 1, 2], container="avi", codec="ffv1"),
            "codec",
        ),
    ],
    ids=["sound", "no frames", "one pixel", "codec"],
)
def test_a_video_with_nothing_to_measure_is_distinguished_from_what_is_none(made, said):
    with pytest.raises(UnusableVideo, match=said):
        probe(io.BytesIO(made()))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" * 99, None, b"\0\0\0\x18ftypisom" + bytes(500)])
def test_what_can_not_be_read_is_no_video(data):
    with pytest.raises(InvalidVideo) as caught:
        probe(io.BytesIO(videos.encoded()[:5000] if data is None else data))
    assert not isinstance(caught.value, UnusableVideo)


def test_damage_in_the_middle_costs_only_what_it_hits():
    data = bytearray(videos.encoded("avi", "mjpeg"))
    middle = len(data) // 2
    data[middle : middle + 40_000] = bytes(40_000)
    kept = list(read_video(io.BytesIO(bytes(data)), container="avi"))
    assert 140 <= len(kept) <= 159


def test_pictures_that_outgrow_what_the_file_says_are_passed_over():
    data = films.growing(6000, 6000)
    assert probe(io.BytesIO(data)).width == 160
    assert {image.shape for _, image in read_video(io.BytesIO(data))} == {(120, 160, 3)}


def test_a_codec_that_nobody_knows_is_named_as_the_reason():
    with pytest.raises(UnusableVideo, match="codec"):
        probe(io.BytesIO(films.special()["no codec that is known"]))


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux alone has scheduling policies")
def test_no_encoder_of_the_tests_leaves_them_with_a_priority_that_starves_the_machine():
    before = os.sched_getscheduler(0)
    videos.encode(videos.pictures()[:3], [0.0, 0.1, 0.2], container="webm", codec="libsvtav1")
    assert os.sched_getscheduler(0) == before
