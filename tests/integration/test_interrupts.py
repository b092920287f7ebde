"""Ctrl-C in a real terminal: it ends a command, its scan, and leaves the terminal as it was."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import termios
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests import images, videos
from tests.integration.test_scanning import ScanService
from tests.integration.test_streams import post
from tests.processes import running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services import Service

pytestmark = pytest.mark.integration

CTRL_C = b"\x03"
SHOWN, HIDDEN = "\x1b[?25h", "\x1b[?25l"  # the cursor


class Terminal:
    """A command in a terminal of its own, and what the terminal shows."""

    def __init__(self, *arguments: str) -> None:
        self.text = ""
        self.child, self.master = pty.fork()
        if not self.child:
            os.environ.update(TERM="xterm-256color", COLUMNS="100", LINES="40")
            os.execv(sys.executable, [sys.executable, "-m", "beam_api.cli", *arguments])
        self.before = termios.tcgetattr(self.master)

    def read(self, seconds: float = 0.2) -> str:
        """All that is shown so far, after what comes within this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.master], [], [], left)[0]:
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                break
        return self.text

    def interrupt(self) -> int:
        """Press Ctrl-C, and wait for the command's end: its exit code."""
        os.write(self.master, CTRL_C)
        status: list[int] = []

        def ended() -> bool:
            self.read()
            found, how = os.waitpid(self.child, os.WNOHANG)
            if found:
                status.append(how)
            return bool(found)

        assert wait_until(ended, 30), self.text
        self.child = 0
        self.read()
        return os.waitstatus_to_exitcode(status[0])

    def is_usable(self) -> bool:
        """Whether the cursor is shown, and what is typed too, line by line."""
        cursor = re.findall(r"\x1b\[\?25[hl]", self.text)
        return cursor[-1:] != [HIDDEN] and termios.tcgetattr(self.master) == self.before


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    opened = Terminal(*arguments)
    try:
        yield opened
    finally:
        if opened.child:
            os.kill(opened.child, 9)
            os.waitpid(opened.child, 0)
        with suppress(OSError):
            os.close(opened.master)


def test_ctrl_c_ends_a_watch_and_leaves_the_terminal_usable(service: Service) -> None:
    still = images.still_face(eyes_px=40.0, frame_size=(240, 220))
    face = [images.jpeg(still, quality) for quality in range(80, 90)]
    with terminal("watch", "seen", "--url", service.url, "--key", service.key) as shown:
        assert wait_until(lambda: "waiting for frames" in shown.read(), 60), shown.text
        post(service, face, "seen", range(10))
        assert wait_until(lambda: "Heart rate" in shown.read(), 30), shown.text
        assert HIDDEN in shown.text
        assert shown.interrupt() == 130
        assert SHOWN in shown.text
        assert shown.is_usable()
        assert "Traceback" not in shown.text
        assert "Aborted" not in shown.text


def test_ctrl_c_ends_a_scan_with_its_upload_and_its_analysis(service: Service, tmp_path: Path) -> None:
    scans = ScanService(service)
    worker, before = scans.worker(), set(scans.store.keys("beam:*:scan"))
    video = tmp_path / "face.mp4"
    video.write_bytes(videos.looped(60))
    with terminal("scan", str(video), "--url", service.url, "--key", scans.key) as shown:
        begun: list[str] = []

        def is_begun() -> bool:
            shown.read()
            new = [name for name in set(scans.store.keys("beam:*:scan")) - before if scans.store.hget(name, "attempt")]
            begun.extend(re.findall(r"\{(sess_\w+)\}", new[0].decode()) if new else [])
            return bool(begun)

        assert wait_until(is_begun, 60), shown.text
        child = scans.child(worker, begun[0])
        assert scans.spooled()
        assert shown.interrupt() == 130
        assert shown.is_usable()
        assert "Traceback" not in shown.text
    assert scans.spooled() == []
    assert scans.ask("GET", f"/v1/scan-session/{begun[0]}/vitals").status_code == 404
    assert set(scans.store.keys("beam:*:scan")) == before
    assert wait_until(lambda: not running(child), 20)
    assert scans.end(scans.begin(videos.encoded()))["status"] == "completed"  # the worker goes on
