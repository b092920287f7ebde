"""People measured through `beam serve`: two processes, one window each."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import simplejpeg

from beam_api.services.windows.feeders import SHARED
from rppg_core.face.reader import Frame
from rppg_core.media.video import read_video
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests.thorough import rows, thorough

if TYPE_CHECKING:
    from tests.services import Service

pytestmark = pytest.mark.integration

FACE_1 = Path(__file__).parents[3] / "shared" / "data" / "face-1" / "face-1.mp4"
START_US = 1_750_000_000_000_000


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    """A key for many requests."""
    return service.make_key()


@pytest.fixture(scope="module")
def face() -> list[Frame]:
    """10.4 s at 72 bpm, 15 frames a second."""
    return list(simulate_face(Scene(duration_s=10.4, fps=15.0, seed=5)).frames(START_US))


def post(service: Service, key: str, frames: list[Frame], session_id: str) -> httpx.Response:
    files: list[Any] = [("frame", ("frame.jpg", frame.data, "image/jpeg")) for frame in frames]
    data = {"timestamp_ms": [repr(f.time_us / 1000) for f in frames], "duration_ms": "10000", "session_id": session_id}
    return httpx.post(f"{service.url}/api/rppg/measure", headers={"X-API-Key": key}, files=files, data=data, timeout=30)


@pytest.mark.parametrize("size", rows([1, 15], [15]))
def test_a_face_gives_rising_progress_and_one_measurement(
    service: Service, key: str, face: list[Frame], size: int
) -> None:
    answers = [post(service, key, face[at : at + size], f"by-{size}") for at in range(0, len(face), size)]
    done = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 202}
    assert len(done) == 1
    assert abs(done[0].json()["data"]["heart_rate"] - 72) <= 2
    progress = [answer.json()["data"]["progress"] for answer in answers[: answers.index(done[0])]]
    assert progress == sorted(progress)
    assert progress[-1] > 0.85


@pytest.mark.parametrize(
    "hand", [pytest.param(0.0, marks=thorough, id="on a stand"), pytest.param(0.03, id="held by hand")]
)
def test_a_still_photo_has_no_heart_rate(service: Service, key: str, hand: float) -> None:
    photo = Scene(pulse=0.0, recoil=0.0, sway=hand, noise=1.5, duration_s=12.0, fps=15.0, seed=8)
    frames = list(simulate_face(photo).frames(START_US))
    answers = [post(service, key, frames[at : at + 15], f"photo-{hand}") for at in range(0, len(frames), 15)]
    (done,) = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert done["heart_rate"] is None
    assert done["confidence"] < 0.3
    assert {name for name in done["withheld"] if "." not in name} == {
        "heart_rate",
        "hrv",
        "spo2",
        "stress_index",
        "respiration_rate",
    }
    assert "NO_PULSE" in done["guidance"]
    assert done["verdict"] == "no_pulse"


@pytest.mark.skipif(not FACE_1.is_file(), reason="the real clip is not beside the checkout")
def test_a_real_face_has_the_heart_rate_of_its_contact_sensor(service: Service, key: str) -> None:
    frames = [
        Frame(START_US + round(at * 1e6), simplejpeg.encode_jpeg(image, quality=90, colorspace="RGB"))
        for at, image in read_video(FACE_1)
    ]
    answers = [post(service, key, frames[at : at + 30], "face-1") for at in range(0, len(frames), 30)]
    (done,) = [answer.json()["data"] for answer in answers if answer.status_code == 200]
    assert abs(done["heart_rate"] - 75.7) <= 2


def test_a_second_connection_to_one_window_is_reported(service: Service, key: str, face: list[Frame]) -> None:
    def send(client: httpx.Client, frame: Frame) -> list[str]:
        assert isinstance(frame.data, bytes)
        files = {"frame": ("frame.jpg", frame.data, "image/jpeg")}
        data = {"timestamp_ms": repr(frame.time_us / 1000)}
        answer = client.post(f"{service.url}/api/rppg/measure", files=files, data=data, headers={"X-API-Key": key})
        assert answer.status_code == 202
        return answer.json()["meta"]["warnings"]

    with httpx.Client(timeout=30) as one, httpx.Client(timeout=30) as other:
        assert send(one, face[0]) == send(one, face[1]) == []
        assert send(other, face[2]) == send(one, face[3]) == [SHARED]


def test_two_people_of_one_key_do_not_mix(service: Service, key: str) -> None:
    people = {
        bpm: list(simulate_face(Scene(duration_s=10.2, fps=15.0, seed=6, heart_rate_bpm=bpm)).frames(START_US))
        for bpm in (60, 100)
    }
    found = {}
    for at in range(0, 153, 15):
        for bpm, frames in people.items():
            answer = post(service, key, frames[at : at + 15], f"person-{bpm}")
            if answer.status_code == 200:
                found[bpm] = answer.json()["data"]["heart_rate"]
    assert found.keys() == people.keys()
    assert all(abs(found[bpm] - bpm) <= 2 for bpm in people)


@thorough  # windows of few frames are raced for in test_races.py
def test_racing_clients_get_each_window_once(service: Service, key: str, face: list[Frame]) -> None:
    """4 clients send 3 people's streams in small batches, some of them twice and at once."""
    draw = random.Random(7)
    requests = [
        (session, face[at : at + 15])
        for at in range(0, len(face), 15)
        for session in range(3)
        for _ in range(draw.choice([1, 2]) if at != 135 else 2)
    ]
    waiting, lock, answers = iter(requests), threading.Lock(), []

    def work() -> None:
        while True:
            with lock:
                session, frames = next(waiting, (None, []))
            if session is None:
                return
            answers.append(post(service, key, frames, f"race-{session}"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200, 202}
    ids = Counter(
        (answer.json()["data"]["measurement_id"], answer.headers.get("Idempotent-Replayed"))
        for answer in answers
        if answer.status_code == 200
    )
    windows = {measurement_id for measurement_id, _ in ids}
    assert len(windows) == 3
    assert all(ids[measurement_id, None] == 1 for measurement_id in windows)
    assert sum(replays for (_, replayed), replays in ids.items() if replayed) >= 1
