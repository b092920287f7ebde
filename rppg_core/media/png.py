"""PNG pixels without the rest of the file, decompressed in bounded memory.

A decoder decompresses whatever a file holds: 8 MB can hold 8 GB of zeros behind the last row, or in texts that nobody
reads. Here no more is decompressed than the header's size asks for. Large pictures are decompressed and unfiltered in
bands of rows, each of which is reduced to 8 bits, and to half its size if asked, before the next one is touched: 16-bit
RGBA would take 8 bytes for each pixel, and 3/4 of a byte are used.
"""

from __future__ import annotations

import struct
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from rppg_core.errors import InvalidImage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 20_000
CHANNELS = {2: 3, 3: 1, 6: 4}  # colour, palette, colour and alpha
DEPTHS = (1, 2, 4, 8, 16)
_PASSES = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
"""First row, step of rows, first column, step of columns of each pass of an interlaced picture."""

_EVEN_PASSES = 5
"""So many passes hold all pixels of even rows and columns: a quarter of the picture."""

_BAND_BYTES = 4_000_000


def plain(data: bytes) -> bytes:
    """The same picture as a PNG of header, palette, transparency and pixels alone, these uncompressed.

    Raises
    ------
    InvalidImage
        If it is truncated or corrupt.
    """
    kept, packed = _parts(data)
    rows = _Rows(packed).read(_size(kept[b"IHDR"][8:-4]))
    return _file(b"".join(kept.values()), rows)


