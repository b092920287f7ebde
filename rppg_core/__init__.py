"""Contactless vital signs: frames of a face in, heart rate and its variability, breathing and oxygen out.

The names below are loaded when they are first used, so `import rppg_core` costs nothing and needs no library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rppg_core import errors, methods
    from rppg_core._measure import measure
    from rppg_core._measure_video import measure_video, trace_of_video
    from rppg_core.errors import (
        InvalidImage,
        InvalidSample,
        InvalidTraceFile,
        InvalidTraces,
        InvalidVideo,
        ModelUnavailable,
        NoFaceDetected,
        RppgError,
        SignalTooShort,
        UnknownExtractor,
        UnsupportedImage,
        UnusableVideo,
    )
    from rppg_core.face.exchange import FaceOutline, TimedSample, read_samples, write_sample
    from rppg_core.face.footage import trace_of
    from rppg_core.face.reader import FaceReader, FaceState, Frame, Reading
    from rppg_core.guidance import advise
    from rppg_core.media.video import VideoInfo, probe, read_video
    from rppg_core.methods import METHODS, Method
    from rppg_core.pulse.extract import Extractor, Pulse
    from rppg_core.pulse.single import extractor_of
    from rppg_core.quality.extractors import EXTRACTORS, Extraction, extraction, extractor_names
    from rppg_core.quality.table import Calibration
    from rppg_core.results import HrvDetails, Quality, Vitals, Waveform
    from rppg_core.trace.files import Recording, load_trace, save_trace
    from rppg_core.trace.traces import Sample, Trace

__all__ = [
    "EXTRACTORS",
    "METHODS",
    "Calibration",
    "Extraction",
    "Extractor",
    "FaceOutline",
    "FaceReader",
    "FaceState",
    "Frame",
    "HrvDetails",
    "InvalidImage",
    "InvalidSample",
    "InvalidTraceFile",
    "InvalidTraces",
    "InvalidVideo",
    "Method",
    "ModelUnavailable",
    "NoFaceDetected",
    "Pulse",
    "Quality",
    "Reading",
    "Recording",
    "RppgError",
    "Sample",
    "SignalTooShort",
    "TimedSample",
    "Trace",
    "UnknownExtractor",
    "UnsupportedImage",
    "UnusableVideo",
    "VideoInfo",
    "Vitals",
    "Waveform",
    "advise",
    "errors",
    "extraction",
    "extractor_names",
    "extractor_of",
    "load_trace",
    "measure",
    "measure_video",
    "methods",
    "probe",
    "read_samples",
    "read_video",
    "save_trace",
    "trace_of",
    "trace_of_video",
    "write_sample",
]

_NAMES = {
    "_measure": ("measure",),
    "_measure_video": ("measure_video", "trace_of_video"),
    "errors": (
        "InvalidImage",
        "InvalidSample",
        "InvalidTraceFile",
        "InvalidTraces",
        "InvalidVideo",
        "ModelUnavailable",
        "NoFaceDetected",
        "RppgError",
        "SignalTooShort",
        "UnknownExtractor",
        "UnsupportedImage",
        "UnusableVideo",
    ),
    "face.exchange": ("FaceOutline", "TimedSample", "read_samples", "write_sample"),
    "face.footage": ("trace_of",),
    "face.reader": ("FaceReader", "FaceState", "Frame", "Reading"),
    "guidance": ("advise",),
    "media.video": ("VideoInfo", "probe", "read_video"),
    "methods": ("METHODS", "Method"),
    "pulse.extract": ("Extractor", "Pulse"),
    "pulse.single": ("extractor_of",),
    "quality.extractors": ("EXTRACTORS", "Extraction", "extraction", "extractor_names"),
    "quality.table": ("Calibration",),
    "results": ("HrvDetails", "Quality", "Vitals", "Waveform"),
    "trace.files": ("Recording", "load_trace", "save_trace"),
    "trace.traces": ("Sample", "Trace"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = ("errors", "methods")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
