"""Requests that are no HTTP, or try to be two: refused without a 5xx, and the next client is answered."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest

from beam_api.server.connection import HEAD_S
from tests.hostile.conftest import ERROR, MEASURE, Target

pytestmark = pytest.mark.integration

GET = "GET /health HTTP/1.1\r\nHost: x\r\n"
POST = f"POST {MEASURE} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
LONG = "a" * 9000

MALFORMED = {
    "length and chunks": POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "the same length twice": POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "a list of lengths": POST + "Content-Length: 5, 5\r\n\r\nabcde",
    "a length with a sign": POST + "Content-Length: +5\r\n\r\nabcde",
    "a negative length": POST + "Content-Length: -5\r\n\r\nabcde",
    "a length in hexadecimal": POST + "Content-Length: 0x5\r\n\r\nabcde",
    "a length of 10 000 digits": POST + f"Content-Length: {'9' * 8000}\r\n\r\nabcde",
    "chunks twice": POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks and another coding": POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a coding that nobody knows": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding in disguise": POST + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": POST.replace("1.1", "1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded header": GET + "X-A: 1\r\n 2\r\n\r\n",
    "a space before the colon": GET + "X-API-Key : 1\r\n\r\n",
    "a header without a colon": GET + "X-API-Key\r\n\r\n",
    "a header without a name": GET + ": 1\r\n\r\n",
    "a name with a space": GET + "X API Key: 1\r\n\r\n",
    "a name with letters of others": GET + "X-\u00c4: 1\r\n\r\n",
    "a NUL in a value": GET + "X-A: a\x00b\r\n\r\n",
    "a carriage return in a value": GET + "X-A: a\rX-API-Key: b\r\n\r\n",
    "line feeds alone": GET.replace("\r\n", "\n") + "\n\r\n\r\n",
    "a line feed in a header": GET + "X-A: 1\nX-B: 2\r\n\r\n",
    "two hosts": GET + "Host: y\r\n\r\n",
    "the same host twice": GET + "Host: x\r\n\r\n",
    "no host": "GET /health HTTP/1.1\r\n\r\n",
    "no host and other fields": "GET /health HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "no host for a whole address": "GET http://x/health HTTP/1.1\r\n\r\n",
    **{
        f"host {host!r}": f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n"
        for host in (
            "",
            "x y",
            "x, y",
            "x/y",
            "u@x",
            "x:y",
            "x:80:80",
            "x:70000",
            "[::1",
            "::1",
            "[x]",
            "a%zz",
            "\u00e4",
        )
    },
    "an invalid host in HTTP/1.0": "GET /health HTTP/1.0\r\nHost: a b\r\n\r\n",
    "a space before the first field": "GET /health HTTP/1.1\r\n Host: x\r\n\r\n",
    "a tab before the first field": "GET /health HTTP/1.1\r\n\tHost: x\r\n\r\n",
    "two empty lines first": "\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk for something": "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": "GET /health\r\n\r\n",
    "version 0.9": "GET /health HTTP/0.9\r\n\r\n",
    "version 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 9.9": "GET /health HTTP/9.9\r\n\r\n",
    "small letters": "get /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "no method": " /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method of braces": "{} /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with bytes": "GET /\u00e4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with a tab": "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
    "an authority": "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "nonsense": "\x00\xff\xfe\r\n\r\n",
}
NEVER_ENDING = {
    "line feeds alone": "GET /health HTTP/1.1\nHost: x\n\n",
    "a line feed after the request line": "GET /health HTTP/1.1\nHost: x\r\n",
    "a line feed at the end": "GET /health HTTP/1.1\r\nHost: x\r\n\n",
    "a line feed in the middle": "GET /health HTTP/1.1\r\nHost: x\nAccept: */*\r\n",
    "an empty line of a line feed first": "\nGET /health HTTP/1.1\r\n",
    "carriage returns alone": "GET /health HTTP/1.1\rHost: x\r\r",
    "a carriage return in the request line": "GET /health\r HTTP/1.1\r\n",
    "no version": "GET /health\r\n",
    "a version without a number": "GET /health HTTP/\r\n",
    "another protocol": "GET /health RTSP/1.0\r\n",
    "another protocol's greeting": "SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
"""Refused as they come: the client sends no empty line, and waits."""

LIMITED = {
    "a long line": (f"GET /{LONG} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a long header": (GET + f"X-A: {LONG}\r\n\r\n", 431),
    "many headers": (GET + "".join(f"X-{i}: 1\r\n" for i in range(100)) + "\r\n", 431),
    "an expectation": (GET + "Expect: tea\r\n\r\n", 417),
}
WELL_FORMED = {
    "a whole address": ("GET http://elsewhere.example/health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "a name with an underscore is not the name with a hyphen": (
        "GET /api/keys/me HTTP/1.1\r\nHost: x\r\nX_API_Key: {key}\r\n\r\n",
        401,
    ),
    "a proxy's header that nobody may send": (GET + "SCRIPT_NAME: /x\r\nPATH_INFO: /api/keys/me\r\n\r\n", 200),
    "a scheme that nobody may say": (GET + "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n\r\n", 200),
    "another method by header": (GET + "X-HTTP-Method-Override: DELETE\r\n\r\n", 200),
    "an unknown method": ("BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "an echo": ("TRACE /health HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "a tunnel": ("CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "all there is": ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "slashes": ("GET ///api/keys/me HTTP/1.1\r\nHost: x\r\n\r\n", 401),
    "dots": ("GET /docs/../health HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "dots in disguise": ("GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a NUL in a path": ("GET /health%00 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "bytes that are no UTF-8": ("GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "an upgrade": (
        GET + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        200,
    ),
    "no host in HTTP/1.0": ("GET /health HTTP/1.0\r\n\r\n", 200),
    "a port": ("GET /health HTTP/1.1\r\nHost: x:8000\r\n\r\n", 200),
    "an empty port": ("GET /health HTTP/1.1\r\nHost: x:\r\n\r\n", 200),
    "an address": ("GET /health HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 200),
    "a name of a container": ("GET /health HTTP/1.1\r\nHost: my_app.local.\r\n\r\n", 200),
    "an empty line first": ("\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
}


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def ask(target: Target, text: str) -> bytes:
    return target.raw(text.replace("{key}", target.key).encode("latin-1"))


def test_what_is_no_http_is_a_400_in_the_shape_of_all_errors_and_ends_the_connection(target: Target):
    for name, text in MALFORMED.items():
        answer = ask(target, text)
        assert status(answer) == 400, name
        head, _, body = answer.partition(b"\r\n\r\n")
        assert set(json.loads(body)["error"]) == ERROR, name
        assert json.loads(body)["error"]["request_id"].encode() in head, name
        assert answer.count(b"HTTP/1.1 ") == 1, name


def test_a_head_that_can_t_become_one_is_a_400_at_once(target: Target):
    """The connection stays open on the client's side; without an answer it would be cut off after HEAD_S."""
    for name, text in NEVER_ENDING.items():
        started = time.monotonic()
        answer = target.raw(text.encode("latin-1"))
        assert status(answer) == 400, name
        assert set(json.loads(answer.partition(b"\r\n\r\n")[2])["error"]) == ERROR, name
        assert time.monotonic() - started < HEAD_S / 2, name


