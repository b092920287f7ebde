"""The parts of an app, as the views reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    import redis

    from beam_api.config import Settings
    from beam_api.services.admission import Admission
    from beam_api.services.exposition import Exposition
    from beam_api.services.keys import Keys
    from beam_api.services.measuring import Measuring
    from beam_api.services.scanning import Scanning
    from beam_api.services.session_tokens import SessionTokens
    from beam_api.services.signup import Signup
    from beam_api.services.streaming import Streaming
    from beam_api.services.trend import Trends
    from beam_api.services.webhook_signing import WebhookSecrets
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
