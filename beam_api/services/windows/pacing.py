"""When a client that sends one frame per request should take its next frame: inside its limit, and never evenly.

An even pace below 8 frames a second shows every pulse with its aliases. Frames at irregular times have no exact ones.
Of the ways to be irregular this is *stratified* sampling: time is cut into equal parts, and in each part one frame is
taken at any moment of it. Its aliases are as weak as those of any random times (`benchmarks/pace.py` compares them),
and unlike independent random intervals it keeps the count: in no minute are there more than two frames above the mean.

No state is kept. The moment within a part follows from key, session and the number of frames in the window, so any
process can compute what another one answered before, and the interval is `mean * (1 + moment - moment before)`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beam_api.store.window_values import Session

SHARE = 0.9
"""Of the limit; the rest is for other calls with the same key."""

FASTEST_HZ = 30.0
"""A pulse holds no more than this many frames a second show."""

SPARSE_MS = 125.0
"""From this mean interval on, aliases matter and intervals vary from nothing to twice the mean."""

LONGEST_MS = 4400.0
"""Well within the 5 s of silence after which a window begins anew."""

_DENSE_WIDTH = 0.5  # frames that are dense enough are resampled: gaps would cost more than evenness
_FOLLOWED = 0.6  # a client at this share of the requested pace is as fast as its network allows
_SHORT = 0.05  # share of the limit: with fewer places left, other calls take more than their share


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still send: its limit a minute, the places left, and milliseconds until the next one is free."""

    limit_per_minute: int
    remaining: int
    free_in_ms: float


def mean_interval_ms(limit_per_minute: int, sessions: int) -> float:
    """Between two frames of a session, if this many share a key."""
    return max(60_000 * max(sessions, 1) / (SHARE * limit_per_minute), 1000 / FASTEST_HZ)


def interval_ms(session: Session, frames: int, mean_ms: float) -> float:
    """From the request that brought frame number `frames` of a window to the next one."""
    width = min(1.0, max(LONGEST_MS / mean_ms - 1, 0.0)) if mean_ms >= SPARSE_MS else _DENSE_WIDTH
    return mean_ms * (1 + width * (_moment(session, frames) - _moment(session, frames - 1)))


def within(allowance: Allowance, planned_ms: float) -> float:
    """A planned interval, stretched if other calls with the key, or too many sessions, leave few places."""
    reserve = _SHORT * allowance.limit_per_minute
    if allowance.remaining < reserve:
        planned_ms *= 2 - allowance.remaining / reserve
    return max(planned_ms, allowance.free_in_ms) if allowance.remaining < 1 else planned_ms


def follows(frame_rate_hz: float, mean_ms: float) -> bool:
    """Whether a client sends at about the requested pace."""
    return frame_rate_hz * mean_ms / 1000 >= _FOLLOWED


def _moment(session: Session, frames: int) -> float:
    """0 to 1, spread evenly and the same in every process."""
    digest = hashlib.blake2b(f"{session.key_id}:{session.session_id}:{frames}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
