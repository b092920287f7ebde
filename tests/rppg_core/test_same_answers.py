"""A change of form changes no answer: the vitals of simulated recordings stay as they were, to the last digit.

Where libraries or processor differ from those by which they were kept, sums round otherwise in their last digits.
"""

import json
import math

import pytest

from tests.rppg_core.same_answers import KEPT, RECORDINGS, answers, platform_digest

KEPT_ANSWERS = json.loads(KEPT.read_text())
HERE_EXACT = KEPT_ANSWERS["platform"] == platform_digest()
ELSEWHERE = 1e-6  # relative: far below what any vital is rounded to


def differences(now, kept, path=""):
    """Where two answers differ."""
    if isinstance(kept, dict) and isinstance(now, dict):
        if now.keys() != kept.keys():
            yield f"{path}: {sorted(now)} instead of {sorted(kept)}"
            return
        for key in kept:
            yield from differences(now[key], kept[key], f"{path}/{key}")
    elif isinstance(kept, list) and isinstance(now, list):
        if len(now) != len(kept):
            yield f"{path}: {len(now)} instead of {len(kept)}"
            return
        for index, pair in enumerate(zip(now, kept, strict=True)):
            yield from differences(*pair, f"{path}/{index}")
    elif isinstance(kept, float) and isinstance(now, float) and not HERE_EXACT:
        if not math.isclose(now, kept, rel_tol=ELSEWHERE, abs_tol=ELSEWHERE) and not (now != now and kept != kept):
            yield f"{path}: {now!r} instead of {kept!r}"
    elif repr(now) != repr(kept):
        yield f"{path}: {now!r} instead of {kept!r}"


def test_every_recording_has_kept_answers():
    assert set(RECORDINGS) == set(KEPT_ANSWERS["answers"])


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_answers_are_the_same(name):
    now = json.loads(json.dumps(answers(RECORDINGS[name]())))

    assert not list(differences(now, KEPT_ANSWERS["answers"][name]))
