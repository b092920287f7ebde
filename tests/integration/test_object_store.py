"""Uploads in an object store: taken by a web process, measured by a worker that shares nothing with it but that."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.store.usage import UsageStore
from tests import deployment, redis_servers, videos
from tests.integration.machines import START_S, Machine
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.redis_servers import Server

pytestmark = pytest.mark.integration

_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class ObjectStore:
    """An S3 server with one bucket."""

    def __init__(self) -> None:
        self.port = redis_servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            "BEAM_SPOOL_URL": "s3://videos/uploads",
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers() -> bool:
            try:
                return httpx.put(f"{self.url}/videos").is_success
            except httpx.TransportError:
                return False

        assert wait_until(answers, START_S)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def objects(self) -> dict[str, int]:
        """Names and sizes."""
        listed = ET.fromstring(httpx.get(f"{self.url}/videos?list-type=2").text)
        return {
            entry.findtext(f"{_S3}Key", ""): int(entry.findtext(f"{_S3}Size", "0"))
            for entry in listed.iter(f"{_S3}Contents")
        }

    def unfinished(self) -> int:
        """Uploads in parts that were neither completed nor given up: they would be paid for, and never found."""
        listed = ET.fromstring(httpx.get(f"{self.url}/videos?uploads").text)
        return sum(1 for _ in listed.iter(f"{_S3}Upload"))


@pytest.fixture(scope="module")
def object_store() -> Iterator[ObjectStore]:
    store = ObjectStore()
    store.start()
    yield store
    store.stop()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis_servers.single(redis_servers.binary("bundled"), tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture(scope="module")
def machine(
    redis_server: Server, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Machine]]:
    started: dict[str, Machine] = {}
    environment = {"BEAM_REDIS_URL": redis_server.url, "BEAM_SECRET_KEY": "0" * 64, **object_store.environment}

    def make(name: str) -> Machine:
        return started.setdefault(name, Machine(tmp_path_factory.mktemp(name) / "data", environment))

    yield make
    for one in started.values():
        one.stop()


class Web:
    """A client of the web process."""

    def __init__(self, machine: Machine, redis_url: str) -> None:
        self.machine, port = machine, redis_servers.free_port()
        self._url = f"http://127.0.0.1:{port}"
        machine.serve(port)
        store = connect(redis_url)
        self._key = Keys(KeyStore(store), UsageStore(store)).create("t", tier="enterprise").key

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        url, headers = f"{self._url}/v1/scan-session{path}", {"X-API-Key": self._key}
        return httpx.request(method, url, headers=headers, timeout=90, **options)

    def begin(self) -> str:
        return str(self.ask("POST", "").json()["session_id"])

    def upload(self, session: str, data: bytes) -> httpx.Response:
        return self.ask("POST", f"/{session}/video", files={"file": ("v.mp4", data)})

    def status(self, session: str) -> str:
        return str(self.ask("GET", f"/{session}/vitals").json()["status"])


@pytest.fixture(scope="module")
def web(machine: Callable[[str], Machine], redis_server: Server) -> Web:
    return Web(machine("web"), redis_server.url)


def test_a_video_goes_by_way_of_the_object_store_to_a_worker_elsewhere(
    web: Web, machine: Callable[[str], Machine], object_store: ObjectStore
) -> None:
    """The second one is larger than a part of an upload to S3."""
    small, large = videos.encoded(), videos.encoded("avi", "mjpeg")
    large += b"JUNK" + (8_000_000).to_bytes(4, "little") + bytes(8_000_000)
    sessions = []
    for data in (small, large):
        sessions.append(web.begin())
        answer = web.upload(sessions[-1], data)
        assert answer.status_code == 202, (answer.text, web.machine.log())
    stored = object_store.objects()
    assert sorted(stored.values()) == sorted([len(small), len(large)])
    assert all(name.startswith("uploads/sess_") for name in stored)
    assert web.machine.files() == ["log"]
    assert {web.status(session) for session in sessions} == {"processing"}

    elsewhere = machine("elsewhere")
    elsewhere.run(*deployment.command("worker"))
    assert wait_until(lambda: {web.status(session) for session in sessions} == {"completed"}, 120), elsewhere.log()
    for session in sessions:
        vitals = web.ask("GET", f"/{session}/vitals").json()["vitals"]
        assert vitals["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert wait_until(lambda: not object_store.objects())
    assert object_store.unfinished() == 0
    assert elsewhere.files() == ["log"]


def test_what_is_refused_is_not_left_in_the_object_store(web: Web, object_store: ObjectStore) -> None:
    session = web.begin()
    assert web.upload(session, videos.sound() + bytes(6_000_000)).status_code == 422
    assert web.upload(session, b"no video" * 1_000_000).status_code == 400
    assert object_store.objects() == {}
    assert object_store.unfinished() == 0
    assert web.status(session) == "pending"


def test_an_object_store_that_is_unavailable_is_a_503_and_the_video_may_come_again(
    web: Web, object_store: ObjectStore
) -> None:
    session = web.begin()
    object_store.stop()
    answer = web.upload(session, videos.encoded())
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True), answer.text
    assert web.status(session) == "pending"
    object_store.start()
    assert web.upload(session, videos.encoded()).status_code == 202
    assert wait_until(lambda: web.status(session) == "completed", 120)
    assert wait_until(lambda: not object_store.objects())