def bands(data: bytes, *, halved: bool) -> NDArray[np.uint8]:
    """Decode a true-colour PNG in bands, so that little more than the result is held at a time.

    Parameters
    ----------
    data : bytes
        The file. Its palette, if it needs one, is not supported: `plain` does those.
    halved : bool
        Whether to halve width and height: by the mean of 2 x 2 pixels, or in an interlaced picture by every second row
        and column, which its first passes hold.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        RGB; the high byte of 16 bits, alpha dropped. An odd last row or column is left out if `halved`.

    Raises
    ------
    InvalidImage
        If it is truncated or corrupt.
    """
    kept, packed = _parts(data)
    header = _Ihdr.of(kept[b"IHDR"][8:-4])
    step = 2 if halved else 1
    image = np.empty((header.height // step, header.width // step, 3), np.uint8)
    fill = _fill_passes if header.interlaced else _fill
    fill(image, _Rows(packed), header, halved=halved)
    return image


def _fill(image: NDArray[np.uint8], rows: _Rows, header: _Ihdr, *, halved: bool) -> None:
    step = 2 if halved else 1
    for top, band in _bands(rows, header, header.height, header.width):
        place = image[top // step : (top + len(band)) // step]
        if not halved:
            place[:] = band
        elif len(place):  # an odd last row may stand alone
            even = band[: 2 * len(place), : 2 * place.shape[1]]
            cv2.resize(even, place.shape[1::-1], dst=place, interpolation=cv2.INTER_AREA)


def _fill_passes(image: NDArray[np.uint8], rows: _Rows, header: _Ihdr, *, halved: bool) -> None:
    step = 2 if halved else 1
    for number, (first_row, row_step, first_column, column_step) in enumerate(_PASSES):
        height, width = header.pass_size(number)
        if halved and number >= _EVEN_PASSES:
            rows.skip(height * header.row_bytes(width) if width else 0)
            continue
        if not height or not width:
            continue
        # A view of where the pass belongs; what lies beyond an odd last row or column is cut off.
        part = image[first_row // step :: row_step // step, first_column // step :: column_step // step]
        for top, band in _bands(rows, header, height, width):
            place = part[top : top + len(band)]
            place[:] = band[: place.shape[0], : place.shape[1]]


@dataclass(frozen=True, slots=True)
class _Ihdr:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: int

    @classmethod
    def of(cls, body: bytes) -> _Ihdr:
        if len(body) != 13:
            raise _corrupt()
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        if colour not in CHANNELS or depth not in DEPTHS or interlaced > 1:
            raise _corrupt()
        return cls(width, height, depth, colour, interlaced)

    def row_bytes(self, columns: int) -> int:
        """Bytes of a row, its filter's byte included."""
        return 1 + (columns * self.depth * CHANNELS[self.colour] + 7) // 8

    def pass_size(self, number: int) -> tuple[int, int]:
        """Rows and columns of a pass."""
        first_row, row_step, first_column, column_step = _PASSES[number]
        rows, columns = -((first_row - self.height) // row_step), -((first_column - self.width) // column_step)
        return max(0, rows), max(0, columns)


class _Rows:
    """The decompressed pixels, a piece at a time."""

    def __init__(self, packed: list[bytes]) -> None:
        self._unfold = zlib.decompressobj()
        self._rest = b"".join(packed)

    def read(self, size: int) -> bytes:
        """The next bytes. Raises InvalidImage if there are fewer."""
        try:
            found = self._unfold.decompress(self._rest, size) if size else b""
        except zlib.error as error:
            raise _corrupt() from error
        self._rest = self._unfold.unconsumed_tail
        if len(found) < size:
            raise _corrupt()
        return found

    def skip(self, size: int) -> None:
        """Decompress and drop. Raises InvalidImage if there are fewer."""
        while size:
            size -= len(self.read(min(size, _BAND_BYTES)))


def _bands(rows: _Rows, header: _Ihdr, height: int, width: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the first row and the RGB pixels of bands of an even number of rows."""
    row_bytes, channels = header.row_bytes(width), CHANNELS[header.colour]
    many = max(2, _BAND_BYTES // row_bytes // 2 * 2)
    before = b""  # the row before a band, as a row without a filter: the band's first row may refer to it
    for top in range(0, height, many):
        count = min(many, height - top)
        body = before + rows.read(count * row_bytes)
        head = struct.pack(">IIBBBBB", width, count + bool(before), header.depth, header.colour, 0, 0, 0)
        try:
            pixels = cv2.imdecode(np.frombuffer(_file(_made(b"IHDR", head), body), np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise _corrupt() from error
        if pixels is None or pixels.shape[2] != channels:
            raise _corrupt()
        last = pixels[-1][:, [2, 1, 0, 3][:channels]]
        before = b"\x00" + last.astype(">u2" if header.depth == 16 else np.uint8).tobytes()
        # B, G, R in the machine's order of bytes; of 16 bits the high byte alone.
        deep = header.depth == 16
        rgb = slice(5 if sys.byteorder == "little" else 4, None, -2) if deep else slice(2, None, -1)
        yield top, np.ascontiguousarray(pixels.view(np.uint8)[-count:, :, rgb])


def _parts(data: bytes) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Header, palette and transparency as whole chunks, and the bodies of the chunks of pixels."""
    kept: dict[bytes, bytes] = {}
    packed: list[bytes] = []
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        name, body, whole = _chunk(data, at)
        at += len(whole)
        if name == b"IDAT":
            packed.append(body)
        elif name in (b"IHDR", b"PLTE", b"tRNS"):
            kept.setdefault(name, whole)
        elif name == b"IEND":
            break
    else:
        raise _corrupt()
    if list(kept)[:1] != [b"IHDR"]:
        raise _corrupt()
    return kept, packed


def _file(chunks: bytes, rows: bytes) -> bytes:
    """A PNG of these chunks and uncompressed rows."""
    return SIGNATURE + chunks + _made(b"IDAT", zlib.compress(rows, 0)) + _made(b"IEND", b"")


def _chunk(data: bytes, at: int) -> tuple[bytes, bytes, bytes]:
    """Name and body of the chunk at a place, and the whole of it. Those that matter must be as they were written."""
    if at + 12 > len(data):
        raise _corrupt()
    (length,) = struct.unpack_from(">I", data, at)
    end = at + 12 + length
    if end > len(data):
        raise _corrupt()
    name, body = data[at + 4 : at + 8], data[at + 8 : end - 4]
    if name in (b"IHDR", b"PLTE", b"IDAT") and zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(
        data[end - 4 : end]
    ):
        raise _corrupt()
    return name, body, data[at:end]


def _size(body: bytes) -> int:
    """Bytes of all rows, each with its filter's byte before it."""
    header = _Ihdr.of(body)
    if not header.interlaced:
        return header.height * header.row_bytes(header.width)
    sizes = [header.pass_size(number) for number in range(len(_PASSES))]
    return sum(rows * header.row_bytes(columns) for rows, columns in sizes if rows and columns)


def _made(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def _corrupt() -> InvalidImage:
    return InvalidImage("The PNG is truncated or corrupt.")
