"""The process itself: it ends with its parent, returns its memory, and may open as many files as the system lets it."""

from __future__ import annotations

import atexit
import ctypes
import errno
import gc
import os
import resource
import sys
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_OPEN_FILES = 65_536
"""More than any process here can use; some systems set limits of a thousand million, which libraries loop over."""

_SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h

_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: after a fork it is too late to load anything


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """What a child runs between fork and exec, so that it gets the signal when its parent dies, however that dies.

    The kernel sends it when the *thread* that forked ends, so fork from the main thread.
    """
    return partial(die_with, os.getpid(), signal_number)


def die_with(parent: int, signal_number: int) -> None:
    """Ask for a signal when the parent dies, by its process ID; end at once if it is dead already."""
    if sys.platform == "linux":  # elsewhere the parent must be ended by a signal it can act on
        _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def give_memory_back() -> None:
    """Have blocks that are larger than most pictures returned to the system as soon as they are freed; for an analysis.

    glibc keeps freed memory in its heap, where a few small objects that stay pin what lies below them. A picture, which
    lives as long as the face is looked for in it, is to find the last one's pages there: to have them filled with zeros
    costs as much as the picture's conversion.
    """
    if sys.platform == "linux" and (mallopt := getattr(_libc, "mallopt", None)):
        mallopt(_M_MMAP_THRESHOLD, 8 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 16 * 1024 * 1024)


def return_large_memory() -> None:
    """Have large blocks given back to the system when they are freed, and smaller ones kept; for web processes.

    By default glibc keeps, in a pool for each thread, what images and bodies of the largest size once took: 1.2 GB for
    eight threads. And it gives the top of a heap back as soon as 128 KB of it are free, so that an analysis has the
    same pages filled with zeros again and again, a fifth of its time. The limits are far above what ordinary frames
    and analyses take, which is to stay in the pools.
    """
    if sys.platform == "linux" and (mallopt := getattr(_libc, "mallopt", None)):
        mallopt(_M_MMAP_THRESHOLD, 8 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 64 * 1024 * 1024)
        mallopt(_M_ARENA_MAX, 4)


def trim_heap() -> None:
    """Return what is free in the heap to the system, which takes some milliseconds: before work that takes much."""
    if sys.platform == "linux" and (trim := getattr(_libc, "malloc_trim", None)):
        trim(0)


def end_quickly() -> None:
    """Have the interpreter end without freeing what was loaded, object by object: the system takes all of it at once.

    Flask, NumPy, SciPy and dlib's models are 200 000 objects in cycles, which a process searches again and again as it
    ends. In a forked process each of them is a page to copy first. Whoever registered something to be done at the end
    (files, threads) still has it done.
    """
    atexit.register(gc.freeze)


def raise_open_files() -> int:
    """Raise the limit of open files to the hard one, or `MOST_OPEN_FILES` if that is less; returns the limit in force.

    A connection is a file. The usual limit of 1024 is meant for programs that use `select`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft if soft != resource.RLIM_INFINITY else MOST_OPEN_FILES


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there are no more files to open, or no more memory."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES)
