"""The words of the pages that must agree with the code or the README; tests compare them."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

from beam_api.services.keys import MEASURE_PREFIX, SCAN_PREFIX, TIERS


class ErrorRow(NamedTuple):
    """An error: its status, its code, and when it is answered."""

    status: int
    code: str
    when: str


ERRORS = (
    ErrorRow(400, "MISSING_FRAME", "There is no file in the field frame."),
    ErrorRow(400, "UNSUPPORTED_IMAGE", "The first frame is neither JPEG nor PNG, or greyscale."),
    ErrorRow(400, "INVALID_IMAGE", "The first frame is truncated, corrupt or over 25 megapixels."),
    ErrorRow(400, "NO_FACE_DETECTED", "No frame has a face, or it is too small: see error.guidance."),
    ErrorRow(400, "INVALID_SAMPLE", "A sample is not of the format; the message names its index and the reason."),
    ErrorRow(400, "INVALID_PARAMETER", "A field is out of range; the message names it."),
    ErrorRow(400, "MISSING_TIMESTAMPS", "Several frames have neither timestamp_ms nor fps."),
    ErrorRow(400, "TOO_MANY_FRAMES", "The request holds more than 64 frames, or 256 samples."),
    ErrorRow(401, "MISSING_API_KEY", "No key was sent."),
    ErrorRow(401, "INVALID_API_KEY", "The key is unknown, revoked or expired."),
    ErrorRow(403, "TOKEN_SCOPE", "A session token was sent for another session or route."),
    ErrorRow(403, "SIGNUP_CLOSED", "This service gives no keys to the public."),
    ErrorRow(403, "CROSS_SITE_REQUEST", "A page of another site asked for a key."),
    ErrorRow(404, "NOT_FOUND", "No such route, measurement or session."),
    ErrorRow(405, "METHOD_NOT_ALLOWED", "See the header Allow."),
    ErrorRow(413, "PAYLOAD_TOO_LARGE", "A frame is over 8 MB, or all together over 32 MB."),
    ErrorRow(415, "UNSUPPORTED_MEDIA_TYPE", "The body is not of the type that the route reads."),
    ErrorRow(429, "RATE_LIMITED", "Wait Retry-After seconds."),
    ErrorRow(500, "INTERNAL_ERROR", "A bug in the service. Report the request_id."),
    ErrorRow(503, "STORE_UNAVAILABLE", "The store is unavailable: wait Retry-After seconds and send the same again."),
)

TIER_ROWS = tuple(
    (
        tier,
        limit,
        "or the key's own figure" if tier == "enterprise" else "",
        SCAN_PREFIX if tier == "scan" else MEASURE_PREFIX,
    )
    for tier, limit in TIERS.items()
)

ACCURACY = (
    "of 300 hard simulated faces 87 % get a heart rate, all of them a right one",
    "of 204 scenes without a pulse none got a rate",
    "RMSSD is good to 3 ms on a moderate simulated face and withheld on a third of the hard ones",
)
"""Word for word from the README's summary."""

DETAILS = (
    ("withheld", "A vital that the signal does not support is null, with its reason here."),
    ("confidence", "0.7 or more: the heart rate is within 2 bpm with a probability of 0.98. Below 0.3 it is withheld."),
    ("quality", "For each vital, the probability that it is within its tolerance."),
    ("interval", "A 90 % range for heart rate, HRV and respiration."),
    ("guidance", "What to change in the picture while it can still be changed."),
)


def examples(url: str) -> dict[str, str]:
    """The example programs by file name, with the service's own address in them."""
    folder = resources.files("beam_api.web") / "pages" / "examples"
    return {
        file.name: file.read_text("utf-8").replace("http://localhost:8000", url)
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.startswith(("key.", "client.", "measure."))
    }
