"""A person's events by the stream of the service, which is opened again where it was cut."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from beam_client import results
from beam_client._events import EventReader
from beam_client._exchange import Manners, ask, exchange, read
from beam_client._http import END, Emit, Pause, Request, Take
from beam_client.errors import NotFound, UnexpectedAnswer

if TYPE_CHECKING:
    from beam_client._events import ServerEvent
    from beam_client._http import Flow

_SILENCE_S = 40.0  # the service sends a comment every 15 s: after this long the connection is dead
_SHORTEST_SILENCE_S = 0.2
_FROM_THE_START = "0"  # an id that no measurement has: the service then sends all that it still has
_PAUSE_S = 5.0  # the longest between two tries


def watch(session_id: str, after: str | None, quiet_s: float | None, manners: Manners) -> Flow[None]:
    """Hand out the events of a session, without end, or until none has come for `quiet_s`.

    `after` is the id of the last measurement that the caller knows; without it, the flow begins with the last one.
    """
    last_id = after
    if last_id is None:
        last_id = yield from _last_measurement(session_id, manners)
    heard_s = time.monotonic()
    while True:
        left_s = None if quiet_s is None else quiet_s - (time.monotonic() - heard_s)
        if left_s is not None and left_s <= 0:
            return
        silence_s = _SILENCE_S if left_s is None else min(_SILENCE_S, max(left_s, _SHORTEST_SILENCE_S))
        request = Request(
            "GET",
            f"/api/rppg/sessions/{session_id}/events",
            headers={"Last-Event-ID": last_id or _FROM_THE_START},
            silence_s=silence_s,
        )
        answer = yield from exchange(request, manners)
        if answer.chunks is None:
            read(answer, manners.url)
            raise UnexpectedAnswer(f"No Beam answers at {manners.url} (status {answer.status}). Check the address.")
        reader = EventReader()
        while (chunk := (yield Take(answer.chunks))) is not END:
            for event in reader.feed(chunk):
                found = _typed(event, session_id)
                if found is None:
                    continue
                heard_s = time.monotonic()
                last_id = event.event_id or last_id
                yield Emit(found)
            if quiet_s is not None and time.monotonic() - heard_s >= quiet_s:
                return
        # Patience from now on: a service that restarts takes longer than a lost request.
        manners = replace(manners, retries=max(manners.retries, int(manners.max_wait_s / _PAUSE_S) + 5))
        if quiet_s is None or time.monotonic() - heard_s < quiet_s:
            yield Pause(min(reader.retry_s, _PAUSE_S))


def _last_measurement(session_id: str, manners: Manners) -> Flow[str | None]:
    """Hand out the last measurement, and return its id: the stream goes on after it, so nothing falls in between."""
    try:
        body = yield from ask(Request("GET", f"/api/rppg/sessions/{session_id}"), manners)
        last_id = body["data"].get("last_measurement_id")
        if not last_id:
            return None
        found = yield from ask(Request("GET", f"/api/rppg/measurements/{last_id}"), manners)
    except NotFound:
        return None
    yield Emit(results.measurement(found))
    return str(last_id)


def _typed(event: ServerEvent, session_id: str) -> results.Event | None:
    """The event as a value; None for a kind that this version does not know."""
    data: dict[str, Any] = json.loads(event.data)
    if event.name == "measurement":
        return results.measurement({"data": data})
    if event.name == "partial":
        return results.Partial(data.get("heart_rate"), data.get("confidence"), data)
    if event.name == "restarted":
        return results.Restarted(str(data.get("session_id", session_id)))
    if event.name == "expired":
        return results.Expired(str(data.get("session_id", session_id)))
    return None
