"""`Beam.measure` on a real service: files, every kind of frames, missing faces, and what can't be measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import beam_client
from beam_client import Beam, ConfigurationError, FramesEnded, MissingKey, NoFace, ServiceUnreachable, SourceError
from tests import images, videos

pytestmark = pytest.mark.integration


def is_right(result: beam_client.Measurement) -> bool:
    """Whether the heart rate is that of the face, and all that comes with it is there."""
    rate = result.heart_rate
    assert rate.value is not None, result
    assert rate.low is not None
    assert rate.high is not None
    return abs(rate.value - videos.RATE_BPM) <= 2 and rate.low <= rate.value <= rate.high and rate.reason is None


def test_a_file_is_measured_as_long_as_it_is(beam: Beam, clip: Path) -> None:
    shares: list[float] = []
    result = beam.measure(clip, progress=lambda progress: shares.append(progress.share))
    assert is_right(result)
    assert result.duration_ms == pytest.approx(10_600, abs=1)
    assert result.frames == 159
    assert (result.hrv.value, result.hrv.reason, result.hrv.unit) == (None, "WINDOW_TOO_SHORT", "ms")
    assert shares == sorted(shares)
    assert len(shares) >= 4
    assert result.verdict in ("release", "retake")
    assert result.data["heart_rate"] == result.heart_rate.value
    assert result.raw is None
    assert "Heart rate:" in str(result)
    assert beam.measurement(result.measurement_id) == result


@pytest.mark.parametrize(
    ("container", "codec", "turned"), [("mp4", "libx264", 90), ("webm", "libvpx", 0), ("avi", "mjpeg", 0)]
)
def test_files_are_upright_whatever_holds_them(
    beam: Beam, tmp_path: Path, container: str, codec: str, turned: int
) -> None:
    path = tmp_path / f"face.{container}"
    path.write_bytes(videos.encoded(container, codec, turned=turned))
    assert is_right(beam.measure(path))


def test_frames_of_every_kind_are_measured_with_their_signals(
    beam: Beam, frames: list[tuple[float, bytes]], tmp_path: Path
) -> None:
    def kinds():
        for index, ((time_ms, jpeg), pixels) in enumerate(zip(frames, videos.pictures(), strict=True)):
            path = tmp_path / f"{index}.jpg"
            path.write_bytes(jpeg)
            kind = [jpeg, pixels, Image.fromarray(pixels), path, lambda jpeg=jpeg: jpeg, bytearray(jpeg)][index % 6]
            yield time_ms, kind

    result = beam.measure(kinds(), duration_ms=10_000, include_raw=True)
    assert is_right(result)
    assert result.raw
    assert result.raw.sampling_rate * 10 == pytest.approx(len(result.raw.ppg), rel=0.05)
    assert len(result.raw.beats_ms) == pytest.approx(13, abs=2)


def test_pictures_without_times_go_by_the_frame_rate(beam: Beam, frames: list[tuple[float, bytes]]) -> None:
    assert is_right(beam.measure(np.array(videos.pictures()), fps=15))
    with pytest.raises(SourceError, match="fps="):
        beam.measure([jpeg for _, jpeg in frames])


def test_a_face_that_comes_late_is_measured_for_as_long_as_it_is_there(
    beam: Beam, frames: list[tuple[float, bytes]]
) -> None:
    empty = images.jpeg(images.wall((320, 300)))
    late = [(66.7 * i, empty) for i in range(22)] + [(1500 + time_ms, jpeg) for time_ms, jpeg in frames]
    for session_id in (None, "anna"):
        result = beam.measure(late, session_id=session_id)
        assert is_right(result)
        assert 10_000 <= result.duration_ms <= 10_600


def test_frames_without_a_face_say_what_is_wrong(beam: Beam) -> None:
    empty = images.jpeg(images.wall((320, 300)))
    with pytest.raises(NoFace) as caught:
        beam.measure([(100 * i, empty) for i in range(110)])
    assert caught.value.code == "NO_FACE_DETECTED"
    assert caught.value.status == 400
    assert caught.value.request_id


def test_too_few_frames_are_named_and_the_window_is_dropped(beam: Beam, frames: list[tuple[float, bytes]]) -> None:
    with pytest.raises(FramesEnded, match="at least 10 s") as caught:
        beam.measure(iter(frames[:75]), duration_ms=10_000)
    assert caught.value.filled_ms == pytest.approx(5000, abs=80)


def test_a_picture_is_checked_before_a_measurement(beam: Beam, frames: list[tuple[float, bytes]]) -> None:
    good, bad = beam.check(videos.pictures()[0]), beam.check(images.jpeg(images.wall((320, 300))))
    assert good.face
    assert len(good.face.box) == 4
    assert not bad.ok
    assert "NO_FACE" in bad.guidance


def test_a_person_is_forgotten(beam: Beam, frames: list[tuple[float, bytes]]) -> None:
    with pytest.raises(FramesEnded):
        beam.measure(iter(frames[:40]), session_id="berta")
    state = beam.session("berta")
    assert state
    assert state.frames == 40
    beam.forget("berta")
    assert beam.session("berta") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "is not there"), (b"no video", "no video that can be read"), (videos.sound(), "no video stream")],
)
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "face.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        Beam("http://127.0.0.1:9", "key").measure(path)
    with pytest.raises(SourceError, match=r"measure\(0\)"):
        Beam("http://127.0.0.1:9", "key").measure("0")


def test_a_picture_says_what_to_do_instead(tmp_path: Path, frames: list[tuple[float, bytes]]) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(frames[0][1])
    with pytest.raises(SourceError, match=r"at least 10 s; check\(\)"):
        Beam("http://127.0.0.1:9", "key").measure(path)
    with pytest.raises(SourceError, match="is a picture"):
        Beam("http://127.0.0.1:9", "key").scan(path)
    with pytest.raises(SourceError, match="one picture at most"):
        Beam("http://127.0.0.1:9", "key").measure(frames[0][1])
    with pytest.raises(SourceError, match="at least 10 s"):
        Beam("http://127.0.0.1:9", "key").measure(str(path))


@pytest.mark.parametrize(
    ("absent", "call", "command"),
    [
        (["av"], "measure('face.mp4')", "pip install 'beam-rppg-client[video]'"),
        (["av", "cv2"], "measure(0)", "pip install 'beam-rppg-client[video]'"),
        (["av", "cv2", "PIL", "simplejpeg"], "check(pixels)", "pip install pillow"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_command(
    clip: Path, absent: list[str], call: str, command: str
) -> None:
    """A process in which importing them fails as it does where they are absent."""
    program = (
        f"import sys, numpy; sys.modules.update(dict.fromkeys({absent}))\n"
        "from beam_client import Beam, MissingDependency\n"
        "pixels = numpy.zeros((8, 8, 3), 'uint8')\n"
        f"try: Beam('http://127.0.0.1:9', 'key').{call}\n"
        "except MissingDependency as error: print(error)"
    )
    env = os.environ | {"PYTHONPATH": str(Path(beam_client.__file__).parents[1])}
    ran = subprocess.run([sys.executable, "-c", program], cwd=clip.parent, env=env, capture_output=True, check=True)
    assert command in ran.stdout.decode(), ran.stderr


def test_frames_that_are_being_taken_are_measured_as_they_come(beam: Beam, frames: list[tuple[float, bytes]]) -> None:
    """In real time: a second of them in each request, and none is lost while an answer is awaited."""
    start_s = time.monotonic()
    epoch_ms = time.time() * 1000

    def taking():
        for time_ms, jpeg in frames:
            time.sleep(max(0.0, start_s + time_ms / 1000 - time.monotonic()))
            yield epoch_ms + time_ms, jpeg

    counts: list[int] = []
    result = beam.measure(
        taking(), live=True, duration_ms=10_000, progress=lambda progress: counts.append(progress.frames)
    )
    assert is_right(result)
    assert result.frames == 150
    assert [later - earlier for earlier, later in pairwise(counts)] == [15] * (len(counts) - 1)


def test_a_short_video_is_named_with_its_length(tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    path.write_bytes(videos.blank(4.0))
    with pytest.raises(FramesEnded, match=r"lasts 4\.00 s; at least 10 s"):
        Beam("http://127.0.0.1:9", "key").measure(path)


def test_a_service_that_is_down_and_a_missing_key_name_the_next_step(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:9 can't be reached.*beam serve.*BEAM_URL"):
        Beam("http://127.0.0.1:9", "key", retries=0).measure(clip)
    monkeypatch.delenv("BEAM_API_KEY", raising=False)
    with pytest.raises(MissingKey, match=r"BEAM_API_KEY.*/keys"):
        Beam("http://127.0.0.1:9").measure(clip)


def test_address_and_key_come_from_the_environment(
    service, make_key, frames: list[tuple[float, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEAM_URL", f"{service.url}/")
    monkeypatch.setenv("BEAM_API_KEY", f"{make_key()}\n")
    with Beam() as client:
        assert client.check(frames[0][1]).face


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost", "http://", "http://a:99999", "http://[::1", "http://a\0b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"[Tt]he url"):
        Beam(url, "key").check(b"picture")


def test_a_password_in_the_address_is_in_no_message() -> None:
    client = Beam("http://me:secret@127.0.0.1:9/beam/", "key", retries=0)
    with pytest.raises(ServiceUnreachable) as caught:
        client.check(b"picture")
    assert "http://127.0.0.1:9/beam can't be reached" in str(caught.value)
    assert "secret" not in str(caught.value) + repr(client)
