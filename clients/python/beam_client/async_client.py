"""`AsyncBeam`, the client of the service for asyncio."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from beam_client import _calls, _scanning
from beam_client._bar import Shown, reported
from beam_client._http import Asynchronous
from beam_client._settings import Settings
from beam_client.errors import BeamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from os import PathLike

    import httpx

    from beam_client._measuring import Pace
    from beam_client._sources import Measurable
    from beam_client.images import Image
    from beam_client.results import Check, Event, KeyInfo, Measurement, NewKey, Progress, ScanJob


class AsyncBeam:
    """As `Beam`, for asyncio. `http` is an httpx.AsyncClient; frames may come from an asynchronous iterator too.

    Files are decoded and pictures encoded in threads, so the event loop goes on.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_ms: float = 60_000,
        retries: int = 4,
        max_wait_ms: float = 65_000,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._settings = Settings.of(url, key, timeout_ms, retries, max_wait_ms)
        self._given = http
        self._own: httpx.AsyncClient | None = None

    async def __aenter__(self) -> AsyncBeam:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncBeam({self._settings.manners.url!r})"

    async def aclose(self) -> None:
        """Close the connections. They are opened again when they are needed."""
        if self._own:
            await self._own.aclose()
            self._own = None

    async def measure(
        self,
        source: Measurable,
        *,
        session_id: str | None = None,
        duration_ms: int | None = None,
        fps: float | None = None,
        live: bool = False,
        pace: Pace = "batch",
        include_raw: bool = False,
        progress: Shown = None,
    ) -> Measurement:
        """As `Beam.measure`."""
        http = self._asynchronous()
        with reported(progress, "Measuring") as on_progress:
            flow = _calls.measure(
                source,
                self._settings.manners,
                on_progress,
                session_id=session_id,
                duration_ms=duration_ms,
                fps=fps,
                live=live,
                pace=pace,
                include_raw=include_raw,
            )
            return await http.run(flow)

    @overload
    async def scan(
        self,
        path: str | PathLike[str],
        *,
        wait: Literal[True] = ...,
        webhook_url: str | None = ...,
        timeout_ms: float = ...,
        progress: Shown = ...,
    ) -> Measurement: ...

    @overload
    async def scan(
        self,
        path: str | PathLike[str],
        *,
        wait: Literal[False],
        webhook_url: str | None = ...,
        timeout_ms: float = ...,
        progress: Shown = ...,
    ) -> ScanJob: ...

    async def scan(
        self,
        path: str | PathLike[str],
        *,
        wait: bool = True,
        webhook_url: str | None = None,
        timeout_ms: float = 1000 * _scanning.PATIENCE_S,
        progress: Shown = None,
    ) -> Measurement | ScanJob:
        """As `Beam.scan`. Cancelling the task that waits cancels the scan; `await job.cancel()` that of a ScanJob."""
        import asyncio

        http = self._asynchronous()
        with _scanning.open_video(Path(path)) as file, reported(progress, "Scanning") as on_progress:
            wanted = _scanning.ScanWanted(webhook_url, timeout_ms / 1000, on_progress)
            manners = self._settings.manners
            try:
                if wait:
                    return await http.run(_scanning.scan(file, wanted, manners))
                return self._with_cancel(await http.run(_scanning.upload(file, wanted, manners)))
            except (KeyboardInterrupt, asyncio.CancelledError):
                for session_id in wanted.made:
                    with suppress(BeamError):
                        await http.run(_scanning.cancel(session_id, _scanning.hasty(manners)))
                raise

    async def scan_status(self, session_id: str) -> ScanJob:
        """As `Beam.scan_status`."""
        return self._with_cancel(await self._asynchronous().run(_scanning.status(session_id, self._settings.manners)))

    async def cancel_scan(self, session_id: str) -> None:
        """As `Beam.cancel_scan`."""
        await self._asynchronous().run(_scanning.cancel(session_id, self._settings.manners))

    def watch(
        self, session_id: str, *, after: str | None = None, timeout_ms: float | None = None
    ) -> AsyncIterator[Event]:
        """As `Beam.watch`, for `async for`."""
        flow = _calls.watch(session_id, after, timeout_ms, self._settings.manners)
        return self._asynchronous().each(flow)

    async def check(self, image: Image) -> Check:
        """As `Beam.check`."""
        return await self._asynchronous().run(_calls.check(image, self._settings.manners))

    async def create_key(self, name: str = "") -> NewKey:
        """As `Beam.create_key`."""
        http = Asynchronous(self._given or self._opened(), self._settings.url, "")
        return await http.run(_calls.create_key(name, self._settings.manners))

    async def key_info(self) -> KeyInfo:
        """As `Beam.key_info`."""
        return await self._asynchronous().run(_calls.key_info(self._settings.manners))

    async def measurement(self, measurement_id: str) -> Measurement:
        """As `Beam.measurement`."""
        return await self._asynchronous().run(_calls.measurement(measurement_id, self._settings.manners))

    async def session(self, session_id: str) -> Progress | None:
        """As `Beam.session`."""
        return await self._asynchronous().run(_calls.session(session_id, self._settings.manners))

    async def forget(self, session_id: str) -> None:
        """As `Beam.forget`."""
        await self._asynchronous().run(_calls.forget(session_id, self._settings.manners))

    def _with_cancel(self, job: ScanJob) -> ScanJob:
        return replace(job, canceller=self.cancel_scan)

    def _asynchronous(self) -> Asynchronous:
        key = self._settings.require_key()
        return Asynchronous(self._given or self._opened(), self._settings.url, key)

    def _opened(self) -> Any:
        if self._own is None:
            import httpx

            self._own = httpx.AsyncClient(timeout=httpx.Timeout(**self._settings.timeouts_s))
        return self._own
