"""The work budget of a key, and how much one request may make the service decode."""

from __future__ import annotations

import io
import threading
import time

import pytest

from beam_api.exceptions import PayloadTooLarge, RateLimited
from beam_api.services.windows.workload import WAITING, LargeLane, Workload
from beam_api.store.work import work_name
from tests.hostile.pictures import png_of
from tests.images import huge_header, jpeg, still_face

WORK = ("X-Beam-Work-Limit", "X-Beam-Work-Remaining", "X-Beam-Work-Reset")


def claimed(width, height, depth=8, colour=2):
    """A PNG that claims a size; its pixels are missing."""
    return png_of(width, height, b"", depth=depth, colour=colour)


def post(client, key, frames, **form):
    data = {"fps": "30", **form, "frame": [(io.BytesIO(frame), "f") for frame in frames]}
    return client.post("/api/rppg/measure", data=data, headers={"X-API-Key": key})


def test_a_request_may_decode_64_frames_of_4k_and_no_more():
    Workload.of([huge_header(3840, 2160)] * 64).check()
    Workload.of([claimed(5000, 5000, 16, 6)] * 3).check()
    for frames in ([huge_header(5000, 5000)] * 22, [claimed(5000, 5000, 16, 6)] * 4):
        with pytest.raises(PayloadTooLarge, match="a request may hold 1600 MB"):
            Workload.of(frames).check()


def test_frames_that_are_refused_by_their_header_cost_nothing():
    frames = [claimed(30_000, 30_000), claimed(2_000_000, 1), b"a text", claimed(640, 480)]
    assert Workload.of(frames).megapixels == pytest.approx(0.768)


def test_large_frames_and_large_requests_take_the_lane():
    assert not Workload.of([huge_header(1920, 1080)] * 64).is_large
    assert not Workload.of([huge_header(3840, 2160)]).is_large
    assert Workload.of([huge_header(5000, 5000)]).is_large
    assert Workload.of([huge_header(3840, 2160)] * 17).is_large


def test_beyond_the_budget_nothing_is_decoded_and_nothing_buffered_is_lost(client, api_key):
    assert post(client, api_key, [jpeg(still_face())]).status_code == 202
    answer = post(client, api_key, [claimed(5000, 5000, 16, 6)] * 9)
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert "4500 MB" in answer.json["error"]["message"]
    window = client.get("/api/rppg/sessions/default", headers={"X-API-Key": api_key}).json["data"]
    assert window["frames"] == 1


@pytest.mark.parametrize("known", [False, True])
def test_every_answer_says_how_the_work_budget_stands(client, api_key, known):
    if known:
        assert client.get("/nope", headers={"X-API-Key": api_key}).headers["X-Beam-Work-Remaining"] == "6000"
    answer = post(client, api_key, [claimed(2000, 1500)] * 4)
    assert [answer.headers[name] for name in WORK[:2]] == ["6000", "5970"]
    assert 0 <= int(answer.headers[WORK[2]]) - time.time() <= 2


def test_a_used_up_budget_is_429_names_it_and_is_no_request(client, parts, redis):
    made = parts.keys.create("o", work_limit=600)
    frames = [claimed(5000, 5000)] * 8
    assert post(client, made.key, frames).status_code == 400  # 500 megapixels, and broken
    answer = post(client, made.key, frames)
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "RATE_LIMITED")
    assert "work budget" in answer.json["error"]["message"]
    assert 35 <= int(answer.headers["Retry-After"]) <= 40  # 400 too many, of which 10 leak out in a second
    assert answer.headers["X-Beam-Work-Limit"] == "600"
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    small = post(client, made.key, [claimed(1000, 1000)])
    assert small.status_code == 400
    assert small.headers["X-RateLimit-Remaining"] == "98"
    level = float(redis.hget(work_name(made.record.key_id), "level"))
    redis.hset(work_name(made.record.key_id), mapping={"level": level, "at": time.time() - 45})
    assert post(client, made.key, frames).status_code == 400
    assert 0 < redis.ttl(work_name(made.record.key_id)) <= 61


def test_a_clock_set_back_does_not_close_the_budget(client, parts, redis):
    made = parts.keys.create("o", work_limit=600)
    redis.hset(work_name(made.record.key_id), mapping={"level": 300, "at": time.time() + 3600})
    answer = post(client, made.key, [claimed(5000, 5000)])
    assert answer.headers["X-Beam-Work-Remaining"] == "237"


def test_work_that_came_to_nothing_is_given_back(client, api_key, monkeypatch):
    def unavailable(*_args, **_more):
        raise RateLimited(5, "The lane is full.")

    client.get("/nope", headers={"X-API-Key": api_key})
    monkeypatch.setattr(LargeLane, "run", unavailable)
    assert post(client, api_key, [claimed(5000, 5000)] * 8).status_code == 429
    answer = client.get("/nope", headers={"X-API-Key": api_key})
    assert answer.headers["X-Beam-Work-Remaining"] == "6000"
    assert answer.headers["X-RateLimit-Remaining"] == "98"


def test_large_requests_are_read_one_at_a_time_and_few_wait():
    lane, going, ended = LargeLane(), threading.Event(), threading.Event()
    at_work, most = [0], [0]

    def work():
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        going.set()
        ended.wait(30)
        at_work[0] -= 1

    threads = [threading.Thread(target=lane.run, args=(work,)) for _ in range(1 + WAITING)]
    for thread in threads:
        thread.start()
    assert going.wait(30)
    while lane._places._value:  # until all have their place
        time.sleep(0.01)
    with pytest.raises(RateLimited, match="large frames"):
        lane.run(work)
    ended.set()
    for thread in threads:
        thread.join(30)
    assert most == [1]
    assert lane.run(lambda: 7) == 7
