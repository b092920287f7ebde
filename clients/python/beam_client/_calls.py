"""The calls of a client as flows: what `Beam` and `AsyncBeam` share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import quote

from beam_client import _measuring, _watching, results
from beam_client._exchange import Manners, ask, exchange, read
from beam_client._http import Call, Flow, Request
from beam_client._sources import Measurable, open_source
from beam_client.errors import NotFound
from beam_client.images import Image, as_bytes

if TYPE_CHECKING:
    from beam_client.results import Check, KeyInfo, Measurement, NewKey, Progress


def measure(
    what: Measurable,
    manners: Manners,
    on_progress: Callable[[Progress], None],
    *,
    session_id: str | None,
    duration_ms: int | None,
    fps: float | None,
    live: bool,
    pace: _measuring.Pace,
    include_raw: bool,
) -> Flow[Measurement]:
    """Open a source and measure it."""
    source = yield Call(partial(open_source, what, fps=fps, live=live))
    wanted = _measuring.Wanted(
        session_id=session_id or _measuring.new_session(),
        duration_ms=_measuring.duration_of(source, duration_ms),
        is_new_session=session_id is None,
        pace=pace,
        include_raw=include_raw,
        on_progress=on_progress,
    )
    return (yield from _measuring.measure(source, wanted, manners))


def check(image: Image, manners: Manners) -> Flow[Check]:
    """Look at one picture."""
    content = yield Call(partial(as_bytes, image))
    request = Request("POST", "/api/rppg/check", files=(("frame", "frame", content),))
    return results.check((yield from ask(request, manners)))


def create_key(name: str, manners: Manners) -> Flow[NewKey]:
    """Ask for a key."""
    return results.new_key((yield from ask(Request("POST", "/api/keys", json={"name": name}), manners)))


def key_info(manners: Manners) -> Flow[KeyInfo]:
    """Look at the key itself."""
    return results.key_info((yield from ask(Request("GET", "/api/keys/me"), manners)))


def measurement(measurement_id: str, manners: Manners) -> Flow[Measurement]:
    """Find a finished measurement."""
    path = f"/api/rppg/measurements/{quote(measurement_id, safe='')}"
    return results.measurement((yield from ask(Request("GET", path), manners)))


def session(session_id: str, manners: Manners) -> Flow[Progress | None]:
    """Return a window as it stands; None if nothing is known of it."""
    try:
        body = yield from ask(Request("GET", _session_path(session_id)), manners)
    except NotFound:
        return None
    return results.progress(body)


def forget(session_id: str, manners: Manners) -> Flow[None]:
    """Forget a person."""
    answer = yield from exchange(Request("DELETE", _session_path(session_id)), manners)
    if answer.status != 204:
        read(answer, manners.url)


def watch(session_id: str, after: str | None, quiet_ms: float | None, manners: Manners) -> Flow[Any]:
    """Follow a session."""
    quiet_s = None if quiet_ms is None else quiet_ms / 1000
    return _watching.watch(quote(session_id, safe=""), after, quiet_s, manners)


def _session_path(session_id: str) -> str:
    return f"/api/rppg/sessions/{quote(session_id, safe='')}"
