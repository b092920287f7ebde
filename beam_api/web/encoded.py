"""What a part of a form holds, by its first bytes: an image, or a file as base64 or as a data URL."""

from __future__ import annotations

import base64
import re

HEAD_BYTES = 512
"""As many first bytes as these functions need; a data URL says its type before the content."""

_READ = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_OTHER_IMAGES = (b"GIF8", b"II*\x00", b"MM\x00*", b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")
_DATA_URL = re.compile(rb"data:[^,\r\n]{0,200};base64,", re.IGNORECASE)
_BLANKS = b" \t\r\n"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_HEAD_CHARACTERS = 64  # they hold 48 bytes, more than any signature needs


def is_readable(head: bytes) -> bool:
    """Whether a file with these first bytes is a JPEG or a PNG."""
    return head.startswith(_READ)


def is_image(head: bytes) -> bool:
    """Whether a file with these first bytes is an image, be it of a format that is read or of another one."""
    if head.startswith(_READ) or head.startswith(_OTHER_IMAGES):
        return True
    # HEIC and AVIF are files of ISO boxes, as MP4 is.
    return head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[:2] == b"BM" and 0 in head)


def decoded_head(head: bytes) -> bytes:
    """First bytes of the file that a text with these first bytes holds; none if it is no base64."""
    text = _bare(head)[:_HEAD_CHARACTERS].rstrip(b"=")
    return _decode(text[: len(text) // 4 * 4]) or b""


def decode(text: bytes) -> bytes | None:
    """The file that base64 (of either alphabet, with or without line ends and padding) or a data URL holds, if any."""
    return _decode(_bare(text))


def _bare(text: bytes) -> bytes:
    text = text.strip(_BLANKS)
    if prefix := _DATA_URL.match(text):
        text = text[prefix.end() :]
    return text.translate(_STANDARD, b"\r\n")


def _decode(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
