"""A whole video through the scan API: a session, the upload, and asking until the analysis ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Callable
from urllib.parse import quote

from beam_client import results
from beam_client._exchange import Manners, ask, exchange, read
from beam_client._http import Pause, Request
from beam_client.errors import Conflict, ScanFailed, SourceError, TimedOut
from beam_client.images import refuse_picture
from beam_client.results import Measurement, Progress, ScanJob

if TYPE_CHECKING:
    from pathlib import Path

    from beam_client._http import Flow

PATIENCE_S = 180.0
_POLL_S = 1.5  # within the 60 requests a minute of a scan key
_UPLOAD_SHARE = 0.1  # of the bar
_ROOT = "/api/v1/scan-session"


@dataclass(frozen=True)
class ScanWanted:
    """What a caller of `scan` asks for."""

    webhook_url: str | None = None
    patience_s: float = PATIENCE_S
    on_progress: Callable[[Progress], None] = lambda _progress: None
    made: list[str] = field(default_factory=list)  # the id of the session, once the service has made it


def open_video(path: Path) -> BinaryIO:
    """Open a file to upload. Raises SourceError."""
    try:
        with path.open("rb") as file:
            refuse_picture(path, file.read(64))
        return path.open("rb")
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}.") from error


def upload(file: BinaryIO, wanted: ScanWanted, manners: Manners) -> Flow[ScanJob]:
    """Create a session with a video, and return what is known of it."""
    asked = {"webhook_url": wanted.webhook_url} if wanted.webhook_url else {}
    made = yield from ask(Request("POST", _ROOT, json=asked), manners)
    session_id = str(made["session_id"])
    wanted.made.append(session_id)
    request = Request("POST", f"{_ROOT}/{session_id}/video", files=(("file", "video", file),))
    try:
        taken = yield from ask(request, manners)
    except Conflict:  # the session is new: only a try of this request whose answer was lost can have filled it
        taken = {"status": "processing"}
    wanted.on_progress(_progress(session_id, 0.0))
    return results.scan_job(taken, session_id)


def status(session_id: str, manners: Manners) -> Flow[ScanJob]:
    """Return what has become of a scan."""
    return results.scan_job((yield from ask(Request("GET", f"{_ROOT}/{session_id}/vitals"), manners)), session_id)


def cancel(session_id: str, manners: Manners) -> Flow[None]:
    """Delete a scan, with its video, its analysis and its vitals. One that is gone already is no error."""
    answer = yield from exchange(Request("DELETE", f"{_ROOT}/{quote(session_id, safe='')}"), manners)
    if answer.status not in (204, 404):
        read(answer, manners.url)


def hasty(manners: Manners) -> Manners:
    """One try without waiting, for a caller who was interrupted."""
    return replace(manners, retries=0, max_wait_s=0.0)


def scan(file: BinaryIO, wanted: ScanWanted, manners: Manners) -> Flow[Measurement]:
    """Upload a video and wait for its vitals.

    Raises
    ------
    ScanFailed
        If the analysis ends without a result.
    TimedOut
        If it takes longer than is wanted.
    """
    job = yield from upload(file, wanted, manners)
    end_s = time.monotonic() + wanted.patience_s
    while True:
        job = yield from status(job.session_id, manners)
        if job.result:
            return job.result
        if job.status == "failed":
            raise ScanFailed(job.error or "The video has no result.", session_id=job.session_id, data=job.data)
        wanted.on_progress(_progress(job.session_id, job.progress))
        if time.monotonic() + _POLL_S > end_s:
            raise TimedOut(
                f"The scan has not finished in {wanted.patience_s:g} s. scan_status({job.session_id!r}) asks again.",
                session_id=job.session_id,
            )
        yield Pause(_POLL_S)


def _progress(session_id: str, analysed: float) -> Progress:
    return Progress(session_id, _UPLOAD_SHARE + (1 - _UPLOAD_SHARE) * analysed, 0, 0.0)
