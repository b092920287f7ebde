"""Does the time of a refusal reveal why a key is refused? `python -m benchmarks.refusals`

Requests with keys of every sort that must not come in are sent in random turns to a real service. For each sort: by how
much its median differs from that of unknown keys, and how often one of its requests takes longer than one with an
unknown key. Half of the time says that nobody can tell; chance alone gives 50 % +- 2.
"""

from __future__ import annotations

import http.client
import random
import time
from statistics import median

import redis

from beam_api.server.embedded_redis import running_url
from beam_api.services.access.keys import Keys
from beam_api.store.keys import KeyStore
from benchmarks.report import Figure, show
from benchmarks.service.started import running_service

TURNS = 400
UNKNOWN, MALFORMED = "unknown", "malformed (not looked up)"
FORGET_EVERY = 400  # refusals of one address, before its bucket is full


def main() -> None:
    """Measure and print."""
    with running_service() as service:
        store = redis.Redis.from_url(running_url(service.data_dir))
        times = _times(service.address, _refused(Keys(KeyStore(store))), store)
        store.close()
    usual = median(times[UNKNOWN])
    figures = [Figure("an unknown key, median", usual, "ms")]
    for why, found in times.items():
        if why == UNKNOWN:
            continue
        longer = sum((a > b) + (a == b) / 2 for a in found for b in times[UNKNOWN]) / (len(found) * len(times[UNKNOWN]))
        figures += [
            Figure(f"{why}: median over that of unknown", median(found) / usual, "times"),
            Figure(f"{why}: takes longer than unknown", 100 * longer, "% of pairs"),
            Figure(f"{why}: distance from a toss-up", 100 * abs(longer - 0.5), "%", None if why == MALFORMED else 5.0),
        ]
    show(f"Refusals, {TURNS} of each sort in random turns", figures)


def _refused(keys: Keys) -> dict[str, str]:
    good, revoked, rotated = (keys.create("benchmark") for _ in range(3))
    keys.revoke(revoked.record.key_id)
    keys.rotate(rotated.record)
    return {
        UNKNOWN: "beam_sk_" + "a" * 59,
        "revoked": revoked.key,
        "rotated": rotated.key,
        "good id, wrong secret": good.key[:24] + "A" * 43,
        MALFORMED: "beam_sk_" + "a" * 58,
    }


def _times(address: str, keys: dict[str, str], store: redis.Redis) -> dict[str, list[float]]:
    """Milliseconds of every request, by the sort of its key."""
    connection = http.client.HTTPConnection(address, timeout=30)
    turns = [why for why in keys for _ in range(TURNS)]
    random.Random(5).shuffle(turns)
    times: dict[str, list[float]] = {why: [] for why in keys}
    for number, why in enumerate(turns):
        if number % FORGET_EVERY == 0:
            store.delete("none", *store.keys("*address*"))
        begun = time.perf_counter()
        connection.request("GET", "/api/keys/me", headers={"X-API-Key": keys[why]})
        answer = connection.getresponse()
        answer.read()
        times[why].append(1000 * (time.perf_counter() - begun))
        if answer.status != http.client.UNAUTHORIZED:
            raise RuntimeError(f"{why}: {answer.status}")
    connection.close()
    return times


if __name__ == "__main__":
    main()
