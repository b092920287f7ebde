"""Two customers who must not see each other, and services as they run in the field."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from beam_api.server.embedded_redis import find_binary
from beam_api.store.client import connect
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class LockedRedis:
    """A Redis on a port, with a password, as an operator runs one."""

    password: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        return connect(self.url)

    def start(self) -> None:
        """Start it; the password comes by its standard input, not on its command line."""
        wishes = f"port {self.port}\nbind 127.0.0.1\nrequirepass {self.password}\nappendonly yes\ndir {self.folder}\n"
        self.process = subprocess.Popen(
            [str(find_binary().path), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin
        self.process.stdin.write(wishes.encode())
        self.process.stdin.close()
        assert wait_until(self._answers, 20)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        client = Redis(port=self.port, password=self.password)
        try:
            return bool(client.ping())
        except Exception:
            return False
        finally:
            client.close()


@pytest.fixture(scope="module")
def locked_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedRedis]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = LockedRedis("store-hunter2-password", port, tmp_path_factory.mktemp("locked"))
    server.start()
    yield server
    server.stop()
