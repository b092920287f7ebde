"""The store's tests run on every server that can be had here, and on a cluster; costly ones on those they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import redis_servers
from tests.beam_api.store.people import Person

if TYPE_CHECKING:
    from redis import Redis


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "redis_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--redis")
        metafunc.parametrize(
            "redis_kind", [chosen] if chosen else getattr(metafunc.module, "SERVERS", redis_servers.KINDS)
        )


@pytest.fixture
def person(redis: Redis) -> Person:
    return Person(redis)
