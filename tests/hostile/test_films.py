"""Broken and malicious videos through the real service: refused or analysed, always ended, and nobody else harmed.

`make fuzz` sends 500 mutants; the usual run a few. FUZZ_VIDEOS says how many.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.hostile import films
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.hostile.conftest import Target

pytestmark = pytest.mark.integration

COUNT = int(os.environ.get("FUZZ_VIDEOS", "8"))
MOST_S = 90.0  # of any upload, on a machine that does much else


def send(target: Target, data: bytes, name: str = "v.mp4") -> tuple[str, int, str]:
    """A session of its own for a video; its id, and the status and text of the answer."""
    session = target.ask("POST", "/api/v1/scan-session").json()["session_id"]
    answer = target.ask("POST", f"/api/v1/scan-session/{session}/video", files={"file": (name, data)})
    assert answer.status_code in (202, 400, 422), answer.text
    return session, answer.status_code, answer.text


def outcome(target: Target, session: str, seconds: float = 120.0) -> dict:
    """How a session ended that took a video. It does end."""
    found: dict = {}

    def ended() -> bool:
        found.update(target.ask("GET", f"/api/v1/scan-session/{session}/vitals").json())
        time.sleep(0.1)
        return found["status"] in ("completed", "failed")

    assert wait_until(ended, seconds), found
    return found


def left_over(target: Target) -> list[str]:
    return [path.name for path in (target.service.data_dir / "spool").glob("*")]


def attack(target: Target, made: list[tuple[str, bytes]]) -> Counter:
    """Each video in a session of its own, four at a time; what became of them."""
    ends: Counter = Counter()

    def one(entry: tuple[str, bytes]) -> None:
        session, status, _ = send(target, entry[1])
        if status == 202:
            end = outcome(target, session, 60 + 3 * len(made))
            ends[end["status"] + (f": {end['error'][:40]}" if "error" in end else "")] += 1
        else:
            ends[str(status)] += 1
            assert target.ask("GET", f"/v1/scan-session/{session}/vitals").json()["status"] == "pending"

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(one, made))
    return ends


def test_mutated_videos_end_and_harm_nothing_but_themselves(target: Target):
    started = time.monotonic()
    ends = attack(target, [films.mutant(number) for number in range(COUNT)])
    assert sum(ends.values()) == COUNT
    assert ends["400"] > 0
    assert any(end.startswith(("completed", "failed")) for end in ends)
    assert target.slowest_s < MOST_S
    assert wait_until(lambda: not left_over(target)), left_over(target)
    print(
        f"\n{COUNT} mutated videos: no 5xx, no crash; {dict(ends)}; slowest request {target.slowest_s:.1f} s, "
        f"{time.monotonic() - started:.0f} s in all"
    )


def test_videos_made_to_hurt_are_refused_or_end(target: Target):
    names = sorted(films.special())[:: 1 if COUNT > 100 else 3]
    ends = attack(target, [(name, films.special()[name]) for name in names])
    assert sum(ends.values()) == len(names)
    assert wait_until(lambda: not left_over(target)), left_over(target)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("sound alone", 422),
        ("no codec that is known", 422),
        *(
            (name, 400)
            for name in ("playlist", "list", "session", "manifest", "pictures' pattern", "flash", "gif", "page")
        ),
    ],
)
def test_what_is_no_video_of_this_service_is_refused(target: Target, name: str, status: int):
    assert send(target, films.special()[name], f"{name}.mp4")[1] == status


def test_frames_that_outgrow_what_the_file_says_are_passed_over(target: Target):
    """160 x 120 in the header, 67 megapixels from the 60th frame on."""
    session, status, _ = send(target, films.growing())
    assert status == 202
    assert outcome(target, session)["error"] == "No face detected in video"


def test_a_few_kilobytes_of_the_largest_frames_end_in_time(target: Target):
    data = films.huge_frames()
    assert len(data) < 100_000
    session, status, _ = send(target, data)
    assert status == 202
    assert outcome(target, session)["status"] == "failed"


@pytest.mark.parametrize("kind", ["address", "file"])
def test_a_video_is_never_followed_to_another_file_or_address(target: Target, kind: str, tmp_path):
    """A MOV may say that its pixels are elsewhere. Nobody asks there; what it names is not opened."""
    elsewhere = tmp_path / "elsewhere.mov"
    elsewhere.write_bytes(films.seeds()["mov mjpeg"])
    os.utime(elsewhere, (0, 0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.mov" if kind == "address" else str(elsewhere)
        for reference in (url, url if kind == "address" else f"file:{url}"):
            session, status, _ = send(target, films.referring(reference))
            if status == 202:
                outcome(target, session)
        for name, text in (
            ("list.m3u8", f"#EXTM3U\n{url}\n"),
            ("list.ffconcat", f"ffconcat version 1.0\nfile {url}\n"),
        ):
            assert send(target, text.encode(), name)[1] == 400
        with pytest.raises(TimeoutError):
            listener.accept()
    if kind == "file":  # its time of access moves when it is first read
        assert elsewhere.stat().st_atime == 0
        elsewhere.read_bytes()
        assert elsewhere.stat().st_atime > 0
