"""The trace of a full window, as it is analysed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rppg_core.face.reader import FaceState
from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from beam_api.store.window_values import Claim, LastFace


def trace_of_window(claim: Claim, face: LastFace | None) -> Trace:
    """Unpack the samples of a claimed window; `face` is the last one of its session, if any is known."""
    times_us = [at for at, _ in claim.records]
    times_s = [(at - times_us[0]) / 1e6 for at in times_us]
    trace = Trace.of_packed(times_s, [packed for _, packed in claim.records], claim.frame_size)
    # Of samples it isn't known who else was in the picture.
    state = FaceState.from_bytes(face.packed) if face and claim.source == "images" else None
    return replace(trace, several_faces=state is not None and state.company.during(times_us[0], times_us[-1]))
