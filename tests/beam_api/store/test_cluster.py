"""A cluster that changes under the store's feet: nodes that die, forget, and hand their slots on."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from beam_api.cli import main
from beam_api.exceptions import StoreUnavailable
from beam_api.services.access.admission import Admission
from beam_api.services.access.keys import Keys, Token
from beam_api.store.client import connect, ping, store_errors
from beam_api.store.health import look
from beam_api.store.keys import KeyStore
from beam_api.store.scripts import Question, Script, ask, ask_each, send, send_atomically
from beam_api.store.usage import UsageStore, today
from beam_api.store.window_values import Entry, Session
from beam_api.store.windows import WindowStore
from tests import redis_servers
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from tests.redis_servers import ClusterServers, Server

SECOND = 1_000_000


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterServers]:
    """Three primaries, the first one with a replica, that give a silent node up after a second."""
    folder = tmp_path_factory.mktemp("failover")
    with redis_servers.cluster(redis_servers.binary("bundled"), folder, replicas=1, timeout_ms=1000) as servers:
        yield servers


@pytest.fixture
def cluster(servers: ClusterServers) -> Iterator[Redis]:
    client = connect(servers.url)
    client.flushdb()
    yield client
    client.disconnect_connection_pools()  # type: ignore[attr-defined]


def named_on(client: Redis, server: Server, pattern: str) -> str:
    """A name made after the pattern, whose slot is on that server."""
    names = (pattern.format(i) for i in range(10_000))
    return next(name for name in names if client.get_node_from_key(name).port == server.port)  # type: ignore[attr-defined]


def echo(client: Redis, key: str, word: str) -> Question[bytes]:
    return Question(Script(client, "redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]"), [key], [word], bytes)


def test_questions_about_several_nodes_are_answered_in_their_order(servers: ClusterServers, cluster: Redis) -> None:
    keys = [named_on(cluster, servers.nodes[i % 3], "key{}" + str(i)) for i in range(9)]
    assert ask(cluster, *(echo(cluster, key, key) for key in keys)) == [key.encode() for key in keys]
    assert send(cluster, *(("GET", key) for key in keys)) == [key.encode() for key in keys]


def test_all_nodes_work_at_the_same_time(servers: ClusterServers, cluster: Redis) -> None:
    """A script keeps each of them busy for half a second, and gives its start and end.

    One after the other they would take a second and a half from the first start to the last end. The machine may let a
    node wait for a core, so one run in which all overlap is enough: in sequence they never do.
    """
    busy = Script(
        cluster,
        "local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end "
        "local from = now() while now() < from + 500 do end redis.call('GET', KEYS[1]) return { from, now() }",
    )
    keys = [named_on(cluster, node, "busy{}") for node in servers.nodes[:3]]
    questions = [Question(busy, [key], [], tuple) for key in keys]
    ask(cluster, *questions)  # teaches the script, to one after the other

    def overlap() -> bool:
        spans = ask(cluster, *questions)
        return bool(max(begun for begun, _ in spans) < min(ended for _, ended in spans))

    assert any(overlap() for _ in range(5))


def test_a_node_that_knows_no_script_is_taught_by_the_way_and_nothing_is_done_twice(
    servers: ClusterServers, cluster: Redis
) -> None:
    count = Script(cluster, "return redis.call('INCR', KEYS[1])")
    here, there = (named_on(cluster, servers.nodes[i], "counter{}") for i in (0, 1))
    questions = [Question(count, [here], [], int), Question(count, [there], [], int)]
    assert ask(cluster, *questions) == [1, 1]
    with servers.nodes[1].client() as node:
        node.script_flush()
    assert ask(cluster, *questions) == [2, 2]
    with servers.nodes[0].client() as node:
        node.script_flush()
    assert count(keys=[here]) == 3


def test_a_slot_that_has_moved_or_is_on_its_way_is_followed(servers: ClusterServers, cluster: Redis) -> None:
    """As a cluster that grows hands slots on: MOVED for what is gone, ASK for what is going."""
    source, target = servers.nodes[1], servers.nodes[2]
    key = named_on(cluster, source, "going{}")
    slot = cluster.keyslot(key)  # type: ignore[attr-defined]
    assert ask(cluster, echo(cluster, key, "before"), echo(cluster, "other", "x"))[0] == b"before"
    stale = connect(servers.url)
    assert send(stale, ("GET", key)) == [b"before"]
    with source.client() as old, target.client() as new:
        old_id, new_id = old.cluster("MYID"), new.cluster("MYID")
        new.cluster("SETSLOT", slot, "IMPORTING", old_id)
        old.cluster("SETSLOT", slot, "MIGRATING", new_id)
        old.migrate("127.0.0.1", target.port, key, 0, 5000)
        assert ask(cluster, echo(cluster, key, "going"), echo(cluster, "other", "x"))[0] == b"going"
        assert send(cluster, ("GET", key)) == [b"going"]
        assert send_atomically(cluster, ("GET", key), ("EXISTS", key)) == [b"going", 1]
        with pytest.raises(StoreUnavailable), store_errors():  # of two keys one may be here and one there
            send_atomically(cluster, ("GET", key), ("GET", f"{{{key}}}2"))
        for node in (new, old):
            node.cluster("SETSLOT", slot, "NODE", new_id)
        assert send_atomically(stale, ("GET", key), ("EXISTS", key)) == [b"going", 1]
        assert ask(cluster, echo(cluster, key, "gone"), echo(cluster, "other", "x"))[0] == b"gone"
        assert send_atomically(connect(servers.url), ("GET", key), ("EXISTS", key)) == [b"gone", 1]
        assert send_atomically(cluster, ("GET", key), ("EXISTS", key)) == [b"gone", 1]
        old.cluster("SETSLOT", slot, "IMPORTING", new_id)  # and back, for the other tests
        new.cluster("SETSLOT", slot, "MIGRATING", old_id)
        new.migrate("127.0.0.1", source.port, key, 0, 5000)
        for node in (old, new):
            node.cluster("SETSLOT", slot, "NODE", old_id)
    assert wait_until(lambda: send(cluster, ("GET", key)) == [b"gone"])


def test_a_silent_node_costs_one_wait_now_and_then_and_the_others_answer(
    servers: ClusterServers, cluster: Redis
) -> None:
    """And a request that was counted on the way to it is not counted: it got a 503."""
    made = Keys(KeyStore(cluster), UsageStore(cluster)).create("o")
    key_id = made.record.key_id
    home = cluster.get_node_from_key(f"{{{key_id}}}").port  # type: ignore[attr-defined]
    silent = next(node for node in servers.nodes[1:3] if node.port != home)
    away = named_on(cluster, silent, "away{}")
    token, admission = Token.parse(made.key), Admission(cluster)
    assert token
    question = echo(cluster, away, "x")
    assert admission.admit(token, "192.0.2.1", also=[question])[1] == [b"x"]
    assert silent.process
    silent.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            admission.admit(token, "192.0.2.1", also=[question])
        assert time.monotonic() - begun < 10
        answers = ask_each(cluster, echo(cluster, named_on(cluster, servers.nodes[0], "near{}"), "y"), question)
        assert answers[0] == b"y"
        assert isinstance(answers[1], StoreUnavailable)
        begun = time.monotonic()
        for _ in range(30):
            with pytest.raises(StoreUnavailable):
                ask(cluster, question)
        assert time.monotonic() - begun < 30  # two seconds each, if every one waited
    finally:
        silent.process.send_signal(signal.SIGCONT)

    def answered() -> bool:
        try:
            return admission.admit(token, "192.0.2.1", also=[question])[1] == [b"x"]
        except StoreUnavailable:
            return False

    assert wait_until(answered, 30)
    assert UsageStore(cluster).month(key_id, today()) == {today(): 2}
    assert wait_until(lambda: servers.settled(1), 30)


def test_a_window_outlives_the_node_it_is_on(servers: ClusterServers, cluster: Redis) -> None:
    """The primary is killed; its replica takes over, knowing no script."""
    lost = servers.nodes[0]
    window = named_on(cluster, lost, "beam:{{k:s{}}}:window")
    session = Session("k", window.split(":")[2].rstrip("}"))
    assert session.name("window") == window
    store = WindowStore(cluster)

    def post(second: int) -> int:
        at = (1_750_000_000 + second) * SECOND
        digest = hashlib.blake2b(str(at).encode(), digest_size=8).digest()
        entry = Entry(at, digest, b"sample")
        return store.append(session, [entry], duration_us=30 * SECOND, digest=digest).window.frames

    assert [post(second) for second in range(5)] == [1, 2, 3, 4, 5]
    assert wait_until(lost.copied)  # a moment later than it was answered: a cluster may lose that moment
    lost.kill()
    with pytest.raises(StoreUnavailable):
        post(5)
    elsewhere = named_on(cluster, servers.nodes[1], "else{}")
    assert ask(cluster, echo(cluster, elsewhere, "goes on")) == [b"goes on"]

    found: list[int] = []

    def goes_on() -> bool:
        try:
            found.append(post(5))
        except StoreUnavailable:
            return False
        return True

    assert wait_until(goes_on, 60)
    assert found == [6]
    assert [post(second) for second in (6, 7)] == [7, 8]
    assert send_atomically(cluster, ("EXISTS", session.name("window"))) == [1]


def test_what_is_wrong_with_one_node_is_seen(servers: ClusterServers, cluster: Redis, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("BEAM_REDIS_URL", servers.url)
    monkeypatch.setenv("BEAM_QUEUE_REDIS_URL", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("BEAM_DATA_DIR", str(tmp_path))

    def doctor() -> dict[str, str]:
        result = CliRunner().invoke(main, ["doctor", "--json"])
        return {f["what"]: f["mend"] for f in json.loads(result.stdout)["findings"] if f["what"] == "Redis"}

    running = [node.client() for node in servers.nodes if node.process]
    for node in running:
        node.config_set("appendonly", "yes")
    assert doctor() == {"Redis": ""}
    assert look(cluster).memory_limit_bytes == 0
    *_, one = (node for node in running if node.info("replication")["role"] == "master")
    one.config_set("maxmemory", "100mb")
    one.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "noeviction" in doctor()["Redis"]
        assert look(cluster).memory_limit_bytes == 100 * 2**20
    finally:
        one.config_set("maxmemory", "0")
        for node in running:
            node.config_set("appendonly", "no")
            node.close()


def test_a_cluster_that_is_down_is_unavailable_and_is_found_when_it_comes(tmp_path: Path) -> None:
    ports = [redis_servers.free_port() for _ in range(2)]
    client = connect("redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports))
    for use in (ping, lambda c: ask(c, echo(c, "k", "x")), lambda c: KeyStore(c).all()):
        with pytest.raises(StoreUnavailable):
            use(client)
    with redis_servers.cluster(redis_servers.binary("bundled"), tmp_path) as servers:
        client = connect(f"redis+cluster://127.0.0.1:{ports[0]},127.0.0.1:{servers.nodes[2].port}")
        ping(client)
        client.disconnect_connection_pools()  # type: ignore[attr-defined]


def test_a_mistake_of_this_service_is_not_taken_for_a_store_that_is_unavailable(cluster: Redis) -> None:
    with pytest.raises(Exception, match="slot") as caught, store_errors():
        Script(cluster, "return 1")(keys=["one", "another"])
    assert not isinstance(caught.value, StoreUnavailable)
