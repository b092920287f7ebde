"""Kept connections move from a crowded worker to an idle one; alone, they stay."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

import pytest

from beam_api.server.balancing import EVERY

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address(start_service, tmp_path_factory):
    """Of a service with a single worker, so that all connections are its own."""
    return urlsplit(start_service(tmp_path_factory.mktemp("one") / "data", "--workers", "1").url)


@pytest.fixture
def connection(address):
    kept = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    yield kept
    kept.close()


def ended(connection, count):
    """How many of so many requests were answered with the end of their connection."""
    ends = 0
    for _ in range(count):
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        ends += answer.getheader("Connection") == "close"
    return ends


def test_a_worker_with_one_request_at_a_time_keeps_its_connections(connection):
    assert ended(connection, 3 * EVERY) == 0


def test_a_crowded_worker_ends_a_connection_now_and_then_and_answers_every_request(address, connection):
    with socket.create_connection((address.hostname, address.port), timeout=20) as slow:
        # Its body never comes, and is not collected before, so it stays in hand meanwhile.
        slow.sendall(
            b"POST /api/keys HTTP/1.1\r\nHost: beam\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        assert any(ended(connection, 1) for _ in range(20 * EVERY))  # it may take a moment to be in hand
        assert ended(connection, 2 * EVERY) == 2
