"""The budget of scans: seconds of analysis that a key's videos may take in an hour."""

import time
from dataclasses import replace

import pytest

from beam_api import create_app
from beam_api.store.scan_budget import budget_name
from beam_api.store.scans import ScanStore
from tests import videos
from tests.beam_api.web.test_scans import spooled, upload

ONE_S = 7  # more than one of these videos is predicted to take, and less than two


@pytest.fixture(scope="module")
def video():
    return videos.encoded()


@pytest.fixture
def service(settings, redis, reader):
    """The parts and a client of a service with a budget of so many seconds."""

    def service(budget_s):
        app = create_app(replace(settings, scan_budget_s=budget_s), redis=redis, reader=reader)
        return app.extensions["beam_api"], app.test_client()

    return service


def begun(client, bearer):
    return client.post("/v1/scan-session", headers=bearer).json["session_id"]


def bearer_of(parts, owner="user"):
    made = parts.keys.create(owner, tier="scan")
    return {"Authorization": f"Bearer {made.key}"}, made.record.key_id


def test_a_video_beyond_the_budget_is_refused_and_says_when_there_is_room(service, settings, redis, video):
    parts, client = service(ONE_S)
    bearer, key_id = bearer_of(parts)
    first = upload(client, bearer, begun(client, bearer), video)
    assert first.status_code == 202
    left = int(first.headers["X-Beam-Scan-Remaining"])
    assert first.headers["X-Beam-Scan-Limit"] == str(ONE_S)
    assert 0 <= left < ONE_S
    assert time.time() < int(first.headers["X-Beam-Scan-Reset"]) <= time.time() + 3601
    session = begun(client, bearer)
    second = upload(client, bearer, session, video)
    assert (second.status_code, set(second.json)) == (429, {"detail"})
    assert "budget of scans is used up" in second.json["detail"]
    assert f"of {ONE_S} s an hour" in second.json["detail"]
    wait_s = int(second.headers["Retry-After"])
    assert f"Try again in {wait_s} s" in second.json["detail"]
    assert 0 < wait_s <= 3600
    assert len(spooled(settings)) == 1  # of the first
    assert client.get(f"/v1/scan-session/{session}/vitals", headers=bearer).json["status"] == "pending"
    name = budget_name(key_id)
    redis.hset(name, "at", float(redis.hget(name, "at")) - wait_s)  # as it is after waiting
    assert upload(client, bearer, session, video).status_code == 202
    assert 0 < redis.ttl(name) <= 3601


def test_a_budget_that_is_used_up_refuses_before_the_video_is_read(service, redis):
    parts, client = service(100)
    bearer, key_id = bearer_of(parts)
    session = begun(client, bearer)
    redis.hset(budget_name(key_id), mapping={"level": 150, "at": time.time()})
    answer = upload(client, bearer, session, b"no video")  # else 400
    assert answer.status_code == 429
    assert 1795 <= int(answer.headers["Retry-After"]) <= 1800  # 50 too many, of which 100 leak out in an hour


def test_a_video_that_takes_more_than_the_budget_is_taken_when_none_of_it_is_used(service, video):
    parts, client = service(1)
    bearer, _ = bearer_of(parts)
    assert upload(client, bearer, begun(client, bearer), video).status_code == 202
    answer = upload(client, bearer, begun(client, bearer), video)
    assert answer.status_code == 429
    assert "0 s of 1 s an hour are left" in answer.json["detail"]


def test_what_is_refused_or_cancelled_is_not_charged(service, redis, video):
    parts, client = service(ONE_S)
    bearer, key_id = bearer_of(parts)
    session = begun(client, bearer)
    assert upload(client, bearer, session, b"no video").status_code == 400
    assert upload(client, bearer, session, videos.blank(2)).status_code == 422
    assert not redis.exists(budget_name(key_id))
    for _ in range(3):
        assert upload(client, bearer, session, video).status_code == 202
        assert client.delete(f"/v1/scan-session/{session}", headers=bearer).status_code == 204
        assert float(redis.hget(budget_name(key_id), "level") or 0) < 0.1
        session = begun(client, bearer)


def test_of_an_analysis_under_way_only_the_rest_is_given_back(service, redis, video):
    parts, client = service(1000)
    bearer, key_id = bearer_of(parts)
    session = begun(client, bearer)
    assert upload(client, bearer, session, video).status_code == 202
    paid = float(redis.hget(budget_name(key_id), "level"))
    scans = ScanStore(redis, lifetime_s=60)
    assert scans.claim(session, 1)
    assert scans.renew(session, 1, 0.75)
    assert client.delete(f"/v1/scan-session/{session}", headers=bearer).status_code == 204
    assert float(redis.hget(budget_name(key_id), "level")) == pytest.approx(0.75 * paid, rel=0.2)


def test_of_two_videos_for_one_session_one_is_charged(service, redis, video, monkeypatch):
    parts, client = service(1000)
    bearer, key_id = bearer_of(parts)
    session = begun(client, bearer)
    assert upload(client, bearer, session, video).status_code == 202
    paid = float(redis.hget(budget_name(key_id), "level"))
    monkeypatch.setattr(type(parts.scanning), "check", lambda *_args, **_more: None)  # as both had passed it at once
    assert upload(client, bearer, session, video).status_code == 409
    assert float(redis.hget(budget_name(key_id), "level")) == pytest.approx(paid, rel=0.1)


def test_keys_have_budgets_of_their_own_but_those_that_an_address_made_share_one(service, video):
    parts, client = service(1)
    for _ in range(2):
        bearer, _ = bearer_of(parts)
        assert upload(client, bearer, begun(client, bearer), video).status_code == 202
    statuses = []
    for _ in range(2):
        key = client.post("/api/keys", json={"name": "x"}).json["data"]["key"]
        bearer = {"Authorization": f"Bearer {key}"}
        statuses.append(upload(client, bearer, begun(client, bearer), video).status_code)
    assert statuses == [202, 429]


def test_without_a_limit_all_are_taken_and_nothing_is_counted(service, redis, video):
    parts, client = service(0)
    bearer, key_id = bearer_of(parts)
    for _ in range(2):
        answer = upload(client, bearer, begun(client, bearer), video)
        assert answer.status_code == 202
        assert "X-Beam-Scan-Limit" not in answer.headers
    assert not redis.exists(budget_name(key_id))
