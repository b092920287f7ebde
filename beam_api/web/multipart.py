"""The parts of a multipart body as they arrive, by the push parser of the library `multipart`.

Nothing is spooled to a file: frames must never reach a disk.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from multipart import MultipartError, MultipartSegment, PushMultipartParser
from werkzeug.exceptions import ClientDisconnected

from beam_api.exceptions import InvalidParameter, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request

MULTIPART = "multipart/form-data"

_CHUNK = 256 * 1024
_MOST_HEADER_BYTES = 8 * 1024
_MOST_HEADERS = 16


def parts_of(request: Request, *, most_parts: int, most_bytes: int) -> Iterator[tuple[MultipartSegment, bytes | None]]:
    """Read the body piece by piece.

    Parameters
    ----------
    request : Request
        A request whose body is multipart/form-data.
    most_parts : int
        How many parts it may have.
    most_bytes : int
        How long its body may be, with all that surrounds the parts.

    Yields
    ------
    (MultipartSegment, bytes or None)
        A part and the next piece of its content; None instead of a piece at the part's end.

    Raises
    ------
    PayloadTooLarge
        If a limit is passed. No more than that is read, whatever length was announced, or none.
    InvalidParameter
        If the body is no well-formed multipart body, or breaks off.
    """
    boundary = request.mimetype_params.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isascii():
        raise InvalidParameter("Content-Type", "must name the boundary between the parts")
    parser = PushMultipartParser(
        boundary,
        max_header_size=_MOST_HEADER_BYTES,
        max_header_count=_MOST_HEADERS,
        header_charset="latin1",  # any byte is a character: file names come in every encoding, and nobody reads them
    )
    delimiter = b"--" + boundary.encode()
    count, part = 0, None
    for chunk in _chunks(request, most_bytes):
        try:
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    part, count = event, count + 1
                    if count > most_parts:
                        raise PayloadTooLarge
                    if not part.name:
                        raise _malformed()
                elif part:
                    yield part, _checked(event, delimiter)
        except MultipartError as error:
            raise _malformed() from error
        if parser.closed:
            return


def is_file(part: MultipartSegment) -> bool:
    """Whether a part has a file name: an empty one where none was chosen, or one of RFC 5987."""
    return part.filename is not None or "filename*=" in part.header("Content-Disposition", "")


def shown(name: str) -> str | None:
    """The name of a part as a message may repeat it; None for one that is no plain name."""
    return name if re.fullmatch(r"[\w\[\].-]{1,32}", name) else None


def _chunks(request: Request, most_bytes: int) -> Iterator[bytes]:
    """The body in pieces, and an empty one at its end; nothing at all of an empty body."""
    length = 0
    while True:
        try:
            chunk = request.stream.read(_CHUNK)
        except (ClientDisconnected, OSError) as error:
            raise InvalidParameter("body", "ended before its announced length") from error
        length += len(chunk)
        if length > most_bytes:
            raise PayloadTooLarge
        if not length:
            return
        yield chunk


def _checked(piece: bytes | None, delimiter: bytes) -> bytes | None:
    """Refuse the boundary after a part without content, which the parser takes for content."""
    if piece and piece.startswith(delimiter):
        raise _malformed()
    return piece


def _malformed() -> InvalidParameter:
    return InvalidParameter("body", "must be a well-formed multipart/form-data body")
