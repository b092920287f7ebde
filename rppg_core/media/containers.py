"""The containers of videos, by the first bytes of a file."""

from __future__ import annotations

_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def sniff(head: bytes) -> str | None:
    """Name the container by a file's first 64 bytes: "mov" (MP4 too), "matroska" (WebM), "avi", or None."""
    if head[4:8] in _MOV_BOXES:
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return None
