"""Bytes to pixels: what is read, how it is turned, and what is refused before a pixel is touched."""

import cv2
import numpy as np
import pytest
import simplejpeg

from rppg_core.errors import InvalidImage, UnsupportedImage
from rppg_core.media.images import MAX_PIXELS, WHOLE_PIXELS, decode, read_header
from tests.hostile.pictures import png_of
from tests.images import as_stored, cmyk_jpeg, grey_jpeg, huge_header, jpeg, png, still_face, with_orientation


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return still_face()


def test_a_jpeg_comes_out_as_it_went_in(face):
    assert np.abs(decode(jpeg(face, 95)).astype(int) - face).mean() < 3


def test_an_upright_jpeg_is_decoded_into_memory_that_fits_it(face):
    data, memory = jpeg(face), np.zeros_like(face)
    again = decode(data, memory)
    assert np.shares_memory(again, memory)
    assert np.array_equal(again, decode(data))


def test_memory_that_does_not_fit_is_left_alone(face):
    data, small = jpeg(face), np.zeros((8, 8, 3), np.uint8)
    turned = with_orientation(jpeg(as_stored(face, 6)), 6)
    memory = np.zeros_like(face)
    assert np.array_equal(decode(data, small), decode(data))
    assert not small.any()
    assert np.array_equal(decode(turned, memory), decode(turned))
    assert not memory.any()
    assert np.array_equal(decode(png(face), memory), face)
    assert not memory.any()


def test_a_png_comes_out_exactly(face):
    assert np.array_equal(decode(png(face)), face)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_turns_the_image_upright(face, orientation, order):
    data = with_orientation(jpeg(as_stored(face, orientation), 95), orientation, order)
    assert np.abs(decode(data).astype(int) - face).mean() < 3


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_a_senseless_orientation_is_ignored(face, orientation):
    assert decode(with_orientation(jpeg(face), orientation)).shape == face.shape


def test_alpha_is_dropped(face):
    with_alpha = np.dstack([face, np.full(face.shape[:2], 7, np.uint8)])
    assert np.array_equal(decode(png(with_alpha)), face)


def test_four_inks_become_three_colours(face):
    assert np.abs(decode(cmyk_jpeg(face)).astype(int) - face).mean() < 6


def test_sixteen_bits_become_eight(face):
    assert np.abs(decode(png(face.astype(np.uint16) * 257)).astype(int) - face).max() <= 1


def test_an_animation_gives_its_first_frame(face):
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(f[..., ::-1]) for f in (face, 255 - face)]
    animation.durations = [100, 100]
    ok, data = cv2.imencodeanimation(".png", animation)
    assert ok
    assert np.array_equal(decode(data.tobytes())[..., :3], face)


def test_greyscale_is_refused_in_both_formats(face):
    for data in (grey_jpeg(face), png(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))):
        with pytest.raises(UnsupportedImage, match="greyscale"):
            decode(data)


@pytest.mark.parametrize("data", [b"", b"x", b"hello, I am text\n" * 99, b"GIF89a" + bytes(99), b"RIFF1234WEBPVP8 "])
def test_other_content_is_unsupported_whatever_its_name(data):
    with pytest.raises(UnsupportedImage):
        decode(data)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_image_is_invalid(face, share):
    for data in (jpeg(face), png(face)):
        with pytest.raises(InvalidImage):
            decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("scale", [1, 7])  # read whole, and at half its size
def test_a_jpeg_without_an_end_marker_is_read_if_no_pixel_is_missing(face, scale):
    image = cv2.resize(face, None, fx=scale, fy=scale)
    for data in (jpeg(image), with_orientation(jpeg(image), 1)):
        for left in (data[:-2], data[:-1]):  # no marker; half of it
            assert np.array_equal(decode(left), decode(data))


@pytest.mark.parametrize("missing", [*range(3, 20), 100, 1000])
def test_a_jpeg_without_an_end_marker_that_lacks_pixels_is_invalid(face, missing):
    """By a byte or many, and also if the file is filled up with zeros."""
    data = jpeg(face)[:-missing]
    for left in (data, data + bytes(100_000)):
        with pytest.raises(InvalidImage):
            decode(left)


def test_an_end_marker_in_a_thumbnail_is_not_the_end_of_the_image(face):
    data, thumbnail = jpeg(face), jpeg(cv2.resize(face, (64, 64)))
    block = b"Exif\x00\x00" + thumbnail
    with_thumbnail = data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]
    assert np.array_equal(decode(with_thumbnail[:-2]), decode(data))
    with pytest.raises(InvalidImage):
        decode(with_thumbnail[:-500])


