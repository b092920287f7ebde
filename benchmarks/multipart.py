"""Time how a form of 30 frames is read, beside Werkzeug's decoder: `python -m benchmarks.multipart`."""

from __future__ import annotations

import io
import random
from time import perf_counter
from typing import TYPE_CHECKING

from werkzeug.sansio.multipart import Data, Epilogue, MultipartDecoder, NeedData
from werkzeug.wrappers import Request

from beam_api.web.form import Limits, read_form

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES, FRAME_BYTES, ROUNDS, BOUNDARY = 30, 60_000, 15, b"a-boundary-as-clients-make-it"
CHUNK = 64 * 1024
LIMITS = Limits(8 * 2**20, 32 * 2**20, 33 * 2**20)


def request_body() -> bytes:
    """Frames of random bytes: they hold line ends as often as a JPEG does."""
    frame = b"\xff\xd8\xff" + random.Random(0).randbytes(FRAME_BYTES - 3)
    head = b'Content-Disposition: form-data; name="frame"; filename="f.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return b"".join(b"--" + BOUNDARY + b"\r\n" + head + frame + b"\r\n" for _ in range(FRAMES)) + (
        b"--" + BOUNDARY + b"--\r\n"
    )


def beam(body: bytes) -> int:
    """Bytes of all frames, as `POST /api/rppg/measure` reads them."""
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY.decode()}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    return sum(map(len, read_form(Request(environ), LIMITS).files["frame"]))


def werkzeugs(body: bytes) -> int:
    """The same by Werkzeug's decoder, fed in pieces."""
    decoder, parts, at = MultipartDecoder(BOUNDARY), [], 0
    while True:
        event = decoder.next_event()
        if isinstance(event, NeedData):
            decoder.receive_data(body[at : at + CHUNK] or None)
            at += CHUNK
        elif isinstance(event, Data):
            parts.append(event.data)
        elif isinstance(event, Epilogue):
            return len(b"".join(parts))


def median_ms(parse: Callable[[bytes], int], body: bytes) -> float:
    """Median time of one request."""
    times = []
    for _ in range(ROUNDS):
        begin = perf_counter()
        assert parse(body) == FRAMES * FRAME_BYTES
        times.append(1000 * (perf_counter() - begin))
    return sorted(times)[ROUNDS // 2]


def main() -> None:
    """Print the times, their ratio and their difference."""
    body = request_body()
    mine, library = median_ms(beam, body), median_ms(werkzeugs, body)
    print(f"Beam {mine:.2f} ms, Werkzeug {library:.2f} ms: {library / mine:.1f} times, {library - mine:.2f} ms more")


if __name__ == "__main__":
    main()
