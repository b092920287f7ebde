"""Machines of our own making, on one: what runs on each shares no file with what runs on another."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx

from tests import deployment
from tests.processes import wait_until

START_S = 60.0


class Machine:
    """Runs what deploy/ runs on a machine, with a data folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        own = {k: v for k, v in os.environ.items() if not k.startswith(("BEAM_", "AWS_"))}
        own |= {entry["name"]: entry["value"] for entry in deployment.container("api")["env"] if "value" in entry}
        own |= deployment.find("ConfigMap", "beam-settings")["data"]
        root = str(Path(__file__).parents[2])
        self._environment = own | {"BEAM_DATA_DIR": str(folder), "PYTHONPATH": root, **environment}

    def run(self, *command: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("a") as log:
            self._processes.append(subprocess.Popen(command, env=self._environment, stderr=log, stdout=log))

    def serve(self, port: int) -> None:
        """Run the web processes, and wait until they are ready."""
        self.run(*deployment.command("api", bind=f"127.0.0.1:{port}"))

        def ready() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200
            except httpx.TransportError:
                return False

        assert wait_until(ready, START_S), self.log()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    def stop(self, number: int = signal.SIGTERM) -> None:
        for process in self._processes:
            process.send_signal(number)
        for process in self._processes:
            process.wait(40)
        self._processes.clear()
