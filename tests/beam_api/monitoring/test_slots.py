"""Real processes that count, end, are killed and fork."""

import os
import signal
import subprocess
import sys

import pytest

from beam_api.monitoring import slots
from beam_api.monitoring.slots import VARIABLE, NotOurFolder
from tests.processes import wait_until

COUNT = """
import os, sys
from beam_api.monitoring import counters as metrics
metrics.slot.begin(sys.argv[1])
metrics.count_scan("completed")
if sys.argv[1] == "parent":
    if os.fork() == 0:
        metrics.count_scan("completed")
        os._exit(0)
    os.wait()
print(metrics.slot.name(), flush=True)
sys.stdin.read()
"""
TOTAL = """
import os, prometheus_client
from prometheus_client.multiprocess import MultiProcessCollector
registry = prometheus_client.CollectorRegistry()
MultiProcessCollector(registry, os.environ["PROMETHEUS_MULTIPROC_DIR"])
print(registry.get_sample_value("beam_scans_total", {"outcome": "completed"}))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "counts"))
    return slots.prepare(tmp_path)


@pytest.fixture
def begin(folder):
    """Start a process that counts one scan, and goes on until it is ended; the process and its slot."""
    started = []

    def begin(role="other"):
        process = subprocess.Popen(
            [sys.executable, "-c", COUNT, role], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def total():
    ran = subprocess.run([sys.executable, "-c", TOTAL], capture_output=True, text=True, check=True, timeout=60)
    return float(ran.stdout)


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_who_comes_later_goes_on_with_the_counts_of_one_that_was_killed(begin, folder):
    first, second = begin(), begin()
    assert (first[1], second[1]) == ("0", "1")
    end(first[0])
    third = begin()
    assert third[1] == "0"
    assert total() == 3
    end(second[0])
    end(third[0])
    assert begin()[1] == "0"
    assert total() == 4
    assert len(list(folder.glob("counter_*.db"))) == 2


def test_a_forked_process_counts_for_itself_and_leaves_the_slot_of_its_parent(begin, folder):
    process, slot = begin("parent")
    assert slot == "0"
    assert total() == 2
    assert [p.role for p in slots.processes(folder)] == ["parent"]
    end(process)
    assert list(slots.processes(folder)) == []


def test_processes_are_reported_while_they_run(begin, folder):
    one, two = begin("web")[0], begin("video")[0]
    found = {p.pid: p for p in slots.processes(folder)}
    assert {pid: p.role for pid, p in found.items()} == {one.pid: "web", two.pid: "video"}
    assert all(p.resident_bytes > 5_000_000 for p in found.values())
    end(one)
    assert wait_until(lambda: [p.pid for p in slots.processes(folder)] == [two.pid])


def test_counts_are_cleared_at_the_start_of_a_service_unless_one_runs(begin, folder, tmp_path):
    process, _ = begin()
    slots.prepare(tmp_path)
    assert total() == 1
    end(process)
    slots.prepare(tmp_path)
    assert list(folder.glob("*.db")) == []
    slots.remove_if_unused(folder)
    assert not folder.exists()


def test_a_folder_in_use_is_not_removed(begin, folder):
    begin()
    slots.remove_if_unused(folder)
    assert total() == 1


def test_each_data_directory_has_a_folder_of_its_own_that_only_its_user_may_enter(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    made = []
    for name in ("a", "b", "a"):
        made.append(slots.prepare(tmp_path / name))
        assert os.environ.pop(VARIABLE) == str(made[-1])
    assert made[0] == made[2] != made[1]
    for folder in set(made):
        assert folder.stat().st_mode & 0o777 == 0o700
        slots.remove_if_unused(folder)


def test_what_is_no_folder_of_this_service_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        monkeypatch.setenv(VARIABLE, str(tmp_path / name))
        with pytest.raises(NotOurFolder, match=VARIABLE):
            slots.prepare(tmp_path)
