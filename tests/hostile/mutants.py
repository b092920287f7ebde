"""Mutants of pictures, by number: the same number gives the same bytes."""

from __future__ import annotations

import struct
import zlib
from random import Random
from typing import TYPE_CHECKING

from tests.hostile.pictures import PNG_SIGNATURE, chunk, good, jpeg_segments, png_chunks, special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def mutant(number: int) -> tuple[str, bytes]:
    """The mutant of this number, always the same, and how it was made."""
    rng = Random(number)
    sources = good() if rng.random() < 0.85 else {k: v for k, v in special().items() if 0 < len(v) < 400_000}
    name = rng.choice(sorted(sources))
    data, steps = sources[name], []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        step = rng.choice(_steps(data))
        data = step(data, rng)
        steps.append(step.__name__.lstrip("_"))
    return f"{number}: {name}, {', '.join(steps)}", data


def mutants(numbers: range) -> Iterator[tuple[str, bytes]]:
    """All of these."""
    return map(mutant, numbers)


def _steps(data: bytes) -> list[Callable[[bytes, Random], bytes]]:
    any_kind: list[Callable[[bytes, Random], bytes]] = [
        flip_bits,
        flip_bits,
        run_of_bytes,
        truncate,
        cut_out,
        repeat_part,
        set_number,
        insert_junk,
        splice,
    ]
    if data.startswith(b"\xff\xd8"):
        return [*any_kind, shuffle_segments, change_length, change_marker, change_frame, change_table]
    if data.startswith(PNG_SIGNATURE):
        return [*any_kind, edit_chunk, edit_chunk, shuffle_chunks, change_header, edit_pixels]
    return any_kind


def _place(data: bytes, rng: Random) -> int:
    """Anywhere, but often near the start, where the structure is."""
    return rng.randrange(min(len(data), 700) if rng.random() < 0.5 else len(data)) if data else 0


def flip_bits(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20, 200))):
        if out:
            out[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(out)


def run_of_bytes(data: bytes, rng: Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 2, 4, 16, 300))
    fill = rng.choice((b"\x00", b"\xff", b"\x80", bytes([rng.randrange(256)])))
    return data[:at] + (fill * length)[: max(0, len(data) - at)] + data[at + length :]


def truncate(data: bytes, rng: Random) -> bytes:
    return data[: _place(data, rng)]


def cut_out(data: bytes, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 8, 100, 2000)) :]


def repeat_part(data: bytes, rng: Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 4, 100, 3000))
    return data[:at] + data[at : at + length] * rng.choice((2, 3, 50)) + data[at + length :]


def set_number(data: bytes, rng: Random) -> bytes:
    """A number of 16 or 32 bits becomes one at which sums overflow."""
    size = rng.choice((2, 4))
    value = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1))
    at = _place(data, rng)
    return data[:at] + (value % 2 ** (8 * size)).to_bytes(size, rng.choice(("big", "little"))) + data[at + size :]


def insert_junk(data: bytes, rng: Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 7, 60, 5000))) + data[at:]


def splice(data: bytes, rng: Random) -> bytes:
    """The beginning of one picture, the end of another."""
    other = good()[rng.choice(sorted(good()))]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def shuffle_segments(data: bytes, rng: Random) -> bytes:
    parts = jpeg_segments(data)
    at = rng.randrange(len(parts))
    what = rng.randrange(3)
    if what == 0:
        parts.insert(rng.randrange(len(parts)), parts[at] if len(parts[at]) < 70_000 else b"")
    elif what == 1:
        del parts[at]
    else:
        rng.shuffle(parts)
    return data[:2] + b"".join(parts)


def change_length(data: bytes, rng: Random) -> bytes:
    parts = jpeg_segments(data)
    at = rng.randrange(len(parts))
    length = rng.choice((0, 1, 2, 3, 9, 0x7FFF, 0xFFFF, rng.randrange(65_536)))
    parts[at] = parts[at][:2] + struct.pack(">H", length) + parts[at][4:]
    return data[:2] + b"".join(parts)


