"""The multipart reader: in memory, within its limits, and strict."""

from __future__ import annotations

import base64
import io
import re
import tempfile
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from beam_api.exceptions import InvalidParameter, MissingFrame, PayloadTooLarge, UnsupportedMediaType
from beam_api.web.form import Form, Limits, read_form
from beam_api.web.schemas.measure_form import read_post

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = Limits(file_bytes=1000, files_bytes=2500, body_bytes=5000)


def request_of(body: bytes, content_type: str = "multipart/form-data; boundary=xyz", chunked: bool = False) -> Request:
    environ = EnvironBuilder(method="POST", input_stream=io.BytesIO(body), content_type=content_type).get_environ()
    if chunked:
        environ.pop("CONTENT_LENGTH", None)
        environ["wsgi.input_terminated"] = True
    else:
        environ["CONTENT_LENGTH"] = str(len(body))
    return Request(environ)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"{named}\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + content + b"\r\n"


def body_of(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


def test_files_and_fields_come_back_byte_for_byte_and_in_order() -> None:
    awkward = b"\r\n--xy\r\n\r\n-xyz--\x00\xff\r\n"
    body = body_of(part("frame", awkward, "a.jpg"), part("n", b"1"), part("n", "é".encode()), part("frame", b"", "b"))
    assert read_form(request_of(body), SMALL) == Form(fields={"n": ["1", "é"]}, files={"frame": [awkward, b""]})


def test_the_same_form_is_read_as_werkzeug_reads_it() -> None:
    builder = EnvironBuilder(method="POST", data={"frame": [(io.BytesIO(b"x" * 900), 'ä "q".jpg')], "a": "1", "b": "2"})
    environ = builder.get_environ()
    body = environ["wsgi.input"].read()
    ours = read_form(request_of(body, environ["CONTENT_TYPE"]), SMALL)
    assert ours == Form(fields={"a": ["1"], "b": ["2"]}, files={"frame": [b"x" * 900]})


def test_text_before_the_first_part_and_after_the_last_is_ignored() -> None:
    body = b"preamble\r\n" + body_of(part("a", b"1")) + b"epilogue"
    assert read_form(request_of(body), SMALL).fields == {"a": ["1"]}


def test_an_empty_body_is_an_empty_form() -> None:
    assert read_form(request_of(b""), SMALL) == Form()


@pytest.mark.parametrize("content_type", ["application/json", "image/jpeg", "", "multipart/mixed; boundary=xyz"])
def test_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        read_form(request_of(b"x", content_type), SMALL)


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all",
        part("frame", b"cut off", "a.jpg"),
        body_of(part("frame", b"x", "a.jpg")).replace(b"--xyz--", b""),
        b"--xyz\r\nno headers end",
        b"--xyzgarbage\r\n\r\n\r\n--xyz--",
        b"--xyz\r\nContent-Type: image/jpeg\r\n\r\nnameless\r\n--xyz--",
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + body_of(part("frame", b"x", "a.jpg")),
        b"--xyz\r\n" + b"X: y\r\n" * 4000 + b"\r\n\r\n--xyz--",
    ],
)
def test_a_malformed_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidParameter, match="body"):
        read_form(request_of(body), Limits(1000, 2500, 50_000))


def test_a_missing_boundary_is_named() -> None:
    with pytest.raises(InvalidParameter, match="Content-Type"):
        read_form(request_of(b"--\r\n", "multipart/form-data"), SMALL)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        body_of(part("frame", bytes(1001), "a.jpg")),
        body_of(*[part("frame", bytes(900), "a.jpg")] * 3),
        body_of(part("field", bytes(9000))),
        body_of(*[part("a", b"")] * 200),
    ],
)
def test_every_limit_holds_with_and_without_an_announced_length(body: bytes, chunked: bool) -> None:
    limits = SMALL if b"image" in body[:100] else Limits(1000, 2500, 10**6)
    with pytest.raises(PayloadTooLarge):
        read_form(request_of(body, chunked=chunked), limits)


def test_ten_thousand_parts_are_refused() -> None:
    with pytest.raises(PayloadTooLarge):
        read_form(request_of(body_of(*[part("a", b"")] * 10_000)), Limits(1000, 2500, 10**7))


def test_no_more_than_the_limit_is_read_of_a_body_without_a_length() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            self.taken += len(buffer)
            return len(buffer)

    endless = Endless()
    request = request_of(b"", chunked=True)
    request.environ["wsgi.input"] = endless
    with pytest.raises(PayloadTooLarge):
        read_form(request, SMALL)
    assert endless.taken <= 2 * 256 * 1024


def test_no_temporary_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    big = bytes(3_000_000)
    body = body_of(part("frame", big, "a.jpg"))
    assert read_form(request_of(body), Limits(10**7, 10**7, 10**7)).files == {"frame": [big]}


WIDE = Limits(10**6, 10**6, 10**6)


