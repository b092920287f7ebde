"""Workers are killed with `kill -9` while they hold requests: before, in and after the analysis of a window."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from tests import images
from tests.faults.conftest import children_of
from tests.faults.held import STAGES
from tests.processes import running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from beam_api.server.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration

START_MS = 1_750_000_000_000
TIMES = [START_MS + 2000 * i for i in range(5)]  # 8 s and one interval of 2 s: a window
NEXT = [TIMES[-1] + 2000]
LEASE_S = 10
OF_EACH = 3


def again(session: str) -> bool:
    """Whether this session's client sends its lost request again. The others go on with what they filmed next."""
    return session.endswith("0")


@dataclass
class Held:
    """A gunicorn that holds analyses."""

    process: subprocess.Popen[bytes]
    url: str
    key: str
    folder: Path
    face: bytes

    def workers(self) -> set[int]:
        return children_of(self.process.pid)

    def held(self) -> dict[str, int]:
        """The process in which each session is held."""
        names = [path.name for path in self.folder.iterdir() if path.name != "hold"]
        return {name.rpartition(".")[0]: int(name.rpartition(".")[2]) for name in names}

    def post(self, session: str, times: list[int]) -> httpx.Response:
        files = [("frame", ("f.jpg", self.face, "image/jpeg")) for _ in times]
        form = {"timestamp_ms": [str(at) for at in times], "duration_ms": "10000", "session_id": session}
        headers = {"X-API-Key": self.key}
        return httpx.post(f"{self.url}/api/rppg/measure", data=form, files=files, headers=headers, timeout=60)

    def get(self, path: str) -> httpx.Response:
        answer = httpx.get(f"{self.url}/api/rppg/{path}", headers={"X-API-Key": self.key}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer

    def outcome(self, session: str) -> httpx.Response:
        """What the session's client gets who sends its request again, or goes on with what it filmed next."""
        if session.startswith("saved") and not again(session):
            assert self.post(session, NEXT).json()["data"]["frames"] == 1
            return self.get("measurements/" + self.get(f"sessions/{session}").json()["data"]["last_measurement_id"])
        end = time.monotonic() + 3 * LEASE_S
        while True:
            answer = self.post(session, TIMES[3:] if again(session) else NEXT)
            assert answer.status_code in (200, 202), answer.text
            if answer.status_code == 200:
                return answer
            assert time.monotonic() < end
            time.sleep(0.3)


@pytest.fixture(scope="module")
def service(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("held")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {k: v for k, v in os.environ.items() if not k.startswith("BEAM_")}
    env |= {"BEAM_REDIS_URL": redis_server.url, "BEAM_TEST_FOLDER": str(folder), "PYTHONPATH": os.getcwd()}
    env |= {"BEAM_DATA_DIR": str(folder.parent)}
    make = [sys.executable, "-m", "beam_api.cli", "keys", "create", "--owner", "x", "--tier", "enterprise", "--quiet"]
    key = subprocess.run(make, env=env, check=True, capture_output=True, text=True).stdout.split()[-1]
    command = [sys.executable, "-m", "gunicorn", "-c", "python:tests.faults.held", "-w", "2", "-b", f"127.0.0.1:{port}"]
    with (folder.parent / "held.log").open("w") as log:
        process = subprocess.Popen(command, env=env, stderr=log)
    face = images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))
    held = Held(process, f"http://127.0.0.1:{port}", key, folder, face)

    def ready() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{held.url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    assert wait_until(ready, 30)
    yield held
    (folder / "hold").unlink(missing_ok=True)
    process.terminate()
    assert process.wait(40) == 0


def test_a_window_whose_analyst_is_killed_is_measured_once_by_who_asks_next(service: Held) -> None:
    sessions = [f"{stage}-{i}" for stage in STAGES for i in range(OF_EACH)]
    for session in sessions:
        assert service.post(session, TIMES[:4]).status_code == 202
    (service.folder / "hold").touch()
    with ThreadPoolExecutor(len(sessions)) as pool:
        filling = [pool.submit(service.post, session, TIMES[3:]) for session in sessions]
        assert wait_until(lambda: len(service.held()) == len(sessions), 30)
        killed = time.monotonic()
        for pid in set(service.held().values()):
            os.kill(pid, signal.SIGKILL)
        assert all(isinstance(answer.exception(30), httpx.TransportError) for answer in filling)
    (service.folder / "hold").unlink()

    for session in sessions:
        if session.startswith("saved"):
            continue
        # The lease of the dead runs on; until it ends, nobody else may measure, and nothing of what comes is lost.
        assert service.post(session, TIMES[3:] if again(session) else NEXT).status_code == 202
    assert time.monotonic() - killed < LEASE_S
    with ThreadPoolExecutor(len(sessions)) as pool:
        answers = dict(zip(sessions, pool.map(service.outcome, sessions), strict=True))

    measured = {session: answer.json()["data"]["measurement_id"] for session, answer in answers.items()}
    assert len(set(measured.values())) == len(sessions)
    for session, answer in answers.items():
        assert answer.json()["data"]["frames"] == len(TIMES)
        replayed = "Idempotent-Replayed" in answer.headers
        assert replayed == (session.startswith("saved") and again(session))
        state = service.get(f"sessions/{session}").json()["data"]
        assert state["last_measurement_id"] == measured[session]
        assert state["frames"] == (0 if again(session) else 1)  # what came meanwhile is in the next window
        repeated = service.post(session, TIMES[3:])
        assert (repeated.status_code, "Idempotent-Replayed" in repeated.headers) == (200, True)
        assert repeated.json()["data"] == answer.json()["data"]


def test_a_request_whose_worker_is_killed_is_sent_again_and_counts_once(service: Held) -> None:
    for number in range(4):
        session, times = f"stopped-{number}", [START_MS + 500 * i for i in range(8)]
        workers = service.workers()
        assert len(workers) == 2
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(service.post, session, [at]) for at in times]
            time.sleep(0.2)  # all of it is sent by now
            for pid in workers:
                os.kill(pid, signal.SIGKILL if number % 2 else signal.SIGCONT)
            time.sleep(0.02 * number)
            for pid in workers:
                if running(pid):
                    os.kill(pid, signal.SIGKILL)
            done = [answer.exception(30) for answer in sent]
        assert all(error is None or isinstance(error, httpx.TransportError) for error in done)
        answers = [service.post(session, [at]).json()["data"] for at in times]
        assert not any(answer["restarted"] for answer in answers)
        assert answers[-1]["frames"] == len(times)
        assert wait_until(lambda: len(service.workers()) == 2)
