"""Contactless vital signs: frames of a face in, heart rate and its variability, breathing and oxygen out."""

from rppg_core._measure import measure
from rppg_core.face.reader import FaceReader, FaceState, Frame, Reading
from rppg_core.guidance import advise
from rppg_core.results import Quality, Vitals, Waveform
from rppg_core.trace.traces import Sample, Trace

__all__ = [
    "FaceReader",
    "FaceState",
    "Frame",
    "Quality",
    "Reading",
    "Sample",
    "Trace",
    "Vitals",
    "Waveform",
    "advise",
    "measure",
]
