"""Bytes to an upright RGB array. What is decoded is decided from the header, before any pixel is touched."""

from __future__ import annotations

import re
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import simplejpeg

from rppg_core.errors import InvalidImage, UnsupportedImage
from rppg_core.media import png

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 25_000_000
WHOLE_PIXELS = 8_000_000
"""Larger images are read at half their width and height, and one at a time: a face in them has pixels to spare, and
what decoding one takes, up to 250 MB, must not be taken by every thread at once."""

MAX_SIDE = 65_500
"""Pixels of a side that the JPEG decoder takes; no picture has such a side but one made to break something."""

BANDED_BYTES = 25_000_000
"""True-colour PNGs of more decoded bytes are decoded in bands."""

MAX_SCANS = 100  # a progressive JPEG has about ten; thousands of scans over one image are a decompression bomb

_one_large = threading.Lock()
_PNG_GREY = {0, 4}  # colour types without chroma
_PNG_PALETTE, _PNG_ALPHA = 3, 6
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15 without DHT, JPG, DAC
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_STANDALONE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers that carry no length
_NOT_FILL = re.compile(rb"[^\xff]")
_MAX_SEGMENTS = 1000  # before the frame header; an ICC profile may take 255, and there may be millions of empty ones
_END_MARKER = b"\xff\xd9"
_ALL_COEFFICIENTS = b"\x00\x3f"  # 0 to 63; the scans of a progressive image have fewer, or one component
_ORIENTATION_TAG = 0x0112
_MOST_EXIF = 65536
_MAX_ENTRIES = 1000  # of a directory; cameras write some dozens


class Picture(Protocol):
    """A picture that becomes pixels when it is asked for them."""

    @property
    def nbytes(self) -> int:
        """What its pixels take."""

    def pixels(self) -> NDArray[np.uint8]:
        """Shape (height, width, 3): upright RGB."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself: `width` and `height` in pixels as stored, EXIF `orientation` 1-8."""

    format: str  # "jpeg" | "png"
    width: int
    height: int
    components: int
    orientation: int = 1
    sample_bits: int = 8
    has_palette: bool = False

    @property
    def decoded_bytes(self) -> int:
        """What its pixels take when they are decompressed: channels times bytes of a sample for each pixel."""
        return self.width * self.height * self.components * max(8, self.sample_bits) // 8


