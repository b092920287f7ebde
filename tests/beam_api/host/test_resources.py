import math
import os
import subprocess
import sys

import pytest

from beam_api.host import resources

MIB = 1024 * 1024


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Write a machine: its groups, its mounts, and files in them. 16 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 16, raising=False)

    def write(groups, mounts, files):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text("".join(f"{group}\n" for group in groups))
        lines = [f"{i} 1 0:{i} {top} {at} rw,relatime shared:4 - {rest}" for i, (top, at, rest) in enumerate(mounts)]
        (tmp_path / "proc/self/mountinfo").write_text("\n".join(["20 1 8:1 / / rw - ext4 /dev/sda rw", *lines]) + "\n")
        for name, content in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        return tmp_path

    return write


V2 = [("/", "/sys/fs/cgroup", "cgroup2 cgroup2 rw")]


def test_without_control_groups_every_core_counts(tree, tmp_path):
    assert resources.cores(tree([], [], {})) == 16
    assert resources.cores(tmp_path / "no such folder") == 16
    assert resources.memory_limit_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 16), ("400000 100000", 4), ("150000 100000", 2), ("5000 100000", 1)]
)
def test_a_quota_counts_and_part_of_a_core_is_one(tree, quota, cores):
    root = tree(["0::/"], V2, {"cpu.max": quota, "memory.max": "max"})
    assert resources.cores(root) == resources.default_workers(root) == cores


def test_the_tightest_of_nested_groups_binds(tree):
    files = {
        "cpu.max": "max 100000",
        "pod/cpu.max": "200000 100000",
        "pod/box/cpu.max": "800000 100000",
        "pod/memory.max": str(4096 * MIB),
        "pod/box/memory.max": "max",
        "other/cpu.max": "100000 100000",
    }
    root = tree(["0::/pod/box"], V2, files)
    assert resources.cpu_quota(root) == 2.0
    assert resources.memory_limit_bytes(root) == 4096 * MIB


def test_a_container_that_is_given_its_path_from_outside_finds_its_limits_at_the_mount(tree):
    mounts = [("/docker/abc", "/sys/fs/cgroup", "cgroup2 cgroup2 rw")]
    assert resources.cpu_quota(tree(["0::/docker/abc"], mounts, {"cpu.max": "300000 100000"})) == 3.0


def test_the_groups_of_version_1_are_not_read(tree):
    mounts = [("/", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory")]
    root = tree(["2:memory:/"], mounts, {"memory/memory.max": "1", "memory.max": "1"})
    assert resources.memory_limit_bytes(root) is None


def test_a_container_with_a_namespace_of_its_own_may_see_a_path_above_it(tree):
    assert resources.cpu_quota(tree(["0::/../other"], V2, {"cpu.max": "100000 100000"})) == 1.0


@pytest.mark.parametrize(("mebibytes", "workers"), [(64, 1), (512, 2), (1024, 8), (1 << 20, 16)])
def test_workers_fit_in_the_memory_that_is_allowed(tree, mebibytes, workers):
    root = tree(["0::/"], V2, {"cpu.max": "max 100000", "memory.max": str(mebibytes * MIB)})
    assert resources.default_workers(root) == workers


def test_a_process_bound_to_one_core_of_several_counts_one():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from beam_api.host import resources; print(resources.cores())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert int(ran.stdout) == 1


def test_this_machine_gives_at_least_one_worker_and_no_more_than_its_cores():
    quota = resources.cpu_quota()
    assert 1 <= resources.default_workers() <= resources.cores() <= (os.cpu_count() or 1)
    assert quota is None or resources.cores() <= math.ceil(quota)
