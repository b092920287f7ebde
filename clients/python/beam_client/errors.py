"""Every failure that this package raises on purpose.

As a tree::

    BeamError
    ├── ConfigurationError     an address or a key that can't be one (a ValueError too)
    ├── MissingKey             no API key was given
    ├── SourceError            what should be measured can't be read
    │   └── MissingDependency  a package that reads it is not installed
    ├── ServiceUnreachable     no connection, or no answer in time
    ├── UnexpectedAnswer       something other than Beam answers at this address
    ├── FramesEnded            the frames ended before the window was full
    ├── ScanFailed             the video was analysed, without a result
    ├── TimedOut               a scan took longer than the caller wanted to wait
    └── ServiceError           the service refused a request
    ├── InvalidKey         401
    ├── RateLimited        429, with `retry_after`
    ├── NoFace             no frame shows a face, with `guidance`
    ├── InvalidImage       not a JPEG or PNG, or a broken one
    ├── InvalidRequest     any other 400, with the `field` if one is named
    ├── NotFound           404
    ├── Conflict           409
    ├── TooLarge           413
    ├── UnusableVideo      422
    └── ServiceUnavailable 503, with `retry_after`
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIELD = re.compile(r"'(\w+)'")
_NO_ADVICE: tuple[str, ...] = ()


class BeamError(Exception):
    """Base of every failure that this package raises on purpose."""


class ConfigurationError(BeamError, ValueError):
    """An address or a key that can't be one."""


class MissingKey(BeamError):
    """No API key was given, and BEAM_API_KEY is not set."""


class SourceError(BeamError):
    """What should be measured can't be read: no such file, no video, no camera, no picture."""


class MissingDependency(SourceError):
    """A package that this source needs is not installed. The message names the command that installs it."""


class ServiceUnreachable(BeamError):
    """No connection to the service, or no answer in time."""


class UnexpectedAnswer(BeamError):
    """Something other than Beam answers at this address."""


class FramesEnded(BeamError):
    """The frames ended before the window was full; `filled_ms` of it were filled for certain."""

    def __init__(self, message: str, *, filled_ms: int = 0, guidance: Sequence[str] = _NO_ADVICE) -> None:
        super().__init__(message)
        self.filled_ms = filled_ms
        self.guidance = tuple(guidance)


class ScanFailed(BeamError):
    """The service analysed the video and found no result. The message is the service's reason."""

    def __init__(self, message: str, *, session_id: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.session_id = session_id
        self.data = dict(data or {})


class TimedOut(BeamError):
    """A scan took longer than the caller wanted to wait. `session_id` finds its result later."""

    def __init__(self, message: str, *, session_id: str = "") -> None:
        super().__init__(message)
        self.session_id = session_id


class ServiceError(BeamError):
    """The service refused a request.

    Attributes
    ----------
    status : int
        The HTTP status.
    code : str
        The service's name of the failure, as INVALID_PARAMETER; empty in the scan API, which has none.
    message : str
        One sentence for people.
    field : str or None
        The form field that is at fault, if the service names one.
    request_id : str
        Finds the request in the service's log.
    guidance : tuple of str
        What to change in the picture.
    retry_after : float or None
        Seconds until a new try makes sense, as in the header Retry-After.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        field: str | None = None,
        request_id: str = "",
        guidance: Sequence[str] = _NO_ADVICE,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.field = field
        self.request_id = request_id
        self.guidance = tuple(guidance)
        self.retry_after = retry_after

    def __str__(self) -> str:
        advice = f" Guidance: {', '.join(self.guidance)}." if self.guidance else ""
        named = " ".join(part for part in (str(self.status or ""), self.code) if part)
        return f"{named}: {self.message}{advice}" if named else f"{self.message}{advice}"


class InvalidKey(ServiceError):
    """The key is unknown, revoked or expired."""


class RateLimited(ServiceError):
    """The key has no requests left; `retry_after` seconds from now it has."""


class NoFace(ServiceError):
    """No frame shows a face that can be measured; `guidance` says what to change."""


class InvalidImage(ServiceError):
    """A picture that is no JPEG or PNG, has no colour, or is broken."""


class InvalidRequest(ServiceError):
    """A parameter out of its range; `field` names it."""


class NotFound(ServiceError):
    """The service knows no such thing, or it belongs to another key."""


class Conflict(ServiceError):
    """The scan session already has a video."""


class TooLarge(ServiceError):
    """A frame, a request or a video over the service's limits."""


class UnusableVideo(ServiceError):
    """A video that can't be measured: too short, too long, without a picture, or of another codec."""


class ServiceUnavailable(ServiceError):
    """The service can't work at the moment; `retry_after` seconds from now it may."""


_BY_CODE: dict[str, type[ServiceError]] = {
    "NO_FACE_DETECTED": NoFace,
    "UNSUPPORTED_IMAGE": InvalidImage,
    "INVALID_IMAGE": InvalidImage,
}
_BY_STATUS: dict[int, type[ServiceError]] = {
    400: InvalidRequest,
    401: InvalidKey,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: UnusableVideo,
    429: RateLimited,
    503: ServiceUnavailable,
}


def service_error(
    status: int, body: Mapping[str, Any], *, request_id: str = "", retry_after: float | None = None
) -> ServiceError:
    """Return the exception for an error of either API, from its status and JSON body."""
    envelope = body.get("error")
    error: Mapping[str, Any] = envelope if isinstance(envelope, dict) else {}
    message = str(error.get("message") or body.get("detail") or "The service refused the request.")
    code = str(error.get("code") or "")
    named = _FIELD.match(message) if code == "INVALID_PARAMETER" else None
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, ServiceError)
    return kind(
        message,
        status=status,
        code=code,
        field=error.get("field") or (named.group(1) if named else None),
        request_id=str(error.get("request_id") or request_id),
        guidance=[str(advice) for advice in error.get("guidance") or ()],
        retry_after=retry_after,
    )
