"""The service as the image runs it: another user, without rights, all file systems but three of them read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from beam_client import Beam
from rppg_core.simulation.faces import simulate_face
from rppg_core.simulation.scenes import Scene
from tests import videos
from tests.processes import wait_until
from tests.scrapes import Scrape

pytestmark = pytest.mark.integration

USER = 10001
# What is writable stays so, because it is mounted apart; all else is made read-only. To read what root alone may read
# (the checkout, Python) is the one right that the user keeps: in the image everybody may read both.
SCRIPT = """
set -e
data=$1 scratch=$2; shift 2
mount --bind "$data" "$data"
mount -t tmpfs -o size=16m tmpfs "$scratch"
chown USER "$data" "$scratch"
awk '{print $5}' /proc/self/mountinfo | sort -r | while read -r at; do
  case "$at" in
    "$data"|"$scratch"|/dev/shm|/proc*|/sys*) ;;
    *) mount -o remount,bind,ro "$at" 2>/dev/null || true ;;
  esac
done
exec setpriv --reuid=USER --regid=USER --clear-groups --no-new-privs \
  --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search "$@"
""".replace("USER", str(USER))


def contained(data: Path, scratch: Path, *command: str) -> list[str]:
    scratch.mkdir(exist_ok=True)
    data.mkdir(exist_ok=True)
    return [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        SCRIPT,
        "sh",
        str(data),
        str(scratch),
        *command,
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where it may be tried: it needs root, and a kernel that lets it mount."""
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "setpriv"))) or not Path("/dev/shm").is_dir():
        pytest.skip("no namespaces here")
    folder = tmp_path_factory.mktemp("contained")
    tried = subprocess.run(
        contained(
            folder / "try", folder / "scratch", "sh", "-c", f"id -u; ! touch {folder}/x; ! touch /x; touch $TMPDIR/y"
        ),
        env=os.environ | {"TMPDIR": str(folder / "scratch")},
        capture_output=True,
        text=True,
        check=False,
    )
    if os.geteuid() != 0:
        pytest.skip("only root may make a container")
    assert (tried.returncode, tried.stdout.strip()) == (0, str(USER)), tried.stderr
    return folder


def test_it_serves_with_every_file_system_read_only_but_its_own(start_service, folder):
    data, scratch = folder / "data", folder / "scratch"
    service = start_service(
        data, under=contained(data, scratch), TMPDIR=str(scratch), HOME="/nonexistent", OPENBLAS_NUM_THREADS="1"
    )
    headers = {"X-API-Key": service.key}
    face = simulate_face(Scene(duration_s=11.0, fps=15.0, seed=5))
    with Beam(service.url, service.key) as client:
        frames = [(1000 * at, face.jpeg(i)) for i, at in enumerate(face.times_s)]
        done = client.measure(frames, session_id="a", duration_ms=10_000)
    assert done.measurement_id

    scan = service.url + "/v1/scan-session"
    session = httpx.post(scan, headers=headers, timeout=30).json()["session_id"]
    video = {"file": ("v.mp4", videos.encoded(), "video/mp4")}
    assert httpx.post(f"{scan}/{session}/video", headers=headers, files=video, timeout=60).status_code == 202
    assert wait_until(lambda: Scrape(service.get("/metrics").text)("beam_scan_seconds_count") == 1, 60)

    assert wait_until(lambda: len(service.processes()) == 5)  # the scan's own ends a moment after it is counted
    status = {pid: Path(f"/proc/{pid}/status").read_text() for pid in [service.process.pid, *service.processes()]}
    assert all(f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in text for text in status.values())
    assert all("NoNewPrivs:\t1" in text for text in status.values())
    inside = Path(f"/proc/{service.process.pid}/root{scratch}")
    assert list(inside.iterdir()) == []  # nothing of it was needed, since there is /dev/shm
    assert {path.name.split("-")[0] for path in data.iterdir()} == {"first", "redis", "redis.lock", "run", "spool"}
    assert service.end() == 0
    reported = service.log.read_text()
    assert not any(word in reported for word in ("Read-only", "Permission denied", "Traceback"))
