"""The parts of an app, as the views reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    import redis

    from beam_api.config import Settings
    from beam_api.services.access.admission import Admission
    from beam_api.services.access.keys import Keys
    from beam_api.services.access.session_tokens import SessionTokens
    from beam_api.services.access.signup import Signup
    from beam_api.services.exposition import Exposition
    from beam_api.services.scans.scanning import Scanning
    from beam_api.services.scans.webhook_signing import WebhookSecrets
    from beam_api.services.windows.measuring import Measuring
    from beam_api.services.windows.streaming import Streaming
    from beam_api.services.windows.trend import Trends
    from rppg_core.face.reader import FaceReader


EXTENSION = "beam_api"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one app. They are shared by its threads, and by its processes until they fork."""

    settings: Settings
    redis: redis.Redis
    reader: FaceReader
    keys: Keys
    signup: Signup
    session_tokens: SessionTokens
    admission: Admission
    measuring: Measuring
    scanning: Scanning
    webhook_secrets: WebhookSecrets
    exposition: Exposition
    trends: Trends
    streaming: Streaming


def parts() -> Parts:
    """The parts of the app that answers the current request."""
    return cast("Parts", current_app.extensions[EXTENSION])
