"""`beam measure --colours` against the real app: the figures of the images, and no image on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from beam_api.cli.colours import measure_by_colours
from beam_api.cli.measure import measure
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from numpy.typing import NDArray

    from beam_api.web.context import Parts
    from rppg_core.face.reader import FaceReader

Pictures = list[tuple[int, "NDArray[np.uint8]"]]
FPS = 15.0


class Recording(httpx.BaseTransport):
    """The way to the app, with what went over it; and it may fail now and then."""

    def __init__(self, app: Flask) -> None:
        self.inner, self.bodies, self.fail = httpx.WSGITransport(app), [], 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        if self.fail and len(self.bodies) % self.fail == 0:
            self.inner.handle_request(request)  # it arrives, and its answer is lost
            raise httpx.ReadError("the answer is lost")
        return self.inner.handle_request(request)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    face = simulate_face(Scene(duration_s=12.0, fps=FPS, seed=5))
    return [(round(1e6 * t), face.image(i)) for i, t in enumerate(face.times_s)]


@pytest.fixture
def way(app: Flask) -> Recording:
    return Recording(app)


@pytest.fixture
def http(way: Recording, parts: Parts) -> Iterator[httpx.Client]:
    key = parts.keys.create("tester", tier="enterprise").key
    with httpx.Client(transport=way, base_url="http://beam", headers={"X-API-Key": key}) as client:
        yield client


def run(http: httpx.Client, frames: Any, reader: FaceReader, duration_ms: int = 10_000) -> dict[str, Any]:
    shares: list[float] = []
    data = measure_by_colours(http, frames, reader, duration_ms=duration_ms, with_raw=True, advance=shares.append)
    assert shares
    return data


def test_a_face_is_measured_and_no_image_is_sent(
    http: httpx.Client, way: Recording, reader: FaceReader, pictures: Pictures
) -> None:
    data = run(http, pictures, reader)
    assert abs(data["heart_rate"] - 72) <= 2
    assert data["raw"]["ppg"]
    assert data["face"]
    seconds = len(pictures[:150]) / FPS
    kbit_s = 8 * sum(map(len, way.bodies)) / seconds / 1000
    assert kbit_s < 50 * FPS / 20
    assert not [body for body in way.bodies if b"\xff\xd8\xff" in body]


def test_a_lost_answer_changes_nothing(
    http: httpx.Client, way: Recording, reader: FaceReader, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beam_api.cli.colours.time.sleep", lambda _s: None)
    usual = run(http, pictures, reader)
    way.fail = 2
    again = run(http, pictures, reader)
    moment = ("measurement_id", "session_id", "timestamp")
    assert {k: v for k, v in again.items() if k not in moment} == {k: v for k, v in usual.items() if k not in moment}


def test_frames_that_end_sooner_are_measured_as_long_as_they_are(
    http: httpx.Client, reader: FaceReader, pictures: Pictures
) -> None:
    assert 11_900 <= run(http, pictures, reader, 30_000)["duration_ms"] <= 12_100
    with pytest.raises(click.ClickException, match=r"seen for 5\.0 s"):
        run(http, pictures[:75], reader, 10_000)


def test_nobody_is_distinguished_from_a_refusal(http: httpx.Client, reader: FaceReader, pictures: Pictures) -> None:
    wall = [(at, np.full((440, 480, 3), 90, np.uint8)) for at, _ in pictures[:40]]
    with pytest.raises(click.ClickException, match=r"seen for 0\.0 s"):
        measure_by_colours(http, wall, reader, duration_ms=10_000, with_raw=False, advance=lambda _: None)
    http.headers["X-API-Key"] = "wrong"
    with pytest.raises(click.ClickException, match="401 INVALID_API_KEY"):
        measure_by_colours(http, pictures, reader, duration_ms=10_000, with_raw=False, advance=lambda _: None)


@pytest.mark.parametrize("options", [[], ["--url", "http://beam", "--key", "k", "--pace", "single"]])
def test_the_option_is_for_all_frames_through_a_service(options: list[str]) -> None:
    result = CliRunner().invoke(measure, ["0", "--colours", *options])
    assert result.exit_code == 2
    assert "--colours needs" in result.output
