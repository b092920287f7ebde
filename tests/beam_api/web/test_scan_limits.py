"""What an operator sets for videos: how large they may be, and how long those of more than five minutes may take."""

from dataclasses import replace

import pytest

from beam_api import create_app
from beam_api.store.scans import session_name
from tests import videos
from tests.beam_api.web.test_scans import spooled, upload


@pytest.fixture
def upload_with(settings, redis, reader):
    """Upload a video to a service with these settings."""

    def upload_with(data, **changes):
        client = create_app(replace(settings, **changes), redis=redis, reader=reader).test_client()
        key = client.post("/api/keys", json={"name": "x"}).json["data"]["key"]
        bearer = {"Authorization": f"Bearer {key}"}
        session = client.post("/v1/scan-session", headers=bearer).json["session_id"]
        return upload(client, bearer, session, data), session

    return upload_with


def test_a_long_video_has_a_limit_that_grows_with_it(upload_with, redis):
    limits = []
    for seconds, fps in ((300, 2), (310, 2), (3600, 10)):
        answer, session = upload_with(videos.blank(seconds, fps=fps, size=(64, 64)))
        assert answer.status_code == 202, answer.json
        limits.append(int(redis.hget(session_name(session), "limit")))
    assert limits[:2] == [100_000, 100_000]
    assert 200_000 < limits[2] < 600_000


def test_a_long_video_beyond_the_operator_s_limit_is_refused_with_the_reason(upload_with, settings):
    for limit_s in (3, 0):
        answer, _ = upload_with(videos.blank(310, fps=2, size=(64, 64)), scan_limit_s=limit_s)
        assert (answer.status_code, set(answer.json)) == (422, {"detail"})
        assert "would take too long to analyse: 310 s of 64x64 pixels in 620 frames" in answer.json["detail"]
    assert spooled(settings) == []
    assert upload_with(videos.blank(300, fps=2, size=(64, 64)), scan_limit_s=0)[0].status_code == 202


def test_a_file_beyond_the_operator_s_limit_is_refused(upload_with, settings):
    answer, _ = upload_with(videos.encoded()[:8] + bytes(2 * 2**20), video_mb=1)
    assert (answer.status_code, set(answer.json)) == (413, {"detail"})
    assert "1 MB" in answer.json["detail"]
    assert spooled(settings) == []
