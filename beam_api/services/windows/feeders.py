"""Which connection feeds a window, as a hash: two people under one name are noticed, and no address is kept."""

from __future__ import annotations

import hashlib

SHARED = (
    "Another connection sent frames to this window within the last 5 s, and this request has no `session_id`. "
    "Frames of two people in one window give no vitals of either: send a `session_id` for each person. "
    "If it is one person, all is well."
)


def feeder(secret: str, address: str, port: str, agent: str) -> bytes:
    """Name a connection by 8 bytes, from which nobody without the key's secret finds the address.

    Parameters
    ----------
    secret : str
        The API key of the request.
    address, port : str
        Of the client's end. Without a port, where a proxy or a client opens connections as it likes, the client is
        known by its address and `agent` instead.
    agent : str
        The client's `User-Agent`.
    """
    about = f"{address} {port}" if port else f"{address} {agent}"
    key = hashlib.sha256(secret.encode()).digest()
    return hashlib.blake2b(about.encode("utf-8", "replace"), key=key, digest_size=8).digest()
