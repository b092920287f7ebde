"""Scan sessions as a client sees them, up to the moment at which a worker takes over."""

import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import rq

from beam_api import create_app
from beam_api.adapters.job_queue import NAME
from beam_api.store.scans import session_name
from tests import videos

BOTH = ["/api/v1", "/v1"]


@pytest.fixture
def key(parts):
    return parts.keys.create("user_xyz", tier="scan").key


@pytest.fixture
def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def session(client, bearer):
    return client.post("/api/v1/scan-session", headers=bearer).json["session_id"]


FORM = "multipart/form-data; boundary=b"


def form(*parts, end=b"--b--\r\n"):
    """A body by hand: werkzeug's own would go through temporary files."""
    head = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
    named = [(field, b'; filename="%b"' % name if name else b"", data) for field, name, data in parts]
    return b"".join(head % (field, name) + data + b"\r\n" for field, name, data in named) + end


def upload(client, bearer, session, data, *, prefix="/api/v1", field=b"file", name=b"video.mp4"):
    address = f"{prefix}/scan-session/{session}/video"
    return client.post(address, headers=bearer, data=form((field, name, data)), content_type=FORM)


def upload_stream(client, bearer, session, stream, **environ):
    """Upload what a stream gives, as gunicorn hands it on, without a length unless one is given."""
    environ = {"CONTENT_TYPE": FORM, "wsgi.input": stream, "wsgi.input_terminated": True, **environ}
    return client.post(f"/v1/scan-session/{session}/video", headers=bearer, environ_overrides=environ)


def spooled(settings):
    folder = settings.data_dir / "spool"
    return list(folder.iterdir()) if folder.exists() else []


def queued(queue_redis):
    return [job.decode() for job in queue_redis.lrange(f"rq:queue:{NAME}", 0, -1)]


@pytest.mark.parametrize("prefix", BOTH)
@pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"webhook_url": None}}, {"json": {"more": [1]}}])
def test_a_session_is_made(client, bearer, prefix, body):
    answer = client.post(f"{prefix}/scan-session", headers=bearer, **body)
    assert answer.status_code == 201
    assert answer.json.keys() == {"session_id", "created_at", "owner"}
    assert answer.json["session_id"].startswith("sess_20")
    assert answer.json["created_at"].endswith("Z")
    assert len(answer.json["created_at"]) == len("2025-10-26T12:34:56.789Z")
    assert answer.json["owner"] == "user_xyz"
    assert answer.headers["X-RateLimit-Limit"] == "60"


@pytest.mark.parametrize(("asked", "status"), [(True, 201), (False, 201), ("yes", 400), (None, 400)])
def test_a_series_is_asked_for_when_the_session_is_made(client, bearer, parts, asked, status):
    answer = client.post("/v1/scan-session", headers=bearer, json={"include_series": asked})
    assert answer.status_code == status
    if status == 201:
        assert parts.scanning._scans.wants_series(answer.json["session_id"]) is asked
    else:
        assert "include_series" in answer.json["detail"]


def test_a_content_type_without_a_body_is_no_error(client, bearer):
    headers = {**bearer, "Content-Type": "application/json"}
    assert client.post("/api/v1/scan-session", headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"\xff", 400),
        (b"[" * 50_000, 400),
        (b" " * 70_000, 413),
        (b'{"webhook_url": 7}', 422),
        (b'{"webhook_url": ""}', 422),
        (b'{"webhook_url": "ftp://example.com"}', 422),
        (b'{"webhook_url": "http://169.254.169.254/"}', 422),
        (b'{"webhook_url": "http://localhost:1/"}', 422),
    ],
)
def test_a_session_with_a_bad_body_is_refused(client, bearer, body, status):
    answer = client.post("/api/v1/scan-session", headers=bearer, data=body, content_type="application/json")
    assert answer.status_code == status
    assert set(answer.json) == {"detail"}


def test_a_private_webhook_can_be_allowed(settings, redis, reader, bearer):
    allowing = create_app(replace(settings, webhook_allow=("127.0.0.1",)), redis=redis, reader=reader).test_client()
    body = {"webhook_url": "http://127.0.0.1:9/hook"}
    assert allowing.post("/api/v1/scan-session", headers=bearer, json=body).status_code == 201


@pytest.mark.parametrize("prefix", BOTH)
def test_a_video_is_accepted_once_and_queued(client, bearer, session, settings, queue_redis, prefix):
    answer = upload(client, bearer, session, videos.encoded(), prefix=prefix)
    assert answer.status_code == 202
    assert answer.json == {
        "session_id": session,
        "status": "processing",
        "message": "Video uploaded successfully and is being processed",
    }
    (kept,) = spooled(settings)
    assert kept.read_bytes() == videos.encoded()
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert queued(queue_redis) == [f"{session}_1"]
    found = client.get(f"{prefix}/scan-session/{session}/vitals", headers=bearer)
    assert found.json == {"status": "processing", "session_id": session, "progress": 0.0}

    again = upload(client, bearer, session, videos.encoded())
    assert (again.status_code, set(again.json)) == (409, {"detail"})
    assert spooled(settings) == [kept]
    assert queued(queue_redis) == [f"{session}_1"]


