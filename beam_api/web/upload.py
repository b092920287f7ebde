"""Read one file of a multipart body straight into its place, a piece at a time, within a limit that holds meanwhile."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, BinaryIO

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from beam_api.exceptions import InvalidParameter, PayloadTooLarge, StoreUnavailable, UnsupportedMediaType
from beam_api.web import encoded
from beam_api.web.multipart import shown
from rppg_core.media.containers import sniff

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_CHUNK = 64 * 1024
_AROUND_BYTES = 64 * 1024  # boundaries, headers and fields around the file
_HELD_BYTES = 4 * _CHUNK  # what the decoder may hold back until it sees the next boundary
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
    if request.mimetype != "multipart/form-data":
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
    boundary = request.mimetype_params.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isascii():
        raise InvalidParameter("Content-Type", "must name the boundary between the parts")
    decoder = MultipartDecoder(boundary.encode(), _HELD_BYTES, max_parts=_MOST_PARTS)
    reader = _Reader(decoder, name, into, most_bytes)
    try:
        written = reader.read(request.stream)
    except (ClientDisconnected, OSError) as error:
        raise InvalidParameter("body", "ended before its announced length") from error
    except RequestEntityTooLarge as error:
        raise PayloadTooLarge from error
    except ValueError as error:
        raise InvalidParameter("body", "must be a well-formed multipart/form-data body") from error
    if not written:
        found = f", which the request holds in '{reader.other}'" if reader.other else ""
        raise InvalidParameter(name, f"must hold the video file{found}")
    return written


class _Reader:
    """One body on its way through the decoder. `other` names a part that is a file or a video under another name."""

    def __init__(self, decoder: MultipartDecoder, name: str, into: BinaryIO, most_bytes: int) -> None:
        self._decoder, self._name, self._into, self._most_bytes = decoder, name, into, most_bytes
        self._lists = (f"{name}[]", f"{name}s", f"{name}s[]")  # as libraries write a list's name
        self._written = self._passed_over = self._files = 0
        self._part, self._is_file, self._wanted = "", False, False
        self._head = b""  # of the part
        self.other = ""

    def read(self, stream: IO[bytes]) -> int:
        ended = False
        while not ended:
            chunk = stream.read(_CHUNK)
            self._decoder.receive_data(chunk or None)
            ended = self._take_events()
        return self._written

    def _take_events(self) -> bool:
        """Handle what the decoder has; True at the end of the body."""
        while not isinstance(event := self._decoder.next_event(), NeedData):
            if isinstance(event, Epilogue):
                return True
            if isinstance(event, (Field, File)):
                self._begin(event)
            elif isinstance(event, Data):
                self._take(event)
        return False

    def _begin(self, part: Field | File) -> None:
        self._part, self._is_file, self._head = part.name, isinstance(part, File), b""
        # With or without a file name; but a text named `files` is something else.
        self._wanted = part.name == self._name or (self._is_file and part.name in self._lists)
        self._files += self._wanted
        if self._files > 1:
            raise InvalidParameter(self._name, "must be given once")

    def _take(self, event: Data) -> None:
        data = event.data
        if len(self._head) < encoded.HEAD_BYTES:
            self._head += data[: encoded.HEAD_BYTES - len(self._head)]
            if len(self._head) == encoded.HEAD_BYTES or not event.more_data:
                self._check_head()
        if not self._wanted:
            self._passed_over += len(data)
            if self._passed_over > self._most_bytes:
                raise PayloadTooLarge
            return
        self._written += len(data)
        if self._written > self._most_bytes:
            raise PayloadTooLarge(_TOO_LARGE.format(self._most_bytes // 2**20))
        try:
            self._into.write(data)
        except OSError as error:  # the server's fault: a full disk
            raise StoreUnavailable from error

    def _check_head(self) -> None:
        """Look at the first bytes of a part, once as many as are needed have come."""
        is_encoded = sniff(encoded.decoded_head(self._head)) is not None
        if not self._wanted:
            is_video = is_encoded or sniff(self._head) is not None
            if self._head and (is_video or self._is_file) and shown(self._part):
                self.other = self.other or self._part
        elif self._head[:5].lower() == b"data:":
            raise InvalidParameter(self._name, "must hold the bytes of the video file, not a data URL")
        elif is_encoded:
            raise InvalidParameter(self._name, "must hold the bytes of the video file, not base64")
