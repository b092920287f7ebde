import time
from dataclasses import replace

import numpy as np
import pytest
import redis as redis_client

from beam_api import create_app
from beam_api.adapters.job_queue import ScanQueue
from beam_api.monitoring import counters
from beam_api.store.client import connect
from beam_api.store.scans import OPEN
from rppg_core.trace.traces import Trace
from tests import images
from tests.beam_api.web.measuring import encoded
from tests.scrapes import Scrape

TOKEN = "a-token-of-the-monitoring"


@pytest.fixture
def scrape(client):
    def scrape():
        answer = client.get("/metrics")
        assert answer.status_code == 200, answer.text
        return Scrape(answer.text)

    return scrape


@pytest.fixture
def grown(scrape):
    """How much a sample has grown since the test began."""
    before = scrape()
    return lambda name, **labels: scrape()(name, **labels) - before.get(name, **labels)


@pytest.fixture
def closed_app(settings, redis, reader):
    return create_app(replace(settings, metrics_token=TOKEN), redis=redis, reader=reader)


def test_it_is_prometheus_text(client, scrape):
    answer = client.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    for family in scrape().families:
        assert family.name.startswith("beam_")
        assert family.documentation


def test_requests_are_counted_by_template_method_and_status(client, api_key, grown):
    headers = {"X-API-Key": api_key}
    for person in ("anna-7", "bert-8"):
        assert client.get(f"/api/rppg/sessions/{person}", headers=headers).status_code == 404
    client.get("/no/such/path/anna-7")
    client.open("/health", method="BREW")
    route = "/api/rppg/sessions/<session_id>"
    assert grown("beam_requests_total", route=route, method="GET", status="404") == 2
    assert grown("beam_request_seconds_count", route=route) == 2
    assert grown("beam_requests_total", route="unmatched", status="404") == 1
    assert grown("beam_requests_total", method="other", status="405") == 1


def test_no_label_holds_what_a_client_chose(client, api_key, parts, scrape):
    [record] = parts.keys.all()
    for path in ("/api/rppg/sessions/anna-7", "/api/rppg/measurements/m-anna-7", "/anna-7", "/static/anna-7"):
        client.get(path, headers={"X-API-Key": api_key, "User-Agent": "anna-7"})
    text = client.get("/metrics").text
    assert "anna-7" not in text
    assert record.key_id not in text
    assert api_key not in text
    labels = {name for sample in scrape().samples for name in sample.labels}
    assert labels <= {
        "route",
        "method",
        "status",
        "outcome",
        "event",
        "vital",
        "kind",
        "le",
        "version",
        "python",
        "role",
    }


def test_invented_methods_make_no_new_series(client, scrape):
    client.open("/health", method="BREW")
    before = len(scrape().samples)
    known = len(counters._of_request)
    for i in range(20):
        client.open("/health", method=f"BREW{i}")
    assert len(scrape().samples) == before
    assert len(counters._of_request) == known


def test_frames_are_counted_by_what_became_of_them(client, api_key, grown):
    face, wall = images.jpeg(images.still_face()), images.jpeg(images.still_face() * 0 + 120)
    parts = [("timestamp_ms", str(1000 + 50 * i), "") for i in range(4)]
    parts += [("frame", data, '; filename="f.jpg"') for data in (face, wall, b"no picture", face[:500])]
    answer = client.post(
        "/api/rppg/measure",
        headers={"X-API-Key": api_key},
        data=encoded(parts),
        content_type="multipart/form-data; boundary=--of-a-test",
    )
    assert answer.status_code == 202, answer.text
    for outcome in ("accepted", "NO_FACE_DETECTED", "UNSUPPORTED_IMAGE", "INVALID_IMAGE"):
        assert grown("beam_frames_total", outcome=outcome) == 1


def test_the_queue_is_reported_as_it_is(settings, redis, queue_redis, scrape):
    assert scrape()("beam_queue_jobs") == 0
    ScanQueue(queue_redis).scan("sess_1", 1)
    time.sleep(0.05)
    ScanQueue(queue_redis).scan("sess_2", 1, at_front=True)
    redis.zadd(OPEN, {"sess_1": 0, "sess_2": 0})
    now = scrape()
    assert (now("beam_queue_jobs"), now("beam_video_workers"), now("beam_scans_open")) == (2, 0, 2)
    assert now("beam_queue_oldest_seconds") >= 0.05


def test_a_redis_that_is_unavailable_is_reported_and_counted(settings, reader, tmp_path, grown):
    unavailable = create_app(settings, redis=connect(f"unix://{tmp_path}/nobody.sock"), reader=reader).test_client()
    now = Scrape(unavailable.get("/metrics", headers={"X-API-Key": "beam_sk_" + "a" * 59}).text)
    assert now("beam_redis_up") == 0
    assert not {"beam_redis_memory_bytes", "beam_queue_jobs"} & now.names
    assert unavailable.get("/ready").status_code == 503
    assert grown("beam_redis_errors_total", kind="connection") >= 2


