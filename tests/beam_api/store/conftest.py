"""The store's tests run on the bundled server and on a cluster; in `make test-all` on every server that is here.

Costly ones run on those they name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import redis_servers, thorough
from tests.beam_api.store.people import Person

if TYPE_CHECKING:
    from redis import Redis

USUAL = ("bundled", "cluster")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "redis_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--redis")
        kinds = thorough.rows(redis_servers.KINDS, USUAL)
        metafunc.parametrize("redis_kind", [chosen] if chosen else getattr(metafunc.module, "SERVERS", kinds))


@pytest.fixture
def person(redis: Redis) -> Person:
    return Person(redis)
