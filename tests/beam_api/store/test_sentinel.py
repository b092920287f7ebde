"""A primary and its replica, and the Sentinels that say which is which."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from beam_api.exceptions import StoreUnavailable
from beam_api.store.breaker import PAUSE_S
from beam_api.store.client import connect, ping, store_errors
from tests import redis_servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redis_servers import Watched


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Patient Sentinels: nobody is replaced who is silent for some seconds."""
    folder = tmp_path_factory.mktemp("watched")
    with redis_servers.watched(redis_servers.binary("bundled"), folder, down_after_ms=20_000) as servers:
        yield servers


def test_the_primary_is_found_and_its_databases_are_apart(servers: Watched) -> None:
    one, other = connect(servers.url(0)), connect(servers.url(1))
    one.set("where", "here")
    assert other.get("where") is None
    with servers.primary.client() as client:
        assert client.get("where") == "here"


def test_an_answer_that_came_too_late_is_not_given_to_the_next_question(servers: Watched) -> None:
    client = connect(servers.url())
    client.mset({"one's": "secret", "another's": "answer"})
    ping(client)
    assert servers.primary.process
    servers.primary.process.send_signal(signal.SIGSTOP)
    with pytest.raises(StoreUnavailable), store_errors():
        client.get("one's")
    time.sleep(PAUSE_S + 0.1)  # until then nobody asks
    found: list[bytes | str | None] = []
    asker = threading.Thread(target=lambda: found.append(client.get("another's")))
    asker.start()
    asker.join(0.5)  # it has asked, and waits
    servers.primary.process.send_signal(signal.SIGCONT)
    asker.join()
    assert found == [b"answer"]


def test_without_a_sentinel_the_store_is_unavailable(servers: Watched) -> None:
    nobody = f"redis+sentinel://127.0.0.1:{redis_servers.free_port()}/beam"
    unknown = servers.url().replace("/beam/", "/another/")
    for url in (nobody, unknown):
        with pytest.raises(StoreUnavailable):
            ping(connect(url))


def test_sentinels_that_are_dead_are_passed_over(servers: Watched) -> None:
    url = servers.url().replace("://", f"://127.0.0.1:{redis_servers.free_port()},")
    ping(connect(url))
