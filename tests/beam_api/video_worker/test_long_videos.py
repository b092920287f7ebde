"""Long videos on a real worker: vitals while the analysis goes on, its end, its time limit. Windows are short here."""

import json
from functools import partial

import pytest

from beam_api.services.scans.scan_lifecycle import TOO_LONG
from beam_api.services.scans.scan_result import Scan
from beam_api.store.scans import session_name
from beam_api.web.schemas.scan_answer import write_scan
from beam_api.web.schemas.scans import ScanSchema
from rppg_core import measure
from rppg_core.course.long_video import starts_s, windows_of_video
from tests import videos
from tests.beam_api.video_worker.working import SESSION, begin, scan_parts, status, uploads, work
from tests.processes import wait_until

__all__ = ["begin", "scan_parts", "work"]  # fixtures

SECONDS = 30.0
SHORT = partial(windows_of_video, length_s=12.0, apart_s=9.0, look_s=8.0)


@pytest.fixture
def log(tmp_path):
    """Where `seen` writes."""
    return tmp_path / "seen"


@pytest.fixture
def seen(scan_parts, log):
    """An `analyse` that notes what a client sees of the session before each measurement."""

    def analyse(trace):
        with log.open("a") as file:
            file.write(json.dumps(write_scan(Scan.of(scan_parts.scans.get(SESSION)))) + "\n")
        return measure(trace)

    return analyse


def test_the_vitals_so_far_are_there_while_a_long_video_is_analysed(
    begin, work, scan_parts, seen, log, settings, redis
):
    begin(videos.looped(SECONDS), series=True)
    work(seen, read=SHORT)
    found = [json.loads(line) for line in log.read_text().splitlines()]
    assert {scan["status"] for scan in found} == {"processing"}
    partials = [scan.get("partial") for scan in found]
    assert partials[0] is None  # this is the first look
    assert partials[1]["duration_ms"] == pytest.approx(8000, abs=2100)
    assert all(scan["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=3) for scan in partials[1:])
    assert partials[-1]["duration_ms"] > partials[1]["duration_ms"]
    assert [len(scan["windows"]) for scan in partials[3:]] == list(range(2, len(partials) - 1))
    assert not any("series" in scan for scan in partials[1:])
    assert all(ScanSchema().validate(scan) == {} for scan in found)

    ended = write_scan(Scan.of(scan_parts.scans.get(SESSION)))
    assert ended.keys() == {"status", "session_id", "vitals"}
    vitals = ended["vitals"]
    assert vitals["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert vitals["interval"]["heart_rate"][0] <= vitals["heart_rate"] <= vitals["interval"]["heart_rate"][1]
    assert [window["start_ms"] for window in vitals["windows"]] == [1000 * s for s in starts_s(SECONDS, 12.0, 9.0)]
    assert vitals["duration_ms"] == pytest.approx(1000 * SECONDS, abs=100)
    assert vitals["frames"] == pytest.approx(15 * SECONDS, abs=2)
    assert len(vitals["series"]["heart_rate"]) == SECONDS - 10 + 1
    assert ScanSchema().validate(ended) == {}
    assert redis.hget(session_name(SESSION), "partial") is None
    assert uploads(settings) == []


def test_a_video_without_a_pulse_at_first_is_looked_at_again(begin, work, scan_parts, seen, log):
    looks = []

    def analyse(trace):
        looks.append(trace)
        found = seen(trace)
        return found if len(looks) > 1 else measure(trace.part(trace.times_s < trace.times_s[0] + 2.0))

    begin(videos.looped(SECONDS))
    work(analyse, read=partial(windows_of_video, length_s=25.0, apart_s=20.0, look_s=6.0))
    found = [json.loads(line) for line in log.read_text().splitlines()]
    assert ["partial" in scan for scan in found] == [False, False, True, True]
    assert status(scan_parts)[0] == "completed"


def test_the_limit_of_a_video_is_its_own(begin, scan_parts, redis):
    begin(limit_s=400.0)
    upload, left_s = scan_parts.scans.claim(SESSION, 1)
    assert upload
    assert left_s == pytest.approx(400, abs=1)
    assert scan_parts.scans.turn(SESSION).deadline_ms - scan_parts.scans.now_ms() == pytest.approx(800_000, abs=5000)
    redis.hset(session_name(SESSION), "partial", b"{}")
    redis.pexpire(session_name(SESSION), 1000)
    assert scan_parts.scans.renew(SESSION, 1, 0.5)  # its work keeps a session alive
    assert redis.pttl(session_name(SESSION)) > 1_000_000
    assert scan_parts.scans.lapse(SESSION, 1, died=True).what == "retry"
    left_ms = scan_parts.scans.turn(SESSION).deadline_ms - scan_parts.scans.now_ms()
    assert left_ms == pytest.approx(400_000, abs=5000)
    assert scan_parts.scans.claim(SESSION, 3)
    assert redis.hget(session_name(SESSION), "partial") is None


def test_a_short_video_does_not_wait_for_a_long_one(begin, work, scan_parts, settings, tmp_path, redis):
    other, begun = "sess_20261026123456_short", tmp_path / "begun"

    def analyse(trace):
        if begun.exists():
            return measure(trace)
        begun.touch()  # by the long one: now the short one comes
        scan_parts.scans.create(other, key_id="key1", owner="o", created_at="", webhook_url="")
        with scan_parts.spool.create(other) as (name, file):
            file.write(videos.encoded())
        assert scan_parts.scans.accept(other, name) == ("accepted", 0)
        scan_parts.lifecycle.enqueue(other, 0)
        wait_until(lambda: scan_parts.scans.get(other).status == "completed", 120)
        (tmp_path / "order").write_text(scan_parts.scans.get(other).status + status(scan_parts)[0])
        return measure(trace)

    begin(limit_s=400.0)
    work(analyse)
    assert (tmp_path / "order").read_text() == "completedprocessing"
    assert status(scan_parts) == ("completed", "")
    assert uploads(settings) == []


def test_a_short_video_has_the_usual_limits(begin, scan_parts):
    begin()
    _, left_s = scan_parts.scans.claim(SESSION, 1)
    assert left_s == pytest.approx(100, abs=1)
    scans = scan_parts.scans
    assert scans.turn(SESSION).deadline_ms - scans.now_ms() == pytest.approx(110_000, abs=5000)
    scans.lapse(SESSION, 1, died=True)
    assert scans.turn(SESSION).deadline_ms - scans.now_ms() <= 40_000


def test_a_limit_reaches_the_queue_and_the_clock(begin, work, scan_parts, queue_redis):
    begin(limit_s=321.0)
    assert queue_redis.hget(f"rq:job:{SESSION}_1", "timeout") == b"321"
    work(seconds=0.2)
    assert status(scan_parts) == ("failed", TOO_LONG)
