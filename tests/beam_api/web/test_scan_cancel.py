"""DELETE of a scan session: it goes in any state, with its video, its job, its vitals and its webhooks."""

import threading
from dataclasses import replace

import pytest

from beam_api import create_app
from beam_api.adapters.job_queue import NAME
from beam_api.services.scans.scan_result import ScanVitals
from beam_api.store.deliveries import DUE
from tests import videos
from tests.beam_api.web.test_scans import spooled, upload

HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture
def app(settings, redis, reader):
    return create_app(replace(settings, webhook_allow=("127.0.0.1",)), redis=redis, reader=reader)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def parts(app):
    return app.extensions["beam_api"]


@pytest.fixture
def bearer(parts):
    return {"Authorization": f"Bearer {parts.keys.create('user_xyz', tier='enterprise').key}"}


@pytest.fixture
def session(client, bearer):
    return client.post("/v1/scan-session", headers=bearer, json={"webhook_url": HOOK}).json["session_id"]


VITALS = ScanVitals(
    *(72.0, None, None, 0.9, "2026-10-26T12:34:56.789Z", 5, {}, None, None, {}, {}, "release", {}, {}, (), 100, 6000)
)


def left_of(redis, session):
    return [name for name in redis.keys("*") if session.encode() in name and not name.startswith(b"rq:")]


def gone(client, bearer, session, prefix="/v1"):
    """Whether nothing is known of a session by any route."""
    path = f"{prefix}/scan-session/{session}"
    answers = [client.get(f"{path}/{what}", headers=bearer) for what in ("vitals", "deliveries")]
    answers.append(client.delete(path, headers=bearer))
    assert all(set(answer.json) == {"detail"} for answer in answers if answer.status_code == 404)
    return {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_a_pending_session_is_deleted_once(client, bearer, session, redis, prefix):
    answer = client.delete(f"{prefix}/scan-session/{session}", headers=bearer)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert gone(client, bearer, session, prefix)
    assert left_of(redis, session) == []


def test_a_video_that_waits_goes_with_its_job(client, bearer, session, settings, redis, queue_redis):
    assert upload(client, bearer, session, videos.encoded()).status_code == 202
    assert client.delete(f"/v1/scan-session/{session}", headers=bearer).status_code == 204
    assert spooled(settings) == []
    assert queue_redis.llen(f"rq:queue:{NAME}") == 0
    assert not queue_redis.exists(f"rq:job:{session}_1")
    assert redis.zcard("beam:scans:open") == 0
    assert gone(client, bearer, session)
    assert upload(client, bearer, session, videos.encoded()).status_code == 404
    assert spooled(settings) == []


def test_a_session_of_another_key_is_not_found_and_stays(client, bearer, session, parts):
    other = {"Authorization": f"Bearer {parts.keys.create('another').key}"}
    assert client.delete(f"/v1/scan-session/{session}", headers=other).status_code == 404
    assert client.delete(f"/v1/scan-session/{session}").status_code == 401
    assert client.delete("/v1/scan-session/sess_20261026123456_abc", headers=bearer).status_code == 404
    assert client.get(f"/v1/scan-session/{session}/vitals", headers=bearer).json["status"] == "pending"


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_what_has_ended_goes_with_the_webhook_that_it_owes(client, bearer, session, parts, redis, status):
    upload(client, bearer, session, videos.encoded())
    scanning = parts.scanning
    assert scanning._scans.claim(session, 1)
    if status == "completed":
        scanning._lifecycle.complete(session, 1, VITALS)
    else:
        scanning._lifecycle.fail(session, 1, "No face detected in video")
    assert client.get(f"/v1/scan-session/{session}/vitals", headers=bearer).json["status"] == status
    assert redis.keys("*:webhook:msg_*")
    assert client.delete(f"/v1/scan-session/{session}", headers=bearer).status_code == 204
    assert left_of(redis, session) == []
    assert redis.zcard(DUE) == 0
    assert gone(client, bearer, session)


def test_a_worker_that_comes_later_finds_nothing_to_do(client, bearer, session, parts, redis):
    upload(client, bearer, session, videos.encoded())
    scans = parts.scanning._scans
    assert scans.claim(session, 1)
    assert scans.keep(session, 1)
    assert client.delete(f"/v1/scan-session/{session}", headers=bearer).status_code == 204
    assert not scans.renew(session, 1, 0.5)
    assert not scans.keep(session, 1)
    parts.scanning._lifecycle.complete(session, 1, VITALS)
    parts.scanning._lifecycle.died(session, 1)
    assert left_of(redis, session) == []
    assert redis.keys("*:webhook:*") == []


def test_an_end_and_a_deletion_at_once_leave_nothing(client, bearer, parts, redis, settings):
    """Whichever is first: afterwards there is neither a session nor a webhook of it."""
    scanning, statuses = parts.scanning, set()
    for _ in range(20):
        session = client.post("/v1/scan-session", headers=bearer, json={"webhook_url": HOOK}).json["session_id"]
        with scanning._spool.create(session) as (name, file):
            file.write(b"video")
        assert scanning._scans.accept(session, name)[0] == "accepted"
        assert scanning._scans.claim(session, 1)
        end = threading.Thread(target=scanning._lifecycle.complete, args=(session, 1, VITALS))
        end.start()
        statuses.add(client.delete(f"/v1/scan-session/{session}", headers=bearer).status_code)
        end.join()
        assert left_of(redis, session) == []
        assert redis.keys("*:webhook:msg_*") == []
    assert statuses == {204}
    assert spooled(settings) == []
    parts.scanning._webhooks.sweep(2**50)
    assert redis.zcard(DUE) == 0
