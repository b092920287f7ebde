"""Redis Cluster: a client that connects when it is first used, and asks several nodes at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from redis import Redis
from redis import exceptions as redis_errors
from redis.cluster import NodeCommands, PipelineCommand, RedisCluster
from redis.typing import EncodableT

from beam_api.store.breaker import Breaker, RecentlyUnavailable

Command = Sequence[EncodableT]

# What a node may answer, or not, when it isn't the one to ask any more. The client's own way of asking knows how to go
# on. A node that is silent is not waited for a second time.
_ELSEWHERE = (
    redis_errors.AskError,
    redis_errors.TryAgainError,
    redis_errors.ClusterDownError,
    redis_errors.ConnectionError,
)
_LOST = (redis_errors.ConnectionError, redis_errors.TimeoutError)

_ATTEMPTS = 3  # of a transaction: the node that is known, the one that it names, and the one that that one names


class Cluster(RedisCluster):
    """redis-py's client, but one that gives a silent node up as soon as a single server."""

    ERRORS_ALLOW_RETRY = (  # type: ignore[assignment]
        redis_errors.ConnectionError,
        redis_errors.ClusterDownError,
        redis_errors.SlotNotCoveredError,
    )


class ClusterClient:
    """Stands for the client of a cluster in place of the one of a single server.

    redis-py's asks the cluster for its nodes when it is made. This one is made without, and makes the other when it
    is first used: a service starts while its store is unavailable, and a forked process has its own connections. Every
    node has a breaker, for the questions that `send` takes there.
    """

    def __init__(self, make: Callable[[], RedisCluster]) -> None:
        self._make = make
        self._made: RedisCluster | None = None
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster(), name)

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands to where their keys are; all nodes work at the same time.

        Returns
        -------
        list
            The replies. Where a command failed, its exception stands for the reply.
        """
        cluster = self._cluster()
        queued = [PipelineCommand(tuple(command)) for command in commands]
        parts: dict[str, list[PipelineCommand]] = {}
        for command in queued:
            parts.setdefault(cluster.get_node_from_key(_key(command.args)).name, []).append(command)
        _exchange(cluster, parts, self._breakers)
        for name, part in parts.items():
            _follow_up(cluster, name, part)
        return [command.result for command in queued]

    def transaction(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands on one slot as one. Raises what the first that failed has raised.

        A slot that is handed on is followed to the node that the reply names: for a moment the others, which
        `initialize` may ask, still know the one before.
        """
        cluster = self._cluster()
        nodes = cluster.nodes_manager
        node, asking = cluster.get_node_from_key(_key(commands[0])), False
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                return _transact(cluster.get_redis_connection(node), commands, asking=asking)
            except redis_errors.AskError as error:  # or MovedError, which is one
                if not attempts_left:
                    raise
                asking = not isinstance(error, redis_errors.MovedError)
                if not asking:
                    nodes.move_slot(error)
                elif nodes.get_node(error.host, error.port) is None:  # a node that has just joined
                    nodes.initialize(additional_startup_nodes_info=[error.node_addr])
                node = nodes.get_node(error.host, error.port) or node
            except (*_ELSEWHERE, redis_errors.TimeoutError) as error:
                nodes.initialize(last_failed_node_name=node.name)
                if not attempts_left or isinstance(error, redis_errors.TimeoutError):
                    raise
                node, asking = cluster.get_node_from_key(_key(commands[0])), False
        raise AssertionError("unreachable")

    def _cluster(self) -> RedisCluster:
        # Without a lock: several threads may make one at once, and need not wait for each other in the meantime.
        made = self._made or self._make()
        if self._made is None:
            self._made = made
        return made


def as_cluster(client: object) -> ClusterClient | None:
    """Return the client if it is a cluster's; it passes for a `redis.Redis` elsewhere."""
    return client if isinstance(client, ClusterClient) else None


def _key(command: Command) -> EncodableT:
    """The first key of a command: after its name, or of a script after its hash and the number of keys."""
    return command[3] if command[0] == "EVALSHA" else command[1]


def _transact(client: Redis, commands: Sequence[Command], *, asking: bool) -> list[Any]:
    """Run commands as one on a node; `asking` if it only takes them over, which Redis then allows until EXEC."""
    with client.pipeline(transaction=True) as pipe:
        if asking:
            pipe.immediate_execute_command("ASKING")
        for command in commands:
            pipe.execute_command(*command)
        return list(pipe.execute())


def _exchange(
    cluster: RedisCluster, parts: dict[str, list[PipelineCommand]], breakers: defaultdict[str, Breaker]
) -> None:
    """Write to all nodes, then read from all."""
    open_parts: list[NodeCommands] = []
    unread: list[NodeCommands] = []
    try:
        for name, part in parts.items():
            client = cluster.get_redis_connection(cluster.get_node(node_name=name))
            try:
                breakers[name].let_through()
                connection = client.connection_pool.get_connection()
            except _LOST as error:
                for command in part:
                    command.result = error
                continue
            node = NodeCommands(client.parse_response, client.connection_pool, connection)
            node.commands = part
            open_parts.append(node)
        unread = list(open_parts)
        for node in open_parts:
            node.write()
        for node in open_parts:
            node.read()
            unread.remove(node)
    finally:
        for name, part in parts.items():
            failure = next((c.result for c in part if isinstance(c.result, _LOST)), None)
            if not isinstance(failure, RecentlyUnavailable):
                breakers[name].note(failure)
        for node in open_parts:
            if node in unread or any(
                isinstance(c.result, _LOST) for c in node.commands
            ):  # the next one to have it must not read our replies
                node.connection.disconnect()
            node.connection_pool.release(node.connection)


def _follow_up(cluster: RedisCluster, name: str, part: list[PipelineCommand]) -> None:
    """Ask again, one by one and in order, what the node of that name was not the one to ask."""
    results = [command.result for command in part]
    if any(isinstance(result, RecentlyUnavailable) for result in results):  # nor now
        return
    if any(isinstance(result, _LOST) for result in results):
        with suppress(redis_errors.RedisError, redis_errors.RedisClusterException):  # the next request will show
            cluster.nodes_manager.initialize(last_failed_node_name=name)
    failure: Exception | None = None
    for command in part:
        if not isinstance(command.result, _ELSEWHERE):
            continue
        if failure is None:
            try:
                command.result = cluster.execute_command(*command.args)
                continue
            except (redis_errors.RedisError, redis_errors.RedisClusterException) as error:
                failure = error
        command.result = failure
