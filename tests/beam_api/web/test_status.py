"""/status: a page without figures for everybody, and the figures for the operator."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from beam_api import create_app
from beam_api.services import status
from beam_api.services.status import read_status
from beam_api.store.client import connect
from tests.beam_api.web.test_metrics import TOKEN


@pytest.fixture
def closed(settings, redis, reader):
    return create_app(replace(settings, metrics_token=TOKEN), redis=redis, reader=reader).test_client()


STRANGER = {"environ_base": {"REMOTE_ADDR": "10.0.0.7"}}


def test_the_operator_sees_queue_redis_and_versions(client):
    data = client.get("/status.json").json["data"]
    assert data["status"] == "degraded"
    assert data["problems"] == ["No video worker runs."]
    assert data["queue"] == {
        "up": True, "jobs": 0, "oldest_s": 0.0, "workers": 0, "scans_open": 0, "webhooks_overdue": 0,
    }  # fmt: skip
    assert data["redis"]["up"]
    assert 0 < data["redis"]["ping_ms"] < 1000
    assert data["versions"].keys() == {"version", "python"}


def test_it_counts_what_the_metrics_count(client, api_key):
    before = client.get("/status.json").json["data"]["requests"]["answered"]
    for _ in range(3):
        client.get("/api/keys/me", headers={"X-API-Key": api_key})
    assert client.get("/status.json").json["data"]["requests"]["answered"] == before + 4  # the first look is one too


@pytest.mark.parametrize("sent", ["", f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}"])
def test_a_stranger_gets_what_is_not_there(closed, sent):
    answer = closed.get("/status.json", headers={"Authorization": sent}, **STRANGER)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "NOT_FOUND")
    for header in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "beam.example"}):
        assert closed.get("/status.json", headers=header).status_code == 404


def test_the_token_opens_it_from_elsewhere(closed):
    answer = closed.get("/status.json", headers={"Authorization": f"Bearer {TOKEN}"}, **STRANGER)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert TOKEN not in answer.text


def test_the_page_is_the_same_for_everybody_and_holds_no_figure(closed):
    inside, outside = closed.get("/status"), closed.get("/status", **STRANGER)
    assert inside.status_code == outside.status_code == 200
    assert inside.data == outside.data
    assert not re.search(r"\d+ ?(?:MB|ms)\b", inside.text)


def test_a_redis_that_is_away_is_said_to_be(settings, reader, tmp_path):
    unavailable = create_app(settings, redis=connect(f"unix://{tmp_path}/nobody.sock"), reader=reader).test_client()
    data = unavailable.get("/status.json").json["data"]
    assert data["status"] == "unavailable"
    assert data["redis"] == {"up": False}
    assert data["problems"] == ["Redis does not answer: requests get 503."]


def test_what_goes_wrong_is_a_sentence(parts):
    samples = parts.exposition.samples()
    wrong = {
        "beam_redis_persisting": 0,
        "beam_redis_memory_bytes": 90,
        "beam_redis_memory_limit_bytes": 100,
        "beam_queue_oldest_seconds": 31,
        "beam_video_workers": 1,
        "beam_spool_free_bytes": 1.9e9,
        "beam_webhooks_overdue": 101,
    }
    report = read_status(sample._replace(value=wrong.get(sample.name, sample.value)) for sample in samples)
    assert report["status"] == "degraded"
    assert report["problems"][:1] == ["Redis holds more than 85 % of what it may."]
    assert {
        "Redis could not write to its disk.",
        "A video has waited for more than 30 s.",
        "More than a hundred webhooks are overdue.",
        "The disk for uploads is nearly full.",
    } < set(report["problems"])


def test_its_bounds_are_those_of_the_alerts():
    alerts = (Path(__file__).parents[3] / "deploy" / "monitoring" / "alerts.yml").read_text()
    for name, comparison, bound in (
        ("beam_redis_ping_seconds)", ">", status.SLOWEST_PING_S),
        ("beam_redis_memory_limit_bytes > 0))", ">", status.MOST_MEMORY),
        ("beam_queue_oldest_seconds)", ">", status.LONGEST_WAIT_S),
        ("beam_webhooks_overdue)", ">", status.MOST_OVERDUE),
        ("beam_spool_free_bytes)", "<", status.LEAST_FREE_BYTES),
    ):
        found = re.search(rf"{re.escape(name)} {comparison} (\S+)", alerts)
        assert found, name
        assert float(found[1]) == bound, name
