"""The functions that the queue names. A worker says before it forks what they work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from beam_api.services.scans.video_analysis import VideoAnalysis
    from beam_api.services.scans.webhook_delivery import WebhookDelivery


@dataclass(frozen=True, slots=True)
class Work:
    """What jobs work with. `analysing` loads OpenCV, dlib and the landmark model when it is first called."""

    analysing: Callable[[], VideoAnalysis]
    delivering: WebhookDelivery


_work: list[Work] = []


def install(work: Work) -> None:
    """Give this process, and those forked from it, what jobs work with."""
    _work[:] = [work]


def load_analysing() -> None:
    """Load what analyses need, before the fork of the first one: all others share it."""
    _work[0].analysing()


def scan(session_id: str, attempt: int) -> None:
    """Make an attempt at a session's video."""
    _work[0].analysing().attempt(session_id, attempt)


def deliver(session_id: str, delivery_id: str, attempt: int) -> None:
    """Make an attempt at a webhook."""
    _work[0].delivering.attempt(session_id, delivery_id, attempt)
