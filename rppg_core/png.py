"""What a PNG holds besides its pixels is left out before anything decodes it, and its pixels are unfolded here.

A decoder unfolds whatever a file holds: 8 MB can hold 8 GB of zeros behind the last row, or in texts that nobody reads.
Here no more is unfolded than the header's size asks for. It is faster too: zlib alone takes half as long as within a
decoder.
"""

from __future__ import annotations

import struct
import zlib

from rppg_core.errors import InvalidImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 20_000
_CHANNELS = {2: 3, 3: 1, 6: 4}  # colour, palette, colour and alpha
_DEPTHS = (1, 2, 4, 8, 16)
_PASSES = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
"""First row, step of rows, first column, step of columns of each pass of an interlaced picture."""


def plain(data: bytes) -> bytes:
    """The same picture as a PNG of header, palette, transparency and pixels alone, these uncompressed.

    Raises
    ------
    InvalidImage
        If it is truncated or corrupt.
    """
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
    rows = _unfold(packed, _size(kept[b"IHDR"][8:-4]))
    return SIGNATURE + b"".join(kept.values()) + _made(b"IDAT", zlib.compress(rows, 0)) + _made(b"IEND", b"")


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


def _size(header: bytes) -> int:
    """Bytes of all rows, each with its filter's byte before it."""
    if len(header) != 13:
        raise _corrupt()
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colour not in _CHANNELS or depth not in _DEPTHS or interlaced > 1:
        raise _corrupt()
    bits = depth * _CHANNELS[colour]
    total = 0
    for first_row, row_step, first_column, column_step in _PASSES if interlaced else ((0, 1, 0, 1),):
        rows, columns = -((first_row - height) // row_step), -((first_column - width) // column_step)
        if rows > 0 and columns > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _unfold(packed: list[bytes], size: int) -> bytes:
    try:
        rows = zlib.decompressobj().decompress(b"".join(packed), size)
    except zlib.error as error:
        raise _corrupt() from error
    if len(rows) < size:
        raise _corrupt()
    return rows


def _made(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))


def _corrupt() -> InvalidImage:
    return InvalidImage("The PNG is truncated or corrupt.")
