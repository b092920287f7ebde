"""Server-Sent Events from the bytes of a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event: its name, its id, or '' if it has none, and its data."""

    name: str
    event_id: str
    data: str


class EventReader:
    """Collects the bytes of a stream and gives the events that are whole.

    `retry_s` is how long the server wants a client to wait before it reconnects.
    """

    def __init__(self) -> None:
        self.retry_s = 2.0
        self._rest = b""
        self._name, self._id = "", ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Take the next bytes, and return the events that end in them."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found = []
        for line in lines:
            if line.strip(b"\r"):
                self._take(line.decode("utf-8", "replace").rstrip("\r"))
                continue
            if self._data:
                found.append(ServerEvent(self._name, self._id, "\n".join(self._data)))
            self._name, self._id, self._data = "", "", []
        return found

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")  # a comment has no name
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            self._name = value
        elif field == "id":
            self._id = value
        elif field == "data":
            self._data.append(value)
        elif field == "retry" and value.isdigit():
            self.retry_s = int(value) / 1000