def test_a_queue_that_is_unavailable_is_distinguished(settings, redis, reader, tmp_path):
    lonely = replace(settings, queue_redis_url=f"unix://{tmp_path}/nobody.sock")
    now = Scrape(create_app(lonely, redis=redis, reader=reader).test_client().get("/metrics").text)
    assert (now("beam_redis_up"), now("beam_queue_up")) == (1, 0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (redis_client.exceptions.TimeoutError("Timeout reading from socket"), "timeout"),
        (redis_client.exceptions.ConnectionError("No connection available."), "pool"),
        (redis_client.exceptions.ConnectionError("Connection refused"), "connection"),
        (redis_client.exceptions.OutOfMemoryError("command not allowed"), "full"),
        (redis_client.exceptions.ReadOnlyError("You can't write"), "other"),
    ],
)
def test_failures_of_redis_are_distinguished(grown, error, kind):
    counters.count_redis_error(error)
    assert grown("beam_redis_errors_total", kind=kind) == 1


@pytest.mark.parametrize(("status", "outcome"), [(204, "delivered"), (500, "refused"), (None, "unreachable")])
def test_webhooks_are_counted_by_outcome(grown, status, outcome):
    counters.count_webhook(status, last=True)
    assert grown("beam_webhook_attempts_total", outcome=outcome) == 1
    assert grown("beam_webhook_attempts_total", outcome="given_up") == (0 if outcome == "delivered" else 1)


def test_an_analysis_that_raises_is_counted(grown):
    def fail(_trace):
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        counters.timed(fail)(Trace(np.zeros(0), np.zeros((0, 30, 3)), np.zeros((0, 5)), (1, 1)))
    assert grown("beam_analyses_failed_total") == grown("beam_analysis_seconds_count") == 1


@pytest.mark.parametrize(
    ("address", "headers", "protocol", "status"),
    [
        ("127.0.0.1", {}, "HTTP/1.1", 200),
        ("127.8.9.1", {"Host": "127.0.0.1:8000"}, "HTTP/1.1", 200),
        ("::1", {"Host": "[::1]:8000"}, "HTTP/1.1", 200),
        ("::ffff:127.0.0.1", {"Host": "[::1]"}, "HTTP/1.1", 200),
        ("10.0.0.7", {}, "HTTP/1.1", 404),
        ("::ffff:10.0.0.7", {}, "HTTP/1.1", 404),
        ("", {}, "HTTP/1.1", 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, "HTTP/1.1", 404),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, "HTTP/1.1", 404),
        ("127.0.0.1", {"Forwarded": "for=1.2.3.4"}, "HTTP/1.1", 404),
        ("127.0.0.1", {"Via": "1.1 proxy"}, "HTTP/1.1", 404),
        ("127.0.0.1", {"X-Real-IP": "1.2.3.4"}, "HTTP/1.1", 404),
        ("127.0.0.1", {"Host": "beam.example"}, "HTTP/1.1", 404),
        ("127.0.0.1", {"Host": "127.0.0.1:8000"}, "HTTP/1.0", 404),
        ("127.0.0.1", {"Authorization": "Bearer guess"}, "HTTP/1.1", 200),
        ("10.0.0.7", {"Authorization": f"Bearer {TOKEN}"}, "HTTP/1.1", 404),
    ],
)
def test_without_a_token_only_this_machine_reads_it(client, address, headers, protocol, status):
    environ = {"REMOTE_ADDR": address, "SERVER_PROTOCOL": protocol}
    assert client.get("/metrics", headers=headers, environ_overrides=environ).status_code == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"Basic {TOKEN}", 404),
        (f"Bearer {TOKEN}x", 404),
        ("Bearer é", 404),
        ("Bearer ", 404),
        ("", 404),
    ],
)
def test_the_token_opens_it_from_elsewhere(closed_app, sent, status):
    headers = {"Authorization": sent, "X-Forwarded-For": "1.2.3.4", "Host": "beam.example"}
    environ = {"REMOTE_ADDR": "10.0.0.7"}
    answer = closed_app.test_client().get("/metrics", headers=headers, environ_base=environ)
    assert answer.status_code == status
    if status == 404:
        assert answer.json["error"]["code"] == "NOT_FOUND"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("trusted", [1, 2])
def test_a_stranger_behind_a_trusted_proxy_can_not_pose_as_this_machine(settings, redis, reader, trusted):
    client = create_app(replace(settings, trusted_proxies=trusted), redis=redis, reader=reader).test_client()
    for claimed in ("127.0.0.1", "127.0.0.1, 127.0.0.1", "::1"):
        assert client.get("/metrics", headers={"X-Forwarded-For": claimed}).status_code == 404
    assert client.get("/metrics").status_code == 200


def test_the_token_is_not_taken_for_an_api_key(closed_app, redis):
    answer = closed_app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert "X-RateLimit-Limit" not in answer.headers
    assert list(redis.scan_iter("*LIMITER*")) == []
