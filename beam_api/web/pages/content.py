"""What the pages show that must agree with the documents and the code; tests compare them."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from markupsafe import Markup, escape

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
        "You choose how a person is named.",
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

_CODE = re.compile(r"session_id\b|DELETE /\S+|/metrics\b")


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


@lru_cache(maxsize=1)
def recording() -> dict[str, Any]:
    """The recorded sample, as tools/record_sample.py wrote it."""
    file = resources.files("beam_api.web") / "pages" / "static" / "sample" / "recording.json"
    loaded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return loaded


def privacy_points() -> tuple[tuple[str, Markup], ...]:
    """`PRIVACY` as the page has it: names of the API are code."""
    return tuple((title, Markup(_CODE.sub(r"<code>\g<0></code>", text))) for title, text in PRIVACY)  # noqa: S704 - ours


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
