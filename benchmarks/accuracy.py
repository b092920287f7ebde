"""How right the vitals are: simulated and real recordings, one table, written to docs/accuracy.md with its pictures.

`python -m benchmarks.accuracy` (make bench-accuracy) takes under 15 minutes on two cores; `--quick` a tenth of the
recordings, printed and not written; `--method NAME` judges another extractor, on the same recordings at an even pace,
and is printed too. Every simulated figure is of test seeds, which nothing was tuned or fitted on.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import codecs, coverage, frame_rates, plots, real
from benchmarks.recordings import TEST_SEED, TUNING_SEED, Job, Row, jobs, rows, with_landmarks
from benchmarks.report import Verdict
from benchmarks.scores import (
    confidence,
    covered,
    heart_rate_error,
    mean,
    median,
    respiration_error,
    rmssd_error,
    spo2_error,
    stress_error,
)
from rppg_core.quality.extractors import DEFAULT, extraction
from rppg_core.validation import bias, mean_absolute_error, rate_upper_bound, return_rate, within_tolerance

if TYPE_CHECKING:
    from collections.abc import Callable

    from rppg_core.simulation.scenes import Scene

DOCS = Path(__file__).parents[1] / "docs"
TOLERANCE_BPM = 2.0
_SIZES = {
    "hard": 300, "hard, 30 fps": 24, "moderate": 40, "no pulse": 204, "68 points": 16, "H.264": 10,
    frame_rates.GROUP: 60, frame_rates.EVEN_GROUP: 42, frame_rates.FAST_GROUP: 4, frame_rates.NOTHING_GROUP: 36,
}  # fmt: skip
_NO_PULSE_S = (20.0, 10.0)


def main() -> None:
    """Run, print, and unless `--quick` write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--method", default=DEFAULT, help="one of rppg_core.extractor_names() [%(default)s]")
    options = parser.parse_args()
    quick, method = options.quick, options.method
    extraction(method)  # of no such name, before the work begins
    begun = time.monotonic()
    sizes = {name: max(n // 10, 6) if quick else n for name, n in _SIZES.items()}
    hard, moderate = jobs("hard", sizes["hard"], TEST_SEED), jobs("moderate", sizes["moderate"], TEST_SEED)
    todo = (
        hard
        + moderate
        + _hard_and_fast(sizes["hard, 30 fps"])
        + [
            job
            for part, length_s in enumerate(_NO_PULSE_S)
            for job in jobs("no pulse", sizes["no pulse"] // 2, TEST_SEED + 300 * part, duration_s=length_s)
        ]
        + with_landmarks(moderate[: sizes["68 points"] // 2] + hard[: sizes["68 points"] // 2], "68")
        + jobs("moderate", sizes["H.264"], TEST_SEED + 500, codec="h264")
        + (frame_rates.slow_and_fast_jobs(sizes) if method == DEFAULT else [])
    )
    todo = [replace(job, method=method) for job in todo]
    done: list[Row] = []
    for row in rows(todo):
        done.append(row)
        print(f"\r{len(done)} of {len(todo)} recordings", end="", file=sys.stderr)
    print(file=sys.stderr)
    streamed = codecs.scores(quick=quick)
    report = _report(done, method, streamed) + f"\nMade in {(time.monotonic() - begun) / 60:.0f} minutes.\n"
    print(report)
    if not quick and method == DEFAULT:
        (DOCS / "accuracy.md").write_text(report)
        plots.draw(done, DOCS / "accuracy")


def _hard_and_fast(count: int) -> list[Job]:
    """Hard scenes at the frame rate that heart-rate variability needs."""
    return [replace(job, group="hard, 30 fps") for job in jobs("hard", count, TEST_SEED + 1000, fps=30.0)]


def _report(done: list[Row], method: str, streamed: list[codecs.Score]) -> str:
    groups = {
        name: [r for r in done if r.job.group == name and r.job.landmarks == "5" and r.job.scene.codec == "jpeg"]
        for name in ("hard", "hard, 30 fps", "moderate")
    }
    nothing = [r for r in done if r.job.group.startswith("no pulse")]
    at_any_pace, pace_section = (
        frame_rates.pace_report(done, groups["moderate"])
        if method == DEFAULT
        else ([], "Frames below 8 a second are not measured by this method.\n")
    )
    parts = [
        "# Accuracy\n" if method == DEFAULT else f"# Accuracy of {method}\n",
        "Written by `make bench-accuracy` (`python -m benchmarks.accuracy`), which anybody can repeat.",
        f"Simulated figures are of test seeds from {TEST_SEED} on; tuning and calibration saw seeds {TUNING_SEED} to "
        f"{TEST_SEED - 1} only. Three looks at test seeds showed what to work on, which was then done and fitted on "
        "tuning seeds: flicker was the main failure, ranges of rates were too wide for long windows, and evenly slow "
        "frames were answered with an alias. All faces are one portrait in six skin tones, mirrored, stretched and "
        "with glasses: they test movement, light, camera and blood, not the variety of faces. None of it is a clinical "
        "validation.\n",
        _summary(groups, nothing, [*at_any_pace, *codecs.verdicts(streamed)]),
        _vitals_table(groups),
        coverage.section(done),
        _ELSEWHERE,
        _no_pulse_table(nothing),
        _breakdown(groups["hard"] + groups["moderate"]),
        _models_table(done),
        _codec_table(done, groups["moderate"]),
        codecs.section(streamed),
        pace_section,
        _oxygen(groups),
        real.report(method, TOLERANCE_BPM),
        _pictures() if method == DEFAULT else "",
    ]
    return "\n".join(parts)


def _summary(groups: dict[str, list[Row]], nothing: list[Row], more: list[Verdict]) -> str:
    hard = groups["hard"]
    error = np.abs([heart_rate_error(r) for r in hard])
    sure = np.array([confidence(r) >= 0.7 for r in hard])
    wrong = int(np.sum(sure & (error > TOLERANCE_BPM)))
    answered, (right, _) = return_rate(error), within_tolerance(error, TOLERANCE_BPM)
    false = sum(confidence(r) >= 0.3 for r in nothing)
    fast = {name: [r for r in group if r.job.scene.fps >= 29] for name, group in groups.items()}
    fast["hard"] += groups["hard, 30 fps"]
    spread = {name: np.abs([rmssd_error(r) for r in fast[name]]) for name in ("moderate", "hard")}
    breath = np.abs([respiration_error(r) for g in groups.values() for r in g])
    cover = {
        "heart rate": covered(
            [*hard, *groups["moderate"]], "heart_rate", lambda r: r.truth.heart_rate_bpm if r.truth else None
        ),
        "RMSSD": covered([*hard, *groups["moderate"]], "hrv", lambda r: r.truth.rmssd_ms if r.truth else None),
        "respiration": covered(
            [*hard, *groups["moderate"]],
            "respiration_rate",
            lambda r: r.truth.respiration_rate_bpm if r.truth else None,
        ),
    }
    lines = [
        Verdict(
            f"heart rate, {len(hard)} hard faces: within 2 bpm or withheld", f"{right:.1%}", "≥ 95 %", right >= 0.95
        ),
        Verdict("… answered", f"{answered:.0%}", "≥ 70 %", answered >= 0.7),
        Verdict(
            f"… wrong with confidence ≥ 0.7 (95 % bound, of {sure.sum()})",
            f"{wrong} (≤ {rate_upper_bound(wrong, int(sure.sum())):.1%})",
            "0",
            wrong == 0,
        ),
        Verdict(
            f"false pulses with confidence ≥ 0.3 in {len(nothing)} scenes without one (95 % bound)",
            f"{false} (≤ {rate_upper_bound(false, len(nothing)):.1%})",
            "0",
            false == 0,
        ),
    ]
    for name, errors in spread.items():
        share = return_rate(errors)
        lines += [
            Verdict(
                f"RMSSD, {name}, 30 fps, 30 s: median error",
                f"{median(errors):.1f} ms",
                "≤ 5 ms",
                median(errors) <= 5,
            ),
            Verdict("… answered", f"{share:.0%}", "≥ 60 %", share >= 0.6),
        ]
    lines.append(Verdict("respiration: median error", f"{median(breath):.2f} /min", "≤ 1 /min", median(breath) <= 1))
    lines += [
        Verdict(f"90 % ranges of {name} ({n}) that hold the truth", f"{share:.0%}", "85–95 %", 0.85 <= share <= 0.95)
        for name, (share, n) in cover.items()
    ]
    rows_ = "\n".join(verdict.line() for verdict in (*lines, *more))
    return "## Figures to reach\n\n| | figure | reach | |\n|---|---|---|---|\n" + rows_ + "\n"


def _vitals_table(groups: dict[str, list[Row]]) -> str:
    lines = []
    for name, group in groups.items():
        for label, measure, unit in (
            ("heart rate", heart_rate_error, "bpm"),
            ("RMSSD", rmssd_error, "ms"),
            ("stress index", stress_error, "of the truth"),
            ("respiration", respiration_error, "/min"),
            ("SpO2 (simulated law)", spo2_error, "points"),
        ):
            error = np.array([measure(r) for r in group])
            size, ok = np.abs(error), np.isfinite(error)
            if not ok.any():
                lines.append(f"| {name} | {label} | 0 % | | | | |")
                continue
            lines.append(
                f"| {name} | {label} | {return_rate(error):.0%} | {median(size):.2f} "
                f"| {mean_absolute_error(error):.2f} | {np.quantile(size[ok], 0.95):.2f} | {bias(error):+.2f} {unit} |"
            )
    head = "| scenes | vital | answered | median error | mean | 95 % below | bias |\n|---|---|---|---|---|---|---|\n"
    return "## Every vital\n\n" + head + "\n".join(lines) + "\n"


_ELSEWHERE = (
    "Heart-rate variability from 5 to 80 ms, on real faces, dark skin and through video codecs: "
    "[variability.md](variability.md).\n"
)


def _no_pulse_table(nothing: list[Row]) -> str:
    kinds = sorted({r.job.group for r in nothing})
    lines = []
    for kind in kinds:
        seen = [confidence(r) for r in nothing if r.job.group == kind]
        lines.append(f"| {kind.split(': ')[1]} | {len(seen)} | {sum(c >= 0.3 for c in seen)} | {max(seen):.2f} |")
    long, short = _NO_PULSE_S
    head = f"| scene, {long:.0f} s or {short:.0f} s | count | answered | highest confidence |\n|---|---|---|---|\n"
    return "## Scenes without a pulse\n\n" + head + "\n".join(lines) + "\n"


def _breakdown(group: list[Row]) -> str:
    cuts: tuple[tuple[str, Callable[[Scene], str]], ...] = (
        ("skin", lambda s: f"type {s.skin}"),
        (
            "movement",
            lambda s: "talking" if s.talk else "turning" if s.turn > 0.04 else "swaying" if s.sway > 0.03 else "still",
        ),
        ("frame rate", lambda s: f"{s.fps:.0f} fps"),
        ("JPEG", lambda s: "quality 60–69" if s.jpeg_quality < 70 else "70–79" if s.jpeg_quality < 80 else "80–95"),
        (
            "heart rate",
            lambda s: (
                "below 60"
                if s.heart_rate_bpm < 60
                else "60–100"
                if s.heart_rate_bpm < 100
                else "100–140"
                if s.heart_rate_bpm < 140
                else "140–180"
            ),
        ),
        ("light", lambda s: "flickering" if s.flicker else "steady"),
        ("face", lambda s: "glasses" if s.glasses else "none"),
    )
    lines = []
    for title, cut in cuts:
        for value in sorted({cut(r.job.scene) for r in group}):
            part = [r for r in group if cut(r.job.scene) == value]
            error = np.array([heart_rate_error(r) for r in part])
            right, _ = within_tolerance(error, TOLERANCE_BPM)
            mean = f"{mean_absolute_error(error):.2f}" if np.isfinite(error).any() else ""
            lines.append(f"| {title} | {value} | {len(part)} | {return_rate(error):.0%} | {right:.0%} | {mean} |")
    head = "| | | recordings | answered | within 2 bpm or withheld | mean error, bpm |\n|---|---|---|---|---|---|\n"
    return "## Heart rate by what makes it hard (hard and moderate scenes)\n\n" + head + "\n".join(lines) + "\n"


def _models_table(done: list[Row]) -> str:
    seeds = {(r.job.group, r.job.scene.seed) for r in done if r.job.landmarks == "68"}
    lines = []
    for model in ("5", "68"):
        part = [
            r
            for r in done
            if r.job.landmarks == model and (r.job.group, r.job.scene.seed) in seeds and r.job.scene.codec == "jpeg"
        ]
        if part:
            lines.append(f"| {model} points | {len(part)} | " + _brief(part))
    return "## Landmark models, same recordings\n\n" + _BRIEF_HEAD + "\n".join(lines) + "\n"


def _codec_table(done: list[Row], moderate: list[Row]) -> str:
    filmed = [r for r in done if r.job.scene.codec == "h264"]
    lines = [
        f"| JPEG | {len(moderate)} | " + _brief(moderate),
        f"| H.264, rate factor 23 | {len(filmed)} | " + _brief(filmed),
    ]
    return "## Frames from video (moderate scenes)\n\n" + _BRIEF_HEAD + "\n".join(lines) + "\n"


_BRIEF_HEAD = (
    "| | recordings | heart rate answered | mean error, bpm | median SNR, dB | RMSSD answered | median error, ms |\n"
    "|---|---|---|---|---|---|---|\n"
)


def _brief(part: list[Row]) -> str:
    rate, spread = np.abs([heart_rate_error(r) for r in part]), np.abs([rmssd_error(r) for r in part])
    snr = np.median([r.vitals.quality.snr_db if r.vitals else -20.0 for r in part])
    return (
        f"{np.isfinite(rate).mean():.0%} | {mean(rate):.2f} | {snr:.1f} | {np.isfinite(spread).mean():.0%} "
        f"| {median(spread):.1f} |"
    )


def _oxygen(groups: dict[str, list[Row]]) -> str:
    given = [r for g in groups.values() for r in g if np.isfinite(spo2_error(r))]
    if not given:
        return "## SpO2\n\nWithheld in every simulated recording.\n"
    own = float(np.mean(np.abs([spo2_error(r) for r in given])))
    true = np.array([r.job.scene.spo2_percent for r in given])
    guess = float(np.mean(np.abs(97.0 - true)))
    verdict = "better than" if own < 0.9 * guess else "no better than"
    return (
        f"## SpO2\n\nIn simulated recordings that got an estimate ({len(given)}), its mean error is {own:.1f} points; "
        f"answering 97 % always would be off by {guess:.1f} there, where saturation is even from 90 to 100: "
        f"the estimate is {verdict} a constant guess. Among healthy people, who mostly have 96 to 99 %, a constant 97 "
        "is off by about one point, and an uncalibrated camera does not beat that. Treat the number as an experiment.\n"
    )


def _pictures() -> str:
    return "## Pictures\n\n" + "\n\n".join(f"![{title}](accuracy/{name}.png)" for name, title in plots.PICTURES) + "\n"


if __name__ == "__main__":
    main()
