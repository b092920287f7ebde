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
V1 = [
    ("/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup cgroup rw,cpu,cpuacct"),
    ("/", "/sys/fs/cgroup/memory", "cgroup cgroup rw,memory"),
]


def test_without_control_groups_every_core_counts(tree, tmp_path):
    assert resources.cores(tree([], [], {})) == 16
    assert resources.cores(tmp_path / "no such folder") == 16
    assert resources.memory_limit_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 16), ("400000 100000", 4), ("150000 100000", 2), ("5000 100000", 1)]
)
def test_a_quota_of_version_2_counts_and_part_of_a_core_is_one(tree, quota, cores):
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


def test_version_1_is_read_by_controller_and_minus_one_is_no_limit(tree):
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "cpu,cpuacct/a/cpu.cfs_quota_us": "250000",
        "cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/b/memory.limit_in_bytes": str(900 * MIB),
    }
    root = tree(["4:memory:/b", "3:cpu,cpuacct:/a", "1:name=systemd:/z", "0::/"], V1, files)
    assert resources.cpu_quota(root) == 2.5
    assert resources.memory_limit_bytes(root) == 900 * MIB
    assert resources.cores(root) == 3


def test_a_container_that_is_told_its_path_from_outside_finds_its_limits_at_the_mount(tree):
    mounts = [("/docker/abc", "/sys/fs/cgroup/cpu", "cgroup cgroup rw,cpu")]
    files = {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}
    assert resources.cpu_quota(tree(["3:cpu:/docker/abc"], mounts, files)) == 3.0


def test_a_container_with_a_namespace_of_its_own_may_see_a_path_above_it(tree):
    assert resources.cpu_quota(tree(["0::/../other"], V2, {"cpu.max": "100000 100000"})) == 1.0


def test_both_versions_at_once_bind(tree):
    mounts = [*V1, ("/", "/sys/fs/cgroup/unified", "cgroup2 cgroup2 rw")]
    files = {
        "unified/x/memory.max": str(700 * MIB),
        "cpu,cpuacct/cpu.cfs_quota_us": "200000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
    }
    root = tree(["3:cpu,cpuacct:/", "2:memory:/", "0::/x"], mounts, files)
    assert (resources.cpu_quota(root), resources.memory_limit_bytes(root)) == (2.0, 700 * MIB)


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
