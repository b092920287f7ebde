"""Colours through real processes: `beam measure --colours`, and a session token in the hands of several senders."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.test_commands import beam, clip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services import Service

pytestmark = pytest.mark.integration
__all__ = ["clip"]


@pytest.fixture
def key(service: Service) -> str:
    return service.make_key("starter")


def test_a_video_is_measured_by_its_colours_as_by_its_images(service: Service, clip: Path, key: str) -> None:
    through = ["measure", str(clip), "--json", "--seconds", "10", "--url", service.url, "--key", key]
    images, colours = (beam(*through, *more) for more in ([], ["--colours"]))
    assert colours.returncode == 0, colours.stderr
    data = json.loads(colours.stdout)
    assert abs(data["heart_rate"] - 80) <= 2
    assert data["frames"] == json.loads(images.stdout)["frames"]
    assert abs(data["heart_rate"] - json.loads(images.stdout)["heart_rate"]) <= 1  # the images were compressed anew
    kept = httpx.get(f"{service.url}/api/rppg/measurements/{data['measurement_id']}", headers={"X-API-Key": key}).json()
    assert kept["meta"]["source"] == "samples"


def test_several_senders_with_one_token_fill_one_window_once(service: Service, key: str) -> None:
    """To both processes at once, each request twice: every sample counts once, and one answer has the measurement."""
    wish = {"session_id": "ida", "ttl_s": 60, "requests": 40}
    made = httpx.post(f"{service.url}/api/keys/me/tokens", json=wish, headers={"X-API-Key": key})
    assert made.status_code == 201
    headers = {
        "Authorization": f"Bearer {made.json()['data']['token']}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }

    def body(part: int) -> bytes:
        samples: list[Any] = [
            {"timestamp_ms": 1e6 + 40 * i, "pose": [240, 220, 60, 0, 0], "colours": [[180, 120 + i % 7, 90]] * 34}
            for i in range(25 * part, 25 * part + 25)
        ]
        about = {"session_id": "ida", "duration_ms": 10_000, "sample_version": 1, "frame_size": [480, 440]}
        return gzip.compress(json.dumps({**about, "samples": samples}).encode())

    def send(content: bytes) -> httpx.Response:
        return httpx.post(f"{service.url}/api/rppg/samples", content=content, headers=headers, timeout=30)

    with ThreadPoolExecutor(4) as senders:
        answers = list(senders.map(send, [body(part) for part in range(10) for _ in range(2)]))
    assert {answer.status_code for answer in answers} <= {200, 202}
    done = [answer for answer in answers if answer.status_code == 200]
    first = [answer for answer in done if "Idempotent-Replayed" not in answer.headers]
    assert len(first) == 1
    assert first[0].json()["data"]["frames"] == 250
    assert len({answer.json()["data"]["measurement_id"] for answer in done}) == 1
    assert first[0].json()["data"]["heart_rate"] is None  # nobody's pulse
    left = [send(body(20)).status_code for _ in range(21)]
    assert left == [202] * 20 + [401]
