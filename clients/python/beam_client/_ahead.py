"""Frames that are read by a thread of their own, so that none waits for an answer."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST = 300
_PATIENCE_S = 10.0  # without a frame, a live source has ended


def read_ahead(
    enter: Callable[[], Any], keep: Callable[[Any], Any], *, most: int = _MOST
) -> Iterator[tuple[float, Any]]:
    """Yield the frames of a source as they come.

    Parameters
    ----------
    enter : callable
        Returns a context manager of the source's iterator, which the thread enters.
    keep : callable
        What is kept of a picture until it is wanted. The thread calls it.
    most : int
        Frames that may wait. Of more, the oldest are lost.

    Raises
    ------
    BaseException
        What reading them has raised.
    """
    reader = _Reader(enter, keep, most)
    reader.start()
    try:
        while True:
            frame = reader.next()
            if frame is None:
                return
            yield frame
    finally:
        reader.stop()


class _Reader(threading.Thread):
    def __init__(self, enter: Callable[[], Any], keep: Callable[[Any], Any], most: int) -> None:
        super().__init__(daemon=True)
        self._enter = enter
        self._keep = keep
        self._waiting: deque[tuple[float, Any]] = deque(maxlen=most)
        self._arrived = threading.Condition()
        self._ended = False
        self._failure: BaseException | None = None

    def run(self) -> None:
        try:
            with self._enter() as frames:
                for time_ms, image in frames:
                    kept = self._keep(image)
                    with self._arrived:
                        self._waiting.append((time_ms, kept))
                        self._arrived.notify()
                    if self._ended:
                        return
        except BaseException as error:
            self._failure = error
        finally:
            with self._arrived:
                self._ended = True
                self._arrived.notify()

    def next(self) -> tuple[float, Any] | None:
        """Return the next frame, or None when there are no more."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting or self._ended, _PATIENCE_S)
            if self._waiting:
                return self._waiting.popleft()
            if self._failure:
                raise self._failure
            return None

    def stop(self) -> None:
        """End the thread; one that waits for a frame that does not come is left behind."""
        with self._arrived:
            self._ended = True
            self._arrived.notify()
        self.join(timeout=1.0)
