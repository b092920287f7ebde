import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from urllib.parse import urlsplit

import httpx
import pytest
import requests

from beam_api.store.breaker import PAUSE_S
from beam_api.store.client import connect
from tests import redis_servers
from tests.processes import running, wait_until

pytestmark = pytest.mark.integration

BODY = b"\0" * 30_000_000
LIMIT_HEADERS = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


def beam(service, *arguments):
    """Run a command beside the service."""
    env = os.environ | {"BEAM_DATA_DIR": str(service.data_dir), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "beam_api.cli", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def connection_to(service):
    address = urlsplit(service.url)
    return http.client.HTTPConnection(address.hostname, address.port, timeout=30)


def test_the_first_start_prints_an_address_and_a_key_that_work(service):
    assert service.key.startswith("beam_sk_")
    answer = service.get("/nope")
    assert answer.status_code == 404
    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert sum("-m gunicorn" in command for command in service.processes().values()) == 3  # a master and two workers


@pytest.mark.parametrize("key", [None, "beam_sk_" + "a" * 59, "good"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_early_answer_to_a_large_body_is_seen_and_the_connection_stays(service, key, chunked):
    headers = {"X-API-Key": service.key if key == "good" else key} if key else {}
    headers["Content-Type"] = "application/octet-stream"
    body = iter([BODY[:1_000_000]] * 30) if chunked else BODY
    connection = connection_to(service)
    connection.request("POST", "/api/nope", body=body, headers=headers, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == {None: 404, "good": 404}.get(key, 401)
    assert json.loads(answer.read())["success"] is False
    socket_before = connection.sock
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    assert connection.sock is socket_before
    connection.close()


def test_malformed_chunks_are_400_or_the_early_answer(service):
    address = urlsplit(service.url)
    start = f"POST /api/rppg/measure HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-API-Key: {service.key}\r\n"
    for content_type, status in (("multipart/form-data; boundary=b", b"400"), ("text/plain", b"415")):
        with socket.create_connection((address.hostname, address.port), timeout=20) as raw:
            raw.sendall(f"{start}Content-Type: {content_type}\r\n\r\nzz\r\nwhat\r\n".encode())
            assert raw.recv(1000).split()[1] == status


def test_requests_sees_the_answer_to_a_large_upload(service):
    for headers, status in (({}, 404), ({"X-API-Key": "wrong"}, 401), ({"X-API-Key": service.key}, 404)):
        answer = requests.post(service.url + "/api/nope", headers=headers, files={"frame": BODY}, timeout=30)
        assert answer.status_code == status


def test_keys_made_and_revoked_beside_the_service_count_at_once_in_every_worker(service):
    made = json.loads(beam(service, "keys", "create", "--owner", "me", "--json").stdout)
    headers = {"X-API-Key": made["key"]}
    remaining = [int(service.get("/nope", headers=headers).headers["X-RateLimit-Remaining"]) for _ in range(8)]
    assert remaining == list(range(99, 91, -1))
    assert beam(service, "keys", "revoke", made["key_id"]).returncode == 0
    assert {service.get("/nope", headers=headers).status_code for _ in range(8)} == {401}


def test_a_model_that_is_missing_is_said_in_a_line(tmp_path):
    env = os.environ | {"BEAM_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": os.getcwd()}
    env["BEAM_LANDMARKS"] = str(tmp_path / "broken.dat")
    (tmp_path / "broken.dat").write_bytes(b"no model")
    command = [sys.executable, "-m", "beam_api.cli", "serve", "--port", "0"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "landmark model" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_service_on_the_same_data_is_refused(service):
    second = beam(service, "serve", "--port", "0")
    assert second.returncode == 1
    assert "Another service is running" in second.stderr
    assert service.get("/ready").status_code == 200


def test_a_port_in_use_is_said_so(service, tmp_path):
    port = str(urlsplit(service.url).port)
    env = os.environ | {"BEAM_DATA_DIR": str(tmp_path), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "beam_api.cli", "serve", "--port", port]
    second = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert f"port {port}" in second.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_hangs_is_503_until_it_answers(service):
    redis = service.redis_pid()
    os.kill(redis, signal.SIGSTOP)
    try:
        start = time.monotonic()
        answer = service.get("/nope")
        assert time.monotonic() - start < 6
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) >= 1
        assert not LIMIT_HEADERS & set(answer.headers)
        assert httpx.get(service.url + "/health").status_code == 200
    finally:
        os.kill(redis, signal.SIGCONT)
    time.sleep(PAUSE_S + 0.1)  # until then nobody asks
    assert service.get("/nope").status_code == 404


def test_a_redis_that_is_killed_comes_back_with_the_keys(service):
    time.sleep(1.1)  # its log reaches the disk every second
    redis = service.redis_pid()
    os.kill(redis, signal.SIGKILL)
    assert wait_until(lambda: service.get("/nope").status_code == 404)
    assert service.redis_pid() != redis


def test_no_key_is_in_the_data_or_the_log(service):
    service.get(f"/nope?key={service.key}")
    secret = service.key[24:].encode()
    reported = service.data_dir / "first-key"  # the file that holds the key until its owner takes it away
    files = [service.log, *(p for p in service.data_dir.rglob("*") if p.is_file() and p != reported)]
    assert any(p.name == "appendonly.aof" for p in files)
    for path in files:
        assert secret not in path.read_bytes()
    for line in service.log.read_text().splitlines():
        assert json.loads(line)["event"]


def test_what_is_in_flight_is_answered_before_all_ends_and_a_restart_keeps_the_keys(start_service, tmp_path):
    first = start_service(tmp_path / "data")
    processes = list(first.processes())
    assert len(processes) == 5  # Redis, gunicorn with two workers, a video worker
    connection = connection_to(first)
    connection.putrequest("POST", "/nope")
    connection.putheader("X-API-Key", first.key)
    connection.putheader("Content-Length", "20")
    connection.endheaders(b"0123456789")
    time.sleep(0.3)  # a worker is reading the body by now
    first.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    connection.send(b"0123456789")
    assert connection.getresponse().status == 404
    connection.close()
    assert first.process.wait(20) == 0
    assert [p for p in processes if running(p)] == []

    second = start_service(tmp_path / "data")
    assert second.key == ""
    assert second.get("/nope", headers={"X-API-Key": first.key}).headers["X-RateLimit-Limit"] == "100"
    assert second.end(signal.SIGINT) == 0


def test_nothing_outlives_a_parent_that_is_killed(start_service, tmp_path):
    service = start_service(tmp_path / "data")
    # Redis, gunicorn with two workers, a video worker. A helper of one of them may live for a moment at the start.
    assert wait_until(lambda: len(service.processes()) == 5), service.processes()
    processes = service.processes()
    service.process.kill()
    service.process.wait()
    assert wait_until(lambda: not any(map(running, processes))), {p: c for p, c in processes.items() if running(p)}


@pytest.fixture(scope="module")
def secure(start_service, tmp_path_factory):
    """A service with a certificate and a Redis of the operator's own."""
    folder = tmp_path_factory.mktemp("secure")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    options = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with redis_servers.single(redis_servers.binary("bundled"), folder / "redis") as redis:
        verify = ssl.create_default_context(cafile=certificate)
        yield start_service(folder / "data", *options, verify=verify, BEAM_REDIS_URL=redis.url), certificate, redis.url


def test_with_a_redis_of_ones_own_none_is_started(secure):
    service, _, redis_url = secure
    assert not any("redis-server" in command for command in service.processes().values())
    assert service.get("/nope").headers["X-RateLimit-Limit"] == "100"
    assert connect(redis_url).dbsize() > 0
    assert [path.name for path in service.data_dir.iterdir()] == ["first-key"]


def test_it_serves_https_with_a_certificate(secure):
    service, certificate, _ = secure
    assert service.url.startswith("https://localhost:")
    answer = requests.post(service.url + "/nope", headers={"X-API-Key": "x"}, data=BODY, timeout=30, verify=certificate)
    assert answer.status_code == 401
    with socket.create_connection(("localhost", urlsplit(service.url).port)) as plain:
        plain.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert b"200 OK" not in plain.recv(1000)


def test_a_gunicorn_that_is_killed_ends_the_service(secure):
    """The last test of that service."""
    service, _, _ = secure
    processes = service.processes()
    os.kill(min(p for p, command in processes.items() if "-m gunicorn" in command), signal.SIGKILL)
    assert service.process.wait(20) != 0
    assert wait_until(lambda: not any(map(running, processes)))