def change_marker(data: bytes, rng: Random) -> bytes:
    parts = jpeg_segments(data)
    at = rng.randrange(len(parts))
    parts[at] = parts[at][:1] + bytes([rng.choice((*range(0xC0, 0xFF), rng.randrange(256)))]) + parts[at][2:]
    return data[:2] + b"".join(parts)


def change_frame(data: bytes, rng: Random) -> bytes:
    """Another size, depth, number of components or sampling."""
    parts = jpeg_segments(data)
    for number, part in enumerate(parts):
        if len(part) > 10 and part[1] in (0xC0, 0xC1, 0xC2):
            out = bytearray(part)
            at = rng.randrange(4, len(out))
            out[at] = rng.choice((0, 1, 2, 3, 4, 8, 12, 0x11, 0x21, 0x22, 0x41, 0x44, 0xFF, rng.randrange(256)))
            parts[number] = bytes(out)
    return data[:2] + b"".join(parts)


def change_table(data: bytes, rng: Random) -> bytes:
    """Something in a Huffman or quantisation table, a restart interval, or the head of a scan."""
    parts = jpeg_segments(data)
    where = [i for i, p in enumerate(parts) if len(p) > 6 and p[1] in (0xC4, 0xDB, 0xDD, 0xDA)]
    if not where:
        return data
    number = rng.choice(where)
    out = bytearray(parts[number])
    for _ in range(rng.choice((1, 3))):
        out[rng.randrange(2, min(len(out), 200))] = rng.randrange(256)
    parts[number] = bytes(out)
    return data[:2] + b"".join(parts)


def _assemble(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return PNG_SIGNATURE + b"".join(chunk(name, body) for name, body in chunks)


def edit_chunk(data: bytes, rng: Random) -> bytes:
    """Bytes of one chunk change, and its checksum with them."""
    chunks = png_chunks(data)
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    step = rng.choice((flip_bits, run_of_bytes, truncate, insert_junk, set_number))
    chunks[at] = (name, step(body, rng) if body else rng.randbytes(3))
    return _assemble(chunks)


def shuffle_chunks(data: bytes, rng: Random) -> bytes:
    chunks = png_chunks(data)
    if not chunks:
        return data
    at, what = rng.randrange(len(chunks)), rng.randrange(4)
    if what == 0:
        chunks.insert(rng.randrange(len(chunks)), chunks[at])
    elif what == 1:
        del chunks[at]
    elif what == 2:
        rng.shuffle(chunks)
    else:
        names = (b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sBIT", b"eXIf", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"fdAT")
        chunks.insert(rng.randrange(len(chunks)), (rng.choice(names), rng.randbytes(rng.choice((0, 3, 8, 26, 768)))))
    return _assemble(chunks)


def change_header(data: bytes, rng: Random) -> bytes:
    """Another size, depth, colour type, filter or interlacing, with the right checksum."""
    chunks = png_chunks(data)
    if not chunks or len(chunks[0][1]) != 13:
        return data
    out = bytearray(chunks[0][1])
    if rng.random() < 0.5:
        out[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    else:
        at = rng.choice((0, 4))
        out[at : at + 4] = struct.pack(">I", rng.choice((0, 1, 7, 5000, 65_535, 2**31 - 1, 2**32 - 1)))
    return _assemble([(chunks[0][0], bytes(out)), *chunks[1:]])


def edit_pixels(data: bytes, rng: Random) -> bytes:
    """Pixels that unfold rightly to something else: filters that don't exist, too few or too many."""
    chunks = png_chunks(data)
    try:
        raw = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    except zlib.error:
        return data
    raw = rng.choice((flip_bits, run_of_bytes, truncate, repeat_part))(raw, rng)
    before = [c for c in chunks if c[0] not in (b"IDAT", b"IEND")]
    return _assemble([*before, (b"IDAT", zlib.compress(raw, 1)), (b"IEND", b"")])
