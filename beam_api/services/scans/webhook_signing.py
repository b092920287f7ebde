"""Webhook secrets: derived for each API key, replaced on demand, and used to sign as Standard Webhooks says."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from beam_api.store.webhook_secrets import SecretVersionStore


class WebhookSecrets:
    """Gives and replaces the secrets of API keys. They are derived from the service's own, so none is kept."""

    def __init__(self, versions: SecretVersionStore, root: Callable[[], bytes]) -> None:
        self._versions, self._root = versions, root

    def current(self, key_id: str) -> str:
        """The secret with which a receiver verifies what is sent for this API key."""
        return self._secret(key_id, self._versions.versions(key_id)[0])

    def rotate(self, key_id: str) -> str:
        """Make a new secret. The one before it signs too, for 24 h."""
        return self._secret(key_id, self._versions.rotate(key_id))

    def headers(self, key_id: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The three headers of a signed message; `at` is in UTC."""
        secrets = [self._secret(key_id, version) for version in self._versions.versions(key_id)]
        signatures = [Webhook(secret).sign(message_id, at, body.decode()) for secret in secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _secret(self, key_id: str, version: int) -> str:
        digest = hmac.new(self._root(), f"webhook:{key_id}:{version}".encode(), sha256).digest()
        return f"whsec_{base64.b64encode(digest).decode()}"
