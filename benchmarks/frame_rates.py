"""How good the heart rate is at every pace: frame by frame, evenly or unevenly, from one a second up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import real
from benchmarks.recordings import TEST_SEED, Job, Row, jobs, measured, thin
from benchmarks.report import Verdict
from benchmarks.scores import mean, median
from rppg_core.quality.extractors import DEFAULT
from rppg_core.simulation.faces import person_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rppg_core.results import Vitals
    from rppg_core.trace.traces import Trace

GROUP, EVEN_GROUP, FAST_GROUP, NOTHING_GROUP = "1.6 fps", "evenly slow", "60 fps", "nothing at 1.6 fps"
_SLOW = {"fps": 1.6, "time_jitter": 0.3, "duration_s": 60.0}
_EVEN_FPS = (1.0, 1.6, 2.0, 3.0, 4.0, 5.0, 6.0)
_THINNED_FPS = (20.0, 15.0, 10.0, 8.0, 6.0, 5.0, 3.0)
_TOLERANCE_BPM = 3.0
_DRAWS = 120


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One measured window and its truth."""

    vitals: Vitals
    rate_bpm: float
    rmssd_ms: float | None = None

    @property
    def error_bpm(self) -> float:
        """NaN where nothing was answered."""
        found = self.vitals.heart_rate_bpm
        return float("nan") if found is None else found - self.rate_bpm


def slow_and_fast_jobs(sizes: dict[str, int]) -> list[Job]:
    """Recordings as a client makes them that posts one frame at a time, evenly slow ones, and a fast camera's."""
    even = [
        Job(EVEN_GROUP, jobs(kind, 1, TEST_SEED + 3000 + i, fps=_EVEN_FPS[i % len(_EVEN_FPS)])[0].scene)
        for i, kind in zip(range(sizes[EVEN_GROUP]), ("moderate", "hard") * sizes[EVEN_GROUP], strict=False)
    ]
    nothing = jobs("no pulse", sizes[NOTHING_GROUP], TEST_SEED + 2000, **_SLOW)
    return (
        [Job(NOTHING_GROUP, job.scene) for job in nothing]
        + [Job(GROUP, job.scene) for job in jobs("moderate", sizes[GROUP], TEST_SEED + 2000, **_SLOW)]
        + even
        + [Job(FAST_GROUP, job.scene) for job in jobs("moderate", sizes[FAST_GROUP], TEST_SEED, fps=60.0)]
    )


def pace_report(done: list[Row], moderate: list[Row]) -> tuple[list[Verdict], str]:
    """Lines for the table of figures to reach, and the section about the pace."""
    slow = [row for row in done if row.job.group == GROUP]
    halves = [answer for row in slow for answer in _parts(row, 30.0)]
    whole = [answer for row in slow for answer in _parts(row, 60.0)]
    clip = _draws_of_the_clip()
    bloodless = [
        answer for row in done if row.job.group == NOTHING_GROUP for w in (30.0, 60.0) for answer in _parts(row, w)
    ]
    false = sum(answer.vitals.confidence >= 0.3 for answer in bloodless)
    thinned = [a for fps in (2.0, 4.0, 6.0) for a in _thinned(moderate, fps, jitter=0.0)]
    evenly = thinned + [_whole(row) for row in done if row.job.group == EVEN_GROUP and row.trace is not None]
    sure_and_wrong = [a for a in evenly if a.vitals.confidence >= 0.7 and abs(a.error_bpm) > _TOLERANCE_BPM]
    full, third = [_whole(row) for row in moderate], _thinned(moderate, 10.0, jitter=0.0)
    apart = mean(np.abs([a.error_bpm for a in third])) - mean(np.abs([a.error_bpm for a in full]))
    verdicts = [
        *_slow_verdicts("1.6 frames a second, uneven, 30 s", halves, 0.9, 0.6),
        *_slow_verdicts("… 60 s", whole, 0.95, 0.8),
        *(_slow_verdicts("face-1 at 6 frames a second, uneven, 10 s", clip, 0.9, 0.6) if clip else ()),
        Verdict(
            f"evenly slow frames ({len(evenly)} windows): wrong with confidence ≥ 0.7",
            str(len(sure_and_wrong)),
            "0",
            not sure_and_wrong,
        ),
        Verdict(
            f"false pulses with confidence ≥ 0.3 at 1.6 frames a second ({len(bloodless)} windows)",
            str(false),
            "0",
            false == 0,
        ),
        Verdict("mean error at 10 fps above that at 30 fps", f"{apart:+.2f} bpm", "≤ 0.3 bpm", apart <= 0.3),
    ]
    fast = [_whole(row) for row in done if row.job.group == FAST_GROUP and row.trace is not None]
    lines = [_line("60", fast), _line("30", full)]
    lines += [_line(f"{fps:.0f}", _thinned(moderate, fps, jitter=0.0)) for fps in _THINNED_FPS]
    lines += [_line(f"{fps:.0f}, uneven", _thinned(moderate, fps, jitter=0.45)) for fps in _THINNED_FPS[-3:]]
    lines.append(_line("1.6, uneven, 30 s", halves))
    lines.append(_line("1.6, uneven, 60 s", whole))
    head = (
        "| frames a second | windows | heart rate answered | within 3 bpm or withheld | mean error, bpm "
        "| RMSSD answered | median error, ms |\n|---|---|---|---|---|---|---|\n"
    )
    text = (
        "## Every pace (moderate scenes, 30 s)\n\n" + head + "\n".join(lines) + "\n\n"
        "Rows from 20 to 3 frames a second are the recordings of the row of 30, thinned. Below 8 frames a second the "
        "rate is found by least squares on the capture times; single beats, and so RMSSD, can't be seen then.\n"
    )
    return verdicts, text


