"""Address, key and patience of a client: its arguments, else the environment, else the defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from beam_client._exchange import Manners
from beam_client.errors import ConfigurationError, MissingKey

DEFAULT_URL = "http://localhost:8000"
_CONNECT_S = 10.0


@dataclass(frozen=True)
class Settings:
    """Where the service is, and how to talk to it."""

    url: str = field(repr=False)  # with a password, maybe
    key: str = field(repr=False)
    timeout_s: float
    manners: Manners

    @classmethod
    def of(cls, url: str | None, key: str | None, timeout_ms: float, retries: int, max_wait_ms: float) -> Settings:
        """Complete arguments by BEAM_URL and BEAM_API_KEY.

        Raises
        ------
        ConfigurationError
            If the address is none, or the key can't be in a header.
        """
        address = (url or os.environ.get("BEAM_URL") or DEFAULT_URL).strip().rstrip("/")
        shown = _shown(address)
        secret = (key or os.environ.get("BEAM_API_KEY") or "").strip()
        if not (secret.isascii() and secret.isprintable()):
            raise ConfigurationError("The key holds a character that no API key has.")
        return cls(address, secret, timeout_ms / 1000, Manners(shown, retries, max_wait_ms / 1000))

    @property
    def timeouts_s(self) -> dict[str, float]:
        """Timeouts as httpx takes them: a service that does not even take connections is found out sooner."""
        return {"timeout": self.timeout_s, "connect": min(_CONNECT_S, self.timeout_s)}

    def require_key(self) -> str:
        """Return the key. Raises MissingKey."""
        if not self.key:
            raise MissingKey(
                f"No API key. Pass key=... or set BEAM_API_KEY. Get one at {self.manners.url}/keys, or with "
                "`beam keys create`."
            )
        return self.key


def _shown(address: str) -> str:
    """Return an address as messages may hold it: without a user's name and password. Raises ConfigurationError."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"The url is none: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"The url {address!r} has to begin with http:// or https://, and to name a host.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"
