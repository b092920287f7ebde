"""Faces to send, and who sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rppg_core.face.reader import Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from beam_api.web.context import Parts

from tests.beam_api.web.measuring import FPS, START_MS, Post, encoded


@pytest.fixture(scope="session")
def face_frames() -> list[Frame]:
    """166 frames of a face at 72 bpm, 15 a second."""
    return list(simulate_face(Scene(duration_s=11.0, fps=FPS, seed=5)).frames(round(START_MS * 1000)))


@pytest.fixture
def enterprise_key(parts: Parts) -> str:
    return parts.keys.create("tester", tier="enterprise").key


@pytest.fixture
def post(client: FlaskClient, enterprise_key: str) -> Post:
    def send(frames: list[Frame] | list[bytes], key: str = enterprise_key, **fields: Any) -> TestResponse:
        parts = [
            (name, v, "") for name, value in fields.items() for v in (value if isinstance(value, list) else [value])
        ]
        if frames and isinstance(frames[0], Frame):
            parts += [("timestamp_ms", repr(frame.time_us / 1000), "") for frame in frames]
        parts += [("frame", f.data if isinstance(f, Frame) else f, '; filename="frame.jpg"') for f in frames]
        return client.post(
            "/api/rppg/measure",
            headers={"X-API-Key": key},
            data=encoded(parts),
            content_type="multipart/form-data; boundary=--of-a-test",
        )

    return send
