"""Videos that a hostile or broken client may send: a corpus made by code, and mutants of it by number."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import av
import numpy as np

from tests import videos
from tests.hostile import mutants

if TYPE_CHECKING:
    from collections.abc import Callable

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"mvex", b"moof", b"traf")
_TABLES = (b"mvhd", b"tkhd", b"mdhd", b"elst", b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"dref")


def box(name: bytes, body: bytes) -> bytes:
    """A box of an MP4 or MOV file."""
    return struct.pack(">I", 8 + len(body)) + name + body


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and bodies of the boxes of a file or of a box, as far as they can be parsed."""
    found, at = [], 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if size < 8 or at + size > len(data):
            break
        found.append((data[at + 4 : at + 8], data[at + 8 : at + size]))
        at += size
    return found


def edit(data: bytes, name: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with every box of this name changed by `change(whole box)`."""
    out = []
    for found, body in boxes(data):
        inner = edit(body, name, change) if found in _PARENTS else body
        whole = box(found, inner)
        out.append(change(whole) if found == name else whole)
    return b"".join(out)


def replaced(data: bytes, name: bytes, at: int, value: bytes) -> bytes:
    """The file with bytes of every box of this name replaced."""
    return edit(data, name, lambda whole: whole[:at] + value + whole[at + len(value) :])


@cache
def seeds() -> dict[str, bytes]:
    """Small videos in every container and codec that is taken."""
    kinds = (
        ("mp4", "libx264"),
        ("mp4", "libx265"),
        ("mov", "mjpeg"),
        ("webm", "libvpx"),
        ("webm", "libvpx-vp9"),
        ("webm", "libsvtav1"),
        ("avi", "mjpeg"),
        ("avi", "libx264"),
    )
    made = {f"{c} {codec}": videos.blank(5.5, container=c, codec=codec, fps=6) for c, codec in kinds}
    return made | {"mp4 face": videos.encoded("mp4", "libx264")}


def huge_frames(width: int = 6000, height: int = 4000, seconds: int = 6) -> bytes:
    """A few KB that unfold to frames of 24 megapixels."""
    grey = np.full((height, width, 3), 90, np.uint8)
    return videos.encode([grey] * seconds, [float(i) for i in range(seconds)], fps=1)


def growing(width: int = 8192, height: int = 8192) -> bytes:
    """An AVI that says 160 x 120, and whose later frames are of another size."""
    out = io.BytesIO()

    def packets(size: tuple[int, int], count: int) -> list[av.Packet]:
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = *size, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 10), Fraction(10, 1)
        context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1"}
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 90, np.uint8), format="rgb24")
        found = []
        for number in range(count):
            frame.pts = number
            found += context.encode(frame)
        return found + context.encode(None)

    with av.open(out, "w", format="avi") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        file.start_encoding()
        for number, packet in enumerate(packets((160, 120), 60) + packets((width, height), 3)):
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 10), stream
            file.mux(packet)
    return out.getvalue()


def referring(url: str) -> bytes:
    """A MOV whose pixels are elsewhere: at an address, or in a file, in each of the ways that the format knows."""
    entry = box(b"url ", struct.pack(">I", 0) + url.encode() + b"\x00")
    alias = bytes(2) + b"\x00" * 148 + struct.pack(">hH", 2, len(url)) + url.encode() + struct.pack(">hH", -1, 0)
    entries = entry + box(b"alis", struct.pack(">I", 0) + alias)
    data = videos.blank(5.5, container="mov", codec="mjpeg", fps=6)
    data = edit(data, b"dref", lambda _: box(b"dref", struct.pack(">II", 0, 2) + entries))
    reference = box(b"rdrf", struct.pack(">I", 0) + b"url " + struct.pack(">I", len(url) + 1) + url.encode() + b"\x00")
    return edit(data, b"moov", lambda whole: box(b"moov", whole[8:] + box(b"rmra", box(b"rmda", reference))))


@cache
def special() -> dict[str, bytes]:
    """Videos made to hurt, or to be taken for something that they are not."""
    plain = videos.blank(5.5, fps=6)
    tracks = {n: edit(plain, b"trak", lambda whole, n=n: whole * n) for n in (100, 5000)}
    identity = struct.pack(">9i", 0, 0x7FFFFFFF, -0x80000000, 1, 0, 0, 0x12345678, 0, 0x40000000)
    mkv = seeds()["webm libvpx"]
    return {
        "nothing": b"",
        "one byte": b"\x00",
        "sound alone": videos.sound(),
        "no frames": videos.no_frames(),
        "start alone": plain[:32],
        "type alone": box(b"ftyp", b"isom\x00\x00\x02\x00"),
        "one empty box after the other": box(b"free", b"") * 200_000,
        "boxes in boxes": _nested(2000),
        "box of 16 exabytes": box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"moov", 2**63 + 9),
        "width of 65535": replaced(plain, b"tkhd", 84, b"\xff\xff\x00\x00\xff\xff\x00\x00"),
        "size of 16384": edit(plain, b"stsd", lambda w: w[:48] + struct.pack(">HH", 16_384, 16_384) + w[52:]),
        "matrix of nonsense": replaced(plain, b"tkhd", 48, identity),
        "no time scale": replaced(plain, b"mdhd", 20, bytes(4)),
        "time scale of all bits": replaced(plain, b"mdhd", 20, b"\xff" * 4),
        "length of all bits": replaced(plain, b"mvhd", 24, b"\xff" * 4),
        "frames of no time": replaced(plain, b"stts", 20, bytes(4)),
        "frames of half a century": replaced(plain, b"stts", 20, b"\x7f\xff\xff\xff"),
        "4 milliards of frames": replaced(plain, b"stsz", 16, b"\xff\xff\xff\xff"),
        "frames of 2 GB": replaced(plain, b"stsz", 12, b"\x7f\xff\xff\xff"),
        "frames outside the file": replaced(plain, b"stco", 16, b"\x7f\xff\xff\xff"),
        "100 tracks": tracks[100],
        "5000 tracks": tracks[5000],
        "no codec that is known": plain.replace(b"avc1", b"zzzz"),
        "another codec's name": plain.replace(b"avc1", b"hvc1"),
        "webm in mp4's name": box(b"ftyp", b"isom\x00\x00\x02\x00") + mkv,
        "webm of unknown length": mkv[:4] + b"\x01" + b"\xff" * 7 + mkv[5:],
        "webm with 16 MB of nothing": mkv + bytes(16_000_000),
        "riff of all bits": b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrlavih" + b"\xff" * 64,
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "list": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        "session": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5000 RTP/AVP 96\r\n",
        "subtitles": b"WEBVTT\n\n00:00.000 --> 00:06.000\n<script>\n",
        "manifest": b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/</BaseURL></MPD>',
        "pictures' pattern": b"%d.jpg",
        "flash": b"FLV\x01\x05\x00\x00\x00\x09" + bytes(100),
        "transport stream": (b"\x47\x40\x00\x10" + bytes(184)) * 50,
        "gif": b"GIF89a" + bytes(100),
        "page": b"<html><video src=http://127.0.0.1:9/></html>",
    }


def _nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = box(b"moov", box(b"trak", data))
    return box(b"ftyp", b"isom\x00\x00\x02\x00") + data


def mutant(number: int) -> tuple[str, bytes]:
    """The mutant of this number, always the same, and how it was made."""
    rng = Random(1_000_000 + number)
    name = rng.choice(sorted(seeds()))
    data, steps = seeds()[name], []
    for _ in range(rng.choice((1, 1, 2, 4))):
        step = rng.choice(_steps(data))
        data = step(data, rng)
        steps.append(step.__name__)
    return f"{number}: {name}, {', '.join(steps)}", data


def _steps(data: bytes) -> list[Callable[[bytes, Random], bytes]]:
    any_kind: list[Callable[[bytes, Random], bytes]] = [
        mutants.flip_bits,
        mutants.run_of_bytes,
        mutants.truncate,
        mutants.cut_out,
        mutants.repeat_part,
        mutants.set_number,
        mutants.insert_junk,
        splice,
    ]
    if data[4:8] == b"ftyp":
        return [*any_kind, change_table, change_table, change_table, move_box, rename_box, resize_box]
    return any_kind


def splice(data: bytes, rng: Random) -> bytes:
    """The beginning of one video, the end of another."""
    other = seeds()[rng.choice(sorted(seeds()))]
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def change_table(data: bytes, rng: Random) -> bytes:
    """A number in one of the tables of times, sizes and places becomes another one."""
    name = rng.choice(_TABLES)
    at, size = 8 + 4 * rng.randrange(24), rng.choice((2, 4))
    value = rng.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32)))
    return replaced(data, name, at, (value % 2 ** (8 * size)).to_bytes(size, "big"))


def _any_box(data: bytes, rng: Random) -> bytes:
    names = [name for name, _ in boxes(data)]
    for found, body in boxes(data):
        if found in _PARENTS:
            names += [name for name, _ in boxes(body)] * 3
    return rng.choice([*names, *_TABLES]) if names else b"moov"


def move_box(data: bytes, rng: Random) -> bytes:
    """A box is missing, doubled, there a hundred times, or empty."""
    how = rng.choice((0, 0, 1, 2, 100))
    keep = rng.random() < 0.7
    return edit(data, _any_box(data, rng), lambda whole: whole * how if keep else whole[:4] + whole[4:8])


def rename_box(data: bytes, rng: Random) -> bytes:
    """A box has another's name."""
    to = rng.choice((*_TABLES, *_PARENTS, b"free", rng.randbytes(4)))
    return edit(data, _any_box(data, rng), lambda whole: whole[:4] + to + whole[8:])


def resize_box(data: bytes, rng: Random) -> bytes:
    """A box says that it is larger or smaller than it is."""
    size = rng.choice((0, 1, 7, 8, 9, 2**31, 2**32 - 1, rng.randrange(5000)))
    return edit(data, _any_box(data, rng), lambda whole: struct.pack(">I", size) + whole[4:])