def test_a_progressive_jpeg_that_ends_between_two_scans_is_invalid(face):
    """Every row is there, and what would make it sharp isn't: without an end marker nothing says that it is whole."""
    data = cv2.imencode(".jpg", face[..., ::-1], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    first, last = (find(b"\xff\xda") for find in (data.index, data.rindex))
    for cut in (data.index(b"\xff\xda", first + 2), last, len(data) - 2):
        with pytest.raises(InvalidImage):
            decode(data[:cut])


def test_a_jpeg_of_a_scan_a_colour_that_lacks_the_last_is_invalid(face):
    """Decoders show such an image with a hue that no camera saw."""
    grey = simplejpeg.encode_jpeg(np.full((8, 8, 3), 128, np.uint8), colorspace="RGB", colorsubsampling="444")
    head = grey[: grey.index(b"\xff\xda")]
    scans = [  # no difference, end of block: in the standard tables of luma and of chroma
        b"\xff\xda\x00\x08\x01" + component + b"\x00\x3f\x00" + bits
        for component, bits in ((b"\x01\x00", b"\x2b"), (b"\x02\x11", b"\x0f"), (b"\x03\x11", b"\x0f"))
    ]
    assert np.abs(decode(head + b"".join(scans) + b"\xff\xd9").astype(int) - 128).max() <= 1
    for count in (1, 2, 3):
        with pytest.raises(InvalidImage):
            decode(head + b"".join(scans[:count]))


def test_corrupt_pixels_are_invalid(face):
    data = bytearray(png(face))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InvalidImage):
        decode(bytes(data))


def test_stray_bytes_between_jpeg_segments_do_no_harm(face):
    data = jpeg(face)
    assert decode(data[:-2] + bytes(7) + data[-2:]).shape == face.shape


def test_a_huge_header_is_refused_before_decoding():
    data = huge_header()
    assert read_header(data).width == 30_000
    with pytest.raises(InvalidImage, match=f"{MAX_PIXELS // 1_000_000} megapixels"):
        decode(data)


@pytest.mark.parametrize("encode", [jpeg, png, cmyk_jpeg])
def test_a_large_image_is_read_at_half_its_size_and_looks_the_same(face, encode):
    large = cv2.resize(face, (3201, 2935))
    assert large.shape[0] * large.shape[1] > WHOLE_PIXELS
    half = decode(encode(large))
    assert half.shape in {(1467, 1600, 3), (1468, 1601, 3)}
    assert np.abs(cv2.resize(half, face.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int) - face).mean() < 6


def test_a_large_image_turned_is_upright(face):
    stored = as_stored(cv2.resize(face, (3201, 2935)), 6)
    half = decode(with_orientation(jpeg(stored), 6))
    assert np.abs(cv2.resize(half, face.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int) - face).mean() < 6


def test_an_image_without_pixels_is_refused():
    with pytest.raises(InvalidImage):
        decode(huge_header(width=0))


def test_a_jpeg_of_thousands_of_scans_is_refused(face):
    progressive = cv2.imencode(".jpg", face[..., ::-1], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert decode(progressive).shape == face.shape
    at = progressive.rindex(b"\xff\xda")
    bomb = progressive[:at] + progressive[at:-2] * 200 + progressive[-2:]
    with pytest.raises(InvalidImage, match="scans"):
        decode(bomb)


@pytest.mark.parametrize("fill", [b"\xff" * 4_000_000, b"\xff\xe0\x00\x02" * 300])
def test_what_stands_before_the_first_segment_does_no_harm(face, fill):
    data = jpeg(face)
    assert decode(data[:2] + fill + data[2:]).shape == face.shape


def test_a_jpeg_of_a_million_empty_segments_is_refused_before_they_are_walked(face):
    data = jpeg(face)
    with pytest.raises(InvalidImage):
        decode(data[:2] + b"\xff\xe0\x00\x02" * 1_000_000 + data[2:])


@pytest.mark.parametrize(("width", "height"), [(65_501, 3), (3, 65_501), (2_000_000, 1), (25_000_000, 1)])
def test_a_side_beyond_what_decoders_take_is_refused_from_the_header(width, height):
    data = png_of(width, height, b"") if width > 65_535 else huge_header(width, height)
    with pytest.raises(InvalidImage, match="a side may have 65500"):
        decode(data)


def test_a_header_says_what_its_pixels_take_when_they_are_decoded(face):
    deep = png(np.dstack([face, face[..., 0]]).astype(np.uint16) * 257)
    pixels = face.shape[0] * face.shape[1]
    sizes = [read_header(data).decoded_bytes for data in (jpeg(face), cmyk_jpeg(face), png(face), deep)]
    assert sizes == [3 * pixels, 4 * pixels, 3 * pixels, 8 * pixels]


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_whole(subsampling):
    """As cheap cameras send it. Of a byte more that is missing, a decoder would make up the last pixels."""
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8), (9, 9), 3)
    stored = simplejpeg.encode_jpeg(picture, 85, "RGB", subsampling)
    whole = decode(stored)
    for missing in (1, 2):
        np.testing.assert_array_equal(decode(stored[:-missing]), whole)
    for missing in (*range(3, 60), 500, 2000):
        with pytest.raises(InvalidImage):
            decode(stored[:-missing])


def test_a_progressive_jpeg_without_its_end_may_lack_scans_and_is_invalid():
    picture = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    decode(stored)
    with pytest.raises(InvalidImage):
        decode(stored[:-2])


@pytest.mark.parametrize("components", [0, 2, 5, 255])
def test_a_jpeg_of_impossible_components_is_broken_and_weighs_nothing(components):
    data = bytearray(jpeg(np.full((16, 16, 3), 120, np.uint8)))
    data[data.index(b"\xff\xc0") + 9] = components
    for read in (read_header, decode):
        with pytest.raises(InvalidImage, match=f"{components} components"):
            read(bytes(data))
