"""Finished measurements: kept for 24 h with the session they belong to, and found by their id alone.

A result lives among the keys of its session, so that saving it and letting go of the window are one step. Beside it
stands a pointer from the id to the session, written first: one that leads nowhere is as good as none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from beam_api.store.client import PREFIX, text, translates_errors
from beam_api.store.scripts import send
from beam_api.store.window_values import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import redis

KEEP_S = 24 * 3600


@translates_errors
class ResultStore:
    """Finds results; `WindowStore.save` keeps them."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def point(self, session: Session, measurement_id: str) -> None:
        """Let `find` lead to a result of this session."""
        self._redis.set(_pointer(measurement_id), f"{session.key_id}:{session.session_id}", ex=KEEP_S)

    def get(self, session: Session, measurement_id: str) -> bytes | None:
        """A result of this session."""
        return cast("bytes | None", self._redis.get(session.name(f"result:{measurement_id}")))

    def get_all(self, wanted: Sequence[tuple[Session, str]]) -> list[bytes | None]:
        """Results of several sessions, by their ids, for one round trip."""
        commands = [("GET", session.name(f"result:{measurement_id}")) for session, measurement_id in wanted]
        return send(self._redis, *commands) if commands else []

    def find(self, key_id: str, measurement_id: str) -> bytes | None:
        """A result made with this key; None for another key's as for one that isn't there."""
        pointer = self._redis.get(_pointer(measurement_id))
        owner, _, session_id = text(pointer or b"").rpartition(":")
        return self.get(Session(owner, session_id), measurement_id) if owner == key_id else None

    def last_id(self, session: Session) -> str | None:
        """Id of the session's newest result that is still kept."""
        ids = cast("list[bytes]", self._redis.zrange(session.name("results"), -1, -1))
        return text(ids[0]) if ids else None

    def unpoint(self, measurement_ids: Iterable[str]) -> None:
        """Forget where these results were."""
        for measurement_id in measurement_ids:
            self._redis.delete(_pointer(measurement_id))


def _pointer(measurement_id: str) -> str:
    return f"{PREFIX}:{{{measurement_id}}}:measurement"
