"""Samples as JSON: they pack as the reader's own do, and what is no sample is named with its index."""

from __future__ import annotations

import base64
import json
import math
import random
from typing import Any

import numpy as np
import pytest

from rppg_core import InvalidSample, Sample, Trace, measure
from rppg_core.face.exchange import MISSING, N_COLOURS, read_samples, write_sample
from rppg_core.trace.traces import pack

SIZE = (640, 480)
GOOD: dict[str, Any] = {
    "timestamp_ms": 1000.25,
    "pose": [320.0, 240.0, 60.0, 0.01, 0.02],
    "colours": [[180.5, 120.25, 90.0]] * N_COLOURS,
}


def through_json(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(row, allow_nan=False))


def drawn(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    witness = np.concatenate([rng.uniform(-9.9, 5.9, 5), rng.uniform(0, 255, 13)]).astype(np.float32)
    colours = rng.uniform(0, 255, (30, 3)).astype(np.float32)
    colours[rng.integers(30)] = np.nan
    witness[[0, 1]] = np.nan if seed % 3 == 0 else witness[[0, 1]]
    witness[6:9] = np.nan if seed % 2 else witness[6:9]
    witness[5] = np.nan if seed % 5 == 0 else witness[5]
    pose = np.abs(rng.normal(200, 70, 5)) * [1, 1, 1, 1e-3, 1e-3]
    return Sample(colours, pose.astype(np.float32), witness)


def test_what_is_written_and_read_packs_into_the_same_bytes():
    samples = [drawn(seed) for seed in range(300)]
    rows = [through_json(write_sample(1_750_000_000_000_123 + i, sample)) for i, sample in enumerate(samples)]
    read = read_samples(rows, SIZE)
    assert pack([one.sample for one in read]) == pack(samples)
    assert [one.time_us for one in read] == [1_750_000_000_000_123 + i for i in range(300)]


@pytest.mark.parametrize("time_us", [0, 1, 999, 1_750_000_000_123_457, 4_000_000_000_000_001, 9_000_000_000_000_000])
def test_times_are_whole_microseconds_up_to_the_last_one(time_us):
    row = {**GOOD, "timestamp_ms": time_us / 1000 if time_us % 1000 else time_us // 1000}
    assert read_samples([through_json(row)], SIZE)[0].time_us == time_us


def test_samples_together_are_read_as_they_are_alone():
    rows = [through_json(write_sample(1_000_000 + 33_333 * i, drawn(i))) for i in range(60)]
    whole = colours_of([256 * level for level in range(WHOLE)])  # no region is missing, nor any in part
    seen = [{**row, "colours": whole} for row in rows[:5]]
    mixed = [*rows[5:8], {**GOOD, "timestamp_ms": 5, "colours": whole}]
    for together in (rows, seen, mixed):
        alone = [one for row in together for one in read_samples([row], SIZE)]
        read = read_samples(together, SIZE)
        assert [one.time_us for one in read] == [one.time_us for one in alone]
        assert pack([one.sample for one in read]) == pack([one.sample for one in alone])


@pytest.mark.parametrize("end", ["====", "AA==", "A A\n", "é" * 4])
def test_of_many_texts_the_one_that_is_no_base64_is_named(end):
    good = colours_of([256] * WHOLE)
    texts = [good, good, good[: -len(end)] + end, good]
    with pytest.raises(InvalidSample) as caught:
        read_samples([{**GOOD, "colours": text} for text in texts], SIZE)
    assert caught.value.index == 2


def test_base64_and_lists_may_be_mixed_and_mean_the_same():
    levels = np.array([[46208, 30784, 23040]] * N_COLOURS, "<u2")
    levels[3] = MISSING
    encoded = {**GOOD, "colours": base64.b64encode(levels.tobytes()).decode()}
    listed = {**GOOD, "colours": [*GOOD["colours"][:3], None, *GOOD["colours"][4:]]}
    first, second = (one.sample for one in read_samples([encoded, listed], SIZE))
    assert pack([first]) == pack([second])
    assert np.isnan(first.colours[3]).all()


def colours_of(levels: list[int]) -> str:
    return base64.b64encode(np.array(levels, "<u2").tobytes()).decode()


WHOLE = N_COLOURS * 3
WRONG = {
    "an object": (7, "object"),
    "a time": ({**GOOD, "timestamp_ms": None}, "missing"),
    "a time of text": ({**GOOD, "timestamp_ms": "5"}, "timestamp_ms"),
    "a time of truth": ({**GOOD, "timestamp_ms": True}, "timestamp_ms"),
    "a time before": ({**GOOD, "timestamp_ms": -1}, "timestamp_ms"),
    "a time after": ({**GOOD, "timestamp_ms": 9e12 + 1}, "timestamp_ms"),
    "a time without end": ({**GOOD, "timestamp_ms": math.inf}, "timestamp_ms"),
    "a time of many digits": ({**GOOD, "timestamp_ms": 10**400}, "timestamp_ms"),
    "a pose": ({**GOOD, "pose": None}, "5 numbers"),
    "four numbers": ({**GOOD, "pose": [1, 2, 3, 4]}, "5 numbers"),
    "text in a pose": ({**GOOD, "pose": [1, 2, 3, 4, "5"]}, "5 numbers"),
    "no number": ({**GOOD, "pose": [math.nan, 2, 3, 0, 0]}, "pixels"),
    "a place far off": ({**GOOD, "pose": [1e300, 2, 3, 0, 0]}, "pixels"),
    "a place of many digits": ({**GOOD, "pose": [10**400, 2, 3, 0, 0]}, "pixels"),
    "no size": ({**GOOD, "pose": [1, 2, 0, 0, 0]}, "size"),
    "a wild angle": ({**GOOD, "pose": [1, 2, 3, 7, 0]}, "roll"),
    "no colours": ({**GOOD, "colours": None}, "base64 or a list"),
    "too few regions": ({**GOOD, "colours": [[1, 2, 3]] * 30}, f"{N_COLOURS} regions, not 30"),
    "two channels": ({**GOOD, "colours": [[1, 2]] * N_COLOURS}, "three numbers"),
    "text for a level": ({**GOOD, "colours": [["1", 2, 3]] * N_COLOURS}, "three numbers"),
    "truth for a level": ({**GOOD, "colours": [[True, 2, 3]] * N_COLOURS}, "three numbers"),
    "part of a region": ({**GOOD, "colours": [[None, 2, 3]] * N_COLOURS}, "three numbers"),
    "an infinite level": ({**GOOD, "colours": [[math.inf, 2, 3]] * N_COLOURS}, "not finite"),
    "a level that is no number": ({**GOOD, "colours": [[math.nan, 2, 3]] * N_COLOURS}, "not finite"),
    "a level below": ({**GOOD, "colours": [[-0.01, 2, 3]] * N_COLOURS}, "outside 0-255"),
    "a level above": ({**GOOD, "colours": [[255.01, 2, 3]] * N_COLOURS}, "outside 0-255"),
    "a level of many digits": ({**GOOD, "colours": [[10**400, 2, 3]] * N_COLOURS}, "outside 0-255"),
    "no base64": ({**GOOD, "colours": "%" * 272}, "base64"),
    "letters of elsewhere": ({**GOOD, "colours": "é" * 272}, "base64"),
    "too short": ({**GOOD, "colours": colours_of([1] * 90)}, "not 180"),
    "a packed level above": ({**GOOD, "colours": colours_of([0xFF01] * WHOLE)}, "outside 0-255"),
    "a channel alone": ({**GOOD, "colours": colours_of([MISSING] + [1] * (WHOLE - 1))}, "in part"),
    "too little detail": ({**GOOD, "detail": [1, 2]}, "6 numbers"),
    "a wild logarithm": ({**GOOD, "detail": [-11, 0, 0, 0, 0, 9]}, "from -10 to 6"),
    "a wild level": ({**GOOD, "detail": [0, 0, 0, 0, 0, 256]}, "0 to 255"),
    "a face without points": ({**GOOD, "face": {}}, "landmarks"),
    "a face of four": ({**GOOD, "face": {"landmarks": [[0, 0]] * 4}}, "landmarks"),
    "a face far off": ({**GOOD, "face": {"landmarks": [[0, 1e9]] * 5}}, "landmarks"),
    "a box of three": ({**GOOD, "face": {"landmarks": [[0, 0]] * 5, "box": [0, 0, 1]}}, "box"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_sample_is_refused_with_its_index_and_the_reason(name):
    wrong, reason = WRONG[name]
    with pytest.raises(InvalidSample, match="Sample 2") as caught:
        read_samples([GOOD, GOOD, wrong, GOOD], SIZE)
    assert caught.value.index == 2
    assert reason in caught.value.problem


def test_whatever_passes_is_measured_without_a_failure():
    """Samples at every edge of what is taken; the values are nobody's, so no vital has to come out."""
    draw = random.Random(4)
    edges = [0, 0.5, 128, 254.9, 255]
    for kind in range(12):
        rows = []
        for i in range(330):
            level = [draw.choice(edges) for _ in range(3)] if kind % 2 else [edges[kind % 5]] * 3
            regions: list[Any] = [None if draw.random() < 0.3 * (kind % 3) else level for _ in range(N_COLOURS)]
            regions[draw.randrange(30)] = level
            pose = [draw.choice([-1e5, 0, 1e5]), 3, draw.choice([1e-30, 50, 1e5]), draw.choice([-6, 6]), -10]
            detail = draw.choice([None, [-10, 6, None, None, 0, 255]])
            row = {"timestamp_ms": 1000 * i / 30, "pose": pose if kind % 4 else GOOD["pose"], "colours": regions}
            rows.append({**row, "detail": detail} if detail else row)
        read = read_samples([through_json(row) for row in rows], SIZE)
        packed = pack([one.sample for one in read])
        vitals = measure(Trace.of_packed([one.time_us / 1e6 for one in read], packed, SIZE))
        assert 0 <= vitals.confidence <= 1