def decode(data: bytes, into: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG into an upright 8-bit RGB image.

    Parameters
    ----------
    data : bytes
        The whole file. Its content tells the format, not a name.
    into : ndarray of uint8, contiguous, optional
        Memory that the image may be written to, in the place of new memory: of a JPEG that is stored upright and fills
        it.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        RGB, EXIF orientation applied, alpha dropped, CMYK and 16 bits converted; an animation's first frame. Half
        as wide and high if it has more than `WHOLE_PIXELS`.

    Raises
    ------
    UnsupportedImage
        If it is neither JPEG nor PNG, or has no colour.
    InvalidImage
        If it is truncated, corrupt, or over 25 megapixels.
    """
    header = read_header(data)
    if max(header.width, header.height) > MAX_SIDE:
        raise InvalidImage(
            f"The image has {header.width} × {header.height} pixels: a side may have {MAX_SIDE} at most."
        )
    if header.width * header.height > MAX_PIXELS:
        raise InvalidImage(
            f"The image has {header.width} × {header.height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels."
        )
    if header.width == 0 or header.height == 0:
        raise InvalidImage("The image has no pixels.")
    if header.width * header.height <= WHOLE_PIXELS:
        return _upright(_decode(data, header, into=into), header.orientation)
    with _one_large:
        return _upright(_decode(data, header, halved=True), header.orientation)


def read_header(data: bytes) -> Header:
    """Tell format, size and orientation without decoding; raises as `decode` does."""
    if data.startswith(png.SIGNATURE):
        return _png_header(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg_header(data)
    raise UnsupportedImage("The frame is neither a JPEG nor a PNG image.")


def _decode(
    data: bytes, header: Header, *, halved: bool = False, into: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    if header.format == "png":
        if header.decoded_bytes > BANDED_BYTES and not header.has_palette:
            return png.bands(data, halved=halved)
        return _decode_other(png.plain(data), halved=halved)
    if header.components == 3:
        fits = into is not None and into.shape == (header.height, header.width, 3) and header.orientation == 1
        at_least = (header.width // 2, header.height // 2) if halved else (0, 0)
        return _decode_jpeg(data, at_least, into if fits else None)
    return _decode_other(data, halved=halved)


def _decode_jpeg(data: bytes, at_least: tuple[int, int], into: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    try:
        return _pixels(data, strict=True, at_least=at_least, into=into)
    except ValueError as error:
        # Stray bytes between segments are common in camera streams and harm no pixel, nor does a lack of the end marker
        # alone: with it, a decoder that finds pixels missing says so. Anything else does harm.
        strays, unended = (
            "extraneous bytes" in str(error),
            "end of JPEG file" in str(error) and _ends_in_full_scan(data),
        )
        if not (strays or unended):
            raise InvalidImage("The JPEG is truncated or corrupt.") from error
    try:
        return _pixels(data + _END_MARKER if unended else data, strict=unended, at_least=at_least, into=into)
    except ValueError as error:
        raise InvalidImage("The JPEG is truncated or corrupt.") from error


def _ends_in_full_scan(data: bytes) -> bool:
    """Whether the last scan holds all of three components, so that none after it can be missing."""
    at = data.rfind(b"\xff\xda")
    return at > 0 and data[at + 4 : at + 5] == b"\x03" and data[at + 11 : at + 13] == _ALL_COEFFICIENTS


def _pixels(
    data: bytes, *, strict: bool, at_least: tuple[int, int], into: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    # Each 2 x 2 pixels keep the hue that is stored for them. To blend hues between such blocks costs more and moves no
    # region's mean.
    pixels = simplejpeg.decode_jpeg(
        data,
        colorspace="RGB",
        fastupsample=True,
        strict=strict,
        min_width=at_least[0],
        min_height=at_least[1],
        buffer=into,
    )
    return np.asarray(pixels, dtype=np.uint8)


def _decode_other(data: bytes, *, halved: bool) -> NDArray[np.uint8]:
    flags = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InvalidImage("The image is truncated or corrupt.") from error
    if image is None:
        raise InvalidImage("The image is truncated or corrupt.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation == 1:
        return image
    if orientation in {5, 6, 7, 8}:
        image = image.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _png_header(data: bytes) -> Header:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise InvalidImage("The PNG is truncated or corrupt.")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    if colour in _PNG_GREY:
        raise UnsupportedImage("The image is greyscale: without colour there is no pulse to see.")
    if colour not in png.CHANNELS or depth not in png.DEPTHS:  # before its size is reckoned with
        raise InvalidImage("The PNG is truncated or corrupt.")
    # The end chunk must be there: decoders fill what a truncated file lacks with black and call it an image.
    if b"IEND" not in data[-64:] and data.find(b"IEND") < 0:
        raise InvalidImage("The PNG is truncated or corrupt.")
    channels = 4 if colour == _PNG_ALPHA else 3
    orientation = _exif_orientation(_png_exif(data))
    return Header("png", width, height, channels, orientation, depth, has_palette=colour == _PNG_PALETTE)


def _png_exif(data: bytes) -> bytes:
    """The eXIf chunk, which may stand before the pixels or after them."""
    at = len(png.SIGNATURE)
    for _ in range(png.MOST_CHUNKS):
        if at + 12 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"eXIf":
            # Some writers put the header of a JPEG's segment before it.
            return data[at + 8 : at + 8 + min(length, _MOST_EXIF)].removeprefix(b"Exif\x00\x00")
        at += 12 + length
    return b""


def _jpeg_header(data: bytes) -> Header:
    orientation = 1
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            break
        if data[at + 1] == 0xFF:  # any number of these may stand before a marker
            other = _NOT_FILL.search(data, at)
            at = other.start() - 1 if other else len(data)
            continue
        marker = data[at + 1]
        if marker in _STANDALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2:
            break
        if marker in _FRAME_MARKERS:
            if at + 10 > len(data):
                break
            return _frame_header(data, at, orientation)
        if marker in {0xDA, 0xD9}:  # pixels, or the end, before any frame header
            break
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\x00\x00":
            orientation = _exif_orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
    raise InvalidImage("The JPEG is truncated or corrupt.")


def _frame_header(data: bytes, at: int, orientation: int) -> Header:
    """Read the frame header whose marker is at a place."""
    height, width, components = struct.unpack_from(">HHB", data, at + 5)
    if components == 1:
        raise UnsupportedImage("The image is greyscale: without colour there is no pulse to see.")
    if components not in (3, 4):
        raise InvalidImage(f"The JPEG claims {components} components; images have three or four.")
    if data[at + 1] in _PROGRESSIVE and data.count(b"\xff\xda", at) > MAX_SCANS:
        raise InvalidImage("The JPEG has too many scans.")
    return Header("jpeg", width, height, components, orientation)


def _exif_orientation(tiff: bytes) -> int:
    """Orientation 1-8 of a TIFF block; 1 for anything that can't be read, as viewers do."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return 1
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for i in range(min(count, _MAX_ENTRIES)):
        entry = start + 2 + 12 * i
        if entry + 12 > len(tiff):
            return 1
        tag, kind = struct.unpack_from(order + "HH", tiff, entry)
        if tag == _ORIENTATION_TAG and kind == 3:
            (value,) = struct.unpack_from(order + "H", tiff, entry + 8)
            return int(value) if 1 <= value <= 8 else 1
    return 1
