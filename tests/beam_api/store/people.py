"""A client of the store, and the frames that it sends."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from beam_api.store.results import ResultStore
from beam_api.store.window_values import Appended, Arrival, Claim, Entry, Session
from beam_api.store.windows import WindowStore
from tests.beam_api.store.reference import SECOND

if TYPE_CHECKING:
    from redis import Redis

ME = Session("key1", "default")
TEN_S = 10 * SECOND
EPOCH = 1_750_000_000 * SECOND

Frames = list[tuple[int, bytes]]


def frame(time_us: int, content: str = "") -> tuple[int, bytes]:
    return time_us, hashlib.blake2b(f"{time_us}{content}".encode(), digest_size=8).digest()


def stream(seconds: float, fps: float = 10.0, start: int = EPOCH, content: str = "") -> Frames:
    return [frame(start + round(i * SECOND / fps), content) for i in range(round(seconds * fps))]


def batches(frames: Frames, size: int) -> list[Frames]:
    return [frames[i : i + size] for i in range(0, len(frames), size)]


def arrive(store: WindowStore, session: Session = ME, **more: object) -> Arrival:
    return store.ask(*store.arriving(session, **more))[0]  # type: ignore[arg-type]


def active_sessions(store: WindowStore, session: Session) -> int:
    """How many are active, after a request of this one."""
    return store.ask(*store.arriving(session))[1]


class Person:
    """A client of the store that analyses at once whatever it may claim."""

    def __init__(self, redis: Redis, session: Session = ME, duration_us: int = TEN_S) -> None:
        self.store, self.session, self.duration_us = WindowStore(redis), session, duration_us
        self.results = ResultStore(redis)
        self.completed: list[Claim] = []

    def post(
        self, frames: Frames, *, save: bool = True, stamped: bool = True, digest_of: str = "", **more: object
    ) -> Appended:
        unique = list(dict.fromkeys(frames))
        entries = [Entry(at, digest, b"sample at %d" % at) for at, digest in unique]
        digest = (
            hashlib.blake2b((repr(sorted(unique)) + digest_of).encode(), digest_size=8).digest() if stamped else b""
        )
        options: dict[str, object] = {"duration_us": self.duration_us, "frame_size": (640, 480), **more}
        outcome = self.store.append(self.session, entries, digest=digest, **options)  # type: ignore[arg-type]
        for claim in outcome.due if save else ():
            if isinstance(claim, Claim):
                self.save(claim)
        return outcome

    def save(self, claim: Claim, result: bytes = b"result") -> str:
        self.completed.append(claim)
        return self.store.save(self.session, claim, result)

    def drain(self) -> None:
        while claim := self.store.append(self.session, [], duration_us=TEN_S).claim:
            self.save(claim)

    @property
    def windows(self) -> list[list[int]]:
        return [[at for at, _ in claim.records] for claim in self.completed]


def let_the_lease_expire(redis: Redis, measurement_id: str) -> None:
    redis.hset(ME.name(f"closed:{measurement_id}"), "lease", 1)
