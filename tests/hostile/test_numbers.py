"""Extreme numbers in valid requests and in containers of videos: no 5xx, and no cost that follows from a number.

`make fuzz` sends 2000 requests and 200 videos; the usual run a few. FUZZ_NUMBERS and FUZZ_CONTAINER_TIMES say how many.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from pathlib import Path
from random import Random

import pytest

from tests.hostile import films
from tests.hostile.conftest import MEASURE, Target
from tests.hostile.test_films import attack, left_over
from tests.images import jpeg, still_face
from tests.processes import wait_until

pytestmark = pytest.mark.integration

COUNT = int(os.environ.get("FUZZ_NUMBERS", "12"))
VIDEOS = int(os.environ.get("FUZZ_CONTAINER_TIMES", "6"))
MOST_RATIO = 2.0
SLACK_CPU_S = 0.5  # of one request: ticks of the clock, and what the processes do beside
SLACK_MB = 60.0  # of the highest peak
EDGES_MS = (0, 40, 80, 999, 5000, 5001, 10_000, 300_000, 1e8, 1e9, 6e9, 1.7e12, 9e12)


@cache
def pictures() -> tuple[bytes, ...]:
    return tuple(jpeg(still_face(), quality=70 + i % 25) for i in range(64))


def extreme_times(rng: Random, count: int) -> list[str]:
    """Times 0 to 9e12 in any mixture and order, at least 1 ms apart."""
    times: set[int] = set()
    while len(times) < count:
        at = rng.choice(
            (rng.choice(EDGES_MS), rng.uniform(0, 9e12), 10 ** rng.uniform(0, 12.95), 40 * rng.randrange(99))
        )
        times.add(min(int(at) // 2 * 2 + 2 * rng.randrange(40), 9_000_000_000_000))
    mixed = [str(at) for at in times]
    rng.shuffle(mixed)
    return mixed


def request(number: int) -> tuple[dict, list]:
    """The fields of a valid request, by number, and its files."""
    rng = Random(number)
    count = rng.choice((1, 2, 3, 4, 4, 4, 8, 16, 64))
    fields: dict = {"session_id": rng.choice("aZ0._-") * rng.choice((1, 63)) + rng.choice("xY")}
    if rng.random() < 0.8:
        fields["timestamp_ms"] = extreme_times(rng, count)
    if count > 1 and ("timestamp_ms" not in fields or rng.random() < 0.3):
        fields["fps"] = rng.choice(("1", "1.000001", "30", "239.999", "240"))
    if rng.random() < 0.6:
        fields["duration_ms"] = rng.choice(("10000", "30000", "299999", "300000"))
    return fields, [("frame", (f"{i}.jpg", data, "image/jpeg")) for i, data in enumerate(pictures()[:count])]


def cpu_s(target: Target) -> float:
    """Processor time of the web processes so far."""
    ticks = 0
    for pid in target.peaks_mb():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def spent(target: Target, fields: dict, files: list) -> tuple[float, int]:
    """Processor time of one request in a fresh session, and its status. An error leaves nothing buffered."""
    target.ask("DELETE", f"/api/rppg/sessions/{fields['session_id']}")
    before = cpu_s(target)
    answer = target.ask("POST", MEASURE, data=fields, files=files)
    used = cpu_s(target) - before
    if answer.status_code >= 400:
        assert target.ask("GET", f"/api/rppg/sessions/{fields['session_id']}").status_code == 404, answer.text
    return used, answer.status_code


def benign(files: list) -> dict:
    """Frames of the same bytes 1 s apart: as far apart that each is searched for a face, as a slow client's are."""
    return {"session_id": "benign", "duration_ms": "300000", "timestamp_ms": [str(1000 * i) for i in range(len(files))]}


def test_no_number_in_a_valid_request_makes_it_costly(target: Target):
    ordinary: dict[int, float] = {}
    for count in (64, 16, 8, 4, 3, 2, 1):
        files = [("frame", ("f.jpg", data, "image/jpeg")) for data in pictures()[:count]]
        ordinary[count] = min(spent(target, benign(files), files)[0] for _ in range(2))
    peak_mb = max(target.peaks_mb().values())
    total, expected, statuses = 0.0, 0.0, set()
    for number in range(COUNT):
        fields, files = request(number)
        used, status = spent(target, fields, files)
        assert used <= MOST_RATIO * ordinary[len(files)] + SLACK_CPU_S, (number, used, ordinary[len(files)])
        total, expected = total + used, expected + ordinary[len(files)]
        statuses.add(status)
    assert 202 in statuses
    assert statuses <= {200, 202}, statuses
    assert total <= MOST_RATIO * expected, (total, expected)
    grown_mb = max(target.peaks_mb().values()) - peak_mb
    assert grown_mb < SLACK_MB, f"{grown_mb:.0f} MB more than benign requests took"
    print(f"\n{COUNT} requests with extreme numbers: CPU {total / expected:.2f} of benign ones, {grown_mb:.0f} MB more")


@pytest.mark.parametrize("last_ms", ["100000000", "1000000000", "6000000000", "9000000000000"])
def test_one_time_far_from_the_others_costs_nothing(target: Target, last_ms: str):
    files = [("frame", ("f.jpg", data, "image/jpeg")) for data in pictures()[:4]]
    usual = min(spent(target, benign(files), files)[0] for _ in range(2))
    fields = {"session_id": "far", "timestamp_ms": ["0", "40", "80", last_ms]}
    used, status = spent(target, fields, files)
    assert status == 202
    assert used <= MOST_RATIO * usual + SLACK_CPU_S


def container(number: int) -> tuple[str, bytes]:
    """A sound video whose clocks and times say something absurd."""
    rng = Random(number)
    data = films.seeds()[rng.choice(("mp4 libx264", "mov mjpeg", "mp4 libx265", "mp4 face"))]
    ends = (0, 1, 2, 1000, 90_000, 10**9, 2**31 - 1, 2**32 - 1)

    def word(box: bytes, at: int) -> bytes:
        return box[:at] + struct.pack(">I", rng.choice(ends)) + box[at + 4 :] if len(box) >= at + 4 else box

    places = {b"mvhd": (20, 24), b"mdhd": (20, 24), b"tkhd": (28,), b"elst": (16, 20, 24), b"stts": (16, 20)}
    for name in rng.sample(sorted(places), rng.randint(1, 3)):
        at = rng.choice(places[name])
        data = films.edit(data, name, lambda whole, at=at: word(whole, at))
    return f"times {number}", data


def test_no_time_in_a_container_makes_a_video_costly(target: Target):
    """Looking at an upload is bounded by 5 s and 1 GB, an analysis by its own limits; every session ends."""
    ends = attack(target, [container(number) for number in range(VIDEOS)])
    assert sum(ends.values()) == VIDEOS
    assert wait_until(lambda: not left_over(target)), left_over(target)
    print(f"\n{VIDEOS} videos with extreme times: {dict(ends)}")
