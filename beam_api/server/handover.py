"""Messages between `beam serve` and the gunicorn it has started, over a pair of sockets.

The web processes say when they serve. The parent says why they must end, before it signals them.
"""

from __future__ import annotations

import enum
import os
import socket

_VARIABLE = "BEAM_HANDOVER_FD"  # from the parent to its children; not a setting


class Ending(enum.Enum):
    """Why a web process must end."""

    REPLACED = b"r"
    STOP = b"s"


class Handover:
    """One end. The parent's belongs to one gunicorn; the children's is shared by all its processes."""

    def __init__(self, end: socket.socket | None) -> None:
        self._end = end

    @classmethod
    def pair(cls) -> tuple[Handover, socket.socket]:
        """The parent's end, and the one to be inherited."""
        parent_end, child_end = socket.socketpair()
        parent_end.setblocking(False)
        return cls(parent_end), child_end

    @classmethod
    def of_child(cls) -> Handover:
        """The inherited end. Where there is none, no message ever arrives."""
        number = os.environ.get(_VARIABLE, "")
        return cls(socket.socket(fileno=int(number)) if number else None)

    @staticmethod
    def environment(child_end: socket.socket) -> dict[str, str]:
        """The variable by which a child finds its end."""
        return {_VARIABLE: str(child_end.fileno())}

    def say_ready(self) -> None:
        """In a web process: it serves from now on."""
        if self._end is not None:
            self._end.send(b".")

    def ending(self) -> Ending | None:
        """In a web process: why it must end, if the parent has said so. Stop outranks replaced."""
        if self._end is None:
            return None
        try:
            said = self._end.recv(16, socket.MSG_PEEK | socket.MSG_DONTWAIT)  # left there for the other processes
        except OSError:
            return None
        return next((reason for reason in (Ending.STOP, Ending.REPLACED) if reason.value in said), None)

    def newly_ready(self) -> int:
        """In the parent: how many processes have said that they serve since it last asked."""
        try:
            return len(self._end.recv(1024)) if self._end is not None else 0
        except OSError:
            return 0

    def announce(self, ending: Ending) -> None:
        """In the parent: say why the web processes must end."""
        try:
            if self._end is not None:
                self._end.send(ending.value)
        except OSError:  # they have ended already
            pass

    def close(self) -> None:
        """Give up this end."""
        if self._end is not None:
            self._end.close()
