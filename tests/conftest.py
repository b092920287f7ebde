"""The real parts, small: one embedded Redis a session, one empty database a test, one landmark model for all.

`pytest --redis KIND` puts another server in its place, or a cluster (`tests.redis_servers.KINDS`).
"""

from __future__ import annotations

import gc
import os
from contextlib import ExitStack
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

# As in the service: arrays are small, and threads of the linear algebra would round sums in another order.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import pytest
from werkzeug.routing.rules import Rule

from beam_api import Settings, create_app
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.store.client import connect
from beam_api.store.cluster import as_cluster
from beam_api.web.context import EXTENSION, Parts
from rppg_core.face.reader import FaceReader
from tests import cpu_times, redis_servers, thorough
from tests.order import SECONDS, SERIAL
from tests.services import Service, services

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from redis import Redis


_httpx: Any = import_module("httpx._transports.default")
_new_context = _httpx.create_ssl_context


def _one_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
    """One TLS context for all plain clients: each would read all certificates, for 20 ms, to speak HTTP with a test."""
    usual = verify is True and not cert
    context: ssl.SSLContext = _usual_context() if usual else _new_context(verify, cert, trust_env)
    return context


_usual_context = cache(_new_context)
_httpx.create_ssl_context = _one_context


_compile = Rule._compile_builder
_compiled: dict[tuple[Any, ...], Any] = {}


def _compile_once(rule: Rule, append_unknown: bool = True) -> Any:
    """What builds the URLs of a route, compiled once for all apps: each test has its own, with 45 routes in 12 ms.

    It is given the route when it is called, and depends on the path alone.
    """
    path = (append_unknown, tuple(rule._trace), repr(rule.defaults), frozenset(rule.arguments))
    if path not in _compiled:
        _compiled[path] = _compile(rule, append_unknown)
    return _compiled[path]


Rule._compile_builder = _compile_once  # type: ignore[assignment, method-assign]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--redis", choices=redis_servers.KINDS, help="what the store runs on [bundled]")
    parser.addoption("--cpu-times", action="store_true", help="print what each test file costs in processor time")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: runs in make test-all, or with THOROUGH=1")
    cpu_times.measure_if_asked(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first, mark those that must run alone, and leave out what `make test-all` runs."""
    thorough.deselect(config, items)
    here = Path(__file__).parent

    def file(item: pytest.Item) -> str:
        return item.path.relative_to(here).as_posix()

    items.sort(key=lambda item: -SECONDS.get(file(item), 0))
    for item in items:
        if file(item) in SERIAL:
            item.add_marker("serial")


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from going through all that was imported and collected, again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server of this test session. Don't stop it: start your own if your test is about that."""
    with EmbeddedRedis(tmp_path_factory.mktemp("beam")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url_of(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """The URL of a server of some kind, which is started when it is first asked for."""
    urls = {"bundled": redis_server.url}
    with ExitStack() as stack:

        def url_of(kind: str) -> str:
            if kind not in urls:
                start: Callable[..., Any] = redis_servers.cluster if kind == "cluster" else redis_servers.single
                folder = tmp_path_factory.mktemp(kind)
                urls[kind] = stack.enter_context(start(redis_servers.binary(kind), folder)).url
            return urls[kind]

        yield url_of


@pytest.fixture
def redis_kind(pytestconfig: pytest.Config) -> str:
    """What the store of a test runs on."""
    return str(pytestconfig.getoption("--redis") or "bundled")


@pytest.fixture
def redis_url(redis_kind: str, redis_url_of: Callable[[str], str]) -> str:
    return redis_url_of(redis_kind)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client as the service makes it, on an empty database."""
    client = connect(redis_url)
    client.flushdb()
    yield client
    if cluster := as_cluster(client):
        cluster.disconnect_connection_pools()
    else:
        client.connection_pool.disconnect()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests that leave it as it was; a key or a session of its own keeps a test apart."""
    with services() as start:
        yield start(tmp_path_factory.mktemp("service") / "data", BEAM_WEBHOOK_ALLOW="127.0.0.1")


@pytest.fixture(scope="module")
def start_service() -> Iterator[Callable[..., Service]]:
    """Start another service: `start_service(data_dir, *options, **environment)`. All of them end with the module.

    `under` is a command that runs it in its own process.
    """
    with services() as start:
        yield start


@pytest.fixture
def queue_redis(settings: Settings) -> Iterator[Redis]:
    """A client of the Redis in which the queue is."""
    client = connect(settings.queue_redis_url or settings.redis_url or "")
    yield client
    client.connection_pool.disconnect()


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, redis_server: EmbeddedRedis, redis: Redis) -> Settings:
    """With a queue of its own beside a cluster."""
    queue = redis_server.url if redis_url.startswith("redis+cluster") else None
    if queue:
        connect(queue).flushdb()
    return Settings(data_dir=tmp_path, redis_url=redis_url, queue_redis_url=queue, log_level="ERROR")


@pytest.fixture(scope="session")
def reader() -> FaceReader:
    """The default landmark model, loaded once, as is the one beside it that an app has for large pictures."""
    reader = FaceReader()
    beside = reader.beside()
    reader.beside = lambda: beside  # type: ignore[method-assign]
    return reader


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
    if not hasattr(redis, "connection_pool"):
        pytest.skip("a cluster has connections to every node")
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
