"""Requests and answers as values, and two ways to exchange them: blocking, and with asyncio.

What is sent when is decided by generators of `Step`s, which know no network (a `Flow`). `Blocking` and `Asynchronous`
perform the steps, so that `Beam` and `AsyncBeam` share everything else.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Union

from beam_client.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
END = object()


@dataclass(frozen=True)
class Request:
    """One request. `files` are the fields, names and contents of a form; a file on disk is read from its start."""

    method: str
    path: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[tuple[str, str, bytes | BinaryIO], ...] = ()
    json: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    silence_s: float | None = None  # the answer is a stream, which may be silent for so long


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    chunks: Any = None  # of a stream: an iterator of bytes, plain or asynchronous, that ends when the connection does

    def body(self) -> dict[str, Any] | None:
        """The JSON object in it, or None."""
        try:
            found = json.loads(self.content)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class Lost:
    """No answer came."""

    reason: str


@dataclass(frozen=True)
class Send:
    """Send a request; the reply is an `Answer` or `Lost`."""

    request: Request


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Take:
    """Take the next item of an iterator, plain or asynchronous; the reply is `END` if there is none."""

    items: Any


@dataclass(frozen=True)
class Call:
    """Call a function that works for a while; the reply is what it returns."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Emit:
    """Hand a value to the caller, and go on when the caller wants the next."""

    value: Any


Step = Union[Send, Pause, Take, Call, Emit]
Flow = Generator[Step, Any, T]


class Blocking:
    """Performs the steps of a flow one after the other."""

    def __init__(self, client: httpx.Client, base: str, key: str) -> None:
        self._client = client
        self._base = base
        self._headers = {"X-API-Key": key} if key else {}
        self._stream: httpx.Response | None = None

    def run(self, flow: Flow[T]) -> T:
        """Return what a flow returns."""
        results: list[T] = []

        def whole() -> Generator[Any, None, None]:
            results.append((yield from self.each(flow)))

        for _ in whole():
            pass
        return results[0]

    def each(self, flow: Flow[T]) -> Generator[Any, None, T]:
        """Yield what a flow hands out."""
        reply: Any = None
        try:
            while True:
                try:
                    step = flow.send(reply)
                except StopIteration as end:
                    result: T = end.value
                    return result
                reply = None
                if isinstance(step, Emit):
                    yield step.value
                else:
                    reply = self._perform(step)
        finally:
            flow.close()
            if self._stream:
                self._stream.close()

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Send):
            return self._send(step.request)
        if isinstance(step, Pause):
            time.sleep(step.seconds)
        elif isinstance(step, Take):
            return next(step.items, END)
        elif isinstance(step, Call):
            return step.function()
        return None

    def _send(self, request: Request) -> Answer | Lost:
        import httpx

        arguments = _arguments(request, self._base, self._headers)
        try:
            if request.silence_s is not None:
                return self._open(arguments, request.silence_s)
            response = self._client.request(**arguments)
        except httpx.TransportError as error:
            return Lost(_reason(error))
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"The url is none: {error}.") from error
        return _answer(response)

    def _open(self, arguments: dict[str, Any], silence_s: float) -> Answer:
        made = self._client.build_request(**arguments, timeout=_streaming(self._client.timeout, silence_s))
        response = self._client.send(made, stream=True)
        if response.status_code == 200:
            self._stream = response
            return Answer(200, response.headers, b"", _chunks(response))
        try:
            response.read()
        finally:
            response.close()
        return _answer(response)


class Asynchronous:
    """Performs the steps of a flow without blocking the event loop."""

    def __init__(self, client: httpx.AsyncClient, base: str, key: str) -> None:
        self._client = client
        self._base = base
        self._headers = {"X-API-Key": key} if key else {}
        self._stream: httpx.Response | None = None

    async def run(self, flow: Flow[T]) -> T:
        """Return what a flow returns."""
        reply: Any = None
        try:
            while True:
                try:
                    step = flow.send(reply)
                except StopIteration as end:
                    result: T = end.value
                    return result
                reply = await self._perform(step)
        finally:
            flow.close()

    async def each(self, flow: Flow[Any]) -> AsyncIterator[Any]:
        """Yield what a flow hands out."""
        reply: Any = None
        try:
            while True:
                try:
                    step = flow.send(reply)
                except StopIteration:
                    return
                reply = None
                if isinstance(step, Emit):
                    yield step.value
                else:
                    reply = await self._perform(step)
        finally:
            flow.close()
            if self._stream:
                await self._stream.aclose()

    async def _perform(self, step: Step) -> Any:
        import asyncio  # a third of this package's import, for those who use it

        if isinstance(step, Send):
            return await self._send(step.request)
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Take):
            if hasattr(step.items, "__anext__"):
                try:
                    return await step.items.__anext__()
                except StopAsyncIteration:
                    return END
            return await asyncio.to_thread(next, step.items, END)
        elif isinstance(step, Call):
            return await asyncio.to_thread(step.function)
        return None

    async def _send(self, request: Request) -> Answer | Lost:
        import httpx

        arguments = _arguments(request, self._base, self._headers)
        try:
            if request.silence_s is not None:
                return await self._open(arguments, request.silence_s)
            response = await self._client.request(**arguments)
        except httpx.TransportError as error:
            return Lost(_reason(error))
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"The url is none: {error}.") from error
        return _answer(response)

    async def _open(self, arguments: dict[str, Any], silence_s: float) -> Answer:
        made = self._client.build_request(**arguments, timeout=_streaming(self._client.timeout, silence_s))
        response = await self._client.send(made, stream=True)
        if response.status_code == 200:
            self._stream = response
            return Answer(200, response.headers, b"", _async_chunks(response))
        try:
            await response.aread()
        finally:
            await response.aclose()
        return _answer(response)


def _streaming(usual: httpx.Timeout, silence_s: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(connect=usual.connect, read=silence_s, write=usual.write, pool=usual.pool)


def _chunks(response: httpx.Response) -> Generator[bytes, None, None]:
    import httpx

    with suppress(httpx.TransportError):  # cut, or silent for too long: the stream ends
        yield from response.iter_bytes()
    response.close()


async def _async_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    import httpx

    with suppress(httpx.TransportError):
        async for chunk in response.aiter_bytes():
            yield chunk
    await response.aclose()


def _arguments(request: Request, base: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What httpx's `request` takes."""
    arguments: dict[str, Any] = {
        "method": request.method,
        "url": base + request.path,
        "headers": {**headers, **request.headers},
    }
    if request.json is not None:
        arguments["json"] = request.json
    if request.fields:
        arguments["data"] = request.fields
    if request.files:
        for _name, _file, content in request.files:
            if not isinstance(content, bytes):
                content.seek(0)
        arguments["files"] = [
            (name, (file, content, "application/octet-stream")) for name, file, content in request.files
        ]
    return arguments


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
