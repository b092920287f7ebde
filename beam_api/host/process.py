"""The process itself: it ends with the parent that started it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: after a fork it is too late to load anything


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """What a child runs between fork and exec, so that it gets the signal when its parent dies, however that dies.

    The kernel sends it when the *thread* that forked ends, so fork from the main thread.
    """
    parent = os.getpid()

    def prepare() -> None:
        if sys.platform == "linux":  # elsewhere the parent must be ended by a signal it can act on
            _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return prepare
