"""The same frames are the same measurement, however they are ordered inside requests, doubled and split into requests.

Through HTTP, on rendered faces and the real Redis. The window's rules alone are tested on many more cases in
store/test_windows_reference.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from rppg_core.face.reader import Frame
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests.beam_api.web.measuring import encoded
from tests.thorough import examples

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from beam_api.web.context import Parts

START_US = 1_750_000_000_000_000
OF_THE_REQUEST = {"timestamp", "rejected", "guidance", "face"}
"""What an answer says of its own request and moment, not of the window."""


@cache
def stream(fps: float, uneven: bool) -> tuple[Frame, ...]:
    """A good 10 s of a face of few pixels: a window and a little more."""
    scene = Scene(
        duration_s=10.5, fps=fps, seed=5, eyes_px=40.0, frame_size=(240, 220), time_jitter=0.2 if uneven else 0.0
    )
    return tuple(simulate_face(scene).frames(START_US))


Send = Callable[[list[Frame]], TestResponse]


@pytest.fixture
def send(client: FlaskClient, parts: Parts) -> Send:
    key = parts.keys.create("tester", tier="enterprise", limit_per_minute=1_000_000).key

    def post(frames: list[Frame]) -> TestResponse:
        form: list[tuple[str, Any, str]] = [("duration_ms", "10000", ""), ("include_raw", "true", "")]
        form += [("timestamp_ms", repr(frame.time_us / 1000), "") for frame in frames]
        form += [("frame", frame.data, '; filename="f.jpg"') for frame in frames]
        return client.post(
            "/api/rppg/measure",
            headers={"X-API-Key": key},
            data=encoded(form),
            content_type="multipart/form-data; boundary=--of-a-test",
        )

    def forget() -> None:
        assert client.delete("/api/rppg/sessions/default", headers={"X-API-Key": key}).status_code == 204

    post.forget = forget  # type: ignore[attr-defined]
    return post


def measured(send: Send, requests: list[list[Frame]]) -> dict[str, Any]:
    """The one measurement that these requests give, less what belongs to the request that completed it."""
    found = []
    for request in requests:
        response = send(request)
        assert response.status_code in (200, 202), response.text
        data = response.get_json()["data"]
        if response.status_code == 200:
            if "Idempotent-Replayed" not in response.headers:
                found.append(data)
            assert data["measurement_id"] == found[0]["measurement_id"]
        else:
            assert data["restarted"] is False
    assert len(found) == 1
    send.forget()  # type: ignore[attr-defined]
    return {name: value for name, value in found[0].items() if name not in OF_THE_REQUEST}


@pytest.fixture
def references() -> dict[tuple[float, bool], dict[str, Any]]:
    """What each stream gave first; one key and session throughout, so that the id is the same too."""
    return {}


@hypothesis_settings(
    max_examples=examples(5, in_all=15),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller example would take longer to find than to understand
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    kind=st.sampled_from([(10.0, False), (10.0, True), (2.5, True)]),
    sizes=st.lists(st.one_of(st.integers(8, 40), st.integers(20, 60), st.integers(1, 3)), min_size=1, max_size=12),
    draw=st.randoms(use_true_random=False),
)
@example(kind=(2.5, True), sizes=[1], draw=random.Random(1))
def test_the_same_frames_are_the_same_measurement(
    send: Send,
    references: dict[tuple[float, bool], dict[str, Any]],
    kind: tuple[float, bool],
    sizes: list[int],
    draw: random.Random,
) -> None:
    frames = list(stream(*kind))
    if kind not in references:
        references[kind] = measured(send, [frames[at : at + 20] for at in range(0, len(frames), 20)])
    requests, at = [], 0
    while at < len(frames):
        size = sizes[len(requests) % len(sizes)]
        part = frames[at : at + size]
        at += size
        part += [
            draw.choice(frames[: min(at, len(frames))]) for _ in range(draw.randint(0, 3))
        ]  # some were sent before
        draw.shuffle(part)
        requests.append(part)
        if draw.random() < 0.15:
            requests.append(draw.choice(requests))  # a retry, perhaps in another order
    assert measured(send, requests) == references[kind]
