"""No secret in logs, metrics, errors, headers or command lines, whatever goes wrong with it at hand."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.services.access.keys import Keys, NewKey
from beam_api.store.keys import KeyStore
from tests import videos
from tests.beam_api.services.scans.test_webhook_delivery import Receiver
from tests.images import jpeg, still_face
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.access.conftest import LockedRedis
    from tests.services import Service

pytestmark = pytest.mark.integration

ROOT_SECRET = "root-hunter2-of-all-webhook-secrets"
TOKEN = "hook-hunter2-token"
USERINFO = "user-hunter2-info"
METRICS_TOKEN = "metrics-hunter2-token"


@dataclass
class Driven:
    """A service that everything went wrong for, and what came of it."""

    service: Service
    answers: list[httpx.Response] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    command_lines: str = ""
    refused: list[bytes] = field(default_factory=list)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = httpx.request(method, self.service.url + path, **{"timeout": 60, **options})
        self.answers.append(answer)
        return answer

    def raw(self, request: bytes) -> None:
        """Send what no client library would."""
        address = urlsplit(self.service.url)
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            connection.sendall(request)
            self.refused.append(connection.recv(65536))

    def look_at_processes(self) -> None:
        self.command_lines += " ".join(self.service.processes().values())
        for pid in self.service.processes():
            try:
                self.command_lines += Path(f"/proc/{pid}/comm").read_text()
            except OSError:  # it has ended meanwhile
                continue


def in_bad_requests(driven: Driven, key: str) -> None:
    """The key where it belongs and where it doesn't, in requests that are refused for every reason there is."""
    with_key = {"X-API-Key": key}
    measure = "/api/rppg/measure"
    face = ("frame", ("f.jpg", jpeg(still_face(frame_size=(240, 220), eyes_px=40.0)), "image/jpeg"))
    driven.ask("GET", f"/nope?key={key}&token={TOKEN}", headers=with_key)  # 404
    driven.ask("GET", f"/api/{key}/nope", headers={"Authorization": f"Bearer {key}"})
    driven.ask("GET", f"/api/rppg/sessions/{key}", headers=with_key)
    driven.ask("GET", f"/api/rppg/measurements/{key}?key={key}", headers=with_key)
    driven.ask("GET", f"/v1/scan-session/{key}/vitals", headers=with_key)
    driven.ask("PUT", f"/api/keys?key={key}", headers=with_key)  # 405
    driven.ask("POST", f"{measure}?key={key}")  # 401
    driven.ask("POST", measure, headers={"X-API-Key": key[:-1] + "!"})
    driven.ask("GET", "/api/keys/me", headers={"X-API-Key": key, "Authorization": f"Bearer {key}x"})
    driven.ask("GET", "/api/keys/me", headers={"Authorization": f"Basic {key}"})
    driven.ask("POST", measure, headers=with_key, content=key.encode())  # 415
    driven.ask("POST", measure, headers={**with_key, "Content-Type": f"multipart/form-data; boundary={key * 4}"})
    driven.ask("POST", measure, headers={**with_key, "Content-Type": "multipart/form-data; boundary=b"}, content=key)
    driven.ask("POST", measure, headers=with_key, files=[("frame", (key, bytes(9 * 2**20)))])  # 413
    driven.ask("POST", measure, headers=with_key, files=[("frame", (key, key.encode()))])  # UNSUPPORTED_IMAGE
    for name in ("session_id", "duration_ms", "timestamp_ms", "fps", "include_raw"):
        driven.ask("POST", measure, headers=with_key, files=[face], data={name: key})
    driven.ask("POST", "/api/keys", json={"name": key * 4})
    driven.ask("POST", "/api/keys", content=key, headers={"Content-Type": "application/json"})
    for url in (f"http://{USERINFO}:{TOKEN}@example.com/", f"http://10.0.0.1/{TOKEN}", f"ftp://x/{TOKEN}", TOKEN):
        driven.ask("POST", "/v1/scan-session", headers=with_key, json={"webhook_url": url})
    driven.ask("GET", "/nope", headers={**with_key, "X-Request-Id": key, "Cookie": f"k={key}", "Referer": f"/{key}"})


