"""The service as it runs in the field: `beam serve` with its gunicorn workers and its Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from tests.processes import running, wait_until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Sequence

START_S = 60.0  # on a machine that does much else


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class Service:
    """A running `beam serve`. `key` is the one it left in a file, empty if it is not its first start."""

    process: subprocess.Popen[str]
    url: str
    key: str
    data_dir: Path
    log: Path
    verify: ssl.SSLContext | bool = True

    def processes(self) -> dict[int, str]:
        """Every process it has started, by id, with its command line."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(stat.parent.name))
        found, queue = [], [self.process.pid]
        while queue:
            new = children.get(queue.pop(), [])
            found += new
            queue += new
        return {p: _command(p) for p in found if running(p)}

    def make_key(self, tier: str = "enterprise", redis_url: str = "", **options: Any) -> str:
        """A key of the service, of the Redis it has unless another is named."""
        redis = connect(redis_url or running_url(self.data_dir))
        try:
            return Keys(KeyStore(redis)).create("a test", tier=tier, **options).key
        finally:
            redis.close()

    def redis_pid(self) -> int:
        return self.redis_pids()[0]

    def redis_pids(self) -> list[int]:
        """Empty in the moment between a server that died and the next one."""
        return [p for p, command in self.processes().items() if "redis-server" in command]

    def get(self, path: str, **options: Any) -> httpx.Response:
        headers = {"X-API-Key": self.key} if self.key else {}
        return httpx.get(self.url + path, **{"headers": headers, "timeout": 20, "verify": self.verify, **options})

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal the parent and wait for it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def services() -> Iterator[Callable[..., Service]]:
    """Start services, which end with the context."""
    started: list[Service] = []

    def start(
        data_dir: Path,
        *options: str,
        verify: ssl.SSLContext | bool = True,
        cwd: Path | None = None,
        under: Sequence[str] = (),
        **environment: str,
    ) -> Service:
        data_dir.mkdir(parents=True, exist_ok=True)
        log = data_dir.parent / f"{data_dir.name}.log"
        env = {k: v for k, v in os.environ.items() if not k.startswith("BEAM_")}
        env |= {"BEAM_DATA_DIR": str(data_dir), "PYTHONPATH": str(Path(__file__).parents[1]), **environment}
        workers = int(options[options.index("--workers") + 1]) if "--workers" in options else 2
        command = [sys.executable, "-m", "beam_api.cli", "serve", "--port", "0", "--workers", "2", *options]
        command = [*under, *command]
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=env, cwd=cwd, text=True)
        service = Service(process, "", "", data_dir, log, verify)
        started.append(service)
        assert process.stdout
        service.url = process.stdout.readline().rpartition(" ")[2].strip()
        assert service.url.startswith("http"), log.read_text()

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                answers = service.get("/ready", headers={}).status_code == 200
            except httpx.TransportError:
                return False
            return (
                answers and sum("-m gunicorn" in c for c in service.processes().values()) == 1 + workers
            )  # and a master

        assert wait_until(ready, START_S), log.read_text()
        os.set_blocking(process.stdout.fileno(), False)
        lines = [process.stdout.readline() or "" for _ in range(2)]
        greeting = next((line for line in lines if "sandbox key" in line), "")
        service.key = Path(greeting.partition(" in the file ")[2].strip()).read_text().strip() if greeting else ""
        return service

    try:
        yield start
    finally:
        _end(started)


def _end(started: list[Service]) -> None:
    for service in started:
        if service.process.poll() is None:
            service.process.terminate()
    for service in started:
        service.process.wait(40)
        if service.process.stdout:
            service.process.stdout.close()
