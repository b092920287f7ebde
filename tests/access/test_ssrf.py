"""A webhook's URL is the customer's; what our machine calls must not be.

Beside tests/beam_api/adapters/test_webhook_targets.py:
spellings, redirects, name servers, answers, proxies, each against real servers on this machine.
"""

from __future__ import annotations

import ast
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import beam_api
from beam_api.adapters import webhook_sender
from beam_api.adapters.webhook_sender import NotDelivered, Sender
from beam_api.adapters.webhook_targets import TargetRefused, check_url, resolve_target, system_resolve
from tests.beam_api.services.scans.test_webhook_delivery import BODY, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from redis import Redis

INSIDE = [
    "http://0x7f.1/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://0177.1/",
    "http://2130706433/",
    "http://127.0.1/",
    "http://127.000.000.001/",
    "http://127.0.0.1./",
    "http://127.1./",
    "http://0.0.0.0/",
    "http://0x0/",
    "http://00000000/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://169.254.169.254./latest/meta-data/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[0:0:0:0:0:ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[::1]:80/",
    "http://[::1%25lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[ff02::1]/",
    "http://localhost./",
    "http://LocalHost:80/",
    "http://a.localhost./",
    "http://ip6-localhost/",
    "http://metadata/",
    "http://kubernetes.default.svc.cluster.local/",
]
TRICKS = [
    "http://127.0.0.1@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1/",
    "http://user@example.com/",
    "http://:pass@example.com/",
    "http://@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com%2F@127.0.0.1/",
    "http://example.com%00.evil.com/",
    "http://example.com\r\nX-Injected: 1/",
    "http://example.com/\r\nHost: 127.0.0.1",
    "http://example.com/\x00",
    "http://example.com/a b",
    "http://exa\tmple.com/",
    " http://example.com/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://127.0.0.１/",
    "http://ⓛocalhost/",
    "http://lоcalhost.example/",
    "http://ex­ample.com/",
    "http:/example.com/",
    "http:///example.com/",
    "//example.com/",
    "http:example.com",
    "https://",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:6379/info",
    "ftp://example.com/",
    "unix:///run/redis.sock",
    "http+unix://%2Frun%2Fredis.sock/",
    "jar:http://example.com!/",
    "data:text/plain,x",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:-1/",
    "http://example.com:80:80/",
    "http://example.com:port/",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://[example.com]/",
    "http://-/",
    "http://./",
    "http://../",
    "http://*.example.com/",
]


@pytest.mark.parametrize("url", INSIDE + TRICKS)
def test_no_spelling_leads_inside(url: str) -> None:
    """Neither as text, nor by what this machine's own resolver makes of it."""
    with pytest.raises(TargetRefused):
        check_url(url, [])
    with pytest.raises((TargetRefused, OSError)):
        resolve_target(url, [], system_resolve)


