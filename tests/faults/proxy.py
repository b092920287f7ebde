"""A TCP proxy that stands between two parts and misbehaves on request."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 65_536


@dataclass
class Manners:
    """How the proxy treats what passes. May be changed at any time; it counts from the next piece on."""

    delay_s: float = 0.0  # before each piece of a reply
    slice_bytes: int = _CHUNK  # replies are handed on in pieces of this size
    lose_reply_to: bytes = b""  # a connection whose request holds this is cut when its reply comes ...
    after_bytes: int = 0  # ... and so much of that has been handed on
    times: int = 0  # how often that is still to be done
    lost: int = 0  # how often it was


@dataclass
class Proxy:
    """Listens on a port of the loopback for connections to `target`, a port of it or the path of a Unix socket."""

    target: int | str
    port: int = 0
    manners: Manners = field(default_factory=Manners)
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _open: bool = True

    def cut(self) -> None:
        """Reset every connection there is."""
        self._do(self._abort_all)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Reset every connection, and every new one, for the length of a block."""
        self._open = False
        self.cut()
        try:
            yield
        finally:
            self._open = True

    def _do(self, what) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (what(), done.set()))
        assert done.wait(10)

    def _abort_all(self) -> None:
        for writer in self._connections:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._connections |= ends
        doomed = asyncio.Event()
        try:
            await asyncio.gather(self._ask(reader, back, doomed), self._reply(there, writer, doomed))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections -= ends
            for end in ends:
                end.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event) -> None:
        before = b""
        while data := await reader.read(_CHUNK):
            manners = self.manners
            if manners.times and manners.lose_reply_to in before + data:
                manners.times -= 1
                doomed.set()
            before = data[-64:]
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event) -> None:
        while data := await reader.read(_CHUNK):
            manners = self.manners
            if doomed.is_set():
                writer.write(data[: manners.after_bytes])
                await writer.drain()
                manners.lost += 1
                raise ConnectionResetError
            for at in range(0, len(data), manners.slice_bytes):
                if manners.delay_s:
                    await asyncio.sleep(manners.delay_s)
                writer.write(data[at : at + manners.slice_bytes])
                await writer.drain()
                if manners.slice_bytes < _CHUNK:
                    await asyncio.sleep(0)  # so that each piece is a packet of its own
        writer.write_eof()


@contextmanager
def proxied(target: int | str) -> Iterator[Proxy]:
    """A proxy before `target`, for the length of a block."""
    proxy = Proxy(target)
    loop = proxy._loop
    server = loop.run_until_complete(asyncio.start_server(proxy._serve, "127.0.0.1", 0, backlog=1024))
    proxy.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield proxy
    finally:
        proxy._do(lambda: (server.close(), proxy._abort_all()))
        asyncio.run_coroutine_threadsafe(_all_ended(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _all_ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
