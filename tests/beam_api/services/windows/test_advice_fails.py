"""Advice is an extra: when it fails, the frames are kept and the answer is the usual one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beam_api import create_app
from beam_api.services.windows import measuring
from tests import images


@pytest.mark.parametrize("failure", [RuntimeError("advice"), MemoryError(), ZeroDivisionError()])
def test_frames_are_kept_when_their_advice_fails(settings, redis, reader, failure, monkeypatch):
    def fail(*_: object) -> tuple[str, ...]:
        raise failure

    made = measuring.Measuring.__init__
    monkeypatch.setattr(
        measuring.Measuring, "__init__", lambda self, *parts, **more: made(self, *parts, **(more | {"advise": fail}))
    )
    app = create_app(replace(settings, log_level="CRITICAL"), redis=redis, reader=reader)
    headers = {"X-API-Key": app.extensions["beam_api"].keys.create("t", tier="enterprise").key}
    picture = images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))
    client = app.test_client()
    for number, sent in enumerate((1, 4)):
        times = [f"{1000 * number + 40 * i}" for i in range(sent)]
        body = b"".join(
            [b'--b\r\nContent-Disposition: form-data; name="session_id"\r\n\r\na\r\n']
            + [
                b'--b\r\nContent-Disposition: form-data; name="timestamp_ms"\r\n\r\n%b\r\n' % at.encode()
                for at in times
            ]
            + [
                b'--b\r\nContent-Disposition: form-data; name="frame"; filename="f.jpg"\r\n\r\n%b\r\n' % picture
                for _ in times
            ]
        )
        answer = client.post(
            "/api/rppg/measure",
            headers=headers,
            data=body + b"--b--\r\n",
            content_type="multipart/form-data; boundary=b",
        )
        assert answer.status_code == 202, answer.text
        assert answer.json["data"]["guidance"] == []
    kept = client.get("/api/rppg/sessions/a", headers=headers).json["data"]
    assert kept["frames"] == 5
