"""docs/privacy.md says what is kept, where and how long: after real traffic Redis holds that and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.client import connect
from beam_api.store.keys import KeyStore
from beam_api.store.window_values import Entry, Session
from beam_api.store.windows import WindowStore
from tests import images, videos
from tests.beam_api.services.scans.test_webhook_delivery import Receiver
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from tests.services import Service

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text()
PLACES = {
    "KEY": r"[A-Za-z0-9]{16}",
    "PERSON": r"[A-Za-z0-9._-]{1,64}",
    "MEASUREMENT": r"msr_[0-9a-f]{32}",
    "SCAN": r"sess_\d{14}_[a-z0-9]{16}",
    "MESSAGE": r"msg_[0-9a-f]{24}",
    "MONTH": r"\d{4}-\d{2}",
    "ORIGIN": r"[0-9a-f]{32}",
    "DIGEST": r"[0-9a-f]{64}",
    "ADDRESS": r"[0-9a-f.:]+|none",
    "JOB": r"(?:sess_\d{14}_[a-z0-9]{16}|msg_[0-9a-f]{24})_\d+",
    "NUMBER": r"\d+",
    "WORKER": r"[0-9a-f]+",
}
UNITS = {"s": 1, "min": 60, "h": 3600, "days": 86400}
START_MS = 1_750_000_000_000


@dataclass
class Row:
    """A line of the table: names in Redis, how many seconds they live at most if it says so, whether some may stay."""

    text: str
    pattern: re.Pattern[str]
    most_s: float | None
    may_stay: bool


def rows() -> list[Row]:
    table = PAGE.partition("## What is kept in Redis")[2].partition("\n## ")[0]
    found = []
    for line in table.splitlines():
        if not line.startswith("| `"):
            continue
        names, _, kept, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        for name in re.findall(r"`([^`]+)`", names):
            pattern = re.escape(name)
            for place, form in PLACES.items():
                pattern = pattern.replace(place, f"(?:{form})")
            found.append(Row(name, re.compile(pattern), seconds(kept), "stay" in kept or "until" in kept))
    return found


def seconds(kept: str) -> float | None:
    said = re.match(r"(\d+) (s|min|h|days)\b", kept)
    assert said or kept.startswith("until"), kept
    return int(said[1]) * UNITS[said[2]] if said else None


def kept(redis: Redis) -> dict[str, float]:
    """Every name in Redis, with the seconds that it has left; -1 for ever."""
    found = {}
    for name in redis.scan_iter(count=1000):
        left = redis.pttl(name)
        if left != -2:  # it has just expired
            found[name.decode()] = left / 1000 if left >= 0 else -1
    return found


@dataclass
class Traffic:
    """A service, and every name that was seen in its Redis with the longest life it had."""

    service: Service
    redis: Redis
    key: str
    key_id: str
    seen: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        for name, left in kept(self.redis).items():
            self.seen[name] = -1 if left == -1 else max(left, self.seen.get(name, 0))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = httpx.request(
            method, self.service.url + path, **{"headers": {"X-API-Key": self.key}, "timeout": 60, **options}
        )
        self.look()
        return answer

    def frames(self, person: str, count: int, **form: Any) -> httpx.Response:
        face = images.jpeg(images.still_face(eyes_px=40.0, frame_size=(240, 220)))
        form = {"duration_ms": "10000", "session_id": person, **form}
        files = [("frame", ("f.jpg", face, "image/jpeg"))] * count
        return self.ask("POST", "/api/rppg/measure", data=form, files=files)

    def window(self, person: str, start_ms: int = START_MS) -> httpx.Response:
        return self.frames(person, 5, timestamp_ms=[str(start_ms + 2000 * i) for i in range(5)])


@pytest.fixture(scope="module")
def traffic(start_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    service = start_service(tmp_path_factory.mktemp("retention") / "data", BEAM_WEBHOOK_ALLOW="127.0.0.1")
    redis = connect(running_url(service.data_dir))
    made = Keys(KeyStore(redis)).create("o", tier="enterprise")
    traffic = Traffic(service, redis, made.key, made.record.key_id)
    measure_people(traffic)
    manage_keys(traffic)
    scan_videos(traffic)
    return traffic


def measure_people(traffic: Traffic) -> None:
    assert traffic.window("anna").status_code == 200
    assert traffic.window("anna", START_MS + 10_000).status_code == 200
    assert traffic.frames("anna", 2, timestamp_ms=["1000", "2000"]).json()["data"]["restarted"]  # a clock set back
    seen = f"beam:{{{traffic.key_id}:anna}}:seen"
    traffic.redis.pexpire(seen, 500_000)  # half its life is over: the next request begins another generation
    assert traffic.frames("anna", 1, timestamp_ms="3000").status_code == 202
    # A full window whose analyst has died, as the store knows it.
    entries = [Entry(1000 * (START_MS + 2000 * i), bytes([i] * 8), bytes(26)) for i in range(5)]
    session = Session(traffic.key_id, "died")
    assert WindowStore(traffic.redis).append(session, entries, duration_us=10_000_000, digest=b"a digest").claim
    # A request that is being read, and frames that a jump in capture time has put aside.
    windows = WindowStore(traffic.redis)
    windows.ask(*windows.arriving(Session(traffic.key_id, "leo"), digest=b"a digest"))
    assert traffic.frames("leo", 4, timestamp_ms=[str(START_MS + 40 * i) for i in range(4)]).status_code == 202
    assert traffic.frames("leo", 4, timestamp_ms=[str(START_MS + 60_000 + 40 * i) for i in range(4)]).status_code == 202
    assert traffic.frames("default", 1).status_code == 202
    assert traffic.frames("otto", 1).status_code == 202  # the service's own clock
    assert traffic.frames("otto", 3, fps="2").status_code == 202
    # A running rate; and a sliding window of which a part waits for its result.
    assert traffic.frames("mia", 4, timestamp_ms=[str(START_MS + 2000 * i) for i in range(4)]).json()["data"]["partial"]
    sliding = Session(traffic.key_id, "slides")
    assert windows.append(sliding, entries, duration_us=10_000_000, digest=b"a digest", stride_us=1_000_000).claim
    assert windows.append(
        sliding, [Entry(1000 * (START_MS + 8500), b"8 bytes.", bytes(26))], duration_us=1, digest=b"b"
    )
    for start in range(2):
        thirty = [str(START_MS + 1000 * start + 1000 * i / 30) for i in range(30)]
        assert traffic.frames("rosa", 30, timestamp_ms=thirty).status_code == 202


def manage_keys(traffic: Traffic) -> None:
    url = traffic.service.url
    made = httpx.post(f"{url}/api/keys").json()["data"]["key"]
    httpx.get(f"{url}/api/keys/me", headers={"X-API-Key": made})
    revoked = httpx.post(f"{url}/api/keys").json()["data"]["key"]
    httpx.delete(f"{url}/api/keys/me", headers={"X-API-Key": revoked})
    visit = httpx.post(f"{url}/playground/key")
    cookie = next(cookie.value for cookie in visit.cookies.jar)
    headers = {"X-API-Key": visit.json()["data"]["key"], "Cookie": f"beam_visitor={cookie}"}
    httpx.get(f"{url}/api/rppg/sessions/default", headers=headers)
    traffic.ask("GET", "/api/keys/me", headers={"X-API-Key": "wrong"})
    traffic.ask("POST", "/api/keys/me/webhook-secret/rotate")
    wish = {"session_id": "ida", "ttl_s": 900, "requests": 2000}
    token = traffic.ask("POST", "/api/keys/me/tokens", json=wish).json()["data"]["token"]
    sample = {"timestamp_ms": 1000, "pose": [240, 220, 60, 0, 0], "colours": [[180, 120, 90]] * 34}
    sample["face"] = {"landmarks": [[0.5, 0.5]] * 5}
    body = {"session_id": "ida", "sample_version": 1, "frame_size": [480, 440], "samples": [sample]}
    sent = traffic.ask("POST", "/api/rppg/samples", json=body, headers={"Authorization": f"Bearer {token}"})
    assert sent.status_code == 202


def scan_videos(traffic: Traffic) -> None:
    receiver = Receiver()
    try:
        receiver.answers = [(500, {}), (200, {})]
        for data in (videos.blank(6), videos.encoded()):
            body = {"webhook_url": receiver.url()}
            session = traffic.ask("POST", "/v1/scan-session", json=body).json()["session_id"]
            path = f"/v1/scan-session/{session}"
            assert traffic.ask("POST", f"{path}/video", files={"file": ("v", data)}).status_code == 202

            def ended(path: str = path) -> bool:
                return traffic.ask("GET", f"{path}/vitals").json()["status"] in ("completed", "failed")

            assert wait_until(ended, 60)
            assert wait_until(lambda path=path: bool(traffic.ask("GET", f"{path}/deliveries").json()["deliveries"]), 30)
    finally:
        receiver.shutdown()
        receiver.server_close()
    traffic.look()


def test_every_name_in_redis_is_in_the_table_and_lives_as_long_as_that_says(traffic: Traffic) -> None:
    table, wrong = rows(), []
    for name, left_s in sorted(traffic.seen.items()):
        matching = [row for row in table if row.pattern.fullmatch(name)]
        if len(matching) != 1:
            wrong.append(f"{name} is in {len(matching)} rows, and lives for {left_s}")
        elif left_s == -1 and not matching[0].may_stay:
            wrong.append(f"{name} is said to go, and stays")
        elif left_s > (matching[0].most_s or 0):
            wrong.append(f"{name} is said to live for {matching[0].most_s}, and lives for {left_s}")
    assert not wrong, "\n".join(wrong)


def test_every_line_of_the_table_is_of_something_that_was_there(traffic: Traffic) -> None:
    """But for what only a crash of the worker leaves, or lasts for moments of RQ's own."""
    absent = {row.text for row in rows() if not any(row.pattern.fullmatch(name) for name in traffic.seen)}
    assert absent <= {"rq:failed:beam-videos", "rq:wip:beam-videos", "rq:queue:beam-videos:intermediate"} | {
        "rq:queue:beam-videos",
        *(f"rq:{kind}:beam-videos-long" for kind in ("queue", "wip", "finished", "failed")),
        "rq:execution:JOB:WORKER",
        "rq:executions:JOB",
        "rq:worker:WORKER:executions",
        "beam:{self-made:ADDRESS}:scan-work",  # the traffic's keys are an operator's
    }


def test_a_name_that_is_not_in_the_table_would_be_found() -> None:
    table = rows()
    assert len(table) > 40
    for name in ("beam:{anna}:window", "beam:{0123456789abcdef:anna}:picture", "beam:pictures", "rq:job:anna"):
        assert not [row for row in table if row.pattern.fullmatch(name)]


def test_addresses_live_for_an_hour_at_most(traffic: Traffic) -> None:
    with_address = {name: left for name, left in traffic.seen.items() if "127.0.0.1" in name}
    assert len(with_address) >= 3
    assert all(0 < left <= 3600 for left in with_address.values())
