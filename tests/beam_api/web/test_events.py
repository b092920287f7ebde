"""Streams of events of a person, through HTTP, in the thread of the request; tests/integration has them without."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from beam_api.services.windows import streaming
from beam_api.services.windows.measure_result import Measurement
from beam_api.store.window_values import Claim, Session
from tests.beam_api.store.people import EPOCH, Person, batches, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from redis import Redis

    from beam_api.web.context import Parts

from tests.beam_api.web.measuring import code

PATH = "/api/rppg/sessions/anna/events"


class Stream:
    """An open stream: its events as they come."""

    def __init__(self, response: Any) -> None:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        self._parts, self._text = iter(response.response), ""

    def event(self) -> tuple[str, str, Any]:
        """The next one: its name, id and data; ('', '', None) at the end."""
        while True:
            while "\n\n" in self._text:
                text, _, self._text = self._text.partition("\n\n")
                fields = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith((":", "retry")))
                if fields:
                    return fields["event"], fields.get("id", ""), json.loads(fields["data"])
            part = next(self._parts, None)
            if part is None:
                return "", "", None
            self._text += part.decode()

    def comment(self) -> str:
        """What comes next, if it is no event."""
        return next(self._parts).decode()


@pytest.fixture
def listen(client: FlaskClient, enterprise_key: str):
    """Open streams, and close them in the end."""
    responses = []

    @contextmanager
    def listen(after: str = "", path: str = PATH) -> Iterator[Stream]:
        headers = {"X-API-Key": enterprise_key} | ({"Last-Event-ID": after} if after else {})
        response = client.get(path, headers=headers, buffered=False)
        responses.append(response)
        opened = Stream(response)
        assert opened.comment().startswith("retry")
        yield opened
        response.close()

    yield listen
    for response in responses:
        response.close()


@pytest.fixture
def anna(redis: Redis, enterprise_key: str) -> Person:
    return Person(redis, Session(enterprise_key.removeprefix("beam_sk_")[:16], "anna"))


def result(claim: Claim) -> bytes:
    """A measurement as it is kept."""
    about: dict[str, Any] = {
        "session_id": "anna",
        "measurement_id": claim.measurement_id,
        "rejected": (),
        "at_us": 0,
        "face": None,
    }
    times = [at for at, _ in claim.records]
    return Measurement.nothing(times, with_raw=False, guidance=(), **about).to_json()


def measure(person: Person, seconds: float = 10, start: int = EPOCH) -> list[str]:
    """Post a stream and save what is due; the ids."""
    ids = []
    for part in batches(stream(seconds, start=start), 25):
        for claim in person.post(part, save=False).due:
            assert isinstance(claim, Claim)
            assert person.save(claim, result(claim)) == "saved"
            ids.append(claim.measurement_id)
    return ids


def test_a_measurement_is_reported_with_what_its_200_held(
    listen, anna: Person, client: FlaskClient, enterprise_key: str
) -> None:
    measure(anna)
    first = measure(anna, start=EPOCH + 10 * 1_000_000)
    with listen(after="unknown") as stream:  # what is in the log
        kinds = [stream.event() for _ in range(2)]
        assert [kind for kind, _, _ in kinds] == ["measurement"] * 2
        assert kinds[1][1] == first[0]
        (later,) = measure(anna, start=EPOCH + 20 * 1_000_000)
        kind, event_id, data = stream.event()
    assert (kind, event_id) == ("measurement", later)
    path = f"/api/rppg/measurements/{later}"
    anna.results.point(anna.session, later)
    assert client.get(path, headers={"X-API-Key": enterprise_key}).get_json()["data"] == data


def test_a_stream_resumes_after_the_last_event_that_was_received(listen, anna: Person) -> None:
    ids = [measure(anna, start=EPOCH + k * 10 * 1_000_000)[0] for k in range(4)]
    with listen(after=ids[1]) as stream:
        assert [stream.event()[1] for _ in range(2)] == ids[2:]
    with listen(after=ids[3]) as stream:
        measured = measure(anna, start=EPOCH + 40 * 1_000_000)
        assert stream.event()[1] == measured[0]


def test_the_running_rate_and_restarts_are_reported(listen, anna: Person) -> None:
    (known,) = measure(anna)
    anna.post(stream(2, start=EPOCH - 100 * 1_000_000))
    with listen(after=known) as opened:
        assert opened.event() == ("restarted", "", {"session_id": "anna"})
        anna.store.note_partial(anna.session, b'{"heart_rate":71.5}')
        assert opened.event() == ("partial", "", {"heart_rate": 71.5})


def test_a_window_that_is_given_up_is_reported_and_one_that_was_measured_is_not(
    listen, anna: Person, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LOOK_S", 0.1)
    assert measure(anna, 9.9) == []
    (known,) = measure(anna, 10.1)
    with listen(after="unknown") as opened:
        assert opened.event()[1] == known
        time.sleep(1.0)  # it is seen open
        redis.delete(anna.session.name("window"), anna.session.name("index"))  # as 120 s do it
        assert opened.event() == ("expired", "", {"session_id": "anna"})
        anna.post(stream(2, start=EPOCH + 11 * 1_000_000))
        time.sleep(1.0)
        (closed,) = anna.post([], stamped=False, save=False, final=True).due
        assert isinstance(closed, Claim)
        anna.save(closed, result(closed))
        time.sleep(1.0)
        anna.store.note_partial(anna.session, b"{}")
        assert [opened.event()[0] for _ in range(2)] == ["measurement", "partial"]


def test_the_streams_of_a_key_that_is_revoked_or_rotated_end(
    listen, anna: Person, parts: Parts, enterprise_key: str
) -> None:
    measure(anna)
    with listen(after="unknown") as opened:
        assert opened.event()[0] == "measurement"
        parts.keys.revoke(anna.session.key_id)
        revoked = time.monotonic()
        assert opened.event() == ("", "", None)
        assert time.monotonic() - revoked < 5


def test_a_quiet_stream_shows_that_it_lives(listen, anna: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(anna)
    monkeypatch.setattr(streaming, "COMMENT_S", 0.3)
    with listen(after="unknown") as opened:
        assert opened.event()[0] == "measurement"
        assert opened.comment() == ":\n\n"


def test_there_is_room_for_so_many_streams(
    client: FlaskClient, enterprise_key: str, listen, anna: Person, parts: Parts
) -> None:
    measure(anna)
    parts.streaming._most = 1
    with listen(after="unknown") as opened:
        opened.event()
        refused = client.get(PATH, headers={"X-API-Key": enterprise_key})
        assert (refused.status_code, code(refused)) == (503, "TOO_MANY_STREAMS")
        assert int(refused.headers["Retry-After"]) > 0
    deadline = time.monotonic() + 5
    while parts.streaming._thread and time.monotonic() < deadline:
        time.sleep(0.05)
    assert parts.streaming._thread is None
    with listen(after="unknown") as opened:
        assert opened.event()[0] == "measurement"


def test_who_may_not_listen_is_refused_with_the_reason(client: FlaskClient, enterprise_key: str) -> None:
    assert client.get(PATH).status_code == 401
    assert client.get("/api/rppg/sessions/a b/events", headers={"X-API-Key": enterprise_key}).status_code == 404
    assert client.head(PATH, headers={"X-API-Key": enterprise_key}).status_code == 200


def test_another_key_listens_to_another_person(client: FlaskClient, parts: Parts, anna: Person) -> None:
    measure(anna)
    stranger = parts.keys.create("stranger", tier="enterprise")
    theirs = Person(anna.results._redis, Session(stranger.record.key_id, "anna"))
    (known,) = measure(theirs)
    response = client.get(PATH, headers={"X-API-Key": stranger.key, "Last-Event-ID": "unknown"}, buffered=False)
    opened = Stream(response)
    opened.comment()
    assert opened.event()[1] == known
    response.close()
