"""The forms in which phones send a video: with or without a file name, in a list, as base64."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import pytest

from beam_api.exceptions import InvalidParameter
from beam_api.web.upload import read_upload
from tests.beam_api.web.test_form import body_of, named, part, request_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("file_name", ["", '; filename="v.mp4"', "; filename*=UTF-8''v.mp4"])
def test_a_video_is_taken_with_or_without_a_file_name(file_name: str) -> None:
    into, video = io.BytesIO(), bytes(range(256)) * 1000
    body = body_of(named('name="note"', b"hello"), named(f'name="file"{file_name}', video))
    assert read_upload(request_of(body), "file", into, 10**6) == len(video)
    assert into.getvalue() == video


def test_a_video_in_a_list_is_taken_and_one_under_another_name_is_named() -> None:
    into = io.BytesIO()
    assert read_upload(request_of(body_of(part("file[]", b"video", "v.mp4"))), "file", into, 10**6) == 5
    for name in ("files", "files[]"):
        body = body_of(named('name="note"', b"x"), part(name, b"video", "v.mp4"))
        assert read_upload(request_of(body), "file", io.BytesIO(), 10**6) == 5
    with pytest.raises(InvalidParameter, match="'file' must be given once"):
        read_upload(request_of(body_of(*[part("files", b"video", "v.mp4")] * 2)), "file", into, 10**6)
    with pytest.raises(InvalidParameter, match="'file' must hold the video file, which the request holds in 'video'"):
        read_upload(request_of(body_of(part("video", b"video", "v.mp4"))), "file", into, 10**6)


VIDEOS = [
    b"\x00\x00\x00\x18ftypisom" + bytes(90_000),
    b"\x1a\x45\xdf\xa3" + bytes(90_000),
    b"RIFF1234AVI " + bytes(90_000),
]


@pytest.mark.parametrize("video", VIDEOS)
@pytest.mark.parametrize("encode", [bytes, base64.b64encode, base64.encodebytes])
def test_a_video_without_a_file_name_in_another_field_is_named(video: bytes, encode: Callable[[bytes], bytes]) -> None:
    for name in ("video", "files"):
        body = body_of(named(f'name="{name}"', encode(video)))
        with pytest.raises(InvalidParameter, match=f"'file' must hold .*, which the request holds in '{name}'"):
            read_upload(request_of(body), "file", io.BytesIO(), 10**6)


@pytest.mark.parametrize("video", VIDEOS)
@pytest.mark.parametrize("file_name", ["", '; filename="v.mp4"'])
def test_a_video_as_base64_is_refused_with_the_cure(video: bytes, file_name: str) -> None:
    for text in (base64.b64encode(video), base64.urlsafe_b64encode(video), base64.encodebytes(video)):
        body = body_of(named(f'name="file"{file_name}', text))
        with pytest.raises(InvalidParameter, match="'file' must hold the bytes of the video file, not base64"):
            read_upload(request_of(body), "file", io.BytesIO(), 10**6)


def test_a_text_called_files_is_no_second_video() -> None:
    body = body_of(named('name="files"', b"1"), part("file", b"video", "v.mp4"))
    assert read_upload(request_of(body), "file", io.BytesIO(), 10**6) == 5


def test_a_video_as_a_data_url_is_refused_with_the_cure() -> None:
    body = body_of(named('name="file"', b"data:video/mp4;base64,AAAA"))
    with pytest.raises(InvalidParameter, match="'file' must hold the bytes of the video file, not a data URL"):
        read_upload(request_of(body), "file", io.BytesIO(), 10**6)
