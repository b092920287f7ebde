"""A multipart form in memory, within limits that hold while it is being read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from beam_api.exceptions import InvalidParameter, MissingFrame, PayloadTooLarge, UnsupportedMediaType
from beam_api.web import encoded
from beam_api.web.multipart import MULTIPART, is_file, parts_of, shown

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_MOST_PARTS = 1000
_MOST_FIELD_BYTES = 8 * 1024

FRAME = "frame"
_LISTS = dict.fromkeys(("frame[]", "frames", "frames[]"), FRAME) | {"timestamp_ms[]": "timestamp_ms"}
"""As libraries write the names of lists."""

_LEAST_BASE64 = 64  # bytes; no image is smaller
_CURE = f"'{FRAME}' must be given as a file: the bytes of a JPEG or PNG image, or these as base64 or as a data URL."
_OTHER_TYPES = {
    "application/json": "JSON",
    "application/x-www-form-urlencoded": "a URL-encoded form",
    "image/jpeg": "a single image",
    "image/png": "a single image",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes of one file, of all files together, and of the body with all that surrounds them."""

    file_bytes: int
    files_bytes: int
    body_bytes: int


@dataclass(slots=True)
class Form:
    """The parts of a body by name, each in the order in which they came.

    `misplaced` names the fields that hold an image where text belongs: without a file name, and not called `frame`.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)
    misplaced: list[str] = field(default_factory=list)


def read_form(request: Request, limits: Limits) -> Form:
    """Read the body of a request.

    Raises
    ------
    UnsupportedMediaType
        If it isn't multipart/form-data.
    PayloadTooLarge
        If a limit is passed. No more than the limit is held, whatever length was announced, or none.
    InvalidParameter
        If the body is no well-formed multipart body, or a text field is too long.
    MissingFrame
        If the field `frame` holds text that is no image.
    """
    if request.mimetype != MULTIPART:
        sent = _OTHER_TYPES.get(request.mimetype)
        raise UnsupportedMediaType(
            f"The request must be multipart/form-data with each image in a file field '{FRAME}', not {sent}."
            if sent
            else None
        )
    if request.content_length is not None and request.content_length > limits.body_bytes:
        raise PayloadTooLarge
    form, total, pieces = Form(), 0, list[bytes]()
    for part, piece in parts_of(request, most_parts=_MOST_PARTS, most_bytes=limits.body_bytes):
        if piece is not None:
            pieces.append(piece)
            continue
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if (
            total := total + _put(form, _LISTS.get(part.name, part.name), content, is_file(part), limits)
        ) > limits.files_bytes:
            raise PayloadTooLarge
    return form


def _put(form: Form, name: str, content: bytes, is_file: bool, limits: Limits) -> int:
    """Put a part where it belongs. Returns how many bytes of files it is."""
    is_frame = name == FRAME and bool(content)
    if not is_file and not is_frame:
        if _holds_image(content[: encoded.HEAD_BYTES]):
            form.misplaced.append(name)
            return len(content)
        if len(content) > _MOST_FIELD_BYTES:
            problem = f"must be at most {_MOST_FIELD_BYTES // 1024} KB of text; images go into the file field '{FRAME}'"
            raise InvalidParameter(shown(name) or "a field", problem)
        form.fields.setdefault(name, []).append(content.decode("utf-8", "replace"))
        return 0
    most = limits.file_bytes
    form.files.setdefault(name, []).append(_frame(content, is_file, most) if is_frame else _within(content, most))
    return len(content)


def _holds_image(head: bytes) -> bool:
    return encoded.is_image(head) or (len(head) >= _LEAST_BASE64 and encoded.is_image(encoded.decoded_head(head)))


def _frame(content: bytes, is_file: bool, most: int) -> bytes:
    """The image in a part: its bytes, or what base64 or a data URL in it holds, with or without a file name."""
    head = content[: encoded.HEAD_BYTES]
    if encoded.is_readable(head):
        return _within(content, most)
    if encoded.is_image(encoded.decoded_head(head)):
        if len(content) > most // 3 * 4 + 1024:
            raise PayloadTooLarge
        if image := encoded.decode(content):
            return _within(image, most)
        is_text = True
    else:
        is_text = not encoded.is_image(head) and head.isascii() and b"\x00" not in head
    # Bytes that are no text are a file of whatever kind: the decoder says what is wrong with it.
    if is_text and not is_file:
        raise MissingFrame(_CURE)
    return _within(content, most)


def _within(content: bytes, most: int) -> bytes:
    if len(content) > most:
        raise PayloadTooLarge
    return content
