"""What is replaced of gunicorn is as it was when we replaced it."""

from __future__ import annotations

import hashlib
import inspect

import pytest
from gunicorn.http.parser import Parser
from gunicorn.workers import gthread

from beam_api.server import connection, gunicorn_worker

SOURCES = {
    "TConn.__init__": "c8763d7c6597",
    "TConn.init": "5ff3d4ba451c",
    "TConn.close": "6d1c334ed197",
    "ThreadWorker.__init__": "5681b8b542ea",
    "ThreadWorker.get_thread_pool": "003f3549a71b",
    "ThreadWorker.set_accept_enabled": "140150ebfd3c",
    "ThreadWorker.accept": "f8dcead3dce5",
    "ThreadWorker.wait_for_and_dispatch_events": "ea969b352482",
    "ThreadWorker.on_client_socket_readable": "aead1a3ea7b7",
    "ThreadWorker.on_pending_socket_readable": "2475f7087832",
    "ThreadWorker.murder_keepalived": "4459960c4ccc",
    "ThreadWorker.murder_pending": "7bf11f464542",
    "ThreadWorker.enqueue_req": "c9f428953d24",
    "ThreadWorker.handle": "ca85c9be3df7",
    "ThreadWorker.handle_request": "6d0de5b91910",
    "ThreadWorker.handle_error": "75426448389b",
    "TConn.set_timeout": "03938b63c8bb",
    "ThreadWorker.init_process": "e4fc63a1a68e",
    "ThreadWorker.run": "f92c7394d857",
    "ThreadWorker.finish_request": "616e7bb15a00",
    "ThreadWorker._cap_keepalive": "745c8ac37108",
    "ThreadWorker.handle_exit": "b4e7decd4f92",
    "ThreadWorker._keepalive_after": "4ebdbbc8bf5a",
    "Parser.__init__": "604084ecb33b",
    "Parser.__next__": "b8536520e958",
    "Parser.finish_body": "54c5d0d28c26",
}
"""Digests of the source of each member that is overridden, and of those that call them."""

CALLERS = {
    gthread.TConn: ("set_timeout",),
    gthread.ThreadWorker: (
        "init_process",
        "run",
        "finish_request",
        "_cap_keepalive",
        "handle_exit",
        "_keepalive_after",
    ),
    Parser: ("__init__", "__next__", "finish_body"),
}


def digest(owner: type, name: str) -> str:
    return hashlib.sha256(inspect.getsource(getattr(owner, name)).encode()).hexdigest()[:12]


def members() -> dict[str, str]:
    named = [*gunicorn_worker.OVERRIDDEN.items(), *CALLERS.items()]
    return {f"{owner.__name__}.{name}": digest(owner, name) for owner, names in named for name in names}


def test_gunicorn_has_not_changed_what_is_overridden():
    changed = sorted(name for name, found in members().items() if SOURCES.get(name) != found)
    assert not changed, f"gunicorn has changed {changed}: compare ours in gunicorn_worker.py, then note the new digests"
    assert SOURCES.keys() == members().keys()


@pytest.mark.parametrize("ours", [connection.Connection, gunicorn_worker.WebWorker])
def test_every_overridden_member_is_listed(ours: type):
    (theirs,) = ours.__bases__
    defined = {name for name, member in vars(ours).items() if inspect.isfunction(member)}
    overridden = {name for name in defined if name in dir(theirs) and name not in dir(object)} | {"__init__"}
    assert set(gunicorn_worker.OVERRIDDEN[theirs]) == overridden
