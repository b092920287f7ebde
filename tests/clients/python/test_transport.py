"""What happens on the way: lost answers, rate limits, wrong keys, other servers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from beam_client import (
    Beam,
    BeamError,
    InvalidImage,
    InvalidKey,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServiceUnreachable,
    TooLarge,
    UnexpectedAnswer,
)
from tests import videos
from tests.faults.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.services import Service

pytestmark = pytest.mark.integration


def port_of(service: Service) -> int:
    return httpx.URL(service.url).port or 0


def test_answers_that_are_lost_lose_nothing(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    key = make_key()
    with Beam(service.url, key) as direct, proxied(port_of(service)) as proxy:
        expected = direct.measure(frames)
        with Beam(f"http://127.0.0.1:{proxy.port}", key) as client:
            proxy.manners.lose_reply_to = b"POST /api/rppg/measure"
            proxy.manners.times = 3
            found = client.measure(frames)
        assert proxy.manners.lost == 3
    assert found.heart_rate == expected.heart_rate
    assert (found.frames, found.duration_ms, found.rejected) == (expected.frames, expected.duration_ms, ())


def test_the_answer_with_the_measurement_is_replayed_when_it_is_lost(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    with proxied(port_of(service)) as proxy, Beam(f"http://127.0.0.1:{proxy.port}", make_key()) as client:

        def lose_the_last(progress) -> None:
            if progress.share > 0.8:
                proxy.manners.lose_reply_to = b"POST /api/rppg/measure"
                proxy.manners.times = 1

        found = client.measure(frames, progress=lose_the_last)
        assert proxy.manners.lost == 1
    assert found.replayed
    assert found.heart_rate.value == pytest.approx(videos.RATE_BPM, abs=2)


def test_a_connection_that_is_cut_again_and_again_is_named(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    with (
        proxied(port_of(service)) as proxy,
        Beam(f"http://127.0.0.1:{proxy.port}", make_key(), retries=1) as client,
        proxy.closed(),
        pytest.raises(ServiceUnreachable, match="can't be reached"),
    ):
        client.check(frames[0][1])


def test_a_key_without_requests_left_says_when_it_has_some_again(
    service: Service, make_key: Callable[..., str], frames: list[tuple[float, bytes]]
) -> None:
    key = make_key(tier="enterprise", limit_per_minute=2)
    with Beam(service.url, key, max_wait_ms=0) as client:
        client.check(frames[0][1])
        client.check(frames[0][1])
        with pytest.raises(RateLimited) as caught:
            client.check(frames[0][1])
    assert caught.value.retry_after == pytest.approx(58, abs=5)
    assert caught.value.code == "RATE_LIMITED"


def test_a_wait_that_the_service_asks_for_is_kept(make_key: Callable[..., str]) -> None:
    """A server that is busy once, then answers: the second request has the same body."""
    seen: list[bytes] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(body.replace(self.headers["Content-Type"].rpartition("=")[2].encode(), b""))
            answer = b'{"success": true, "data": {"ok": true, "guidance": [], "face": null}}'
            self.send_response(503 if len(seen) == 1 else 200)
            if len(seen) == 1:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Busy) as url, Beam(url, "key") as client:
        assert client.check(b"picture").ok
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_something_else_at_the_address_is_named() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"a": 1}' if self.path.endswith("/json") else b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Other) as url, Beam(url, "key") as client:
        with pytest.raises(UnexpectedAnswer, match="No Beam answers at"):
            client.session("a")
        with pytest.raises(UnexpectedAnswer, match="No Beam answers at"):
            client.session("json")
        with pytest.raises(UnexpectedAnswer, match="status 501"):
            client.check(b"picture")


def test_a_wrong_key_names_the_next_step(service: Service, frames: list[tuple[float, bytes]]) -> None:
    with (
        Beam(service.url, "beam_sk_wrong") as client,
        pytest.raises(InvalidKey, match=r"/keys.*BEAM_API_KEY") as caught,
    ):
        client.measure(frames)
    assert (caught.value.status, caught.value.code) == (401, "INVALID_API_KEY")
    with pytest.raises(ValueError, match="no API key has"):
        Beam(service.url, "schlüssel")


def test_a_key_is_made_without_one_and_says_what_it_has_done(
    service: Service, frames: list[tuple[float, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEAM_API_KEY", raising=False)
    made = Beam(service.url).create_key("a test")
    assert made.key.startswith("beam_sk_")
    assert made.key not in repr(made)
    with Beam(service.url, made.key) as client:
        client.check(frames[0][1])
        info = client.key_info()
    assert (info.key_id, info.tier, info.limit_per_minute) == (made.key_id, "sandbox", 100)
    assert info.requests_today >= 1
    assert info.data["name"] == "a test"


def test_every_refusal_has_its_class(beam: Beam, frames: list[tuple[float, bytes]]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        beam.measure(frames, duration_ms=1)
    assert caught.value.field == "duration_ms"
    with pytest.raises(InvalidImage):
        beam.check(b"GIF89a")
    with pytest.raises(NotFound):
        beam.measurement("nobody's")
    with pytest.raises(TooLarge):
        beam.check(b"\xff\xd8\xff" + bytes(9_000_000))
    with pytest.raises(BeamError):
        beam.check(b"")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of another kind, for the length of a block; its address."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
