"""Advice on the picture and the pace, for each request whose frames were taken."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import structlog

from beam_api.services.windows import pacing
from beam_api.services.windows.clocks import SILENCE_US
from rppg_core.errors import NoFaceDetected
from rppg_core.trace.aliasing import is_evenly_slow
from rppg_core.trace.traces import Sample, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beam_api.store.window_values import OpenWindow
    from rppg_core.face.reader import FaceState, Reading


class Advice:
    """Gives guidance codes. Safe to share between threads."""

    def __init__(self, advise: Callable[[Trace, Sequence[float] | None], tuple[str, ...]]) -> None:
        self._advise = advise

    def of(
        self,
        read: Sequence[Reading],
        frame_size: tuple[int, int] | None,
        window: OpenWindow,
        mean_ms: float | None,
        *,
        several_faces: bool = False,
    ) -> tuple[str, ...]:
        """Return what to change, or nothing if that fails: the frames are buffered, so it must be no error.

        Parameters
        ----------
        read : sequence of Reading
            The request's frames.
        frame_size : (int, int), optional
            Width and height of the newest good one.
        window : OpenWindow
            The window with these frames.
        mean_ms : float, optional
            The pace that the service asked of the client, if it did.
        several_faces : bool, optional
            Whether others were in the picture when they were last looked for.
        """
        try:
            seen = [(reading.time_us, reading.sample) for reading in read if reading.sample]
            trace = _trace_of(_after_silence(seen), frame_size or (0, 0), several_faces)
            return self._codes(read, trace, window, mean_ms)
        except Exception:
            structlog.get_logger().exception("advice failed")
            return ()

    def of_picture(self, sample: Sample, face: FaceState) -> tuple[str, ...]:
        """What to change in a single picture."""
        return self._advise(_trace_of([(0, sample)], face.frame_size, face.company.now), None)

    def _codes(
        self, read: Sequence[Reading], seen: Trace, window: OpenWindow, mean_ms: float | None
    ) -> tuple[str, ...]:
        """What the accepted frames show, then what the rejected ones show."""
        recent_s = [(at - window.first_us) / 1e6 for at in window.recent_us]
        few = len(seen.times_s) <= 2 and bool(recent_s)  # too few to know a pace
        advice = self._advise(seen, recent_s if few else None)
        if "EVENLY_SLOW_FRAMES" in advice or (not few and is_evenly_slow(recent_s)):
            advice += ("EVENLY_SLOW_FRAMES",)
        elif mean_ms and pacing.follows(window.recent_hz, mean_ms):
            # It sends what its limit allows, at times that separate a pulse from its aliases.
            advice = tuple(code for code in advice if code != "LOW_FRAME_RATE")
        for reading in read:
            if isinstance(reading.error, NoFaceDetected):
                advice += reading.error.guidance
        return tuple(dict.fromkeys(advice))


def of_window(window: Sequence[str], request: Sequence[str]) -> tuple[str, ...]:
    """What a whole window shows, and what its last request does, which can't say who was there all the time."""
    return tuple(dict.fromkeys((*window, *(code for code in request if code != "SEVERAL_FACES"))))


def _after_silence(samples: list[tuple[int, Sample]]) -> list[tuple[int, Sample]]:
    """The samples after the last silence that restarts a window, in the order of their times."""
    ordered = sorted(samples, key=lambda sample: sample[0])
    breaks = [i for i, (a, b) in enumerate(pairwise(ordered), 1) if b[0] - a[0] > SILENCE_US]
    return ordered[breaks[-1] :] if breaks else ordered


def _trace_of(samples: Sequence[tuple[int, Sample]], frame_size: tuple[int, int], several_faces: bool) -> Trace:
    """Times from the first frame on: an epoch would cost digits."""
    start = min(at for at, _ in samples)
    times_s = [(at - start) / 1e6 for at, _ in samples]
    trace = Trace.of(times_s, [sample for _, sample in samples], frame_size)
    return replace(trace, several_faces=several_faces)
