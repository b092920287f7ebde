"""A real worker on a real queue, forking real children; some of them hang or crash, as decoders do."""

import ctypes
import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest

from beam_api.adapters.job_queue import NAME, ScanQueue
from beam_api.services.scans.scan_lifecycle import CRASHED, INTERRUPTED, TOO_LONG
from beam_api.services.scans.video_analysis import NO_COLOUR, NO_FACE, TOO_LARGE
from beam_api.store.scans import session_name
from beam_api.video_worker import worker
from beam_api.wiring import ScanParts
from rppg_core import load_trace, measure
from tests import videos
from tests.beam_api.video_worker.working import SESSION, begin, die, scan_parts, status, uploads, work
from tests.processes import running

__all__ = ["begin", "scan_parts", "work"]  # fixtures


def test_a_video_is_measured_and_deleted(begin, work, scan_parts, settings, redis):
    begin()
    work()
    record = scan_parts.scans.get(SESSION)
    assert record.status == "completed", record.error
    assert json.loads(record.vitals)["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    assert "series" not in json.loads(record.vitals)
    assert uploads(settings) == []
    assert redis.zcard("beam:scans:open") == 0


def test_a_trace_is_kept_only_where_the_operator_wants_it(begin, work, scan_parts, tmp_path):
    begin()
    folder = tmp_path / "traces"
    folder.mkdir()
    work(traces_dir=folder)
    [file] = folder.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == (f"{SESSION}.beam", 0o600)
    vitals = json.loads(scan_parts.scans.get(SESSION).vitals)
    assert measure(load_trace(file).trace).heart_rate_bpm == pytest.approx(vitals["heart_rate"], abs=0.06)


def test_a_scan_does_not_depend_on_its_trace_being_kept(begin, work, scan_parts, tmp_path):
    begin()
    work(traces_dir=tmp_path / "gone")
    assert status(scan_parts)[0] == "completed"


def test_the_course_of_the_rates_is_measured_if_it_was_asked_for(begin, work, scan_parts):
    begin(series=True)
    work()
    series = json.loads(scan_parts.scans.get(SESSION).vitals)["series"]
    known = [rate for rate in series["heart_rate"] if rate is not None]
    assert known
    assert known == pytest.approx([videos.RATE_BPM] * len(known), abs=3)
    assert (series["step_ms"], series["start_ms"]) == (1000, pytest.approx(5000, abs=100))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: [np.full((120, 160, 3), 100, np.uint8)] * 90, NO_FACE),
        (lambda: [np.repeat(image[..., 1:2], 3, axis=2) for image in videos.pictures()], NO_COLOUR),
        (lambda: [videos.pictures()[0]] * 160, "No pulse could be measured in the video."),
    ],
    ids=["nobody", "grey", "still picture"],
)
def test_a_video_without_a_pulse_fails_with_a_reason(begin, work, scan_parts, settings, made, reason):
    images = made()
    begin(videos.encode(images, [i / 15 for i in range(len(images))]))
    work()
    assert status(scan_parts) == ("failed", reason)
    assert uploads(settings) == []


def test_a_decoder_that_hangs_is_ended_by_the_clock(begin, work, scan_parts, settings):
    def hang(_trace):
        ctypes.PyDLL(None).sleep(600)  # native code that keeps Python's lock: no handler of ours ever runs

    begin()
    started = time.monotonic()
    work(hang, seconds=2.0)
    assert time.monotonic() - started < 60
    assert status(scan_parts) == ("failed", TOO_LONG)
    assert uploads(settings) == []


def test_a_decoder_that_crashes_is_tried_twice_and_costs_its_session_alone(begin, work, scan_parts, settings, tmp_path):
    tried = tmp_path / "tried"

    def crash(_trace):
        with tried.open("a") as file:
            file.write("x")
        die()

    begin()
    work(crash)
    assert tried.read_text() == "xx"
    assert status(scan_parts) == ("failed", CRASHED)
    assert uploads(settings) == []


