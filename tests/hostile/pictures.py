"""Pictures that a hostile or broken client may send, made by code."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from random import Random

import cv2
import numpy as np
from PIL import Image

from tests.images import as_stored, cmyk_jpeg, grey_jpeg, huge_header, jpeg, png, still_face, wall, with_orientation

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk with the right checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, body: bytes, *, depth: int = 8, colour: int = 2, more: bytes = b"") -> bytes:
    """A PNG that claims a size, with `body` as its compressed pixels and other chunks before them."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG_SIGNATURE + head + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and bodies of a PNG's chunks, as far as they can be parsed."""
    found, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def jpeg_segments(data: bytes) -> list[bytes]:
    """The segments of a JPEG, its start apart; the last one holds the pixels and all that follows."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        found.append(data[at : at + 2 + length])
        at += 2 + length
    return [*found, data[at:]]


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its start."""
    return data[:2] + segment(marker, body) + data[2:]


def as_pillow(image: np.ndarray, kind: str = "JPEG", mode: str = "RGB", **options) -> bytes:
    """The image as Pillow saves it."""
    out = io.BytesIO()
    Image.fromarray(image).convert(mode).save(out, kind, **options)
    return out.getvalue()


def many_scans(scans: int, *, size: tuple[int, int] = (1000, 1000)) -> bytes:
    """A progressive JPEG whose last scan comes over and over: each costs a pass over all coefficients."""
    data = as_pillow(wall(size), progressive=True, quality=60)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * scans + b"\xff\xd9"


