"""The running heart rate in the 202: found every other second, whichever process takes the frames.

The store gives the newest samples to the request whose frames pass another two seconds, in the answer to what it asks
anyway. What that request finds is noted for the others, until the next one looks. A window that has just begun looks
back on the one before it. What is looked at is 10 s long, so in one second it changes by a tenth.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from beam_api.exceptions import StoreUnavailable
from beam_api.services.windows.measure_result import Running
from beam_api.store.window_values import Look
from rppg_core.quality.answers import NEEDS_S
from rppg_core.rolling import SPAN_S, SPARSE_SPAN_S, partial
from rppg_core.trace.sampling import MIN_RATE_HZ
from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beam_api.store.window_values import Appended, Session
    from beam_api.store.windows import WindowStore

LOOK = Look(
    from_us=round(1e6 * NEEDS_S["heart_rate"]) - 1000,
    every_s=2,
    span_us=round(1e6 * SPAN_S),
    slow_us=round(1e6 / MIN_RATE_HZ),
    slow_span_us=round(1e6 * SPARSE_SPAN_S),
    slow_every_s=3,  # slow frames are few to share the cost of a search
)
"""When to look, and how far back."""


def running_rate(newest: Sequence[tuple[int, bytes]]) -> Running | None:
    """The running rate that the newest (time in us, packed sample) show; None if there are none to look at."""
    if len(newest) < 2:
        return None
    start = newest[0][0]
    times = [(at - start) / 1e6 for at, _ in newest]
    try:
        seen = partial(Trace.of_packed(times, [packed for _, packed in newest], (0, 0)))
    except Exception:  # the frames are taken: an extra must not cost the client its answer
        structlog.get_logger().exception("running rate failed")
        return None
    return Running.of(seen) if seen else None


def shown_rate(windows: WindowStore, session: Session, appended: Appended) -> Running | None:
    """The running rate for a request whose frames were appended: found by it, or else as last noted."""
    if not appended.newest:
        return Running.from_json(appended.partial) if appended.partial else None
    found = running_rate(appended.newest)
    if found:
        with suppress(StoreUnavailable):
            windows.note_partial(session, found.to_json())
    return found
