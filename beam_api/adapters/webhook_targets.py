"""Where a webhook may go: nowhere inside the operator's own network, unless the operator allows it.

A URL is checked twice: as text when it is given, and by what its host resolves to when it is called. What was checked
is then what is connected to: the name is resolved once a delivery.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

MOST_CHARACTERS = 2048
_PORTS = {"http": 80, "https": 443}
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".lan")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NAT64, _GLOBAL_UNICAST = IPv6Network("64:ff9b::/96"), IPv6Network("2000::/3")
_METADATA = frozenset({ip_address("168.63.129.16")})  # public, and yet a cloud's own: the others are not public
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""What IANA keeps for special purposes and Python's tables, which differ from release to release, may call global. One
of them holds a cloud's metadata."""

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Host name and port to the addresses of the host, as text. Raises OSError."""


class TargetRefused(ValueError):
    """The URL must not be called. The message says why, and nothing of what was found behind it."""


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of BEAM_WEBHOOK_ALLOW: a host name, an address or a network, with a port or any."""

    name: str
    network: IPv4Network | IPv6Network | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> AllowedHost:
        """Read `name`, `10.0.0.7`, `10.0.0.0/8` or `[fd00::1]`, each with or without `:port`. Raises ValueError."""
        host, port = text.strip().lower(), None
        if host.count(":") == 1 or host.startswith("["):
            host, _, digits = host.removeprefix("[").partition("]:" if host.startswith("[") else ":")
            host, port = host.removesuffix("]"), int(digits) if digits else None
        if not host or (port is not None and not 1 <= port <= 65535):
            raise ValueError(text)
        try:
            return cls(host, ip_network(host, strict=False), port)
        except ValueError:
            if "/" in host or ":" in host:
                raise
            return cls(host, None, port)

    def covers(self, host: str, address: Address | None, port: int) -> bool:
        """Whether this entry allows a host by its name or by one of its addresses."""
        if self.port not in (None, port):
            return False
        return host == self.name or (self.network is not None and address is not None and address in self.network)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be called, at one of these addresses."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


def check_url(url: str, allowed: Sequence[AllowedHost]) -> None:
    """Check a URL as text, without asking a name server. Raises TargetRefused."""
    host, port = _split(url)
    literal = _literal(host)
    if any(entry.covers(host, literal, port) for entry in allowed):
        return
    if literal is not None and not is_public(literal):
        raise TargetRefused("must not lead into a private network")
    # Where the operator allows networks, what such a name leads to is seen when it is resolved.
    private_name = literal is None and (f".{host}".endswith(_LOCAL_NAMES) or "." not in host)
    if private_name and not any(entry.network for entry in allowed):
        raise TargetRefused("must have a public host name")


def resolve_target(url: str, allowed: Sequence[AllowedHost], resolve: Resolve) -> Target:
    """Resolve the host of a URL, once, and choose the addresses to connect to.

    Raises
    ------
    TargetRefused
        If the URL is malformed, or any address of its host is private, loopback, link-local or a cloud's own, and
        none is one that the operator allows.
    OSError
        If the host can't be resolved.
    """
    host, port = _split(url)
    literal = _literal(host)
    found = [literal] if literal is not None else [ip_address(text.partition("%")[0]) for text in resolve(host, port)]
    if not found:
        raise OSError("no address")
    allowed_ones = [a for a in found if any(entry.covers(host, a, port) for entry in allowed)]
    if not allowed_ones and not all(map(is_public, found)):
        raise TargetRefused("must not lead into a private network")
    return Target(url, host, port, tuple(str(address) for address in allowed_ones or found))


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: Address) -> bool:
    """Whether an address is one of the public network, and so is any IPv4 address inside it."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    special = address in _METADATA or any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not address.is_reserved and not special


def _split(url: str) -> tuple[str, int]:
    if len(url) > MOST_CHARACTERS or not url.isascii() or any(c <= " " or c in '\\"<>\x7f' for c in url):
        raise TargetRefused("must be a URL of at most 2048 ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError as error:
        raise TargetRefused("must be a URL") from error
    if parts.scheme not in _PORTS or not host or port == 0:
        raise TargetRefused("must be an http or https URL")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise TargetRefused("must not hold a user name or password")
    if _literal(host) is None and ("[" in parts.netloc or not _HOST_NAME.fullmatch(host)):
        raise TargetRefused("must have a host name of letters, digits, hyphens and dots")
    return host, port or _PORTS[parts.scheme]


def _literal(host: str) -> Address | None:
    """The address that a host is, in any spelling that a resolver takes (127.1, 0x7f000001); None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