def test_the_api_refuses_it_and_keeps_nothing(client: FlaskClient, api_key: str, redis: Redis) -> None:
    for url in [*INSIDE, *TRICKS, "http://10.0.0.1/", 5, [], {"url": "http://example.com/"}, True]:
        answer = client.post("/v1/scan-session", headers={"X-API-Key": api_key}, json={"webhook_url": url})
        assert answer.status_code == 422, url
        assert answer.json["detail"].startswith("'webhook_url' must")
        assert not isinstance(url, str) or url not in answer.text
    assert redis.keys("*:scan") == []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:{port}/inside", "//127.0.0.1:{port}/inside", "/inside", "file:///"]
)
def test_no_redirect_is_followed(receiver: Receiver, status: int, where: str) -> None:
    receiver.answers = [(status, {"Location": where.format(port=receiver.server_port)})]
    assert Sender(("127.0.0.1",)).post(receiver.url("/hook"), {}, BODY) == status
    assert [path for path, _, _ in receiver.received] == ["/hook"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"])
def test_no_proxy_of_the_environment_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It would call what it likes, and resolve the name again."""
    proxy = Receiver()
    try:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.server_port}")
        sender = Sender(("127.0.0.1",), resolve=lambda _host, _port: ["127.0.0.1"])
        assert sender.post(f"http://hooks.example.com:{receiver.server_port}/", {}, BODY) == 200
        assert len(receiver.received) == 1
        assert proxy.received == []
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_no_password_of_the_machine_s_own_is_sent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login hunter2 password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert Sender(("127.0.0.1",)).post(receiver.url(), {}, BODY) == 200
    ((_, headers, _),) = receiver.received
    assert "Authorization" not in headers
    assert "Cookie" not in headers


def test_every_attempt_asks_the_name_server_anew_and_calls_what_it_checked(receiver: Receiver) -> None:
    """A name server that answers public, private, public: what is private is not called, whenever it comes."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["::ffff:127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.1"]])
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return next(answers)

    sender = Sender(("127.0.0.1",), resolve=resolve)
    url = f"http://hooks.example.com:{receiver.server_port}/"
    reached: list[str] = []
    with socket.create_server(("127.0.0.2", receiver.server_port)) as trap:
        trap.settimeout(0.2)
        for expected in ("sent", "refused", "refused", "sent", "sent"):
            try:
                sender.post(url, {}, BODY)
                reached.append("sent")
            except NotDelivered:
                reached.append("refused")
            assert reached[-1] == expected
        with pytest.raises(TimeoutError):
            trap.accept()
    assert asked == [("hooks.example.com", receiver.server_port)] * 5
    assert len(receiver.received) == 3


class Pouring:
    """A receiver that answers with as much as it can get rid of."""

    def __init__(self, head: bytes, piece: bytes, most: int) -> None:
        self.sent = 0
        self._head, self._piece, self._most = head, piece, most
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ended = threading.Event()
        threading.Thread(target=self._pour, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def _pour(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(5)
            try:
                connection.recv(65536)
                connection.sendall(self._head)
                while self.sent < self._most:
                    connection.sendall(self._piece)
                    self.sent += len(self._piece)
            except OSError:  # nobody reads it any more
                pass
        self.ended.set()


MANY = 1024 * 1024 * 1024
BUFFERS = 32 * 1024 * 1024
"""What the kernel takes on both sides without anybody reading."""


def test_a_huge_body_is_not_read() -> None:
    pouring = Pouring(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", bytes(65536), MANY)
    assert Sender(("127.0.0.1",)).post(pouring.url, {}, BODY) == 200
    assert pouring.ended.wait(20)
    assert pouring.sent < BUFFERS
    pouring.listener.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_is_not_unpacked(encoding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    pouring = Pouring(head, b"10000\r\n" + b"x" * 65536 + b"\r\n", MANY)
    assert Sender(("127.0.0.1",)).post(pouring.url, {}, BODY) == 200
    assert pouring.ended.wait(20)
    assert pouring.sent < BUFFERS
    pouring.listener.close()


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: " + b"x" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
        (b"HTTP/1.1 ", b"2" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["many headers", "one long header", "a long status", "continue for ever"],
)
def test_a_head_without_end_is_given_up(head: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "PATIENCE_S", 3.0)
    pouring = Pouring(head, piece, MANY)
    with pytest.raises(NotDelivered):
        Sender(("127.0.0.1",)).post(pouring.url, {}, BODY)
    pouring.listener.close()


@pytest.mark.parametrize(
    "said",
    [b"", b"what?\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"+PONG\r\n", b"\x16\x03\x01\x00\x00"],
)
def test_what_is_no_answer_is_none(said: bytes) -> None:
    pouring = Pouring(said, b"", 0)
    with pytest.raises(NotDelivered) as caught:
        Sender(("127.0.0.1",)).post(pouring.url, {}, BODY)
    assert str(caught.value) == "The connection failed."
    pouring.listener.close()


def test_what_is_reported_of_an_attempt_has_nothing_of_what_is_inside(receiver: Receiver) -> None:
    """An open port, a closed one and a host that isn't there get the same answer if they are private."""
    sender, said = Sender(), set()
    for url in (receiver.url(), "http://127.0.0.1:1/", "http://10.255.255.1/", "http://[::1]:9/"):
        with pytest.raises(NotDelivered) as caught:
            sender.post(url, {}, BODY)
        said.add(str(caught.value))
    assert said == {"The URL leads into a private network."}
    assert receiver.received == []


def test_a_customer_s_bytes_come_only_where_they_belong(receiver: Receiver) -> None:
    """Path and query go on as they are; a fragment stays here; nothing of the URL becomes a header."""
    url = receiver.url("/a%0d%0aX-Injected:%201/../b?c=%0d%0ad#fragment")
    assert Sender(("127.0.0.1",)).post(url, {}, BODY) == 200
    ((path, headers, _),) = receiver.received
    assert "#" not in path
    assert path.startswith("/")
    assert "X-Injected" not in headers
    assert headers["Host"] == f"127.0.0.1:{receiver.server_port}"


def test_webhooks_are_the_only_calls_out() -> None:
    """What the service imports to call others is httpx, in one module; beside it the operator's Redis and spool."""
    callers = set()
    sources = Path(beam_api.__file__).parent.rglob("*.py")
    for path in (path for path in sources if not {"cli", "examples"} & set(path.parts)):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if {name.partition(".")[0] for name in names} & {"beam_client", "httpx", "requests", "urllib3", "aiohttp"}:
                callers.add(path.name)
            if {"urllib.request", "http.client"} & set(names):
                callers.add(path.name)
    assert callers == {"webhook_sender.py"}