def test_a_crash_that_does_not_come_again_costs_nothing(begin, work, scan_parts, tmp_path):
    crashed = tmp_path / "crashed"

    def crash_once(trace):
        if not crashed.exists():
            crashed.touch()
            die()
        return measure(trace)

    begin()
    work(crash_once)
    assert status(scan_parts)[0] == "completed"


def test_a_bug_is_tried_twice_as_well(begin, work, scan_parts, tmp_path):
    tried = tmp_path / "tried"

    def fail(_trace):
        with tried.open("a") as file:
            file.write("x")
        raise RuntimeError("as it happens")

    begin()
    work(fail)
    assert tried.read_text() == "xx"
    assert status(scan_parts) == ("failed", CRASHED)


def test_an_analysis_that_takes_too_much_memory_fails(begin, work, scan_parts):
    begin()
    work(lambda _trace: np.ones(2 * worker.MEMORY_BYTES, np.uint8))
    assert status(scan_parts) == ("failed", TOO_LARGE)


def test_an_upload_that_breaks_off_in_the_middle_is_measured_as_far_as_it_goes(begin, work, scan_parts):
    whole = videos.encoded("webm", "libvpx")
    begin(whole[: len(whole) * 3 // 4])
    work()
    assert status(scan_parts)[0] == "completed"


def test_a_job_that_was_lost_is_queued_again(begin, work, scan_parts, redis, queue_redis):
    begin()
    queue_redis.delete(f"rq:queue:{NAME}")
    redis.zadd("beam:scans:open", {SESSION: 0})
    scan_parts.lifecycle.sweep()
    work()
    assert status(scan_parts)[0] == "completed"


def test_a_job_that_waits_is_left_alone(begin, scan_parts, redis, queue_redis):
    begin()
    redis.zadd("beam:scans:open", {SESSION: 0})
    redis.pexpire(session_name(SESSION), 5000)
    scan_parts.lifecycle.sweep()
    assert redis.pttl(session_name(SESSION)) > 5000  # it does not expire while it waits
    assert queue_redis.llen(f"rq:queue:{NAME}") == 1
    assert redis.zscore("beam:scans:open", SESSION) > 0


def expire_lease(redis):
    redis.hset(session_name(SESSION), "lease", 1)
    redis.zadd("beam:scans:open", {SESSION: 0})


def test_a_lease_that_ran_out_gives_the_video_to_another_attempt(begin, work, scan_parts, redis):
    begin()
    assert scan_parts.scans.claim(SESSION, 1)
    expire_lease(redis)
    scan_parts.lifecycle.sweep()
    assert not scan_parts.scans.renew(SESSION, 1, 0.5)
    scan_parts.lifecycle.fail(SESSION, 1, "said too late")  # by the first, while the second has not begun
    work()
    scan_parts.lifecycle.fail(SESSION, 1, "said too late")
    assert status(scan_parts) == ("completed", "")


def test_an_attempt_that_was_taken_over_can_not_save(begin, scan_parts, redis):
    begin()
    assert scan_parts.scans.claim(SESSION, 1)
    expire_lease(redis)
    scan_parts.lifecycle.sweep()
    assert scan_parts.scans.claim(SESSION, 2) is None
    assert scan_parts.scans.claim(SESSION, 3)
    assert scan_parts.scans.claim(SESSION, 3) is None
    scan_parts.lifecycle.fail(SESSION, 1, "said too late")
    assert status(scan_parts)[0] == "processing"
    assert scan_parts.scans.renew(SESSION, 3, 0.5)
    assert scan_parts.scans.get(SESSION).progress == 0.5


def test_the_second_lease_that_runs_out_ends_the_session(begin, scan_parts, redis, settings):
    begin()
    for attempt in (1, 3):
        assert scan_parts.scans.claim(SESSION, attempt)
        expire_lease(redis)
        scan_parts.lifecycle.sweep()
    assert status(scan_parts) == ("failed", INTERRUPTED)
    assert uploads(settings) == []


def test_a_retry_that_no_worker_takes_ends_the_session(begin, scan_parts, redis, client, parts, settings):
    begin()
    assert scan_parts.scans.claim(SESSION, 1)
    expire_lease(redis)
    scan_parts.lifecycle.sweep()
    assert scan_parts.scans.turn(SESSION).deadline_ms - scan_parts.scans.now_ms() <= 40_000
    redis.hset(session_name(SESSION), "deadline", 1)
    # No worker is left that would sweep: whoever asks for the vitals finds the end.
    made = parts.keys.create("o", tier="scan")
    redis.hset(session_name(SESSION), "key_id", made.record.key_id)
    answer = client.get(f"/v1/scan-session/{SESSION}/vitals", headers={"Authorization": f"Bearer {made.key}"})
    assert answer.json == {"status": "failed", "session_id": SESSION, "error": INTERRUPTED}
    assert uploads(settings) == []


def test_after_a_failure_another_video_may_be_uploaded(begin, work, scan_parts):
    begin(videos.blank(6))
    work()
    assert status(scan_parts) == ("failed", NO_FACE)
    with scan_parts.spool.create(SESSION) as (name, file):
        file.write(videos.encoded())
    accepted, last = scan_parts.scans.accept(SESSION, name)
    assert accepted == "accepted"
    scan_parts.lifecycle.enqueue(SESSION, last)
    work()
    assert status(scan_parts) == ("completed", "")
    assert scan_parts.scans.accept(SESSION, name)[0] == "completed"


def test_a_session_that_expires_meanwhile_leaves_nothing(begin, work, scan_parts, settings, redis):
    begin()

    def forget(trace):
        redis.delete(session_name(SESSION))
        return measure(trace)

    work(forget)
    assert scan_parts.scans.get(SESSION) is None
    # On a busy machine its worker ends the analysis before that is over. Then the next look at the session is later.
    redis.zadd("beam:scans:open", {SESSION: 0}, xx=True)
    scan_parts.lifecycle.sweep()
    assert redis.zcard("beam:scans:open") == 0
    for left in uploads(settings):
        os.utime(left, (0, 0))
    scan_parts.lifecycle.clear_spool()
    assert uploads(settings) == []


def test_a_session_that_is_deleted_meanwhile_ends_its_analysis(begin, work, scan_parts, settings, redis, tmp_path):
    def hang(_trace):
        (tmp_path / "child").write_text(str(os.getpid()))
        assert scan_parts.lifecycle.cancel(SESSION)
        ctypes.PyDLL(None).sleep(600)

    begin()
    started = time.monotonic()
    work(hang)
    assert time.monotonic() - started < 60
    assert not running(int((tmp_path / "child").read_text()))
    assert scan_parts.scans.get(SESSION) is None
    assert uploads(settings) == []
    assert redis.zcard("beam:scans:open") == 0


def test_a_queue_that_is_unavailable_delays_a_scan_and_loses_none(
    begin, work, scan_parts, settings, redis, queue_redis, tmp_path
):
    unavailable = ScanParts.build(replace(settings, queue_redis_url=f"unix://{tmp_path}/none.sock"), redis)
    scan_parts.scans.create(SESSION, key_id="key1", owner="o", created_at="", webhook_url="")
    with unavailable.spool.create(SESSION) as (name, file):
        file.write(videos.encoded())
    unavailable.scans.accept(SESSION, name)
    unavailable.lifecycle.enqueue(SESSION, 0)
    unavailable.lifecycle.settle(SESSION)
    assert queue_redis.llen(f"rq:queue:{NAME}") == 0
    scan_parts.lifecycle.settle(SESSION)
    work()
    assert status(scan_parts)[0] == "completed"


def test_jobs_that_came_to_be_queued_twice_are_done_once(begin, work, scan_parts, redis, queue_redis):
    begin()
    ScanQueue(queue_redis).scan(SESSION, 1)
    ScanQueue(queue_redis).scan(SESSION, 1, at_front=True)
    work()
    assert status(scan_parts)[0] == "completed"
    assert redis.hget(session_name(SESSION), "attempt") == b"1"