def scans_of_nothing(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG that a strict decoder takes: black, and each of its scans says "nothing" of every block."""
    blocks = -(-width // 8) * -(-height // 8)
    out = b"\xff\xd8" + segment(0xDB, b"\x00" + b"\x01" * 64)
    out += segment(0xC2, struct.pack(">BHHB", 8, height, width, 3) + b"\x01\x11\x00\x02\x11\x00\x03\x11\x00")
    out += segment(0xC4, b"\x00\x01" + bytes(15) + b"\x00")  # one bit for "no change of colour"
    out += segment(0xC4, b"\x10\x01" + bytes(15) + b"\xe0")  # one bit, and 14 more, for a run of empty blocks
    out += segment(0xDA, b"\x03\x01\x00\x02\x00\x03\x00\x00\x00\x00") + bytes(-(-blocks * 3 // 8))
    runs = [32_767] * (blocks // 32_767) + [16_384] * -(-(blocks % 32_767) // 16_384)
    bits = "".join("0" + format(run - 16_384, "014b") for run in runs)
    bits += "1" * (-len(bits) % 8)
    empty = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    for number in range(scans):
        place = 1 + number % 63
        out += segment(0xDA, bytes([1, 1 + number // 63, 0, place, place, 0])) + empty
    return out + b"\xff\xd9"


def exif(*entries: tuple[int, int, int, int], following: int = 0, order: str = ">") -> bytes:
    """A TIFF block with entries (tag, type, count, value), and the place of the directory after it."""
    mark = b"MM" if order == ">" else b"II"
    body = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    tiff = mark + struct.pack(order + "HIH", 42, 8, len(entries)) + body + struct.pack(order + "I", following)
    return b"Exif\x00\x00" + tiff


def two_pictures(first: bytes, second: bytes) -> bytes:
    """A multi-picture file: a second JPEG after the first, announced in an APP2 segment."""
    body = b"MPF\x00MM\x00*\x00\x00\x00\x08\x00\x03" + bytes(90)
    return with_segment(first, 0xE2, body) + second


def animated(image: np.ndarray) -> bytes:
    """An APNG of three frames."""
    out = io.BytesIO()
    frames = [Image.fromarray(np.roll(image, shift, axis=1)) for shift in (0, 8, 16)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], duration=40)
    return out.getvalue()


def sof(data: bytes, marker: int | None = None, precision: int | None = None, sampling: bytes = b"") -> bytes:
    """A baseline JPEG with another kind of frame, other bits per sample, or other sampling factors."""
    at = data.index(b"\xff\xc0")
    out = bytearray(data)
    out[at + 1] = marker if marker is not None else out[at + 1]
    out[at + 4] = precision if precision is not None else out[at + 4]
    for number, factors in enumerate(sampling):
        out[at + 11 + 3 * number] = factors
    return bytes(out)


@cache
def faces() -> dict[str, np.ndarray]:
    """A face at three sizes, and a wall."""
    whole = still_face()
    small = cv2.resize(whole, (224, 205), interpolation=cv2.INTER_AREA)
    middle = cv2.resize(whole, (320, 294), interpolation=cv2.INTER_AREA)
    return {"whole": whole, "middle": middle, "small": small, "wall": wall((200, 160))}


@cache
def good() -> dict[str, bytes]:
    """Pictures that decoders take: every format, colour type, sampling and coding that is met in the field."""
    image, small, blank = faces()["middle"], faces()["small"], faces()["wall"]
    alpha = np.dstack([image, np.full(image.shape[:2], 200, np.uint8)])
    deep = (image.astype(np.uint16) << 8) | 0x5A
    icc = with_segment(jpeg(small), 0xE2, b"ICC_PROFILE\x00\x01\x01" + Random(5).randbytes(3000))
    return {
        "jpeg": jpeg(image),
        "jpeg small": jpeg(small, 75),
        "jpeg wall": jpeg(blank),
        "jpeg progressive": as_pillow(image, progressive=True),
        "jpeg optimised": as_pillow(small, optimize=True, quality=40),
        "jpeg 4:4:4": as_pillow(image, subsampling=0),
        "jpeg 4:2:2": as_pillow(image, subsampling=1),
        "jpeg restarts": as_pillow(image, restart_marker_rows=1),
        "jpeg restarts 2": as_pillow(small, restart_marker_blocks=3),
        "jpeg cmyk": cmyk_jpeg(small),
        "jpeg grey": grey_jpeg(small),
        "jpeg turned": with_orientation(jpeg(as_stored(small, 6)), 6),
        "jpeg icc": icc,
        "jpeg and jpeg": two_pictures(jpeg(small), jpeg(blank)),
        "jpeg comment": with_segment(jpeg(small), 0xFE, b"\x00<script>" * 200),
        "png": png(small),
        "png middle": png(image),
        "png alpha": png(alpha),
        "png 16 bits": cv2.imencode(".png", deep[..., ::-1])[1].tobytes(),
        "png palette": as_pillow(small, "PNG", "P"),
        "png grey": as_pillow(small, "PNG", "L"),
        "png grey alpha": as_pillow(small, "PNG", "LA"),
        "png bits": as_pillow(small, "PNG", "1"),
        "png animated": animated(small),
        "png clear": as_pillow(small, "PNG", "RGB", transparency=(10, 20, 30)),
        "png texts": as_pillow(small, "PNG", icc_profile=Random(6).randbytes(2000)),
    }


@cache
def special() -> dict[str, bytes]:
    """Pictures made to hurt, or to be taken for something that they are not."""
    image, small = faces()["middle"], faces()["small"]
    plain = jpeg(image)
    zeros = zlib.compress(bytes(40_000_000), 9)
    huge = png_of(60_000, 60_000, zlib.compress(bytes(1000)))
    rows = zlib.compress(b"".join(b"\x00" + bytes(row) for row in np.zeros((400, 1200), np.uint8)))
    loop = exif((0x0112, 3, 1, 9 << 16), (0x8769, 4, 1, 8), following=8)
    texts = b"".join(chunk(b"zTXt", b"k\x00\x00" + zeros) for _ in range(20))
    noise = Random(1).randbytes(5000)
    page = b"<!doctype html><html><script>alert(1)</script></html>"
    archive = b"PK\x03\x04" + bytes(26) + b"x" + b"PK\x05\x06" + bytes(18)
    return {
        "nothing": b"",
        "one byte": b"\xff",
        "start alone": b"\xff\xd8\xff",
        "start and end": b"\xff\xd8\xff\xd9",
        "signature alone": PNG_SIGNATURE,
        "no pixels wide": png_of(0, 10, rows),
        "no pixels high": png_of(400, 0, rows),
        "jpeg of no size": plain.replace(plain[plain.index(b"\xff\xc0") + 5 :][:4], b"\x00\x00\x00\x00", 1),
        "jpeg of no width": plain.replace(plain[plain.index(b"\xff\xc0") + 7 :][:2], b"\x00\x00", 1),
        "jpeg of 900 megapixels": huge_header(),
        "jpeg of 65535 x 65535": huge_header(65_535, 65_535),
        "jpeg of 24 megapixels, 16 of them there": huge_header(6_000, 4_000),
        "png of 3600 megapixels": huge,
        "png wider than signed": png_of(2**31 + 5, 1, rows),
        "png of all bits": png_of(2**32 - 1, 2**32 - 1, rows),
        "png 25 megapixels of one row": png_of(25_000_000, 1, zlib.compress(bytes(75_000_001))),
        "png 24 megapixels, no pixels": png_of(6_000, 4_000, zlib.compress(b"\x00")),
        "png pixels without end": png_of(400, 400, zeros),
        "png texts that unfold to 800 MB": png_of(400, 400, rows, more=texts),
        "png profile that unfolds": png_of(400, 400, rows, more=chunk(b"iCCP", b"p\x00\x00" + zeros)),
        "png profile of nonsense": png_of(400, 400, rows, more=chunk(b"iCCP", b"p\x00\x00" + noise)),
        "png 10 000 chunks": png_of(400, 400, rows, more=chunk(b"tEXt", b"k\x00v") * 10_000),
        "png depth 3": png_of(400, 400, rows, depth=3),
        "png colour 5": png_of(400, 400, rows, colour=5),
        "png palette missing": png_of(400, 400, rows, colour=3),
        "png palette of one": png_of(1200, 400, rows, colour=3, more=chunk(b"PLTE", b"\x10\x20\x30")),
        "png transparency too long": png_of(400, 400, rows, more=chunk(b"tRNS", bytes(300))),
        "png exif loop": png_of(400, 400, rows, more=chunk(b"eXIf", loop[6:])),
        "png exif nonsense": png_of(400, 400, rows, more=chunk(b"eXIf", b"MM\x00*\xff\xff\xff\xff")),
        "png animation of 4 milliards": png_of(
            400, 400, rows, more=chunk(b"acTL", b"\xff\xff\xff\xff\x00\x00\x00\x00")
        ),
        "png animation bigger than the picture": png_of(
            400,
            400,
            rows,
            more=chunk(b"acTL", struct.pack(">II", 1, 0))
            + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 60_000, 60_000, 9, 9, 1, 1, 2, 2)),
        ),
        "png end first": PNG_SIGNATURE + chunk(b"IEND", b"") + png(small)[8:],
        "scans 90": many_scans(80),
        "scans 5000": many_scans(5000, size=(64, 64)),
        "scans of nothing": scans_of_nothing(400, 400, 99),
        "scans in other segments": with_segment(many_scans(60), 0xFE, b"\xff\xda" * 200),
        "arithmetic": sof(plain, 0xC9),
        "arithmetic progressive": sof(plain, 0xCA),
        "lossless": sof(plain, 0xC3),
        "differential": sof(plain, 0xC5),
        "12 bits": sof(plain, 0xC1, precision=12),
        "16 bits": sof(plain, precision=16),
        "extended": sof(plain, 0xC1),
        "progressive in name": sof(plain, 0xC2),
        "sampling 4:1:1": sof(plain, sampling=b"\x41\x11\x11"),
        "sampling 4:4:0": sof(plain, sampling=b"\x12\x11\x11"),
        "sampling 4:4:1": sof(plain, sampling=b"\x14\x11\x11"),
        "sampling of nothing": sof(plain, sampling=b"\x00\x00\x00"),
        "sampling of 15": sof(plain, sampling=b"\xff\x11\x11"),
        "sampling reversed": sof(plain, sampling=b"\x11\x22\x22"),
        "ycck": with_segment(cmyk_jpeg(small), 0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x02"),
        "adobe rgb": with_segment(plain, 0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x00"),
        "adobe of 99": with_segment(plain, 0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x63"),
        "exif loop": with_segment(plain, 0xE1, loop),
        "exif turned by 0": with_segment(plain, 0xE1, exif((0x0112, 3, 1, 0))),
        "exif turned by 9": with_segment(plain, 0xE1, exif((0x0112, 3, 1, 9 << 16))),
        "exif turned by a long": with_segment(plain, 0xE1, exif((0x0112, 4, 2**32 - 1, 2**32 - 1))),
        "exif of 65535 entries": with_segment(plain, 0xE1, b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff"),
        "exif far away": with_segment(plain, 0xE1, b"Exif\x00\x00II*\x00\xff\xff\xff\xff"),
        "exif cut": with_segment(plain, 0xE1, b"Exif\x00\x00II"),
        "icc of many parts": plain[:2]
        + b"".join(segment(0xE2, b"ICC_PROFILE\x00" + bytes([n, 255]) + bytes(60_000)) for n in range(1, 20))
        + plain[2:],
        "no tables": plain[:2] + b"".join(s for s in jpeg_segments(plain) if s[1] not in (0xC4, 0xDB)),
        "trailing 2 MB": plain + Random(2).randbytes(2_000_000),
        "leading fill": b"\xff\xd8" + b"\xff" * 100_000 + plain[2:],
        "empty segments": b"\xff\xd8" + b"\xff\xe0\x00\x02" * 50_000 + plain[2:],
        "segment of length 0": plain[:2] + b"\xff\xe5\x00\x00" + plain[2:],
        "picture and archive": plain + archive,
        "archive and picture": archive + plain,
        "document and picture": b"%PDF-1.7\n" + plain,
        "picture and page": with_segment(plain, 0xFE, page) + page,
        "gif": as_pillow(small, "GIF", "P"),
        "gif and picture": b"GIF89a" + plain,
        "webp": as_pillow(image, "WEBP"),
        "tiff": as_pillow(small, "TIFF"),
        "bmp": as_pillow(small, "BMP"),
        "heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1" + bytes(100),
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "page": page,
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "playlist": b"#EXTM3U\nhttp://127.0.0.1:9/x.jpg\n",
        "jpeg named png inside": PNG_SIGNATURE + plain,
        "png inside jpeg": b"\xff\xd8\xff" + png(small),
    }
