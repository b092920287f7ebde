"""Redis is distant, slow, and cuts connections in the middle of replies: late answers, and no wrong ones."""

from __future__ import annotations

import threading
import time

import pytest
import redis

from beam_api.server.embedded_redis import EmbeddedRedis
from beam_api.store.client import TIMEOUT_S
from beam_api.store.scripts import load_script
from beam_api.store.windows import APPEND_PARTS
from tests.faults.conftest import in_the_long_run, make_key
from tests.faults.proxy import Manners, proxied
from tests.faults.traffic import BATCH, BATCHES, FPS, WINDOW_S, Book, Crowd, Person
from tests.processes import wait_until
from tests.thorough import examples, rows

pytestmark = pytest.mark.integration


def script(*names: str) -> bytes:
    """What a request that runs a script has in it."""
    return load_script(redis.Redis(), *names).sha.encode()


@pytest.fixture(scope="module")
def far_redis(start_service, tmp_path_factory):
    """A service, a key of it, and the proxy between it and its Redis."""
    folder = tmp_path_factory.mktemp("far")
    with EmbeddedRedis(folder / "redis", announce=False) as server, proxied(str(server.socket)) as proxy:
        service = start_service(folder / "data", BEAM_REDIS_URL=f"redis://127.0.0.1:{proxy.port}")
        yield service, make_key(service, BEAM_REDIS_URL=server.url), proxy
        proxy.manners = Manners()
        assert service.end() == 0


@pytest.fixture
def people(far_redis):
    """Makes people, who let go of their connections in the end."""
    service, key, proxy = far_redis
    made: list[Person] = []

    def make(name: str, book: Book) -> Person:
        made.append(Person(service.url, key, name, book, pause_s=0.1))
        return made[-1]

    yield make
    proxy.manners = Manners()
    for person in made:
        person.close()


def test_replies_that_come_late_and_byte_by_byte_change_no_answer(far_redis, people):
    _, _, proxy = far_redis
    whole, sliced, late = Book(), Book(), Book()
    people("whole", whole).measure(0)
    proxy.manners = Manners(slice_bytes=1)
    people("sliced", sliced).measure(0)
    proxy.manners = Manners(delay_s=0.05)
    people("late", late).measure(0)
    vitals = [
        {
            name: book.delivered[0].data[name]
            for name in ("heart_rate", "confidence", "frames", "quality", "duration_ms")
        }
        for book in (whole, sliced, late)
    ]
    assert vitals[0] == vitals[1] == vitals[2]
    assert not whole.again + sliced.again + late.again


@pytest.mark.parametrize("after_bytes", rows([0, 1, 40], [0, 40]))
def test_frames_whose_append_was_done_but_not_reported_count_once(far_redis, people, after_bytes):
    _, _, proxy = far_redis
    book = Book()
    person = people(f"untold-{after_bytes}", book)
    for number in range(BATCHES - 1):
        proxy.manners = manners = Manners(lose_reply_to=script(*APPEND_PARTS), after_bytes=after_bytes, times=1)
        assert person.send(0, number).json()["data"]["frames"] == BATCH * (number + 1)
        assert manners.lost == 1
    assert person.send(0, BATCHES - 1).json()["data"]["frames"] == FPS * WINDOW_S


@in_the_long_run
def test_a_window_whose_claim_was_never_reported_is_measured_when_its_lease_is_over(far_redis, people):
    _, _, proxy = far_redis
    book = Book()
    person = people("unclaimed", book)
    for number in range(BATCHES - 1):
        person.send(0, number)
    proxy.manners = manners = Manners(lose_reply_to=script(*APPEND_PARTS), times=1)
    start = time.monotonic()
    answer = person.send(0, BATCHES - 1)
    assert manners.lost == 1
    assert time.monotonic() - start > 9
    assert (answer.status_code, answer.json()["data"]["frames"]) == (200, FPS * WINDOW_S)
    assert "Idempotent-Replayed" not in answer.headers


def test_a_result_whose_save_was_never_reported_is_the_one_that_was_saved(far_redis, people):
    _, _, proxy = far_redis
    for after_bytes in (0, 3):
        person = people(f"unsaved-{after_bytes}", Book())
        for number in range(BATCHES - 1):
            person.send(0, number)
        proxy.manners = manners = Manners(lose_reply_to=script("save"), after_bytes=after_bytes, times=1)
        answer = person.send(0, BATCHES - 1)
        assert manners.lost == 1
        again = person.send(0, BATCHES - 1)
        assert again.json()["data"] == answer.json()["data"]


def test_a_redis_slower_than_its_time_limit_is_a_503_in_bounded_time_and_loses_nothing(far_redis, people):
    service, key, proxy = far_redis
    book = Book()
    person = people("too-slow", book)
    assert person.send(0, 0).json()["data"]["frames"] == BATCH
    proxy.manners = Manners(delay_s=TIMEOUT_S + 1)
    start = time.monotonic()
    answer = service.get("/api/rppg/sessions/too-slow", headers={"X-API-Key": key})
    assert answer.status_code == 503
    assert time.monotonic() - start < 3 * TIMEOUT_S
    threading.Timer(1.0, lambda: setattr(proxy, "manners", Manners())).start()
    for number in range(1, BATCHES):
        data = person.send(0, number).json()["data"]
        assert data["frames"] == BATCH * (number + 1)


def test_connections_to_redis_that_are_cut_all_the_time_lose_and_double_nothing(far_redis, people):
    _, _, proxy = far_redis
    book, each = Book(), examples(1, in_all=2)
    with Crowd([people(f"cut-{i}", book) for i in range(6)], each) as crowd:
        while crowd.busy:
            proxy.cut()
            time.sleep(0.15)
    book.check(6 * each)


def test_a_redis_that_resets_every_connection_is_a_503_until_it_does_not(far_redis, people):
    service, key, proxy = far_redis
    with proxy.closed():
        assert {service.get("/nope", headers={"X-API-Key": key}).status_code for _ in range(8)} == {503}
        assert service.get("/health").status_code == 200
        assert service.get("/ready").status_code == 503
    assert wait_until(lambda: service.get("/nope", headers={"X-API-Key": key}).status_code == 404)
