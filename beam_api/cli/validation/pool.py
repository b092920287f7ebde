"""One process a core, one file at a time in each: a process that dies takes one file with it, and says which."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

T = TypeVar("T")
R = TypeVar("R")

_TURN_S = 0.2  # between looks at whether to stop
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Stop:
    """Whether to stop: after the files in hand on the first Ctrl-C, at once on the second."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.now = threading.Event()

    @contextmanager
    def on_signals(self, announce: Callable[[], None]) -> Iterator[None]:
        """Take Ctrl-C and a SIGTERM as long as this lasts; elsewhere than in the main thread, take none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            if self.asked.is_set():
                self.now.set()
                for child in multiprocessing.active_children():
                    child.kill()
            else:
                self.asked.set()
                announce()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run_each(
    work: Callable[[T], R],
    tasks: Iterable[T],
    *,
    jobs: int,
    prepare: Callable[..., None],
    prepared_with: tuple[Any, ...],
    crashed: Callable[[T], R],
    stop: Stop,
) -> Iterator[R]:
    """Yield the result of each task as it is done, in any order.

    Parameters
    ----------
    work, prepare : callable
        Of a module, since other processes import them. `prepare` runs once in each, and must not raise.
    jobs : int
        Processes. Each has one task at a time, and memory doesn't grow with the number of tasks.
    crashed : callable
        Gives the result of a task whose process died.
    """
    slots = [_Slot(prepare, prepared_with) for _ in range(jobs)]
    left = iter(tasks)
    in_hand: dict[Future[R], tuple[_Slot, T]] = {}
    try:
        while True:
            free = [slot for slot in slots if all(slot is not other for other, _ in in_hand.values())]
            for slot in free if not stop.asked.is_set() else ():
                for task in left:
                    in_hand[slot.submit(work, task)] = (slot, task)
                    break
            if not in_hand or stop.now.is_set():
                return
            for future in wait(in_hand, timeout=_TURN_S, return_when=FIRST_COMPLETED).done:
                slot, task = in_hand.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    if stop.now.is_set():
                        return
                    slot.renew()
                    result = crashed(task)
                yield result
    finally:
        for slot in slots:
            slot.close()


class _Slot:
    """A process that is started again when it dies."""

    def __init__(self, prepare: Callable[..., None], prepared_with: tuple[Any, ...]) -> None:
        self._prepare, self._prepared_with = prepare, prepared_with
        self._executor = self._started()

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(os.getpid(), self._prepare, self._prepared_with),
        )

    def submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        """Begin a task. A process that died while it had none is replaced."""
        try:
            return self._executor.submit(work, task)
        except BrokenProcessPool:
            self.renew()
            return self._executor.submit(work, task)

    def renew(self) -> None:
        """Replace the process."""
        self.close()
        self._executor = self._started()

    def close(self) -> None:
        """End the process when it has done its task."""
        self._executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Processes that begin meanwhile do their linear algebra in one thread: there is one of them for each core."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(parent: int, prepare: Callable[..., None], prepared_with: tuple[Any, ...]) -> None:
    """What a process does first. Ctrl-C reaches it too, and the parent decides what that means."""
    from beam_api.host.process import die_with

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with(parent, signal.SIGKILL)
    prepare(*prepared_with)
