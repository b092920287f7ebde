"""`meta.warnings` names another connection that feeds a window of no named person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from beam_api import create_app
from beam_api.services.windows.feeders import SHARED, feeder
from tests.beam_api.web.measuring import encoded

if TYPE_CHECKING:
    from flask import Flask
    from redis import Redis

    from beam_api.web.context import Parts
    from rppg_core.face.reader import Frame

Send = Callable[..., bool]


@pytest.fixture
def send(app: Flask, enterprise_key: str, face_frames: list[Frame]) -> Send:
    frames = iter(face_frames)

    def one(
        port: int | None, *, other_app: Flask | None = None, protocol: str = "HTTP/1.1", session: str = "",
        address: str = "192.0.2.7", **headers: str,
    ) -> bool:  # fmt: skip
        """Whether the next frame, sent so, is answered with the warning."""
        frame = next(frames)
        fields = [("timestamp_ms", repr(frame.time_us / 1000), ""), ("frame", frame.data, '; filename="f.jpg"')]
        answer = (
            (other_app or app)
            .test_client()
            .post(
                "/api/rppg/measure",
                headers={"X-API-Key": enterprise_key}
                | {name.replace("_", "-"): value for name, value in headers.items()},
                data=encoded(fields + ([("session_id", session, "")] if session else [])),
                content_type="multipart/form-data; boundary=--of-a-test",
                environ_overrides={"REMOTE_ADDR": address, "SERVER_PROTOCOL": protocol}
                | ({"REMOTE_PORT": str(port)} if port else {}),
            )
        )
        assert answer.status_code == 202
        warnings = answer.get_json()["meta"]["warnings"]
        assert set(warnings) <= {SHARED}
        return bool(warnings)

    return one


def test_a_second_connection_is_named_and_the_first_when_it_goes_on(send: Send) -> None:
    assert [send(port) for port in (1, 1, 2, 1)] == [False, False, True, True]


def test_a_named_person_is_never_taken_for_another(send: Send) -> None:
    assert [send(port, session="anna") for port in (1, 2, 1)] == [False] * 3
    assert [send(port, session="default") for port in (1, 1)] == [False] * 2
    assert send(3) is True  # the same window, and this request names nobody


def test_a_client_that_closes_after_each_request_is_known_by_its_address(send: Send) -> None:
    assert [send(port, Connection="close") for port in (1, 2, 3)] == [False] * 3
    assert [send(port, protocol="HTTP/1.0") for port in (4, 5)] == [False] * 2
    assert send(6, Connection="close", address="192.0.2.8") is True


def test_a_client_that_connects_for_each_request_is_warned_once(send: Send) -> None:
    assert [send(port) for port in range(1, 7)] == [False, True, False, False, False, False]


def test_behind_a_trusted_proxy_the_client_counts_and_not_the_proxy_s_connection(send: Send, parts: Parts) -> None:
    settings = replace(parts.settings, trusted_proxies=1)
    behind = create_app(settings, redis=parts.redis, reader=parts.reader)
    first, second = {"X_Forwarded_For": "198.51.100.1"}, {"X_Forwarded_For": "198.51.100.2"}
    assert [send(port, other_app=behind, **first) for port in (1, 2, 3, 2)] == [False] * 4
    assert send(2, other_app=behind, **second) is True


def test_the_connections_of_an_unknown_proxy_say_nothing(send: Send) -> None:
    assert [send(port, X_Forwarded_For="198.51.100.1") for port in (1, 2, 1)] == [False] * 3
    assert [send(port, Via="1.1 cache") for port in (1, 2, 1)] == [False] * 3


def test_no_address_is_kept_and_none_can_be_guessed_without_the_key(send: Send, parts: Parts, redis: Redis) -> None:
    send(4711)
    (name,) = redis.keys("*:feeders")
    (kept,) = redis.hkeys(name)
    assert len(kept) == 8
    assert kept != feeder("", "192.0.2.7", "4711", "")
    stored = b"".join(redis.dump(key) or b"" for key in redis.keys("beam:{*default}:*"))
    assert b"192.0.2.7" not in stored
    assert b"4711" not in stored
