"""Send one webhook: to the address that was checked, and nowhere that the receiver would like to send us on to."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import httpx

from beam_api.adapters.webhook_targets import (
    AllowedHost,
    Resolve,
    Target,
    TargetRefused,
    resolve_target,
    system_resolve,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

TIMEOUT_S = 10.0
"""For each step: to connect, to send, to be answered."""

PATIENCE_S = 15.0
"""For all of it, the name server too. A receiver that answers a byte at a time must not keep a worker from videos."""

_TOO_LATE = "No answer came in time."


class NotDelivered(Exception):
    """No answer came. The message says why, and nothing of the receiver's network."""


class Sender:
    """Posts to receivers. Follows no redirect, uses no proxy, and reads no answer's body."""

    def __init__(
        self, allowed: Sequence[str] = (), *, resolve: Resolve = system_resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        """`allowed`: as in BEAM_WEBHOOK_ALLOW. `tls`: whom to trust, by default the public authorities."""
        self._allowed = [AllowedHost.parse(entry) for entry in allowed]
        self._resolve, self._tls = resolve, tls

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a body; the status of the answer.

        Raises
        ------
        NotDelivered
            If the URL is refused, the host is not found, or no answer comes in time.
        """
        # In a thread, because neither the name server nor the steps together can be given a time limit. One that is
        # left behind ends with the process of its job.
        outcome: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                outcome.put(self._post(url, headers, body))
            except Exception as error:  # raised again where it is waited for
                outcome.put(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            found = outcome.get(timeout=PATIENCE_S)
        except queue.Empty as error:
            raise NotDelivered(_TOO_LATE) from error
        if isinstance(found, Exception):
            raise found
        return found

    def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            target = resolve_target(url, self._allowed, self._resolve)
            for address in target.addresses[:-1]:
                try:
                    return self._send(target, address, headers, body)
                except httpx.ConnectError:  # a host with two addresses may listen at one of them
                    continue
            return self._send(target, target.addresses[-1], headers, body)
        except TargetRefused as error:
            raise NotDelivered("The URL leads into a private network.") from error
        except httpx.TimeoutException as error:
            raise NotDelivered(_TOO_LATE) from error
        except httpx.HTTPError as error:
            raise NotDelivered("The connection failed.") from error
        except OSError as error:
            raise NotDelivered("The host was not found.") from error

    def _send(self, target: Target, address: str, headers: Mapping[str, str], body: bytes) -> int:
        # The connection goes to an address that was checked; Host and the certificate's name stay the URL's.
        url = httpx.URL(target.url)
        named = url.netloc.decode()
        sent = {
            "Host": named,
            "Content-Type": "application/json",
            "User-Agent": "Beam-Webhooks/1",
            "Connection": "close",
            **headers,
        }
        with (
            httpx.Client(verify=self._tls or True, trust_env=False, timeout=TIMEOUT_S) as client,
            client.stream(
                "POST",
                url.copy_with(host=address, fragment=None),
                content=body,
                headers=sent,
                extensions={"sni_hostname": target.host},
                follow_redirects=False,
            ) as answer,
        ):
            return answer.status_code
