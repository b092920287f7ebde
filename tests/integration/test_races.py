"""Eight clients race on two processes over 24 windows, 200 in `make faults`; then clocks restart, and frames straggle.

A window is five frames two seconds apart: 8 s and one interval. Nobody's pulse can be measured in that, and nothing
here is about vitals: it is about who gets which answer.
"""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests import images
from tests.thorough import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services import Service

pytestmark = pytest.mark.integration

WINDOWS = int(os.environ.get("RACE_WINDOWS", "12"))
CLIENTS = 8
AT_ONCE = 4  # clients on one session; the others race on another one
PER_SESSION = 10
STEP_MS = 2000
FRAMES = 5
START_MS = 1_750_000_000_000


@dataclass(frozen=True)
class Picture:
    """A frame: when, and which of the few images that are used over and over."""

    at_ms: int
    image: int = 0


@dataclass
class Answer:
    """What came of a request."""

    request: list[Picture]
    status: int
    replayed: bool
    data: dict


@dataclass
class Clients:
    """Clients that send a request each at the same moment, over connections of their own."""

    url: str
    key: str
    faces: list[bytes]
    https: list[httpx.Client] = field(default_factory=list)

    def post(self, client: int, session: str, request: list[Picture], duration_ms: int = 10000, **more: str) -> Answer:
        files = [("frame", ("f.jpg", self.faces[picture.image], "image/jpeg")) for picture in request]
        form = {
            "timestamp_ms": [str(p.at_ms) for p in request],
            "duration_ms": str(duration_ms),
            "session_id": session,
        } | more
        response = self.https[client].post(f"{self.url}/api/rppg/measure", data=form, files=files)
        assert response.status_code in (200, 202), response.text
        return Answer(request, response.status_code, "Idempotent-Replayed" in response.headers, response.json()["data"])

    def race(self, group: int, session: str, requests: list[list[Picture]], **more: Any) -> list[Answer]:
        """The answers to requests that are all on their way at once."""
        answers: list[Answer] = []
        start = threading.Barrier(len(requests))

        def run(client: int, request: list[Picture]) -> None:
            start.wait(60)
            answers.append(self.post(client, session, request, **more))

        threads = [
            threading.Thread(target=run, args=(group * AT_ONCE + i, request)) for i, request in enumerate(requests)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == len(requests)
        return answers


@pytest.fixture(scope="module")
def clients(service: Service) -> Iterator[Clients]:
    key = service.make_key(limit_per_minute=1_000_000)
    face = images.still_face(eyes_px=40.0, frame_size=(240, 220))
    racers = Clients(service.url, key, [images.jpeg(face, quality) for quality in (90, 85)])
    # A new connection for each request: the two processes take turns.
    one_use = httpx.Limits(max_keepalive_connections=0)
    racers.https = [httpx.Client(headers={"X-API-Key": key}, limits=one_use, timeout=60) for _ in range(CLIENTS)]
    yield racers
    for http in racers.https:
        http.close()


def covering(draw: random.Random, frames: list[Picture]) -> list[list[Picture]]:
    """Four requests that hold these frames between them, some of them more than once, in any order."""
    requests: list[list[Picture]] = [[] for _ in range(AT_ONCE)]
    for frame in frames:
        draw.choice(requests).append(frame)
    for request in requests:
        request += [draw.choice(frames) for _ in range(draw.randint(0, 1) or not request)]
        draw.shuffle(request)
    return requests


def cpu_ticks(service: Service) -> dict[int, int]:
    """Of each process of the web server."""
    ticks = {}
    for pid, command in service.processes().items():
        if "-m gunicorn" in command:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks[pid] = int(fields[11]) + int(fields[12])
    return ticks


def one_window(clients: Clients, group: int, session: str, draw: random.Random, start_ms: int) -> Answer:
    """Race one window's frames and retry what completed it; the answer that was the first to hold its measurement."""
    frames = [Picture(start_ms + i * STEP_MS) for i in range(FRAMES)]
    answers = clients.race(group, session, covering(draw, frames[:3]))
    assert {answer.status for answer in answers} == {202}
    answers += clients.race(group, session, covering(draw, frames[3:]))
    first = [answer for answer in answers if answer.status == 200 and not answer.replayed]
    assert len(first) == 1
    assert {a.data["measurement_id"] for a in answers if a.status == 200} == {first[0].data["measurement_id"]}
    assert not any(answer.data.get("restarted") for answer in answers)

    retries = clients.race(group, session, [first[0].request[::-1]] * 2)
    assert all(retry.status == 200 and retry.replayed and retry.data == first[0].data for retry in retries)
    return first[0]


def test_eight_racing_clients_get_each_window_once(service: Service, clients: Clients) -> None:
    measured: list[str] = []
    failures: list[BaseException] = []
    before = cpu_ticks(service)

    def run(group: int) -> None:
        draw = random.Random(group)
        try:
            for number in range(WINDOWS // (CLIENTS // AT_ONCE)):
                session = f"race-{group}-{number // PER_SESSION}"
                start_ms = START_MS + (number % PER_SESSION) * FRAMES * STEP_MS
                measured.append(one_window(clients, group, session, draw, start_ms).data["measurement_id"])
        except BaseException as failure:
            failures.append(failure)

    groups = [threading.Thread(target=run, args=(group,)) for group in range(CLIENTS // AT_ONCE)]
    for thread in groups:
        thread.start()
    for thread in groups:
        thread.join()
    if failures:
        raise failures[0]
    assert len(measured) == len(set(measured)) == WINDOWS
    worked = [pid for pid, ticks in cpu_ticks(service).items() if ticks - before[pid] > 20]
    assert len(worked) == 2


def test_racing_clients_get_each_stride_once(clients: Clients) -> None:
    """Four at a time send the next frame, alone, twice, or with some before it; then the stride's retries race."""
    for number in range(examples(2, in_all=4)):
        session, draw, ids = f"strides-{number}", random.Random(number), []
        frames = [Picture(START_MS + i * STEP_MS) for i in range(FRAMES + max(4, WINDOWS // 6))]
        first = clients.race(0, session, covering(draw, frames[: FRAMES - 1]), stride_ms=str(STEP_MS))
        assert {answer.status for answer in first} == {202}
        for k in range(FRAMES - 1, len(frames)):
            before = draw.sample(frames[k - 3 : k], 2)
            requests = [[frames[k]], [frames[k]] * 2, [*before, frames[k]], [before[0], frames[k]]]
            answers = clients.race(0, session, requests, stride_ms=str(STEP_MS))
            (found,) = [answer for answer in answers if answer.status == 200 and not answer.replayed]
            assert not found.data.get("results")
            assert {a.data["measurement_id"] for a in answers if a.status == 200} == {found.data["measurement_id"]}
            assert found.data["frames"] == FRAMES
            assert not any(answer.data.get("restarted") for answer in answers)
            retries = clients.race(0, session, [found.request[::-1]] * 2, stride_ms=str(STEP_MS))
            assert all(retry.status == 200 and retry.replayed and retry.data == found.data for retry in retries)
            ids.append(found.data["measurement_id"])
        assert len(ids) == len(set(ids)) == len(frames) - FRAMES + 1


def test_a_final_request_that_races_its_retries_closes_the_window_once(clients: Clients) -> None:
    for number in range(examples(4, in_all=10)):
        session = f"final-{number}"
        clients.race(0, session, [[Picture(START_MS + i * 1000)] for i in range(4)])
        answers = clients.race(0, session, [[]] * 4, final="true")
        assert {(a.status, a.data["frames"]) for a in answers} == {(200, 4)}
        assert len({a.data["measurement_id"] for a in answers}) == 1
        assert sum(not a.replayed for a in answers) == 1


@pytest.mark.parametrize("duration_ms", [30000, 10000])
def test_batches_that_arrive_in_any_order_lose_no_frame_of_an_open_window(clients: Clients, duration_ms: int) -> None:
    """Sessions of 24 s, each in 24 batches that eight connections send as they come."""
    for number in range(examples(3, in_all=8)):
        session, draw = f"asynchronous-{duration_ms}-{number}", random.Random(number)
        frames = [Picture(START_MS + i * 200) for i in range(120)]
        batches = [frames[i : i + 5] for i in range(0, len(frames), 5)]
        draw.shuffle(batches)
        with ThreadPoolExecutor(CLIENTS) as pool:
            posts = [pool.submit(clients.post, i % CLIENTS, session, b, duration_ms) for i, b in enumerate(batches)]
            answers = [post.result() for post in posts]
        measured = {a.data["measurement_id"]: a.data["frames"] for a in answers if a.status == 200}
        still_open = clients.https[0].get(f"{clients.url}/api/rppg/sessions/{session}").json()["data"]["frames"]
        counted = sum(measured.values()) + still_open
        if duration_ms > 24_000:  # what belongs before a window that is measured already comes too late
            assert counted == len(frames), (number, measured, still_open)
            assert not any(answer.data.get("restarted") for answer in answers)
        assert counted <= len(frames)


def test_a_clock_that_restarts_under_racing_clients_restarts_the_window_once(clients: Clients) -> None:
    for number in range(examples(4, in_all=10)):
        session = f"restart-{number}"
        clients.race(0, session, [[Picture(START_MS + i * 1000)] for i in range(4)])
        earlier = START_MS - 1_000_000
        answers = clients.race(0, session, [[Picture(earlier + i * 1000)] for i in range(4)])
        assert {answer.status for answer in answers} == {202}
        # While others are being read it may be a late batch that joins; then a later request reports the restart.
        assert sum(answer.data["restarted"] for answer in answers) <= 1
        assert max(answer.data["frames"] for answer in answers) == 4
        old = clients.race(0, session, [[Picture(START_MS + i * 1000)] for i in range(4)])
        assert not any(answer.data["restarted"] for answer in old)  # retries from before the restart
        assert {answer.data["frames"] for answer in old} == {4}


def test_another_picture_at_a_buffered_time_is_rejected(clients: Clients) -> None:
    clients.race(0, "other", [[Picture(START_MS + i * 1000)] for i in range(4)])
    answer = clients.post(0, "other", [Picture(START_MS + 2000, image=1)])
    assert (answer.data["restarted"], answer.data["frames"]) == (False, 4)
    assert answer.data["rejected"] == [{"index": 0, "code": "DUPLICATE_TIMESTAMP"}]


def test_racing_stragglers_of_a_completed_window_are_dropped(clients: Clients) -> None:
    draw = random.Random(3)
    for number in range(examples(2, in_all=5)):
        session = f"late-{number}"
        one_window(clients, 0, session, draw, START_MS)
        end_ms = START_MS + (FRAMES - 1) * STEP_MS
        late = [[Picture(end_ms - back, image=1)] for back in (4999, 3500, 1700, 300)]
        for answers in (clients.race(0, session, late), clients.race(0, session, late)):
            assert {(a.status, a.data["restarted"], a.data["frames"]) for a in answers} == {(202, False, 0)}
        # Every frame of the window once more, in other company.
        again = clients.race(0, session, covering(draw, [Picture(START_MS + i * STEP_MS) for i in range(FRAMES)]))
        assert not any(answer.data.get("restarted") for answer in again)
        assert clients.post(0, session, [Picture(end_ms + STEP_MS)]).data["frames"] == 1


@pytest.mark.parametrize(("gap_ms", "restarted"), [(4999, False), (5001, True)])
def test_silence_of_more_than_five_seconds_restarts(clients: Clients, gap_ms: int, restarted: bool) -> None:
    name = f"silence-{gap_ms}"
    clients.post(0, name, [Picture(START_MS), Picture(START_MS + 1000)])
    answer = clients.post(1, name, [Picture(START_MS + 1000 + gap_ms)])
    assert (answer.data["restarted"], answer.data["frames"]) == (restarted, 1 if restarted else 3)


def test_racing_retries_of_a_request_that_is_on_its_way_count_once(clients: Clients) -> None:
    for number in range(examples(4, in_all=10)):
        request = [Picture(START_MS), Picture(START_MS + 1500)]
        answers = clients.race(0, f"twice-{number}", [request, request[::-1], [*request, request[0]], request])
        assert {(a.status, a.data["frames"], a.data["restarted"]) for a in answers} == {(202, 2, False)}
