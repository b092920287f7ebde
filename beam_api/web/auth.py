"""Before a view runs: whose key is this, and may it send another request now? After it: say how the limit stands.

Done for every request that carries a key or needs one, whether or not its path exists, so that 404s and 405s count and
carry the headers too. Views are closed unless marked `@public`. A view marked `@admits_itself` may put the question of
the key together with what else it asks of the store: it calls `admit_with`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, Response, current_app, g, request

from beam_api.exceptions import InvalidApiKey, MissingApiKey, RateLimited, StoreUnavailable, TokenScope
from beam_api.services.access.keys import Token
from beam_api.web.context import parts

if TYPE_CHECKING:
    from beam_api.store.scripts import Question

VISITOR_COOKIE, VISITOR_PATH = "beam_visitor", "/api/rppg/"
"""A visitor's key needs the cookie it was given with, and is good on these paths alone."""

View = TypeVar("View", bound=Callable[..., Any])
Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The key of the current request, as `flask.g.key`."""

    key_id: str
    owner: str
    tier: str
    limit_per_minute: int


def public(view: View) -> View:
    """Mark a view that needs no key."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def admits_itself(view: View) -> View:
    """Mark a view that calls `admit_with`."""
    view.admits_itself = True  # type: ignore[attr-defined]
    return view


def takes_tokens(view: View) -> View:
    """Mark a view that session tokens may call; it calls `check_session` where it is about a session."""
    view.takes_tokens = True  # type: ignore[attr-defined]
    return view


def check_session(session_id: str) -> None:
    """Refuse a session that is not that of the token in the current request. Raises TokenScope."""
    bound = g.admitted.session_id if g.get("admitted") else parts().admission.session_of(g.token)
    if bound is not None and bound != session_id:
        raise TokenScope(f"This token can send for the session '{bound}' alone.")


def admit_with(
    read: Callable[[str], Asked],
    questions: Callable[[Asked], Sequence[Question[Any]]],
    cost: Callable[[Asked], float] = lambda _asked: 0.0,
) -> tuple[Asked, list[Any]]:
    """Read the request, and ask the store about it together with its key, where that was good lately.

    Parameters
    ----------
    read : callable
        Reads the request of the key with this id. What it raises is raised after what is wrong with the key.
    questions : callable
        What to ask about it, if anything.
    cost : callable
        Its work in megapixels.

    Returns
    -------
    (what was read, list of answers)
        The list is empty if the key was admitted before, or there was nothing to ask.
    """
    if g.get("admitted"):
        asked = read(g.key.key_id)
        g.admitted = parts().admission.charge(g.admitted, cost(asked))
        if refusal := g.admitted.refusal:
            raise refusal
        return asked, []
    token = g.token
    try:
        asked = read(token.key_id)
    except Exception:
        _check(token, presented=True)
        raise
    return asked, _check(token, presented=True, cost=cost(asked), also=questions(asked))


def keyless(view: View) -> View:
    """Mark a public view that takes no key even where one is sent: it has a check of its own."""
    view.is_keyless = True  # type: ignore[attr-defined]
    return public(view)


def init_app(app: Flask) -> None:
    """Check the key and the limit before every view; write the headers after it."""
    app.before_request(_admit)
    app.after_request(_write_limit_headers)


def _admit() -> None:
    presented = presented_keys()
    exists = request.routing_exception is None
    view = current_app.view_functions[request.endpoint or ""] if exists else None
    is_open = getattr(view, "is_public", False)
    if getattr(view, "is_keyless", False) or (not presented and (is_open or not exists)):
        return
    token = Token.parse(next(iter(presented))) if len(presented) == 1 else None
    open_to_tokens = getattr(view, "takes_tokens", False) or is_open or not exists
    suits = open_to_tokens or not (token and token.of_session)
    if token and suits and getattr(view, "admits_itself", False) and parts().admission.knows(token):
        g.token = token
        return
    try:
        _check(token, presented=bool(presented))
    except (InvalidApiKey, RateLimited, StoreUnavailable):
        # /health must answer whatever key is sent along, and while Redis is unavailable.
        if not is_open:
            raise
        return
    if not suits:
        raise TokenScope


def _check(token: Token | None, *, presented: bool, cost: float = 0.0, also: Sequence[Question[Any]] = ()) -> list[Any]:
    visitor = request.cookies.get(VISITOR_COOKIE) if request.path.startswith(VISITOR_PATH) else None
    admitted, answers = parts().admission.admit(token, request.remote_addr or "", visitor, cost=cost, also=also)
    g.admitted = admitted
    if refusal := admitted.refusal:
        raise refusal
    if admitted.record is None:
        if token and token.of_session:
            raise InvalidApiKey("The session token is unknown, expired or used up, or its key has been revoked.")
        raise InvalidApiKey if presented else MissingApiKey
    record = admitted.record
    g.key = RequestKey(record.key_id, record.owner, record.tier, record.limit_per_minute)
    return answers


def presented_keys() -> set[str]:
    """The distinct keys in the headers of the request: none, one, or two that contradict each other."""
    keys = set(request.headers.getlist("X-API-Key"))
    for value in request.headers.getlist("Authorization"):
        scheme, _, credentials = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            keys.add(credentials)
    return {key.strip() for key in keys if key.strip()}


def _write_limit_headers(response: Response) -> Response:
    admitted = g.get("admitted")
    if admitted is None:
        return response
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        parts().admission.give_back(admitted)
        return response
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and admitted.standing.taken:
        parts().admission.give_back(admitted)
    response.headers.update(admitted.headers())
    return response
