"""Read a JSON body, plain or compressed with gzip, within a bound on what is held; refuse what JSON has no word for.

Python's reader takes NaN, Infinity and repeated names; a client that sends them has a fault that it should see.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected

from beam_api.exceptions import InvalidParameter, PayloadTooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request

_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def read_object(
    request: Request, most_bytes: int, most_nested: int, explain: Callable[[dict[str, Any]], object] | None = None
) -> dict[str, Any]:
    """The JSON object in the body of a request.

    Parameters
    ----------
    request : Request
        Its body has not been read.
    most_bytes, most_nested : int
        Most bytes, and most objects and lists together.
    explain : callable, optional
        Is called with an object that holds NaN or Infinity, so that it may say where by an exception of its own.

    Raises
    ------
    UnsupportedMediaType
        If it isn't application/json, or is compressed otherwise than with gzip.
    PayloadTooLarge
        If it has more than `most_bytes`, as sent or decompressed. No more than that is ever held.
    InvalidParameter
        If it isn't a JSON object in UTF-8, broke off, or holds more than `most_nested` objects and lists, which take
        longest to read.
    """
    if not request.is_json:
        raise UnsupportedMediaType("The request must be application/json.")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise UnsupportedMediaType("The request may be compressed with gzip and nothing else.")
    if (request.content_length or 0) > most_bytes:
        raise PayloadTooLarge
    body = _read(request, most_bytes)
    plain = _decompressed(body, most_bytes) if encoding == "gzip" else body
    if plain.count(b"{") + plain.count(b"[") > most_nested:
        raise InvalidParameter("body", f"must hold at most {most_nested} objects and lists")
    return _parse(plain, explain)


def _parse(body: bytes, explain: Callable[[dict[str, Any]], object] | None) -> dict[str, Any]:
    constants: list[float] = []

    def constant(name: str) -> float:
        constants.append(float(name))
        return constants[-1]

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=constant, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise InvalidParameter("body", "must be in UTF-8") from error
    except (ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, _NotStrictError) else "must be JSON"
        raise InvalidParameter("body", problem) from error
    if not isinstance(value, dict):
        raise InvalidParameter("body", "must be a JSON object")
    if constants:
        if explain:
            explain(value)
        raise InvalidParameter("body", "must be JSON, which has neither NaN nor Infinity")
    return value


class _NotStrictError(ValueError):
    """What Python reads, and JSON has not."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _NotStrictError("must be JSON in which no object has a name twice")
    return values


def _read(request: Request, most_bytes: int) -> bytes:
    chunks, length = [], 0
    try:
        while chunk := request.stream.read(_CHUNK):
            length += len(chunk)
            if length > most_bytes:
                raise PayloadTooLarge
            chunks.append(chunk)
    except (ClientDisconnected, OSError) as error:
        raise InvalidParameter("body", "ended before its announced length") from error
    return b"".join(chunks)


def _decompressed(body: bytes, most_bytes: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP)
    try:
        plain = inflater.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise InvalidParameter("body", "is not compressed with gzip, as its Content-Encoding says") from error
    if len(plain) > most_bytes:
        raise PayloadTooLarge
    if not inflater.eof or inflater.unused_data:
        raise InvalidParameter("body", "must be one whole gzip member")
    return plain