def in_no_requests_at_all(driven: Driven, key: str) -> None:
    """What gunicorn itself refuses, and used to write into its log."""
    host = "Host: x\r\n"
    for request in (
        f"GET /?key={key} HTTP/9.9\r\n{host}\r\n",
        f"GET /?key={key} what is this\r\n{host}\r\n",
        f"g\x01t /?key={key} HTTP/1.1\r\n{host}\r\n",
        f"GET / HTTP/1.1\r\n{host}X-API-Key : {key}\r\n\r\n",
        f"GET / HTTP/1.1\r\n{host}X-API-Key: a\r\n {key}\r\n\r\n",
        f"GET / HTTP/1.1\r\n{host}X-API\x00Key: {key}\r\n\r\n",
        f"GET / HTTP/1.1\r\n{host}X-API-Key: {key}\x00\r\n\r\n",
        f"GET / HTTP/1.1\r\n{host}X-API-Key {key}\r\n\r\n",
        f"GET /?key={key}{'x' * 5000} HTTP/1.1\r\n{host}\r\n",
        f"GET / HTTP/1.1\r\n{host}X-API-Key: {key}{'x' * 9000}\r\n\r\n",
        f"POST / HTTP/1.1\r\n{host}X-API-Key: {key}\r\nTransfer-Encoding: {key}\r\n\r\n",
        f"POST / HTTP/1.1\r\n{host}X-API-Key: {key}\r\nContent-Length: {key}\r\n\r\n",
        f"POST / HTTP/1.1\r\n{host}X-API-Key: {key}\r\nExpect: {key}\r\n\r\n",
        f"POST /v1/scan-session HTTP/1.1\r\n{host}X-API-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n",
    ):
        driven.raw(request.encode("latin-1"))


def in_a_store_that_fails(driven: Driven, key: str, server: LockedRedis) -> None:
    """Redis silent, with another password, and gone."""
    process, with_key = server.process, {"X-API-Key": key}
    assert process
    process.send_signal(signal.SIGSTOP)
    driven.ask("GET", "/api/keys/me", headers=with_key)
    process.send_signal(signal.SIGCONT)
    client = server.client()
    client.config_set("requirepass", "another")
    client.client_kill_filter(_type="normal", skipme=True)
    driven.ask("GET", "/api/keys/me", headers=with_key)
    driven.ask("GET", "/ready")
    client.config_set("requirepass", server.password)
    server.stop()
    driven.ask("GET", "/api/keys/me", headers=with_key)
    time.sleep(1.5)  # the video worker finds it gone, too
    server.start()
    assert wait_until(lambda: driven.ask("GET", "/ready").status_code == 200, 20)


def in_a_bug(driven: Driven, made: NewKey, server: LockedRedis) -> None:
    """A result that is none: whoever reads it fails as no line of ours foresees."""
    key_id = made.record.key_id
    server.client().set(f"beam:{{{key_id}:default}}:result:msr_1", b"{")
    server.client().set("beam:{msr_1}:measurement", f"{key_id}:default")
    answer = driven.ask("GET", "/api/rppg/measurements/msr_1", headers={"X-API-Key": made.key})
    assert answer.status_code == 500


def in_webhooks(driven: Driven, key: str) -> None:
    """A video that fails, and a receiver that does, too."""
    receiver = Receiver()
    try:
        receiver.answers = [(500, {})]
        with_key = {"X-API-Key": key}
        body = {"webhook_url": receiver.url(f"/{TOKEN}?token={TOKEN}")}
        session = driven.ask("POST", "/v1/scan-session", headers=with_key, json=body).json()["session_id"]
        driven.ask("POST", f"/v1/scan-session/{session}/video", headers=with_key, files={"file": videos.blank(6)})
        driven.look_at_processes()
        assert wait_until(lambda: bool(receiver.received), 60)
        driven.look_at_processes()
        assert TOKEN in receiver.received[0][0]
        assert wait_until(lambda: bool(deliveries(driven, key, session)), 20)
    finally:
        receiver.shutdown()
        receiver.server_close()


def deliveries(driven: Driven, key: str, session: str) -> list:
    answer = driven.ask("GET", f"/v1/scan-session/{session}/deliveries", headers={"X-API-Key": key})
    return answer.json()["deliveries"]


