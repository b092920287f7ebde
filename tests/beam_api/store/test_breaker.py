import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import exceptions as theirs
from redis.backoff import NoBackoff

from beam_api.exceptions import StoreUnavailable
from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.store.breaker import PAUSE_S, Breaker, Guarded, RecentlyUnavailable
from beam_api.store.client import TIMEOUT_S, connect, ping


class Redis:
    """Answers as configured, counts its calls, and is called through one breaker."""

    def __init__(self):
        self.now_s, self.asked, self.failure = 100.0, 0, None
        self.breaker = Breaker(lambda: self.now_s)

    def ask(self):
        return Guarded(NoBackoff(), 2, self.breaker).call_with_retry(self._answer, lambda _error: None)

    def _answer(self):
        self.asked += 1
        if self.failure:
            raise self.failure
        return "answer"


def test_what_is_silent_is_asked_once_and_then_not_for_a_while():
    redis = Redis()
    redis.failure = theirs.TimeoutError()
    with pytest.raises(theirs.TimeoutError):
        redis.ask()
    assert redis.asked == 1
    with pytest.raises(theirs.ConnectionError):
        redis.ask()
    assert redis.asked == 1
    redis.failure, redis.now_s = None, redis.now_s + PAUSE_S
    assert [redis.ask(), redis.ask()] == ["answer", "answer"]


def test_what_refuses_connections_is_tried_again_before_it_counts_as_unavailable():
    redis = Redis()
    redis.failure = theirs.ConnectionError()
    with pytest.raises(theirs.ConnectionError):
        redis.ask()
    assert redis.asked == 3


def test_an_error_of_a_live_server_opens_nothing():
    redis = Redis()
    redis.failure = theirs.OutOfMemoryError()
    for _ in range(3):
        with pytest.raises(theirs.OutOfMemoryError):
            redis.ask()
    assert redis.asked == 3


def test_one_question_at_a_time_finds_out_whether_it_is_back():
    redis = Redis()
    redis.failure = theirs.TimeoutError()
    with pytest.raises(theirs.TimeoutError):
        redis.ask()
    redis.now_s += PAUSE_S
    refused = []

    def ask_beside():
        """What another thread gets while the call is in progress."""
        with ThreadPoolExecutor() as other:
            refused.append(other.submit(redis.ask).exception())
        return "answer"

    assert Guarded(NoBackoff(), 2, redis.breaker).call_with_retry(ask_beside, lambda _error: None) == "answer"
    assert [type(error) for error in refused] == [RecentlyUnavailable]
    redis.failure = None
    assert redis.ask() == "answer"


def test_a_connection_lost_within_a_question_is_made_again_once_a_try():
    redis = Redis()
    redis.failure = theirs.ConnectionError()
    with pytest.raises(theirs.ConnectionError):
        Guarded(NoBackoff(), 2, redis.breaker).call_with_retry(redis.ask, lambda _error: None)
    assert redis.asked == 3  # and not 9


def test_a_server_that_hangs_costs_one_request_its_time_limit_and_the_next_ones_nothing(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url)
        ping(client)
        assert server.pid
        os.kill(server.pid, signal.SIGSTOP)
        try:
            took = []
            for _ in range(20):
                start = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    ping(client)
                took.append(time.monotonic() - start)
            assert max(took) == took[0] >= TIMEOUT_S
        finally:
            os.kill(server.pid, signal.SIGCONT)
        time.sleep(PAUSE_S)
        ping(client)
        client.close()
