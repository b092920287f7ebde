"""The words of the pages that must agree with the code or the README; tests compare them."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from markupsafe import Markup, escape

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
    ErrorRow(
        503, "TOO_MANY_STREAMS", "The process serves as many streams of events as it can: wait Retry-After seconds."
    ),
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


class Figure(NamedTuple):
    """A large figure of the first page, and what it is of."""

    value: str
    text: str


FIGURES = (
    Figure("87 %", "of 300 hard simulated faces get a heart rate, all of them a right one: within 2 bpm."),
    Figure("0", "of 204 scenes without a pulse got a rate: photos, masks, screens and noise stay null."),
    Figure(
        "2.8 ms", "is the median error of RMSSD on a moderate simulated face. On the hard ones a third is withheld."
    ),
)


class AccuracyRow(NamedTuple):
    """A line of the model card."""

    what: str
    figure: str


ACCURACY = (
    AccuracyRow("heart rate, 300 hard faces: within 2 bpm or withheld", "100.0%"),
    AccuracyRow("… answered", "87%"),
    AccuracyRow("… wrong with confidence ≥ 0.7 (95 % bound, of 237)", "0 (≤ 1.3%)"),
    AccuracyRow("false pulses with confidence ≥ 0.3 in 204 scenes without one (95 % bound)", "0 (≤ 1.5%)"),
    AccuracyRow("RMSSD, moderate, 30 fps, 30 s: median error", "2.8 ms"),
    AccuracyRow("RMSSD, hard, 30 fps, 30 s: median error", "3.5 ms"),
    AccuracyRow("… answered", "65%"),
    AccuracyRow("respiration: median error", "0.34 /min"),
    AccuracyRow("90 % ranges of heart rate (302) that hold the truth", "91%"),
    AccuracyRow("90 % ranges of RMSSD (195) that hold the truth", "93%"),
    AccuracyRow("90 % ranges of respiration (273) that hold the truth", "95%"),
)
"""Word for word from docs/accuracy.md."""

PRIVACY = (
    (
        "No image is kept.",
        "A frame is reduced in memory to the mean colours of 30 patches of skin and four beside the face, and to how "
        "much detail three patches hold: numbers, never pixels. The request's body is never written to a file, and "
        "processes leave no core dumps. An uploaded video is in the spool until its analysis ends, whatever the "
        "outcome.",
    ),
    ("No image has to leave the device.", "An app may send the same numbers instead of frames"),
    (
        "Who is measured is your name for it.",
        "The service knows an API key and the session_id that its holder chose. Make it a random number that only you "
        "can tie to a person: never a name, an e-mail address or a patient's number.",
    ),
    (
        "Everything of a person expires",
        "within 24 h of their last measurement, and DELETE /api/rppg/sessions/{session_id} erases it at once.",
    ),
    (
        "Logs hold no vitals, names or addresses",
        ": a line has time, request id, method, route, status, milliseconds and the key's public id. /metrics holds "
        "counts. Nothing is sent anywhere, but to the webhooks that your customers set.",
    ),
)
"""Word for word from docs/privacy.md."""


class Vital(NamedTuple):
    """A vital of the sample: its name in the API, and what stands beside it."""

    name: str
    short: str
    unit: str
    note: str = ""


VITALS = (
    Vital("heart_rate", "Heart rate", "bpm"),
    Vital("hrv", "HRV (RMSSD)", "ms"),
    Vital("respiration_rate", "Respiration", "/min"),
    Vital("stress_index", "Stress index", "", "no range"),
    Vital("spo2", "SpO₂", "%", "uncalibrated"),
)

_SHOWN = ("status", *(vital.name for vital in VITALS), "confidence", "interval", "verdict")

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


@lru_cache(maxsize=1)
def recording() -> dict[str, Any]:
    """The recorded sample, as tools/record_sample.py wrote it."""
    file = resources.files("beam_api.web") / "pages" / "static" / "sample" / "recording.json"
    loaded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return loaded


def sample_answer() -> Markup:
    """The sample's last answer, without what takes many lines, with its names marked."""
    data = {name: recording()["answer"]["data"][name] for name in _SHOWN}
    lines = [f'  "{name}": {json.dumps(value)}' for name, value in data.items()]
    text = '{"success": true, "data": {\n' + ",\n".join(lines) + "\n}}"
    text = re.sub(r'"(interval)": \{(.*)\}', _by_line, text)
    return Markup(re.sub(r"(&#34;\w+&#34;):", r"<i>\1</i>:", str(escape(text))))  # noqa: S704 - escaped just before


def _by_line(found: re.Match[str]) -> str:
    inner = re.sub(r', (?=")', ",\n    ", found[2])
    return f'"{found[1]}": {{\n    {inner}\n  }}'
