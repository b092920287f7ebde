"""Two machines behind the nginx of deploy/nginx.conf: no request needs the machine of the one before."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from beam_api.host.process import die_with_parent
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.store.usage import UsageStore
from tests import redis_servers, videos
from tests.deployment import DEPLOY
from tests.integration.machines import START_S, Machine
from tests.integration.test_topologies import MEASURE, batches
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

_AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused1;
    uwsgi_temp_path {folder}/unused2;
    scgi_temp_path {folder}/unused3;
    {server}
}}
"""


@dataclass
class Balanced:
    url: str
    key: str
    machines: list[Machine]

    def post(self, session: str, frames: list[tuple[float, bytes]]) -> httpx.Response:
        return httpx.post(
            self.url + MEASURE,
            headers={"X-API-Key": self.key},
            files=[("frame", ("f", jpeg)) for _, jpeg in frames],
            data={
                "timestamp_ms": [f"{at:.3f}" for at, _ in frames],
                "duration_ms": "10000",
                "session_id": session,
            },
            timeout=60,
        )


def configuration(folder: Path, listen: int, ports: list[int]) -> str:
    """deploy/nginx.conf with our addresses, and without TLS."""
    server = (DEPLOY / "nginx.conf").read_text()
    for number, port in enumerate(ports, start=11):
        assert f"10.0.0.{number}:8000" in server
        server = server.replace(f"10.0.0.{number}:8000", f"127.0.0.1:{port}")
    server = re.sub(r"ssl_certificate\S* \S+;", "", server).replace("listen 443 ssl;", f"listen 127.0.0.1:{listen};")
    return _AROUND.format(folder=folder, server=server)


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx: apt-get install nginx-light (make servers)")
    folder = tmp_path_factory.mktemp("balanced")
    with redis_servers.single(redis_servers.binary("bundled"), folder / "redis") as redis:
        environment = {"BEAM_REDIS_URL": redis.url, "BEAM_SECRET_KEY": "0" * 64, "WEB_CONCURRENCY": "1"}
        environment["BEAM_SPOOL_URL"] = str(folder / "spool")
        ports = [redis_servers.free_port() for _ in range(2)]
        machines = [Machine(folder / f"machine{i}", environment) for i in range(2)]
        process = None
        try:
            for machine, port in zip(machines, ports, strict=True):
                machine.serve(port)
            listen = redis_servers.free_port()
            (folder / "nginx.conf").write_text(configuration(folder, listen, ports))
            process = subprocess.Popen(
                [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)],
                stderr=subprocess.DEVNULL,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509
            )
            url = f"http://127.0.0.1:{listen}"

            def ready() -> bool:
                try:
                    return httpx.get(f"{url}/ready").status_code == 200
                except httpx.TransportError:
                    return False

            assert wait_until(ready, START_S), (folder / "error.log").read_text()
            store = connect(redis.url)
            key = Keys(KeyStore(store), UsageStore(store)).create("t", tier="enterprise").key
            yield Balanced(url, key, machines)
        finally:
            if process:
                process.terminate()
                process.wait()
            for machine in machines:
                machine.stop()


def test_a_person_is_measured_by_all_machines_together(balanced: Balanced) -> None:
    *early, last = batches()
    assert [balanced.post("shared", part).status_code for part in early] == [202] * len(early)
    done = balanced.post("shared", last)
    assert done.status_code == 200, done.text
    assert done.json()["data"]["heart_rate"] == pytest.approx(videos.RATE_BPM, abs=2)
    for machine in balanced.machines:
        assert machine.log().count(MEASURE) >= 3
    assert httpx.get(f"{balanced.url}/metrics", headers={"X-API-Key": balanced.key}).status_code == 404


def test_limits_of_size_are_reported_by_the_service_and_not_by_the_proxy(balanced: Balanced) -> None:
    answer = httpx.post(
        balanced.url + MEASURE,
        headers={"X-API-Key": balanced.key},
        files={"frame": ("f", bytes(9_000_000))},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_a_machine_that_dies_takes_no_window_with_it(balanced: Balanced) -> None:
    """The last test: one machine stays dead. A request on a connection to it may get 502, and is sent again."""
    *early, last = batches()
    half = len(early) // 2
    assert [balanced.post("left", part).status_code for part in early[:half]] == [202] * half
    balanced.machines[0].stop(signal.SIGKILL)
    lost = 0
    for part in early[half:]:
        while (answer := balanced.post("left", part)).status_code == 502:
            lost += 1
        assert answer.status_code == 202, answer.text
    assert lost <= 2
    assert answer.json()["data"]["frames"] == 15 * len(early)
    assert balanced.post("left", last).status_code == 200
