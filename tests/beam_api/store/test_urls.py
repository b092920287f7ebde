import pytest

from beam_api.store.urls import Node, RedisUrl


@pytest.mark.parametrize(
    "url", ["redis://host", "rediss://u:p@host:1/2?socket_keepalive=yes", "unix:///run/redis.sock"]
)
def test_the_address_of_one_server_is_left_as_it_is(url):
    assert RedisUrl.parse(url) == RedisUrl("single", url)


def test_a_cluster_is_some_of_its_nodes():
    url = RedisUrl.parse("rediss+cluster://me:p%40ss%2F@one,two:7000,[::1]:7001,[::2]?ssl_cert_reqs=none")
    assert (url.kind, url.service) == ("cluster", "")
    assert url.nodes == (Node("one", 6379), Node("two", 7000), Node("::1", 7001), Node("::2", 6379))
    assert (url.options["username"], url.options["password"]) == ("me", "p@ss/")
    assert url.options["ssl_cert_reqs"] == "none"
    assert url.options["connection_class"].__name__ == "SSLConnection"


def test_sentinels_watch_a_service_and_may_want_another_password():
    url = RedisUrl.parse(
        "redis+sentinel://:secret@one,two:5000/beam/3?sentinel_password=o%20ther&health_check_interval=9"
    )
    assert (url.kind, url.service) == ("sentinel", "beam")
    assert url.nodes == (Node("one", 26379), Node("two", 5000))
    assert (url.options["password"], url.options["db"], url.options["health_check_interval"]) == ("secret", 3, 9)
    assert url.sentinel_options == (("password", "o ther"),)
    assert RedisUrl.parse("redis+sentinel://one/beam").options["db"] == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@host",
        "redis://me:hunter2@host:hunter2",
        "redis+cluster://me:hunter2@",
        "redis+cluster://me:hunter2@one,,two",
        "redis+cluster://me:hunter2@one:0",
        "redis+cluster://me:hunter2@one:70000",
        "redis+cluster://me:hunter2@one/1",
        "redis+cluster://me:hunter2@one?socket_timeout=hunter2",
        "redis+sentinel://me:hunter2@one",
        "redis+sentinel://me:hunter2@one/beam/hunter2",
        "redis+sentinel://me:hunter2@one/beam?sentinel_colour=hunter2",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match=r"^(must|may|has)") as caught:
        RedisUrl.parse(url)
    assert "hunter2" not in str(caught.value)


def test_a_printed_address_holds_no_password():
    for url in ("redis+cluster://me:hunter2@one", "redis+sentinel://:hunter2@one/beam?sentinel_password=hunter2"):
        assert "hunter2" not in repr(RedisUrl.parse(url))
