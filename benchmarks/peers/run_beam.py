"""`run_beam.py CLIP video|frames|decode`: a file, its frames as JPEGs in batches, or no more than decoding the file."""

import sys
from pathlib import Path

import av
import cv2
from meter import cpu_s, report

from benchmarks.material import BATCH, encode
from rppg_core import measure
from rppg_core.face.footage import trace_of
from rppg_core.face.reader import FaceReader, Frame
from rppg_core.media.video import read_video
from rppg_core.trace.traces import Trace

clip, way = sys.argv[1:]
cv2.setNumThreads(1)  # as a worker of the service
reader = FaceReader()


def from_video() -> float | None:
    """As `beam measure` and `beam worker` do."""
    return measure(trace_of(read_video(Path(clip), max_fps=30.0), reader)).heart_rate_bpm


def from_frames(frames: list[Frame]) -> float | None:
    """As the measure API does."""
    state, times, samples = None, [], []
    for at in range(0, len(frames), BATCH):
        for reading in reader.read(frames[at : at + BATCH], state):
            if reading.sample is not None and reading.face is not None:
                times.append(reading.time_us / 1e6)
                samples.append(reading.sample)
                state = reading.face
    return measure(Trace.of(times, samples, state.frame_size)).heart_rate_bpm


def decoded() -> None:
    """What any that reads the file must do, on one thread and without conversion of colours."""
    with av.open(clip) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


if way == "video":
    report(cpu_s(), from_video)
elif way == "decode":
    report(cpu_s(), decoded)
else:
    loaded_s = cpu_s()
    jpegs = [Frame(round(1e6 * at), encode(image)) for at, image in read_video(Path(clip))]
    report(loaded_s, lambda: from_frames(jpegs))
