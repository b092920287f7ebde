"""The store's tests run on every server that can be had here, and on a cluster."""

import pytest

from tests import redis_servers


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "redis_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--redis")
        metafunc.parametrize("redis_kind", [chosen] if chosen else redis_servers.KINDS)
