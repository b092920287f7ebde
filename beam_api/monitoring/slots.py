"""The folder in which the processes of one machine leave their counts, for the one that answers /metrics.

Each process counts in files of its own. They are named by a slot on which it holds a lock for as long as it lives, not
by its process id: whoever takes the slot next goes on with its counts. So there are files for as many processes as ran
at once, however many a reload or a video's analysis begins, and no count is lost with the process that made it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""As prometheus_client reads it. Where it is unset, processes count each for itself."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - only in a folder of its own; counts must not wait for a disk


class NotOurFolder(Exception):
    """The folder belongs to another user, or is none."""


def prepare(data_dir: Path) -> Path:
    """`make` the folder of the service that has this data directory, and let this process and its children use it."""
    folder = make(folder_of(data_dir))
    os.environ[VARIABLE] = str(folder)
    return folder


def make(folder: Path) -> Path:
    """Make a folder for counts. What earlier processes left there is cleared, unless some of them still run.

    Raises
    ------
    NotOurFolder
        If the folder can't be had.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not folder.is_dir() or folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise NotOurFolder(f"{folder} is not a folder of this user; set {VARIABLE}.")
        clear_if_unused(folder)
    except OSError as error:
        raise NotOurFolder(f"{folder} can't be used ({error.strerror}); set {VARIABLE}.") from error
    return folder


def clear_if_unused(folder: Path) -> bool:
    """Delete all counts if no process holds a slot; says whether it has."""
    with _guard(folder):
        held = [_lock(path) for path in folder.glob("slot-*")]
        try:
            if None in held:
                return False
            for path in (*folder.glob("*.db"), *folder.glob("slot-*")):
                path.unlink(missing_ok=True)
            return True
        finally:
            for descriptor in held:
                if descriptor is not None:
                    os.close(descriptor)


def remove_if_unused(folder: Path) -> None:
    """Leave nothing behind, if nobody else is counting."""
    try:
        if folder.is_dir() and clear_if_unused(folder):
            (folder / "lock").unlink(missing_ok=True)
            folder.rmdir()
    except OSError:  # somebody's file is in it, or somebody has just come
        pass


@dataclass(frozen=True, slots=True)
class Process:
    """A process that counts. `resident_bytes` is all it has in memory, with what it shares."""

    pid: int
    role: str
    resident_bytes: int


def processes(folder: Path) -> Iterator[Process]:
    """Those that hold a slot."""
    for path in folder.glob("slot-*"):
        descriptor = _lock(path)
        if descriptor is not None:
            os.close(descriptor)
            continue
        pid, _, role = path.read_text().partition(" ")
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):  # it has just ended, or this is no Linux
            continue
        yield Process(int(pid), role, pages * os.sysconf("SC_PAGE_SIZE"))


class Slot:
    """The slot of this process; taken when its name is first asked for, and anew in a process forked from it."""

    def __init__(self) -> None:
        self.role = "other"
        self._descriptor, self._name = -1, ""
        self._taking = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def name(self) -> str:
        """What distinguishes this process from all that run beside it."""
        return self._name or self._take()

    def begin(self, role: str) -> None:
        """Say what this process is, and take its slot now: what could go wrong with it should do so at the start."""
        self.role = role
        if VARIABLE not in os.environ:
            return
        if self._name:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {role}".encode(), 0)
        else:
            self._take()

    def _take(self) -> str:
        folder = Path(os.environ[VARIABLE])
        with self._taking, _guard(folder):
            for number in count():
                if self._name:
                    break
                descriptor = _lock(folder / f"slot-{number}")
                if descriptor is not None:
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{os.getpid()} {self.role}".encode(), 0)
                    self._descriptor, self._name = descriptor, str(number)
        return self._name

    def _forked(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # the parent's
        self._descriptor, self._name = -1, ""
        self._taking = threading.Lock()


def _lock(path: Path) -> int | None:
    """The open file, locked, until it is closed; None if another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """One at a time: taking a slot, and clearing those that nobody has."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def folder_of(data_dir: Path) -> Path:
    """The folder that is set, else one in memory where that can be, always the same for a data directory."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    parent = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return parent / f"beam-metrics-{os.geteuid()}-{sha256(str(data_dir).encode()).hexdigest()[:12]}"
