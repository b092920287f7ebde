"""Every failure the service raises on purpose.

`code` is part of the API; the message is read by strangers, so it holds no path, key or host.
`beam_api.web.error_responses` gives each class its status. Failures of images and signals are `rppg_core.errors`.
"""

from __future__ import annotations


class BeamError(Exception):
    """Base of every failure the service raises on purpose."""

    code = "INTERNAL_ERROR"
    message = "Something went wrong on our side."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class MissingFrame(BeamError):
    """No file named `frame` in the request."""

    code = "MISSING_FRAME"
    message = "The request holds no file in the field 'frame'."


class MissingTimestamps(BeamError):
    """Several frames, and nothing that says when each was taken."""

    code = "MISSING_TIMESTAMPS"
    message = "Several frames need 'timestamp_ms', one per frame, or 'fps'."


class TooManyFrames(BeamError):
    """More frames than one request may hold."""

    code = "TOO_MANY_FRAMES"
    message = "The request holds too many frames."


class InvalidParameter(BeamError):
    """A field is out of range. The message names the field and its range."""

    code = "INVALID_PARAMETER"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"'{field}' {rule}.")
        self.field = field


class MissingApiKey(BeamError):
    """No key was presented."""

    code = "MISSING_API_KEY"
    message = "An API key is required, in the header X-API-Key or as a bearer token."


class InvalidApiKey(BeamError):
    """The key is unknown or revoked (the caller can't see which), or two different ones were sent."""

    code = "INVALID_API_KEY"
    message = "The API key provided is invalid or has been revoked."


class TokenScope(BeamError):
    """A session token was used for something else than what it is for."""

    code = "TOKEN_SCOPE"
    message = "A session token can send frames and samples of its own session and nothing else."


class SignupClosed(BeamError):
    """Keys are made by the operator alone."""

    code = "SIGNUP_CLOSED"
    message = "This service gives no keys to the public. Ask its operator for one."


class CrossSiteRequest(BeamError):
    """A page of another site sent the request on behalf of its visitor."""

    code = "CROSS_SITE_REQUEST"
    message = "Pages of other sites can't ask for this."


class NotFound(BeamError):
    """No such thing, or not one of this key's."""

    code = "NOT_FOUND"
    message = "There is nothing here."


class Conflict(BeamError):
    """The thing is in a state that doesn't allow this."""

    code = "CONFLICT"
    message = "This can't be done in the present state."


class Unprocessable(BeamError):
    """Well-formed, and of no use. The message says why."""

    code = "UNPROCESSABLE"
    message = "This can't be used."


class PayloadTooLarge(BeamError):
    """The body, or one part of it, is larger than is taken."""

    code = "PAYLOAD_TOO_LARGE"
    message = "The request is too large."


class UnsupportedMediaType(BeamError):
    """The body is of a type this route doesn't read."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "The request must be multipart/form-data."


class RateLimited(BeamError):
    """The bucket is full."""

    code = "RATE_LIMITED"
    message = "Too many requests."

    def __init__(self, retry_after_s: int, message: str | None = None) -> None:
        super().__init__(message or f"Too many requests. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class StoreUnavailable(BeamError):
    """Redis is unavailable, full or read-only, so nothing can be kept."""

    code = "STORE_UNAVAILABLE"
    message = "The store is unavailable at the moment."
    retry_after_s = 2


class TooManyStreams(StoreUnavailable):
    """As many streams of events are open as one process serves."""

    code = "TOO_MANY_STREAMS"
    message = "Too many streams are open. Try again later."
    retry_after_s = 5
