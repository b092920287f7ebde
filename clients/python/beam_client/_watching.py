"""A person's window as others fill it, seen by asking again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from beam_client import results
from beam_client._exchange import Manners, ask
from beam_client._http import Emit, Pause, Request
from beam_client.errors import NotFound

if TYPE_CHECKING:
    from beam_client._http import Flow


def watch(session_id: str, every_s: float, quiet_s: float, manners: Manners) -> Flow[None]:
    """Hand out each state of a window that is new, and each finished measurement.

    It ends when nothing has changed for `quiet_s`, or when the service has forgotten a session that it knew.
    """
    seen: Any = None
    last_id: str | None = None
    changed_s = time.monotonic()
    while time.monotonic() - changed_s < quiet_s:
        try:
            body = yield from ask(Request("GET", f"/api/rppg/sessions/{session_id}"), manners)
        except NotFound:
            if seen is not None or last_id is not None:
                return
            body = None
        if body:
            data = body["data"]
            if data.get("last_measurement_id") not in (None, last_id):
                last_id, changed_s = data["last_measurement_id"], time.monotonic()
                yield from _emit_measurement(data["last_measurement_id"], manners)
            state = (data["frames"], data["progress"], data.get("partial"))
            if data["frames"] and state != seen:
                seen, changed_s = state, time.monotonic()
                yield Emit(results.progress(body))
        yield Pause(every_s)


def _emit_measurement(measurement_id: str, manners: Manners) -> Flow[None]:
    try:
        body = yield from ask(Request("GET", f"/api/rppg/measurements/{measurement_id}"), manners)
    except NotFound:  # it was forgotten in this moment
        return
    yield Emit(results.measurement(body))