def named(disposition: str, content: bytes) -> bytes:
    head = f"--xyz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"


@pytest.mark.parametrize("name", ["frame", "frame[]", "frames"])
@pytest.mark.parametrize("file_name", ["", '; filename="a.jpg"', "; filename=a", "; filename*=UTF-8''%C3%A4.jpg"])
@pytest.mark.parametrize("size", [200, 18_000])
def test_an_image_is_a_frame_with_or_without_a_file_name(name: str, file_name: str, size: int) -> None:
    for signature in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        image = signature + bytes(size)
        body = body_of(named(f'name="{name}"{file_name}', image))
        assert read_form(request_of(body), WIDE) == Form(files={"frame": [image]})


def test_an_image_as_text_is_decoded() -> None:
    image = b"\xff\xd8\xff" + bytes(range(256)) * 70
    text = base64.b64encode(image)
    wrapped = base64.encodebytes(image).replace(b"\n", b"\r\n")
    for sent in (text, b"data:image/jpeg;base64," + text, wrapped, b" " + text + b"\r\n", text.rstrip(b"=")):
        body = body_of(named('name="frame"', sent), named('name="frame"', image))
        assert read_form(request_of(body), WIDE).files == {"frame": [image, image]}


@pytest.mark.parametrize(
    "text",
    [
        b"hello",
        b"file:///a.jpg",
        b"data:,",
        b"[object File]",
        base64.b64encode(b"no image"),
        b"/9j/ 4AAQ",
        b"x" * 18_000,
        b"data:image/jpeg,%FF%D8%FF",
        b"{}",
    ],
)
def test_a_frame_that_is_no_image_is_refused_with_the_cure(text: bytes) -> None:
    with pytest.raises(MissingFrame, match=r"'frame' must be given as a file: .* base64"):
        read_form(request_of(body_of(named('name="frame"', text))), WIDE)


@pytest.mark.parametrize(
    "prefix",
    [b"data:image/*;base64,", b"data:application/octet-stream;base64,", b"data:image/jpeg;charset=utf-8;base64,", b""],
)
@pytest.mark.parametrize("file_name", ["", '; filename="a.jpg"'])
def test_base64_is_decoded_in_every_form_that_libraries_write(prefix: bytes, file_name: str) -> None:
    image = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 70
    for text in (base64.b64encode(image), base64.urlsafe_b64encode(image)):
        body = body_of(named(f'name="frames[]"{file_name}', prefix + text))
        assert read_form(request_of(body), WIDE) == Form(files={"frame": [image]})


def test_bytes_that_are_no_text_are_a_file() -> None:
    """So that another format is called by its name: UNSUPPORTED_IMAGE."""
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00\xff"
    assert read_form(request_of(body_of(named('name="frame"', heic))), WIDE).files == {"frame": [heic]}


def test_an_image_without_a_file_name_under_another_name_is_named() -> None:
    form = read_form(request_of(body_of(named('name="image"', b"\xff\xd8\xff" + bytes(18_000)))), WIDE)
    with pytest.raises(MissingFrame, match="It holds one in 'image'"):
        read_post(form, "key")


OTHER_FORMATS = [
    b"GIF89a" + b"!" * 100,
    b"RIFF1234WEBPVP8 " + b"!" * 100,
    b"\x00\x00\x00\x18ftypheic" + bytes(100),
    b"BM" + bytes(100),
    b"II*\x00" + bytes(100),
]


@pytest.mark.parametrize("image", OTHER_FORMATS)
@pytest.mark.parametrize("encode", [bytes, base64.b64encode])
def test_another_format_is_a_frame_with_and_without_a_file_name(image: bytes, encode: Callable[[bytes], bytes]) -> None:
    """Decoders call it by its name: UNSUPPORTED_IMAGE."""
    for file_name in ("", '; filename="a"'):
        body = body_of(named(f'name="frame"{file_name}', encode(image)))
        assert read_form(request_of(body), WIDE).files == {"frame": [image]}


@pytest.mark.parametrize("name", ["image", "Frame", "file", "picture[]"])
@pytest.mark.parametrize("size", [100, 18_000, 700_000])
@pytest.mark.parametrize(
    ("prefix", "encode"),
    [
        (b"", bytes),
        (b"", base64.b64encode),
        (b"", base64.urlsafe_b64encode),
        (b"data:application/octet-stream;charset=utf-8;base64,", base64.b64encode),
    ],
)
def test_an_image_in_another_field_is_missing_from_frame(
    name: str, size: int, prefix: bytes, encode: Callable[[bytes], bytes]
) -> None:
    for image in (b"\xff\xd8\xff\xe0" + bytes(size), b"\x89PNG\r\n\x1a\n" + bytes(size), b"GIF89a" + bytes(size)):
        form = read_form(request_of(body_of(named(f'name="{name}"', prefix + encode(image)))), WIDE)
        with pytest.raises(MissingFrame, match=rf"It holds one in '{re.escape(name)}': rename that to 'frame'"):
            read_post(form, "key")


