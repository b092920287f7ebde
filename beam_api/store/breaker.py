"""While Redis is unavailable, say so at once: a request that waits for it holds a thread, and a worker has few.

Redis is asked through a `Guarded` retry. One failure that outlasts its tries opens the breaker of this process: for
`PAUSE_S` every other question fails without being asked. Then one is let through, and its outcome decides.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from redis import exceptions as redis_errors
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis.backoff import AbstractBackoff

PAUSE_S = 1.0
PROBE_S = 5.0
"""How long a question that was let through is waited for: longer than any takes, or there would be several at once."""

_AWAY = (redis_errors.ConnectionError, redis_errors.TimeoutError)
T = TypeVar("T")


class RecentlyUnavailable(redis_errors.ConnectionError):
    """The question was not asked."""


class Breaker:
    """What this process knows of one Redis. Threads share it without a lock: a race lets one question more through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None  # closed
        self._inside = threading.local()

    def __deepcopy__(self, _memo: dict[int, Any]) -> Breaker:
        """Stay one: each connection makes a copy of its retry."""
        return self

    @contextmanager
    def watch(self) -> Iterator[bool]:
        """Put it around a question and all its tries. Yields False within another one: connecting is part of asking.

        Raises
        ------
        RecentlyUnavailable
            If Redis was unavailable a moment ago.
        """
        if getattr(self._inside, "yes", False):
            yield False
            return
        self.let_through()
        self._inside.yes = True
        try:
            yield True
        except redis_errors.RedisError as error:
            self.note(error)
            raise
        else:
            self.note(None)
        finally:
            self._inside.yes = False

    def let_through(self) -> None:
        """Raise RecentlyUnavailable if this question is not to be asked; `note` what becomes of one that is."""
        until = self._until
        if until is None:
            return
        if self._clock() < until:
            raise RecentlyUnavailable("Redis was unavailable a moment ago.")
        self._until = self._clock() + PROBE_S

    def note(self, failure: Exception | None) -> None:
        """What came of a question: nothing, a live server's answer, be it an error, or none at all."""
        self._until = self._clock() + PAUSE_S if isinstance(failure, _AWAY) else None


class Guarded(Retry):
    """Retries lost connections, and remembers in a breaker what came of it."""

    def __init__(self, backoff: AbstractBackoff, retries: int, breaker: Breaker | None = None) -> None:
        # A server that is silent is not asked again: that would take the time limit once more.
        super().__init__(backoff, retries, supported_errors=(redis_errors.ConnectionError,))
        self._breaker = breaker or Breaker()

    def call_with_retry(
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        """Do it, again after lost connections; raises what the last try did.

        Connecting within a question is tried once: the tries are the question's, else each would be made of several.
        """
        with self._breaker.watch() as outermost:
            if outermost:
                return super().call_with_retry(do, fail, is_retryable, with_failure_count)
            try:
                return do()
            except self._supported_errors as error:
                fail(error, 1) if with_failure_count else fail(error)
                raise
