"""Webhooks, sent to real servers on this machine."""

import json
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from beam_api.adapters import webhook_sender
from beam_api.adapters.webhook_sender import NotDelivered, Sender
from beam_api.services.scans.webhook_delivery import DELAYS_S, JITTER, WebhookDelivery
from beam_api.services.scans.webhook_signing import WebhookSecrets
from beam_api.store.deliveries import DeliveryStore
from beam_api.store.scans import Ending, ScanStore, delivery_name
from beam_api.store.webhook_secrets import SecretVersionStore

BODY = b'{"type":"scan.completed","data":{"heart_rate":72.5}}'
SESSION, MESSAGE = "sess_20261026123456_abc", "msg_1"


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses it is given, the last one again and again; keeps what it received."""

    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received, self.answers, self.names = [], [(200, {})], []
        if tls:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), body))
        status, headers = self.server.answers[0]
        del self.server.answers[: len(self.server.answers) > 1]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def secrets(redis):
    return WebhookSecrets(SecretVersionStore(redis), lambda: b"the root of all secrets")


@pytest.fixture
def queue():
    return []


@pytest.fixture
def delivering(redis, secrets, queue):
    def enqueue(*job):
        queue.append(job)

    return WebhookDelivery(DeliveryStore(redis), secrets, Sender(("127.0.0.1",)), enqueue=enqueue)


@pytest.fixture
def owe(redis, delivering):
    """Have a session end that owes a webhook to a URL."""
    scans = ScanStore(redis, lifetime_s=60)

    def owe(url):
        scans.create(SESSION, key_id="key1", owner="o", created_at="", webhook_url=url)
        scans.accept(SESSION, "upload")
        scans.claim(SESSION, 1)
        ending = Ending("failed", "why", delivery_id=MESSAGE, body=BODY, key_id="key1")
        assert scans.finish(SESSION, 1, ending) == ("saved", "upload")
        delivering.begin(SESSION, MESSAGE, scans.now_ms())

    return owe


def run(delivering, queue):
    """Do what is queued."""
    delivering.attempt(*queue.pop(0))


def due_in_s(redis, delivering):
    """Seconds until the next attempt is due."""
    ((_, at_ms),) = redis.zrange("beam:webhooks:due", 0, -1, withscores=True)
    return at_ms / 1000 - datetime.now(UTC).timestamp()


def test_a_receiver_can_verify_what_it_gets(owe, delivering, queue, receiver, secrets, redis):
    owe(receiver.url("/hook?a=b"))
    run(delivering, queue)
    ((path, headers, body),) = receiver.received
    assert (path, body) == ("/hook?a=b", BODY)
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{receiver.server_port}"
    assert Webhook(secrets.current("key1")).verify(body, headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets.current("another key")).verify(body, headers)
    (entry,) = delivering.logged(SESSION)
    assert (entry["id"], entry["status"], entry["attempt"], entry["next_at"]) == (MESSAGE, 200, 1, None)
    assert not redis.exists(delivery_name(SESSION, MESSAGE))
    assert redis.zcard("beam:webhooks:due") == 0


def test_after_a_rotation_both_secrets_verify_for_a_day(secrets, redis):
    old = secrets.current("key1")
    new = secrets.rotate("key1")
    assert old != new
    assert 24 * 3600 - 5 <= redis.ttl("beam:{key1}:webhook-replaced") <= 24 * 3600
    headers = secrets.headers("key1", MESSAGE, datetime.now(UTC), BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    later = datetime.now(UTC).timestamp() - 24 * 3600 - 5
    redis.zadd("beam:{key1}:webhook-replaced", {"0": later})
    headers = secrets.headers("key1", MESSAGE, datetime.now(UTC), BODY)
    Webhook(new).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, headers)


def test_many_rotations_leave_few_signatures(secrets):
    for _ in range(20):
        secrets.rotate("key1")
    assert len(secrets.headers("key1", MESSAGE, datetime.now(UTC), BODY)["webhook-signature"].split()) <= 4


def test_a_failed_attempt_is_made_again_with_growing_pauses_over_a_day(owe, delivering, queue, receiver, redis):
    receiver.answers = [(500, {})]
    owe(receiver.url())
    pauses = []
    for _ in DELAYS_S:
        run(delivering, queue)
        pauses.append(due_in_s(redis, delivering))
        delivering.sweep(round(1000 * (datetime.now(UTC) + timedelta(days=1)).timestamp()))
    run(delivering, queue)
    for pause, delay in zip(pauses, DELAYS_S, strict=True):
        assert (1 - JITTER) * delay - 2 <= pause <= (1 + JITTER) * delay + 1
    assert 20 * 3600 < sum(DELAYS_S) < 26 * 3600
    assert len({headers["webhook-id"] for _, headers, _ in receiver.received}) == 1
    log = delivering.logged(SESSION)
    assert [entry["attempt"] for entry in log] == list(range(1, len(DELAYS_S) + 2))
    assert all(entry["status"] == 500 for entry in log)
    assert log[-1]["next_at"] is None
    assert redis.zcard("beam:webhooks:due") == 0
    assert not redis.exists(delivery_name(SESSION, MESSAGE))


def test_an_attempt_is_made_once_however_often_it_is_queued(owe, delivering, queue, receiver):
    owe(receiver.url())
    job = queue.pop()
    delivering.attempt(*job)
    delivering.attempt(*job)
    assert len(receiver.received) == 1


def test_an_attempt_that_died_with_its_worker_is_made_again(owe, delivering, queue, receiver, redis):
    owe(receiver.url())
    DeliveryStore(redis).take(*queue.pop())  # and nothing more is heard of it
    assert due_in_s(redis, delivering) > 60
    delivering.sweep(round(1000 * datetime.now(UTC).timestamp()) + 100_000)
    run(delivering, queue)
    assert delivering.logged(SESSION)[0]["attempt"] == 2
    assert len(receiver.received) == 1


def test_gone_means_gone(owe, delivering, queue, receiver, redis):
    receiver.answers = [(410, {})]
    owe(receiver.url())
    run(delivering, queue)
    assert delivering.logged(SESSION)[0]["next_at"] is None
    assert redis.zcard("beam:webhooks:due") == 0


def test_a_redirect_is_not_followed(owe, delivering, queue, receiver):
    receiver.answers = [(302, {"Location": receiver.url("/elsewhere")})]
    owe(receiver.url())
    run(delivering, queue)
    assert [path for path, _, _ in receiver.received] == ["/hook"]
    (entry,) = delivering.logged(SESSION)
    assert entry["status"] == 302
    assert entry["next_at"] is not None


def test_a_receiver_that_is_not_there_is_noted_and_tried_again(owe, delivering, queue, receiver):
    receiver.server_close()
    owe(receiver.url())
    run(delivering, queue)
    (entry,) = delivering.logged(SESSION)
    assert (entry["status"], entry["error"]) == (None, "The connection failed.")
    assert entry["next_at"] is not None


def test_a_receiver_that_answers_a_byte_at_a_time_is_given_up(owe, delivering, queue, monkeypatch):
    monkeypatch.setattr(webhook_sender, "PATIENCE_S", 1.0)
    ended = threading.Event()

    def drip(listener):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not ended.wait(0.1):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        owe(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        run(delivering, queue)
        ended.set()
    (entry,) = delivering.logged(SESSION)
    assert (entry["status"], entry["error"]) == (None, "No answer came in time.")
    assert entry["next_at"] is not None


def test_the_url_of_a_webhook_is_not_logged(receiver):
    script = (
        "import logging.config, sys; from beam_api.monitoring.logs import stdlib_logging;"
        "from beam_api.adapters.webhook_sender import Sender;"
        "logging.config.dictConfig(stdlib_logging('DEBUG')); logging.getLogger('other').debug('this is');"
        "print(Sender(('127.0.0.1',)).post(sys.argv[1], {}, b'{}'))"
    )
    command = [sys.executable, "-c", script, receiver.url("/hook/hunter2?token=hunter2")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "200"
    assert "this is" in done.stderr
    assert "hunter2" not in done.stderr


def test_the_log_lives_as_long_as_the_session(owe, delivering, queue, receiver, redis):
    owe(receiver.url())
    run(delivering, queue)
    assert 0 < redis.pttl(f"beam:{{{SESSION}}}:deliveries") <= redis.pttl(f"beam:{{{SESSION}}}:scan") + 50
    redis.delete(f"beam:{{{SESSION}}}:scan", f"beam:{{{SESSION}}}:deliveries")
    DeliveryStore(redis).log(SESSION, {"id": "late"})
    assert delivering.logged(SESSION) == []


def test_what_resolves_inside_is_not_called(receiver):
    sender = Sender(resolve=lambda _host, _port: ["127.0.0.1"])
    with pytest.raises(NotDelivered, match="private"):
        sender.post(f"http://hooks.example.com:{receiver.server_port}/", {}, BODY)
    assert receiver.received == []


def test_a_name_that_changes_its_address_after_the_check_is_called_at_the_one_checked(receiver):
    """A rebinding resolver: it first says an address that may be called, and then one that may not."""
    answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    sender = Sender(("127.0.0.1",), resolve=lambda _host, _port: [answers.pop(0)])
    assert sender.post(f"http://hooks.example.com:{receiver.server_port}/hook", {}, BODY) == 200
    assert answers == ["127.0.0.2", "127.0.0.2"]
    assert receiver.received[0][1]["Host"] == f"hooks.example.com:{receiver.server_port}"
    with pytest.raises(NotDelivered, match="private"):
        sender.post(f"http://hooks.example.com:{receiver.server_port}/hook", {}, BODY)
    assert len(receiver.received) == 1


def test_a_host_with_two_addresses_is_reached_at_the_one_it_listens_at(receiver):
    sender = Sender(("localhost",), resolve=lambda _host, _port: ["::1", "127.0.0.3", "127.0.0.1"])
    assert sender.post(f"http://localhost:{receiver.server_port}/", {}, BODY) == 200


@pytest.fixture
def certificate(tmp_path):
    """Of hooks.example.com, and of nobody else."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    command += f" -addext subjectAltName=DNS:hooks.example.com -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def test_a_pinned_address_is_still_verified_by_the_host_s_name(certificate):
    cert, key = certificate
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(cert, key)
    receiver = Receiver(served)
    try:
        trusted = ssl.create_default_context(cafile=str(cert))
        sender = Sender(("127.0.0.1",), resolve=lambda _host, _port: ["127.0.0.1"], tls=trusted)
        assert sender.post(f"https://hooks.example.com:{receiver.server_port}/hook", {}, BODY) == 200
        assert receiver.names == ["hooks.example.com"]
        with pytest.raises(NotDelivered):  # the certificate is another host's
            sender.post(f"https://other.example.com:{receiver.server_port}/hook", {}, BODY)
        with pytest.raises(NotDelivered):  # and this one's authority is unknown to the public
            Sender(("127.0.0.1",), resolve=lambda _host, _port: ["127.0.0.1"]).post(
                f"https://hooks.example.com:{receiver.server_port}/hook", {}, BODY
            )
        assert len(receiver.received) == 1
    finally:
        receiver.shutdown()
        receiver.server_close()
