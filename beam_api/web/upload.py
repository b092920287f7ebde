"""Read one file of a multipart body straight into its place, a piece at a time, within a limit that holds meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from beam_api.exceptions import InvalidParameter, PayloadTooLarge, StoreUnavailable, UnsupportedMediaType
from beam_api.web import encoded
from beam_api.web.multipart import MULTIPART, is_file, parts_of, shown
from rppg_core.media.containers import sniff

if TYPE_CHECKING:
    from multipart import MultipartSegment
    from werkzeug.wrappers import Request

_AROUND_BYTES = 64 * 1024  # boundaries, headers and fields around the file
_MOST_PARTS = 20
_TOO_LARGE = "The file is larger than {} MB."


def check_upload(request: Request, most_bytes: int) -> None:
    """Refuse a body by what its headers say, before it is read.

    Raises
    ------
    UnsupportedMediaType
        If it isn't multipart/form-data.
    PayloadTooLarge
        If its announced length is beyond the limit.
    """
    if request.mimetype != MULTIPART:
        raise UnsupportedMediaType
    if (request.content_length or 0) > most_bytes + _AROUND_BYTES:
        raise PayloadTooLarge(_TOO_LARGE.format(most_bytes // 2**20))


def read_upload(request: Request, name: str, into: BinaryIO, most_bytes: int) -> int:
    """Write the file in the field `name` to `into`; other fields are passed over. Memory is that of one piece.

    Returns
    -------
    int
        How many bytes the file has.

    Raises
    ------
    PayloadTooLarge
        As soon as the file is beyond `most_bytes`, or what surrounds it beyond reason.
    InvalidParameter
        If the body is not well-formed or breaks off, or doesn't hold exactly one such file with something in it.
    StoreUnavailable
        If it can't be written.
    """
    reader = _Reader(name, into, most_bytes)
    # Each of the file and the other parts has its limit; so has the body, which holds both.
    for part, piece in parts_of(request, most_parts=_MOST_PARTS, most_bytes=2 * most_bytes + _AROUND_BYTES):
        reader.take(part, piece)
    written = reader.written
    if not written:
        found = f", which the request holds in '{reader.other}'" if reader.other else ""
        raise InvalidParameter(name, f"must hold the video file{found}")
    return written


class _Reader:
    """Takes the parts of one body. `other` names a part that is a file or a video under another name."""

    def __init__(self, name: str, into: BinaryIO, most_bytes: int) -> None:
        self._name, self._into, self._most_bytes = name, into, most_bytes
        self._lists = (f"{name}[]", f"{name}s", f"{name}s[]")  # as libraries write a list's name
        self.written = self._passed_over = self._files = 0
        self._part: MultipartSegment | None = None
        self._wanted = False
        self._head = b""  # of the part
        self.other = ""

    def take(self, part: MultipartSegment, piece: bytes | None) -> None:
        """Take the next piece of a part, or None at its end."""
        if part is not self._part:
            self._begin(part)
        if len(self._head) < encoded.HEAD_BYTES:
            self._head += (piece or b"")[: encoded.HEAD_BYTES - len(self._head)]
            if len(self._head) == encoded.HEAD_BYTES or piece is None:
                self._check_head(part)
        if piece:
            self._write(piece) if self._wanted else self._pass_over(piece)

    def _begin(self, part: MultipartSegment) -> None:
        self._part, self._head = part, b""
        # With or without a file name; but a text named `files` is something else.
        self._wanted = part.name == self._name or (is_file(part) and part.name in self._lists)
        self._files += self._wanted
        if self._files > 1:
            raise InvalidParameter(self._name, "must be given once")

    def _pass_over(self, piece: bytes) -> None:
        self._passed_over += len(piece)
        if self._passed_over > self._most_bytes:
            raise PayloadTooLarge

    def _write(self, piece: bytes) -> None:
        self.written += len(piece)
        if self.written > self._most_bytes:
            raise PayloadTooLarge(_TOO_LARGE.format(self._most_bytes // 2**20))
        try:
            self._into.write(piece)
        except OSError as error:  # the server's fault: a full disk
            raise StoreUnavailable from error

    def _check_head(self, part: MultipartSegment) -> None:
        """Look at the first bytes of a part, once as many as are needed have come."""
        is_encoded = sniff(encoded.decoded_head(self._head)) is not None
        if not self._wanted:
            is_video = is_encoded or sniff(self._head) is not None
            if self._head and (is_video or is_file(part)) and shown(part.name or ""):
                self.other = self.other or part.name or ""
        elif self._head[:5].lower() == b"data:":
            raise InvalidParameter(self._name, "must hold the bytes of the video file, not a data URL")
        elif is_encoded:
            raise InvalidParameter(self._name, "must hold the bytes of the video file, not base64")