def _slow_verdicts(name: str, answers: list[Answer], right: float, answered: float) -> tuple[Verdict, Verdict]:
    good, given = _right(answers), _answered(answers)
    return (
        Verdict(f"{name} ({len(answers)}): within 3 bpm or withheld", f"{good:.0%}", f"≥ {right:.0%}", good >= right),
        Verdict("… answered", f"{given:.0%}", f"≥ {answered:.0%}", given >= answered),
    )


def _parts(row: Row, width_s: float) -> Iterable[Answer]:
    if row.trace is None:
        return
    times = row.trace.times_s
    for start in np.arange(times[0], times[-1] - width_s + 1.0, width_s):
        inside = (times >= start) & (times < start + width_s)
        yield _measured(row, _cut(row.trace, inside))


def _thinned(rows: list[Row], fps: float, jitter: float) -> list[Answer]:
    answers = []
    for row in rows:
        if row.trace is not None and row.job.scene.fps > fps:
            rng = np.random.default_rng([6, row.job.scene.seed])
            answers.append(_measured(row, thin(row.trace, fps, jitter, rng)))
    return answers


def _measured(row: Row, trace: Trace) -> Answer:
    truth = person_of(row.job.scene).truth(float(trace.times_s[0]), float(trace.times_s[-1]))
    return Answer(measured(trace, row.job.method), truth.heart_rate_bpm, truth.rmssd_ms)


def _whole(row: Row) -> Answer:
    assert row.truth is not None
    assert row.vitals is not None
    return Answer(row.vitals, row.truth.heart_rate_bpm, row.truth.rmssd_ms)


def _cut(trace: Trace, inside: np.ndarray) -> Trace:
    return trace.part(inside)


def _draws_of_the_clip() -> list[Answer]:
    """The real clip as a client would have sent it at 6 frames a second, drawn many times from 10 s of it."""
    trace = real.face_1_trace()
    if trace is None:
        return []
    rng, answers, times = np.random.default_rng(7), [], trace.times_s
    for _ in range(_DRAWS):
        start = rng.uniform(times[0], times[-1] - 10.0)
        part = _cut(trace, (times >= start) & (times <= start + 10.0))
        answers.append(Answer(measured(thin(part, 6.0, 0.45, rng), DEFAULT), real.FACE_1_BPM))
    return answers


def _errors(answers: list[Answer], of: Callable[[Answer], float]) -> np.ndarray:
    return np.abs(np.array([of(answer) for answer in answers], dtype=float))


def _right(answers: list[Answer]) -> float:
    error = _errors(answers, lambda a: a.error_bpm)
    return float(np.mean(~np.isfinite(error) | (error <= _TOLERANCE_BPM)))


def _answered(answers: list[Answer]) -> float:
    return float(np.mean([a.vitals.heart_rate_bpm is not None for a in answers]))


def _rmssd_error(answer: Answer) -> float:
    found = answer.vitals.rmssd_ms
    return float("nan") if found is None or answer.rmssd_ms is None else found - answer.rmssd_ms


def _line(name: str, answers: list[Answer]) -> str:
    rate, spread = _errors(answers, lambda a: a.error_bpm), _errors(answers, _rmssd_error)
    given = np.isfinite(spread).mean()
    return (
        f"| {name} | {len(answers)} | {_answered(answers):.0%} | {_right(answers):.0%} | {mean(rate):.2f} "
        f"| {given:.0%} | {f'{median(spread):.1f}' if given else ''} |"
    )
