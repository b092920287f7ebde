"""Every failure the library raises on purpose. `code` is part of the public API; the message is for people."""

from __future__ import annotations


class RppgError(Exception):
    """Base of every failure this library raises on purpose."""

    code = "INTERNAL_ERROR"


class UnsupportedImage(RppgError, ValueError):
    """The bytes are no JPEG or PNG in colour."""

    code = "UNSUPPORTED_IMAGE"


class InvalidImage(RppgError, ValueError):
    """A JPEG or PNG that is truncated, corrupt, or over the limits on what is decoded."""

    code = "INVALID_IMAGE"


class NoFaceDetected(RppgError):
    """A good image in which no face, or only one too small, is seen."""

    code = "NO_FACE_DETECTED"

    def __init__(self, message: str = "No face was found in the frame.", *, guidance: tuple[str, ...] = ("NO_FACE",)):
        super().__init__(message)
        self.guidance = guidance


class InvalidVideo(RppgError, ValueError):
    """The file is no video, or one that can't be decoded."""

    code = "INVALID_VIDEO"


class UnusableVideo(InvalidVideo):
    """A video that there is nothing to measure in: no frames, a picture or a length that is not taken."""

    code = "UNUSABLE_VIDEO"


class ModelUnavailable(RppgError):
    """The landmark model asked for is not installed or can't be read."""


class InvalidTraces(RppgError, ValueError):
    """The arrays are not a trace: wrong shapes, times out of order, or no positive colours."""

    code = "INVALID_PARAMETER"


class InvalidTraceFile(InvalidTraces):
    """The file holds no trace: it is damaged, of another version, or something else."""


class InvalidSample(RppgError, ValueError):
    """A sample that another reader made is not of the format: wrong counts, not finite, or out of range."""

    code = "INVALID_SAMPLE"

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(f"Sample {index} can't be used: {problem}.")
        self.index, self.problem = index, problem


class SignalTooShort(RppgError):
    """Good traces, but fewer than the method needs."""

    code = "WINDOW_TOO_SHORT"

    def __init__(self, *, seconds: float, needed_s: float) -> None:
        super().__init__(f"{seconds:.2f} s of signal, at least {needed_s:.2f} s needed")


class UnknownExtractor(RppgError, LookupError):
    """No extractor of that name is installed, or it can't be loaded."""
