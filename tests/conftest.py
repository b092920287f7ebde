"""The real parts, small: one embedded Redis a session, one empty database a test, one landmark model for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from beam_api import Settings, create_app
from beam_api.context import EXTENSION, Parts
from beam_api.redis_server import EmbeddedRedis
from beam_api.store.base import connect
from rppg_core.reader import FaceReader


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server of this test session. Don't stop it: start your own if your test is about that."""
    with EmbeddedRedis(tmp_path_factory.mktemp("beam")) as server:
        yield server


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    """A client as the service makes it, on an empty database."""
    client = connect(redis_server.url)
    client.flushdb()
    yield client
    client.connection_pool.disconnect()


@pytest.fixture
def settings(tmp_path: Path, redis_server: EmbeddedRedis) -> Settings:
    return Settings(data_dir=tmp_path, redis_url=redis_server.url, log_level="ERROR")


@pytest.fixture(scope="session")
def reader() -> FaceReader:
    """The default landmark model, loaded once."""
    return FaceReader()


@pytest.fixture
def app(settings: Settings, redis: Redis, reader: FaceReader) -> Flask:
    return create_app(settings, redis=redis, reader=reader)


@pytest.fixture
def parts(app: Flask) -> Parts:
    """What the app was made of: `parts.keys` makes keys."""
    found = app.extensions[EXTENSION]
    assert isinstance(found, Parts)
    return found


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def api_key(parts: Parts) -> str:
    """A sandbox key: 100 requests a minute."""
    return parts.keys.create("tester").key


@pytest.fixture
def sent_commands(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the commands that `redis` has sent, one list for each round trip. Clear it to begin."""
    sent: list[list[str]] = []
    kind = redis.connection_pool.connection_class
    send_one, pack_many = kind.send_command, kind.pack_commands

    def send_command(self: Any, *command: Any, **more: Any) -> None:
        sent.append([str(command[0])])
        send_one(self, *command, **more)

    def pack_commands(self: Any, commands: Any) -> Any:
        commands = list(commands)
        sent.append([str(command[0]) for command in commands])
        return pack_many(self, commands)

    monkeypatch.setattr(kind, "send_command", send_command)
    monkeypatch.setattr(kind, "pack_commands", pack_commands)
    return sent
