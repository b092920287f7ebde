import os
import re

from beam_api import create_app
from beam_api.store.client import connect


def test_health_is_as_documented_under_both_names(client):
    for path in ("/health", "/api/health"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.json.keys() == {"status", "timestamp", "service"}
        assert (answer.json["status"], answer.json["service"]) == ("ok", "rppg-backend")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.json["timestamp"])


def test_ready_means_that_redis_answers(client, settings, reader, tmp_path):
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert answer.json["data"] == {"status": "ready", "redis": "ok", "model": "ok"}
    assert answer.json["meta"]["request_id"] == answer.headers["X-Request-Id"]

    unavailable = create_app(settings, redis=connect(f"unix://{tmp_path}/none.sock"), reader=reader).test_client()
    answer = unavailable.get("/ready")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "STORE_UNAVAILABLE")
    assert "Retry-After" in answer.headers
    assert unavailable.get("/health").status_code == 200


def test_the_app_connects_only_when_asked_and_again_in_a_forked_process(app, client, redis):
    def connections():
        return len(redis.client_list())

    before = connections()
    assert client.get("/ready").status_code == 200
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # a worker, forked from a process that has connections
        status = client.get("/ready").status_code
        os.write(write, f"{status} {connections()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    status, seen = os.read(read, 100).split()
    os.close(read)
    os.close(write)
    assert status == b"200"
    assert int(seen) > before
    assert client.get("/ready").status_code == 200
