"""Thousands of broken and malicious pictures through the real service: each gets its error, nobody else is harmed.

`make fuzz` sends 10 000; the usual run some. FUZZ_PICTURES says how many.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from tests.hostile.conftest import MEASURE, Target
from tests.hostile.mutants import mutants
from tests.hostile.pictures import good, scans_of_nothing, special
from tests.images import jpeg, still_face

pytestmark = pytest.mark.integration

COUNT = int(os.environ.get("FUZZ_PICTURES", "100"))
BATCH = 20
CODES = {"UNSUPPORTED_IMAGE", "INVALID_IMAGE", "NO_FACE_DETECTED"}
MOST_S = 60.0  # of any request, on a machine that does much else


@cache
def face() -> bytes:
    return jpeg(still_face())


def post(target: Target, session: str, frames: list[bytes], first_ms: float):
    files = [("frame", (f"{i}.jpg", data, "image/jpeg")) for i, data in enumerate(frames)]
    times = [str(first_ms + 33.0 * i) for i in range(len(frames))]
    return target.ask("POST", MEASURE, files=files, data={"timestamp_ms": times, "session_id": session})


def buffered(target: Target, session: str) -> int:
    return target.ask("GET", f"/api/rppg/sessions/{session}").json()["data"]["frames"]


def attack(target: Target, session: str, batch: list[tuple[str, bytes]], codes: Counter) -> None:
    """Pictures in one request of a person who has one frame buffered: what is taken is added, and no more."""
    names = [name for name, _ in batch]
    assert post(target, session, [face()], 1000.0).status_code == 202
    answer = post(target, session, [data for _, data in batch], 1033.0)
    if answer.status_code == 202:
        rejected = answer.json()["data"]["rejected"]
        assert {entry["code"] for entry in rejected} <= CODES, names
        assert answer.json()["data"]["frames"] == 1 + len(batch) - len(rejected), names
        codes.update(entry["code"] for entry in rejected)
        codes["taken"] += len(batch) - len(rejected)
    elif answer.status_code == 413 and len(batch) > 1:  # more decoded bytes than a request may hold: nothing is taken
        assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
        assert buffered(target, session) == 1, names
        target.ask("DELETE", f"/api/rppg/sessions/{session}")
        for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
            attack(target, session, half, codes)
        return
    else:
        assert answer.status_code == 400, (names, answer.text)
        assert answer.json()["error"]["code"] in CODES
        codes["all of a request"] += len(batch)
    assert buffered(target, session) == (answer.json()["data"]["frames"] if answer.status_code == 202 else 1), names
    target.ask("DELETE", f"/api/rppg/sessions/{session}")


def test_mutated_pictures_harm_nothing_but_themselves(target: Target):
    started, codes = time.monotonic(), Counter()
    pictures = list(mutants(range(COUNT)))
    batches = [pictures[at : at + BATCH] for at in range(0, COUNT, BATCH)]
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda i: attack(target, f"fuzz-{i}", batches[i], codes), range(len(batches))))
    assert sum(codes.values()) == COUNT
    assert min(codes["UNSUPPORTED_IMAGE"], codes["INVALID_IMAGE"], codes["taken"]) > 0  # each way was gone
    assert target.slowest_s < MOST_S
    print(
        f"\n{COUNT} mutated pictures: no 5xx, no crash; {dict(codes)}; slowest request {target.slowest_s:.1f} s, "
        f"{time.monotonic() - started:.0f} s in all"
    )


def test_every_kind_of_picture_from_the_field_is_taken_or_refused_with_the_reason(target: Target):
    for name, data in good().items():
        answer = post(target, "field", [data], 1000.0)
        grey = name in ("jpeg grey", "png grey", "png grey alpha", "png bits")
        code = "UNSUPPORTED_IMAGE" if grey else "NO_FACE_DETECTED" if "wall" in name else None
        found = (answer.status_code, answer.json().get("error", {}).get("code"))
        assert found == (400 if code else 202, code), name
        target.ask("DELETE", "/api/rppg/sessions/field")


def test_what_is_no_jpeg_or_png_is_unsupported_whatever_its_name(target: Target):
    for name in ("gif", "webp", "tiff", "bmp", "heic", "svg", "page", "postscript", "playlist"):
        answer = post(target, "other", [special()[name]], 1000.0)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UNSUPPORTED_IMAGE"), name


def test_pictures_made_to_hurt_are_distinguished(target: Target):
    codes = Counter()
    made = sorted((k, v) for k, v in special().items() if v)
    for at in range(0, len(made), 8):
        attack(target, f"special-{at}", made[at : at + 8], codes)
    assert codes["INVALID_IMAGE"] + codes["all of a request"] >= 20
    assert target.slowest_s < MOST_S


def test_pictures_that_unfold_cost_no_more_than_their_size_allows(target: Target):
    """8 MB of each at most: pixels behind the last row, texts, scans, and a header that promises what isn't there."""
    bombs = [special()[name] for name in ("png pixels without end", "png texts that unfold to 800 MB")]
    bombs += [scans_of_nothing(5000, 5000, 99), special()["jpeg of 24 megapixels, 16 of them there"]]
    answer = post(target, "bombs", bombs * 4, 1000.0)
    assert answer.status_code == 400
    assert target.slowest_s < MOST_S
