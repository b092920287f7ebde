"""Addresses of Redis: of one server, of a cluster's nodes, or of Sentinels, who know which server is the primary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

from redis.connection import parse_url

SINGLE_SCHEMES = ("redis://", "rediss://", "unix://")
CLUSTER_SCHEMES = ("redis+cluster://", "rediss+cluster://")
SENTINEL_SCHEMES = ("redis+sentinel://", "rediss+sentinel://")
_PORTS = {"cluster": 6379, "sentinel": 26379}
_OF_SENTINEL = "sentinel_"  # options that are meant for the Sentinels themselves


class Node(NamedTuple):
    """Where one of several servers listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A parsed address.

    `plain` is a URL of one server that says all that holds for each of them: TLS, who we are, the database and the
    other options. `nodes` are those of a cluster that are asked for the others, or the Sentinels of `service`, to whom
    we are `sentinel_options`.
    """

    kind: Literal["single", "cluster", "sentinel"]
    plain: str = field(repr=False)
    nodes: tuple[Node, ...] = ()
    service: str = ""
    sentinel_options: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, url: str) -> RedisUrl:
        """Read the URL of a server, a cluster or Sentinels.

        It has one of the forms

        * `redis://[user:password@]host[:port][/db]`, `rediss://...` for TLS, or `unix:///path`
        * `redis+cluster://[user:password@]host[:port],host[:port],...`, or `rediss+cluster://...`
        * `redis+sentinel://[user:password@]host[:port],host[:port],.../service[/db]`, or `rediss+sentinel://...`

        with what else the client understands after a question mark, and `sentinel_username` and `sentinel_password`.

        Raises
        ------
        ValueError
            If it is none of these. The message says what is wrong and never what was given: that may be a password.
        """
        if url.startswith(SINGLE_SCHEMES):
            _options(url)
            return cls("single", url)
        if url.startswith(CLUSTER_SCHEMES):
            return cls._parse_several("cluster", url)
        if url.startswith(SENTINEL_SCHEMES):
            return cls._parse_several("sentinel", url)
        raise ValueError("must begin with " + ", ".join(SINGLE_SCHEMES + CLUSTER_SCHEMES + SENTINEL_SCHEMES))

    @property
    def options(self) -> dict[str, Any]:
        """The options of the plain URL, as the client's arguments."""
        return _options(self.plain)

    @classmethod
    def _parse_several(cls, kind: Literal["cluster", "sentinel"], url: str) -> RedisUrl:
        scheme, _, rest = url.partition("://")
        rest, _, query = rest.partition("?")
        rest, _, path = rest.partition("/")
        user, at, hosts = rest.rpartition("@")
        nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
        service, database = _service_and_database(kind, path)
        own, of_sentinel = _split_options(query)
        plain = f"{scheme.partition('+')[0]}://{user}{at}any/{database or 0}" + (f"?{urlencode(own)}" if own else "")
        _options(plain)
        if any(name not in ("username", "password") for name, _ in of_sentinel):
            raise ValueError("may have sentinel_username and sentinel_password, and no other sentinel_ option")
        return cls(kind, plain, nodes, service, of_sentinel)


def _service_and_database(kind: Literal["cluster", "sentinel"], path: str) -> tuple[str, str]:
    """The service that Sentinels watch, and the number of the database; each may be empty."""
    service, _, database = path.strip("/").partition("/") if kind == "sentinel" else ("", "", path)
    if kind == "sentinel" and not service:
        raise ValueError("must name the service that the Sentinels watch: redis+sentinel://host:port/service")
    if kind == "cluster" and database not in ("", "0"):
        raise ValueError("must name no database: a cluster has only one")
    if database and not database.isdigit():
        raise ValueError("must end with the number of a database, or without one")
    return service, database


def _split_options(query: str) -> tuple[list[tuple[str, str]], tuple[tuple[str, str], ...]]:
    """Options of the servers, and those of the Sentinels without their prefix."""
    given = parse_qsl(query, keep_blank_values=True)
    own = [(name, value) for name, value in given if not name.startswith(_OF_SENTINEL)]
    sentinel = ((name.removeprefix(_OF_SENTINEL), value) for name, value in given if name.startswith(_OF_SENTINEL))
    return own, tuple(sentinel)


def _options(plain: str) -> dict[str, Any]:
    try:
        return dict(parse_url(plain))
    except ValueError:  # its message may have a part of the URL
        raise ValueError("has a port or an option that is not understood") from None


def _node(address: str, default_port: int) -> Node:
    host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
    if not colon:
        host, port = address, str(default_port)
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must name hosts and ports, as in host:6379,host:6379")
    return Node(host, int(port))