@pytest.fixture(scope="module")
def driven(
    start_service: Callable[..., Service], locked_redis: LockedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Driven:
    service = start_service(
        tmp_path_factory.mktemp("secrets") / "data",
        BEAM_REDIS_URL=locked_redis.url,
        BEAM_SECRET_KEY=ROOT_SECRET,
        BEAM_WEBHOOK_ALLOW="127.0.0.1",
        BEAM_METRICS_TOKEN=METRICS_TOKEN,
        BEAM_LOG_LEVEL="DEBUG",
    )
    driven = Driven(service)
    keys = Keys(KeyStore(locked_redis.client()))
    made = keys.create("o", tier="enterprise")
    other = keys.create("o", tier="scan")
    visitor = httpx.post(service.url + "/playground/key")
    driven.secrets = {
        "password of Redis": locked_redis.password,
        "root of webhook secrets": ROOT_SECRET,
        "webhook token": TOKEN,
        "webhook user": USERINFO,
        "token for metrics": METRICS_TOKEN,
        "key": made.key[24:],
        "scan key": other.key[26:],
        "visitor's key": visitor.json()["data"]["key"][24:],
        "visitor's cookie": next(cookie.value for cookie in visitor.cookies.jar) or "",
        "key of the first start": service.key[24:],
    }
    for number in (1, 2):
        reported = httpx.get(service.url + "/api/keys/me/webhook-secret", headers={"X-API-Key": made.key}).json()
        driven.secrets[f"webhook secret {number}"] = reported["data"]["secret"].removeprefix("whsec_").rstrip("=")
        httpx.post(service.url + "/api/keys/me/webhook-secret/rotate", headers={"X-API-Key": made.key})
    for key in (made.key, other.key):
        in_bad_requests(driven, key)
    in_no_requests_at_all(driven, made.key)
    in_webhooks(driven, made.key)
    in_a_bug(driven, made, locked_redis)
    in_a_store_that_fails(driven, made.key, locked_redis)
    one = keys.create("o", tier="enterprise", limit_per_minute=1).key
    for _ in range(2):
        driven.ask("GET", "/api/keys/me", headers={"X-API-Key": one})
    driven.secrets["key that is at its limit"] = one[24:]
    driven.look_at_processes()
    return driven


def found_in(driven: Driven, text: str) -> list[str]:
    return [name for name, secret in driven.secrets.items() if secret in text]


def test_everything_went_wrong(driven: Driven) -> None:
    """Else the tests below would look at a service that had nothing to tell."""
    assert {200, 400, 401, 404, 405, 413, 415, 422, 429, 500, 503} <= {a.status_code for a in driven.answers}
    assert {answer.split()[1] for answer in driven.refused} >= {b"400", b"414", b"431"}
    log = driven.service.log.read_text()
    for said in ("malformed request", "unhandled exception", "Traceback", '"status": 503', "redis"):
        assert said in log, said
    assert all(len(secret) >= 15 for secret in driven.secrets.values())


def test_no_secret_is_in_the_log(driven: Driven) -> None:
    assert found_in(driven, driven.service.log.read_text(errors="replace")) == []


def test_no_address_query_or_person_is_in_the_log(driven: Driven) -> None:
    log = driven.service.log.read_text(errors="replace")
    requests = [line for line in log.splitlines() if '"request"' in line or "malformed" in line]
    assert requests
    assert not [line for line in requests if "127.0.0.1" in line or "?" in line or "key=" in line]


def test_no_secret_is_printed_but_the_key_of_the_first_start(driven: Driven) -> None:
    assert driven.service.process.stdout
    printed = b""
    with suppress(BlockingIOError):
        printed = os.read(driven.service.process.stdout.fileno(), 65536)
    assert found_in(driven, printed.decode()) in ([], ["key of the first start"])


def test_no_secret_is_in_an_error(driven: Driven) -> None:
    for answer in driven.answers:
        if answer.status_code >= 400:
            reported = answer.text + str([pair for pair in answer.headers.items() if pair[0] != "x-request-id"])
            assert found_in(driven, reported) == [], (answer.request.url, answer.text)


def test_no_secret_is_in_the_answer_to_what_is_no_request(driven: Driven) -> None:
    assert len(driven.refused) > 10
    for answer in driven.refused:
        assert found_in(driven, answer.decode("latin-1")) == [], answer


def test_no_error_contains_paths_hosts_or_tracebacks(driven: Driven) -> None:
    for answer in driven.answers:
        if answer.status_code >= 400:
            for said in ("Traceback", "/site-packages", str(driven.service.data_dir), "redis", ".py", "gunicorn"):
                assert said not in answer.text, answer.text


def test_no_secret_is_in_a_url_that_the_service_makes(driven: Driven) -> None:
    for answer in driven.answers:
        assert "location" not in answer.headers
        assert "content-location" not in answer.headers


def test_no_secret_is_on_a_command_line_or_in_a_process_s_name(driven: Driven) -> None:
    assert "probe_child" in driven.command_lines or "worker" in driven.command_lines
    assert found_in(driven, driven.command_lines) == []


def test_no_secret_is_in_the_metrics(driven: Driven) -> None:
    answers = [
        httpx.get(driven.service.url + "/metrics"),
        httpx.get(driven.service.url + "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}),
    ]
    for answer in answers:
        assert found_in(driven, answer.text) == []
        assert "sess_" not in answer.text
        assert "127.0.0.1" not in answer.text


def test_a_secret_that_was_logged_would_be_found(driven: Driven) -> None:
    assert found_in(driven, f'{{"path": "/nope?key={driven.secrets["key"]}"}}') == ["key"]


def test_the_data_folder_and_its_secret_are_for_its_user_alone(tmp_path: Path) -> None:
    from beam_api import Settings
    from beam_api.services.access.root_secret import secret_key

    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        folder = tmp_path / "data"
        secret_key(Settings(data_dir=folder))()
        with EmbeddedRedis(folder) as server:
            kept = [folder, folder / "secret.key", server.socket, *folder.glob("redis-*"), *folder.glob("valkey-*")]
            assert [oct(path.stat().st_mode & 0o077) for path in kept] == ["0o0"] * len(kept)
    finally:
        os.umask(old)
