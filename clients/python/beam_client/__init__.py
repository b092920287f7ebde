"""Client of Beam, a service that measures vital signs from video of a face.

    from beam_client import Beam
    print(Beam("http://localhost:8000", "beam_sk_...").measure("face.mp4"))

Everything heavy (httpx, PyAV, OpenCV) is imported when it is first needed.
"""

from beam_client._version import __version__
from beam_client.async_client import AsyncBeam
from beam_client.client import Beam
from beam_client.errors import (
    BeamError,
    ConfigurationError,
    Conflict,
    FramesEnded,
    InvalidImage,
    InvalidKey,
    InvalidRequest,
    MissingDependency,
    MissingKey,
    NoFace,
    NotFound,
    RateLimited,
    ScanFailed,
    ServiceError,
    ServiceUnavailable,
    ServiceUnreachable,
    SourceError,
    TimedOut,
    TooLarge,
    UnexpectedAnswer,
    UnusableVideo,
)
from beam_client.results import (
    Check,
    Event,
    Expired,
    Face,
    KeyInfo,
    Measurement,
    NewKey,
    Partial,
    Progress,
    Raw,
    Rejected,
    Restarted,
    ScanJob,
    Vital,
)

__all__ = [
    "AsyncBeam",
    "Beam",
    "BeamError",
    "Check",
    "ConfigurationError",
    "Conflict",
    "Event",
    "Expired",
    "Face",
    "FramesEnded",
    "InvalidImage",
    "InvalidKey",
    "InvalidRequest",
    "KeyInfo",
    "Measurement",
    "MissingDependency",
    "MissingKey",
    "NewKey",
    "NoFace",
    "NotFound",
    "Partial",
    "Progress",
    "RateLimited",
    "Raw",
    "Rejected",
    "Restarted",
    "ScanFailed",
    "ScanJob",
    "ServiceError",
    "ServiceUnavailable",
    "ServiceUnreachable",
    "SourceError",
    "TimedOut",
    "TooLarge",
    "UnexpectedAnswer",
    "UnusableVideo",
    "Vital",
    "__version__",
]