def test_an_image_beside_a_frame_is_an_unknown_field() -> None:
    body = body_of(named('name="image"', b"\xff\xd8\xff" + bytes(900)), part("frame", b"\xff\xd8\xff", "a.jpg"))
    post = read_post(read_form(request_of(body), WIDE), "key")
    assert post.frames == (b"\xff\xd8\xff",)
    assert "`image` is unknown" in post.warnings[0]


@pytest.mark.parametrize("encode", [bytes, base64.b64encode])
def test_an_image_as_the_session_is_not_another_person(encode: Callable[[bytes], bytes]) -> None:
    """If it were ignored, the frame would go to the session `default`."""
    image = b"\xff\xd8\xff" + bytes(900)
    body = body_of(named('name="session_id"', encode(image)), part("frame", image, "a.jpg"))
    with pytest.raises(InvalidParameter, match="'session_id' must be text, not an image"):
        read_post(read_form(request_of(body), WIDE), "key")


def test_base64_that_breaks_off_in_a_file_is_one_bad_frame() -> None:
    image = b"\xff\xd8\xff\xe0" + bytes(9000)
    broken = base64.b64encode(image)[:-900] + b"%%%"
    body = body_of(part("frame", broken, "a.jpg"), part("frame", image, "b.jpg"))
    assert read_form(request_of(body), WIDE).files == {"frame": [broken, image]}


def test_misplaced_images_are_held_to_the_limits_of_files() -> None:
    body = body_of(*[named('name="image"', b"\xff\xd8\xff" + bytes(900))] * 3)
    with pytest.raises(PayloadTooLarge):
        read_form(request_of(body), Limits(1000, 2500, 10**6))


@pytest.mark.parametrize("name", ["image", "session_id"])
def test_a_long_text_names_its_field(name: str) -> None:
    with pytest.raises(InvalidParameter, match=f"'{name}' must be at most 8 KB of text; images go into"):
        read_form(request_of(body_of(named(f'name="{name}"', base64.b64encode(bytes(18_000))))), WIDE)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        *(("Session_Id", "session_id"), ("Duration_MS", "duration_ms"), ("FPS", "fps")),
        *(("session_id[]", "session_id"), ("Timestamp_MS[]", "timestamp_ms")),
    ],
)
def test_a_field_in_the_wrong_case_is_refused_with_its_spelling(name: str, right: str) -> None:
    body = body_of(named(f'name="{name}"', b"1"), part("frame", b"\xff\xd8\xff", "a.jpg"))
    with pytest.raises(InvalidParameter, match=f"'{re.escape(name)}' must be spelled '{right}'"):
        read_post(read_form(request_of(body), WIDE), "key")


@pytest.mark.parametrize("count", [1, 2])
def test_times_in_a_list_are_times(count: int) -> None:
    names = ("timestamp_ms[]", "timestamp_ms")  # in whatever mixture, in their order
    times = [named(f'name="{names[i % 2]}"', str(1000 + 40 * i).encode()) for i in range(count)]
    body = body_of(*times, *[part("frame[]", b"\xff\xd8\xff", "a.jpg")] * count)
    post = read_post(read_form(request_of(body), WIDE), "key")
    assert post.times_us == (1_000_000, 1_040_000)[:count]
    assert post.warnings == ()


def test_text_is_held_to_the_limits_of_files() -> None:
    text = base64.b64encode(b"\xff\xd8\xff" + bytes(9000))
    for limits in (Limits(3000, 10**6, 10**6), Limits(10**6, 3000, 10**6)):
        with pytest.raises(PayloadTooLarge):
            read_form(request_of(body_of(named('name="frame"', text))), limits)


@pytest.mark.parametrize(
    ("content_type", "reported"),
    [
        ("application/json", "field 'frame', not JSON"),
        ("application/x-www-form-urlencoded", "not a URL-encoded form"),
        ("image/jpeg", "not a single image"),
    ],
)
def test_another_type_is_named_with_the_cure(content_type: str, reported: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=reported):
        read_form(request_of(b"{}", content_type), SMALL)


@pytest.mark.parametrize("name", ["Frame", "FRAME", "file", "image", "photo[]"])
def test_a_file_under_another_name_is_named_with_the_cure(name: str) -> None:
    form = read_form(request_of(body_of(part(name, b"\xff\xd8\xff", "a.jpg"))), WIDE)
    with pytest.raises(MissingFrame, match=rf"It holds one in '{re.escape(name)}': rename that to 'frame'"):
        read_post(form, "key")


def test_a_name_that_is_none_is_not_repeated() -> None:
    form = read_form(request_of(body_of(part("<script>", b"\xff\xd8\xff", "a.jpg"))), WIDE)
    with pytest.raises(MissingFrame, match=r"field 'frame'\.$"):
        read_post(form, "key")