def test_nothing_that_is_queued_is_pickled_or_has_more_than_names(client, bearer, session, queue_redis):
    upload(client, bearer, session, videos.encoded())
    job = rq.job.Job.fetch(f"{session}_1", connection=queue_redis, serializer=rq.serializers.JSONSerializer)
    assert job.args == [session, 1]
    assert b"pickle" not in job.data


def test_a_video_that_would_take_too_long_is_refused_and_its_session_waits_for_another(
    client, bearer, session, settings, queue_redis
):
    data = videos.many_large_frames()
    assert len(data) < 3_000_000
    answer = upload(client, bearer, session, data)
    assert (answer.status_code, set(answer.json)) == (422, {"detail"})
    assert "would take too long to analyse: 50 s of 6000x4000 pixels in 1500 frames" in answer.json["detail"]
    assert (spooled(settings), queued(queue_redis)) == ([], [])
    assert upload(client, bearer, session, videos.encoded()).status_code == 202


def test_a_pending_session_says_so(client, bearer, session):
    answer = client.get(f"/v1/scan-session/{session}/vitals", headers=bearer)
    assert answer.json == {"status": "pending", "session_id": session}
    assert client.get(f"/v1/scan-session/{session}/deliveries", headers=bearer).json == {"deliveries": []}


@pytest.mark.parametrize(
    ("made", "status", "said"),
    [
        (lambda: b"", 400, "file"),
        (lambda: b"PK\x03\x04" + bytes(5000), 400, "video"),
        (lambda: b"\xff\xd8\xff\xe0" + bytes(5000), 400, "video"),
        (lambda: videos.encoded()[:20_000], 400, "video"),
        (lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", 400, "video"),
        (videos.sound, 422, "no video stream"),
        (videos.no_frames, 422, "no "),
        (lambda: videos.blank(6, size=(1, 1), codec="mjpeg", container="mov"), 422, "1x1"),
        (lambda: videos.blank(4.8), 422, "4.80 s"),
        (lambda: videos.blank(3601, fps=1, size=(64, 64)), 422, "3601 s"),
    ],
    ids=["empty", "zip", "jpeg", "truncated", "playlist", "sound", "no frames", "one pixel", "short", "long"],
)
def test_what_can_not_be_measured_is_refused_and_not_kept(
    client, bearer, session, settings, queue_redis, made, status, said
):
    answer = upload(client, bearer, session, made())
    assert answer.status_code == status, answer.json
    assert set(answer.json) == {"detail"}
    assert said in answer.json["detail"]
    assert str(settings.data_dir) not in answer.text
    assert spooled(settings) == []
    assert queued(queue_redis) == []
    assert client.get(f"/v1/scan-session/{session}/vitals", headers=bearer).json["status"] == "pending"


@pytest.mark.parametrize(("container", "codec"), videos.CONTAINERS)
def test_every_container_and_codec_is_accepted_by_its_content(client, bearer, session, container, codec):
    assert upload(client, bearer, session, videos.encoded(container, codec), name=b"notes.txt").status_code == 202


@pytest.mark.parametrize(("seconds", "fps"), [(5, 30), (300, 2), (3600, 1)])
def test_five_seconds_are_enough_and_an_hour_not_too_much(client, bearer, session, seconds, fps):
    assert upload(client, bearer, session, videos.blank(seconds, fps=fps, size=(64, 64))).status_code == 202


def test_a_form_without_the_file_is_refused(client, bearer, session):
    address = f"/v1/scan-session/{session}/video"
    assert upload(client, bearer, session, videos.encoded(), field=b"video").status_code == 400
    for body in (
        form((b"file", b"", b"text")),
        form((b"file", b"a", b"a"), (b"file", b"b", b"b")),
        form((b"file", b"a", b"a"), end=b""),
        form(),
        b"",
        b"nonsense",
    ):
        answer = client.post(address, headers=bearer, data=body, content_type=FORM)
        assert (answer.status_code, set(answer.json)) == (400, {"detail"}), body
    assert client.post(address, headers=bearer, data=b"x", content_type="video/mp4").status_code == 415
    assert client.post(address, headers=bearer, json={}).status_code == 415


class Endless(io.RawIOBase):
    """A body that goes on and on, and counts what was read of it."""

    def __init__(self, head, most):
        self.head, self.most, self.count = head, most, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self.head or b"\0" * min(len(buffer), self.most - self.count)
        self.head = b""
        buffer[: len(piece)] = piece
        self.count += len(piece)
        return len(piece)


HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n\0\0\0\x18ftypisom'
MIB = 1024 * 1024


def test_a_file_beyond_the_limit_is_refused_while_it_is_read(client, bearer, session, settings):
    body = Endless(HEAD, 110 * MIB)
    answer = upload_stream(client, bearer, session, body)
    assert (answer.status_code, set(answer.json)) == (413, {"detail"})
    assert "100 MB" in answer.json["detail"]
    assert body.count == 110 * MIB  # the rest was drained, so that the client sees the answer
    assert spooled(settings) == []


def test_an_announced_length_beyond_the_limit_is_refused_at_once(client, bearer, session):
    answer = upload_stream(client, bearer, session, io.BytesIO(HEAD), CONTENT_LENGTH=str(101 * MIB))
    assert (answer.status_code, set(answer.json)) == (413, {"detail"})


def test_a_session_belongs_to_the_key_that_made_it(client, bearer, session, parts):
    other = {"Authorization": f"Bearer {parts.keys.create('another').key}"}
    unknown = "sess_20251026123456_abc123"
    for headers, name in ((other, session), (bearer, unknown)):
        for answer in (
            client.get(f"/v1/scan-session/{name}/vitals", headers=headers),
            client.get(f"/api/v1/scan-session/{name}/deliveries", headers=headers),
            upload(client, headers, name, videos.encoded()),
        ):
            assert (answer.status_code, set(answer.json)) == (404, {"detail"})


def test_every_key_works_in_both_headers(client, parts):
    for tier in ("sandbox", "scan"):
        key = parts.keys.create("x", tier=tier).key
        for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
            assert client.post("/v1/scan-session", headers=headers).status_code == 201
            assert client.get("/api/rppg/sessions/nobody", headers=headers).status_code == 404
    assert client.post("/v1/scan-session").status_code == 401
    assert set(client.post("/v1/scan-session", headers={"X-API-Key": "no"}).json) == {"detail"}


def test_a_scan_key_has_sixty_requests_a_minute(client, bearer, session):
    for _ in range(59):
        assert client.get(f"/v1/scan-session/{session}/vitals", headers=bearer).status_code == 200
    answer = client.get(f"/v1/scan-session/{session}/vitals", headers=bearer)
    assert (answer.status_code, set(answer.json)) == (429, {"detail"})
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_session_expires_with_its_upload(settings, redis, reader, bearer):
    settings, video = replace(settings, session_ttl_s=100), videos.encoded()
    app = create_app(settings, redis=redis, reader=reader)
    client = app.test_client()
    session = client.post("/v1/scan-session", headers=bearer).json["session_id"]
    assert 0 < redis.pttl(session_name(session)) <= 100_000
    assert upload(client, bearer, session, video).status_code == 202
    assert 0 < redis.pttl(session_name(session)) <= 100_000
    redis.pexpire(session_name(session), 1)
    time.sleep(0.05)
    assert client.get(f"/v1/scan-session/{session}/vitals", headers=bearer).status_code == 404
    (left,) = spooled(settings)
    app.extensions["beam_api"].scanning._lifecycle.clear_spool()
    assert spooled(settings) == [left]  # somebody might still be writing to it
    os.utime(left, (0, time.time() - 3600))
    app.extensions["beam_api"].scanning._lifecycle.clear_spool()
    assert spooled(settings) == []


def test_an_upload_that_breaks_off_leaves_nothing(client, bearer, session, settings):
    class Broken(Endless):
        def readinto(self, buffer):
            if self.count > 1_000_000:
                raise ConnectionResetError
            return super().readinto(buffer)

    answer = upload_stream(client, bearer, session, Broken(HEAD, 2 * MIB))
    assert answer.status_code == 400
    assert spooled(settings) == []


def test_webhook_secrets_are_shown_and_replaced(client, parts, settings):
    one, other = ({"X-API-Key": parts.keys.create(name).key} for name in ("one", "other"))
    first = client.get("/api/keys/me/webhook-secret", headers=one)
    assert (first.status_code, first.json["success"]) == (200, True)
    assert first.json["data"]["secret"].startswith("whsec_")
    assert client.get("/api/keys/me/webhook-secret", headers=one).json["data"] == first.json["data"]
    assert client.get("/api/keys/me/webhook-secret", headers=other).json["data"] != first.json["data"]
    second = client.post("/api/keys/me/webhook-secret/rotate", headers=one)
    assert second.status_code == 200
    assert second.json["data"] != first.json["data"]
    assert client.get("/api/keys/me/webhook-secret", headers=one).json["data"] == second.json["data"]
    kept = Path(settings.data_dir, "secret.key")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert client.get("/api/keys/me/webhook-secret").status_code == 401