def test_a_head_in_single_bytes_is_the_same_head(target: Target):
    for text, expected in ((GET + "\r\n", 200), ("GET /health HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400)):
        with socket.create_connection(target.address, timeout=60.0) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in text.encode():
                try:
                    connection.sendall(bytes([byte]))
                except OSError:  # refused before its end
                    break
                time.sleep(0.002)
            assert status(connection.recv(65_536)) == expected


def test_what_is_beyond_a_limit_is_named_so(target: Target):
    for name, (text, expected) in LIMITED.items():
        assert status(ask(target, text)) == expected, name


def test_what_is_odd_and_well_formed_has_one_meaning(target: Target):
    for name, (text, expected) in WELL_FORMED.items():
        answer = ask(target, text)
        assert status(answer) == expected, name
        assert b"elsewhere.example" not in answer, name


def test_a_request_hidden_in_the_body_of_another_is_never_run(target: Target):
    hidden = f"DELETE /api/keys/me HTTP/1.1\r\nHost: x\r\nX-API-Key: {target.key}\r\n\r\n"
    start = f"POST {MEASURE} HTTP/1.1\r\nHost: x\r\n"
    for text in (
        start + f"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        start + f"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{hidden}",
        start + f"Content-Length: {len(hidden)}\r\n\r\n{hidden}",
        start + f"Transfer-Encoding: chunked\r\n\r\n{len(hidden):x}\r\n{hidden}\r\n0\r\n\r\n",
        start + f"Transfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n{hidden}",
        start + f"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n{hidden}",
    ):
        answer = ask(target, text)
        assert b"HTTP/1.1 204" not in answer
        assert not any(code >= 500 for code in map(int, re.findall(rb"HTTP/1.1 (\d+)", answer)))
    assert target.ask("GET", "/api/keys/me").status_code == 200


def test_a_request_behind_a_body_that_came_in_pieces_is_answered_too(target: Target):
    body = b"--b\r\n" + bytes(300_000)
    head = f"POST {MEASURE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {target.key}\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    behind = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(target.address, timeout=30) as connection:
        for piece in (head.encode() + body[:1000], body[1000:200_000], body[200_000:] + behind):
            connection.sendall(piece)
            time.sleep(0.2)
        answers = b""
        while piece := connection.recv(65536):
            answers += piece
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answers)
    assert statuses == [b"400", b"200"]


def test_an_id_that_is_not_sane_is_not_repeated(target: Target):
    for sent in ("a" * 129, "two words", "\u00e4", "{}", "x\ty", "<script>", ""):
        answer = ask(target, GET + f"X-Request-Id: {sent}\r\n\r\n")
        assert status(answer) == 200
        found = re.search(rb"X-Request-Id: (\S+)\r\n", answer)
        assert found
        assert re.fullmatch(rb"req_[0-9a-f]{24}", found[1]), sent


def test_what_a_malformed_request_said_is_not_in_the_log(target: Target):
    ask(target, GET + f"X-API-Key : {target.key}\r\n\r\n")
    ask(target, GET + f"X-API-Key: {target.key}\x00\r\n\r\n")
    log = target.service.log.read_bytes()
    assert b'"malformed request"' in log
    assert target.key[24:].encode() not in log
