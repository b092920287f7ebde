"""PNGs as they reach the decoder: the same pixels, and nothing that unfolds to more than they need."""

import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest

from rppg_core.errors import InvalidImage
from rppg_core.media.images import decode
from rppg_core.media.png import bands, plain
from tests.hostile.pictures import as_pillow, chunk, good, png_chunks, png_of
from tests.images import png, still_face

GREY = ("png grey", "png grey alpha", "png bits")


def bare(data: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION))


def interlaced(image: np.ndarray) -> bytes:
    """The image in the seven passes of Adam7."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = [image[y::dy, x::dx] for y, x, dy, dx in passes]
    rows = b"".join(b"\x00" + row.tobytes() for part in parts if part.size for row in part)
    height, width = image.shape[:2]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", [name for name in good() if name.startswith("png") and name not in GREY])
def test_every_kind_keeps_its_pixels(name):
    assert np.array_equal(bare(plain(good()[name])), bare(good()[name]))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (9, 17), (33, 2)])
def test_interlaced_pictures_of_any_size_come_out_exactly(size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(decode(interlaced(image)), image)


@pytest.mark.parametrize("colours", [2, 4, 16])
def test_palettes_of_few_bits_come_out_exactly(colours):
    image = still_face()[::4, ::4]
    data = as_pillow(image // (256 // colours) * (256 // colours), "PNG", "P", bits=int(np.log2(colours)))
    assert np.array_equal(bare(plain(data)), bare(data))


def test_pixels_without_end_are_not_unfolded():
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(10_000_000)) for _ in range(20)) + packer.flush()
    tracemalloc.start()
    assert decode(png_of(400, 400, pixels)).shape == (400, 400, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # of 200 MB


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"sPLT", b"abCd"])
def test_what_is_no_pixel_does_not_reach_the_decoder(name):
    face = still_face()
    chunks = png_chunks(png(face))
    chunks.insert(1, (name, b"k\x00\x00" + zlib.compress(bytes(1_000_000))))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks)
    assert {part for part, _ in png_chunks(plain(data))} == {b"IHDR", b"IDAT", b"IEND"}
    assert np.array_equal(decode(data), face)


def test_a_checksum_that_is_wrong_is_reported():
    data = bytearray(png(still_face()))
    for at in (20, len(data) - 20):  # in the header, in the last pixels
        broken = data.copy()
        broken[at] ^= 1
        with pytest.raises(InvalidImage):
            decode(bytes(broken))


def test_too_few_pixels_and_too_many_chunks_are_invalid():
    rows = zlib.compress(bytes(100 * 301))
    assert decode(png_of(100, 100, rows)).shape == (100, 100, 3)
    for data in (
        png_of(100, 101, rows),
        png_of(100, 100, rows[:-20]),
        png_of(100, 100, rows, more=chunk(b"tEXt", b"") * 30_000),
    ):
        with pytest.raises(InvalidImage):
            decode(data)


FILTERS = (8, 16, 32, 64, 128, 248)  # none, sub, up, average, Paeth, and a mixture, as OpenCV names them


@pytest.mark.parametrize("size", [(33, 47), (64, 64), (101, 100), (201, 333)])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_bands_give_the_pixels_of_every_filter_whole_and_halved(size, channels, bits, monkeypatch):
    monkeypatch.setattr("rppg_core.media.png._BAND_BYTES", 3000)  # many bands, each of which needs the row before it
    high = np.cumsum(np.random.default_rng(0).integers(0, 9, (*size, channels)), axis=1).astype(np.uint8)
    rgb = high[..., :3]
    stored = (high.astype(np.uint16) << 8) + 77 if bits == 16 else high
    rows, columns = size[0] // 2, size[1] // 2
    means = rgb[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3).mean(axis=(1, 3))
    for used in FILTERS:
        data = cv2.imencode(".png", stored[..., [2, 1, 0, 3][:channels]], [cv2.IMWRITE_PNG_FILTER, used])[1].tobytes()
        assert np.array_equal(bands(data, halved=False), rgb)
        assert np.abs(bands(data, halved=True) - means).max() <= 0.5


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (9, 17), (64, 64), (101, 100)])
def test_bands_of_interlaced_pictures_come_out_exactly(size, monkeypatch):
    monkeypatch.setattr("rppg_core.media.png._BAND_BYTES", 300)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(bands(interlaced(image), halved=False), image)
    assert np.array_equal(bands(interlaced(image), halved=True), image[::2, ::2][: size[0] // 2, : size[1] // 2])


def large_png(side: int) -> tuple[bytes, bytes]:
    """Of 16-bit RGBA, and its packed pixels."""
    packer = zlib.compressobj(9)
    row = b"\x04" + bytes(side * 8)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png_of(side, side, pixels, depth=16, colour=6), pixels


def test_sixteen_bits_of_a_large_picture_are_never_held_as_a_whole():
    bomb, _ = large_png(4000)
    tracemalloc.start()
    assert decode(bomb).shape == (2000, 2000, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000  # of 128 MB; the result has 12


def test_a_large_picture_that_breaks_off_is_invalid():
    bomb, pixels = large_png(2000)
    for wrong in (png_of(2000, 2000, pixels[:-400], depth=16, colour=6), bomb[:-40] + bomb[-39:]):
        with pytest.raises(InvalidImage):
            decode(wrong)
