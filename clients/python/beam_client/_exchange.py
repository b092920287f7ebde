"""One request that is sent until it is answered: again after a lost connection, and when the service asks to wait.

A repeated request has the same fields and bytes, by which the service knows it: it changes nothing, and gets the answer
that the first one would have had.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from beam_client._http import Answer, Lost, Pause, Send
from beam_client.errors import InvalidKey, ServiceError, ServiceUnreachable, UnexpectedAnswer, service_error

if TYPE_CHECKING:
    from beam_client._http import Flow, Request

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_OURS = {"data", "session_id"}  # one of them is in every good answer
_BUSY = (429, 502, 503, 504)


@dataclass(frozen=True)
class Manners:
    """How patient requests are: tries after lost connections, and seconds of waiting that the service may ask for."""

    url: str
    retries: int = 4
    max_wait_s: float = 65.0


def exchange(request: Request, manners: Manners) -> Flow[Answer]:
    """Send a request until it is answered.

    Raises
    ------
    ServiceUnreachable
        If no answer came in any of the tries.
    ServiceError
        If the service asks to wait longer than `manners` allow.
    """
    lost, busy, waited_s = 0, 0, 0.0
    while True:
        answer = yield Send(request)
        if isinstance(answer, Lost):
            if lost >= manners.retries:
                _unreachable(manners.url, answer)
            yield Pause(_backoff_s(lost))
            lost += 1
            continue
        if answer.status not in _BUSY:
            found: Answer = answer
            return found
        pause_s = _retry_after_s(answer) or _backoff_s(busy)
        if waited_s + pause_s > manners.max_wait_s:
            raise _refused(answer, manners.url)
        yield Pause(pause_s)
        waited_s += pause_s
        busy += 1


def ask(request: Request, manners: Manners) -> Flow[dict[str, Any]]:
    """Return the JSON of a good answer. Raises what `exchange` and `read` raise."""
    return read((yield from exchange(request, manners)), manners.url)


def read(answer: Answer, url: str) -> dict[str, Any]:
    """Return the JSON of a good answer.

    Raises
    ------
    ServiceError
        If the answer is an error.
    UnexpectedAnswer
        If it is not Beam's.
    """
    if not 200 <= answer.status < 300:
        raise _refused(answer, url)
    body = answer.body()
    if body is None or not _OURS & body.keys():
        raise UnexpectedAnswer(f"No Beam answers at {url} (status {answer.status}). Check the address.")
    return body


def _refused(answer: Answer, url: str) -> ServiceError | UnexpectedAnswer:
    body = answer.body()
    if body is None or not ("error" in body or "detail" in body):
        return UnexpectedAnswer(f"No Beam answers at {url} (status {answer.status}). Check the address.")
    error = service_error(
        answer.status,
        body,
        request_id=answer.headers.get("X-Request-Id", ""),
        retry_after=_retry_after_s(answer),
    )
    if isinstance(error, InvalidKey):
        error.message += f" Get a key at {url}/keys, and pass it as key=... or in BEAM_API_KEY."
    return error


def _unreachable(url: str, lost: Lost) -> NoReturn:
    raise ServiceUnreachable(
        f"The service at {url} can't be reached ({lost.reason}). Start it with `beam serve`, or give its address "
        "(url=... or BEAM_URL)."
    )


def _retry_after_s(answer: Answer) -> float | None:
    """What Retry-After says in seconds; a date, which Beam doesn't send, is taken for nothing."""
    try:
        return max(0.0, float(answer.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _backoff_s(attempt: int) -> float:
    longest: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
