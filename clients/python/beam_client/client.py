"""`Beam`, a client of the service."""

from __future__ import annotations

import weakref
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from beam_client import _calls, _scanning
from beam_client._bar import Shown, reported
from beam_client._http import Blocking
from beam_client._settings import Settings
from beam_client.errors import BeamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    import httpx

    from beam_client._measuring import Pace
    from beam_client._sources import Measurable
    from beam_client.images import Image
    from beam_client.results import Check, Event, KeyInfo, Measurement, NewKey, Progress, ScanJob


class Beam:
    """A client of the service. Use it for as many measurements as you like, and as a context manager if it should end.

    Parameters
    ----------
    url : str, optional
        Address of the service; else the environment's BEAM_URL, else http://localhost:8000.
    key : str, optional
        API key; else the environment's BEAM_API_KEY.
    timeout_ms : float
        How long one request may take.
    retries : int
        How often a request is sent again after a lost connection.
    max_wait_ms : float
        How long one request may wait in all when the service answers 429 or 503.
    http : httpx.Client, optional
        What sends the requests, with its proxies and certificates. It is not closed with this client.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_ms: float = 60_000,
        retries: int = 4,
        max_wait_ms: float = 65_000,
        http: httpx.Client | None = None,
    ) -> None:
        self._settings = Settings.of(url, key, timeout_ms, retries, max_wait_ms)
        self._given = http
        self._own: httpx.Client | None = None

    def __enter__(self) -> Beam:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Beam({self._settings.manners.url!r})"

    def close(self) -> None:
        """Close the connections. They are opened again when they are needed."""
        if self._own:
            self._own.close()
            self._own = None

    def measure(
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
        """Measure the vital signs of the person in a video, before a camera, or in frames.

        Parameters
        ----------
        source : path, int or iterable
            A video file, the number of a camera, or frames: pictures (JPEG or PNG bytes, paths, RGB arrays of uint8,
            PIL images, or functions that make one), or pairs of capture time in milliseconds and picture.
        session_id : str, optional
            Which person this is; by default a new one.
        duration_ms : int, optional
            Length of the window, 10000 to 300000; by default 30000, or all of a shorter video.
        fps : float, optional
            Frames a second, for pictures without times.
        live : bool
            Whether frames are being taken now: they are read by a thread of their own, and those without a time get the
            time at which they come.
        pace : "batch" or "single"
            Every frame, a second of them in a request; or single frames, when the service asks for the next.
        include_raw : bool
            Whether the result holds the pulse wave and the beats.
        progress : callable, False or None
            A function that takes each `Progress`. None draws a bar if stderr is a terminal, False does not.

        Returns
        -------
        Measurement
            A vital that the signal does not support has the value None, and a reason.

        Raises
        ------
        BeamError
            A subclass says what went wrong: `beam_client.errors` has them all.
        """
        http = self._blocking()
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
            return http.run(flow)

    @overload
    def scan(
        self,
        path: str | PathLike[str],
        *,
        wait: Literal[True] = ...,
        webhook_url: str | None = ...,
        timeout_ms: float = ...,
        progress: Shown = ...,
    ) -> Measurement: ...

    @overload
    def scan(
        self,
        path: str | PathLike[str],
        *,
        wait: Literal[False],
        webhook_url: str | None = ...,
        timeout_ms: float = ...,
        progress: Shown = ...,
    ) -> ScanJob: ...

    def scan(
        self,
        path: str | PathLike[str],
        *,
        wait: bool = True,
        webhook_url: str | None = None,
        timeout_ms: float = 1000 * _scanning.PATIENCE_S,
        progress: Shown = None,
    ) -> Measurement | ScanJob:
        """Upload a whole video to be analysed by the service.

        Parameters
        ----------
        path : path
            MP4, MOV, WebM or AVI, 5 s to 60 minutes, at most 100 MB.
        wait : bool
            Whether to wait for the result. Without, a `ScanJob` is returned: `scan_status` asks for the result, and its
            `cancel` ends the scan. Ctrl-C while this waits cancels the scan too.
        webhook_url : str, optional
            Where the service posts the result.
        timeout_ms : float
            How long to wait for the result.
        progress : callable, False or None
            As for `measure`.

        Raises
        ------
        ScanFailed
            If the video has no result.
        TimedOut
            If the analysis takes longer than `timeout_ms`.
        """
        http = self._blocking()
        with _scanning.open_video(Path(path)) as file, reported(progress, "Scanning") as on_progress:
            wanted = _scanning.ScanWanted(webhook_url, timeout_ms / 1000, on_progress)
            manners = self._settings.manners
            try:
                if wait:
                    return http.run(_scanning.scan(file, wanted, manners))
                return self._with_cancel(http.run(_scanning.upload(file, wanted, manners)))
            except KeyboardInterrupt:
                for session_id in wanted.made:
                    with suppress(BeamError):
                        http.run(_scanning.cancel(session_id, _scanning.hasty(manners)))
                raise

    def scan_status(self, session_id: str) -> ScanJob:
        """Return what has become of a scan."""
        return self._with_cancel(self._blocking().run(_scanning.status(session_id, self._settings.manners)))

    def cancel_scan(self, session_id: str) -> None:
        """End a scan in any state: its analysis is stopped, and its video and vitals are deleted."""
        self._blocking().run(_scanning.cancel(session_id, self._settings.manners))

    def watch(self, session_id: str, *, after: str | None = None, timeout_ms: float | None = None) -> Iterator[Event]:
        """Yield what happens to a person whose frames others send, as the service reports it.

        It begins with the last measurement, if there is one. A connection that is cut is opened again, and the service
        then sends the measurements that were missed, of the last 10 minutes.

        Parameters
        ----------
        session_id : str
            Who is watched. Nobody needs to have sent a frame yet.
        after : str, optional
            The id of the last measurement that you have: those since then come first.
        timeout_ms : float, optional
            End when no event has come for so long. By default it does not end.

        Yields
        ------
        Partial, Measurement, Restarted or Expired
            A running rate about every two seconds; each finished measurement; a window that began anew and dropped what
            it held; a window without a frame for 120 s, which was forgotten. Restarts may come twice after a cut.

        Raises
        ------
        InvalidKey
            If the key is not valid, or is no more.
        ServiceUnreachable
            If the service does not come back: `max_wait_ms` bounds the wait.
        """
        flow = _calls.watch(session_id, after, timeout_ms, self._settings.manners)
        return self._blocking().each(flow)

    def check(self, image: Image) -> Check:
        """Look at one picture before a measurement, for a face and for what should change."""
        return self._blocking().run(_calls.check(image, self._settings.manners))

    def create_key(self, name: str = "") -> NewKey:
        """Ask the service for a free key, without having one. `name` says what it is for.

        Raises ServiceError if the service gives none to the public.
        """
        http = Blocking(self._given or self._opened(), self._settings.url, "")
        return http.run(_calls.create_key(name, self._settings.manners))

    def key_info(self) -> KeyInfo:
        """Return the key's tier, limit and usage."""
        return self._blocking().run(_calls.key_info(self._settings.manners))

    def measurement(self, measurement_id: str) -> Measurement:
        """Return a measurement of the last 24 hours. Raises NotFound."""
        return self._blocking().run(_calls.measurement(measurement_id, self._settings.manners))

    def session(self, session_id: str) -> Progress | None:
        """Return a person's window as it stands; None if nothing is known of this person."""
        return self._blocking().run(_calls.session(session_id, self._settings.manners))

    def forget(self, session_id: str) -> None:
        """Make the service forget a person: window, face and results."""
        self._blocking().run(_calls.forget(session_id, self._settings.manners))

    def _with_cancel(self, job: ScanJob) -> ScanJob:
        return replace(job, canceller=self.cancel_scan)

    def _blocking(self) -> Blocking:
        key = self._settings.require_key()
        return Blocking(self._given or self._opened(), self._settings.url, key)

    def _opened(self) -> Any:
        if self._own is None:
            import httpx

            self._own = httpx.Client(timeout=httpx.Timeout(**self._settings.timeouts_s))
            weakref.finalize(self, self._own.close)  # for who ends neither it nor a `with`
        return self._own
