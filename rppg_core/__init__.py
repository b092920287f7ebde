"""Contactless vital signs: frames of a face in, heart rate and its variability, breathing and oxygen out."""

from rppg_core.guidance import advise
from rppg_core.measure import measure
from rppg_core.reader import FaceReader, FaceState, Frame, Reading
from rppg_core.traces import Sample, Trace
from rppg_core.vitals import Quality, Vitals, Waveform

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
