"""Questions to Redis, and how several of them make one round trip.

A question is one script on keys of one slot. Several may be about different slots: what they share is the way there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Generic, TypeVar

import redis
from redis.commands.core import Script

from beam_api.store.base import store_errors

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """A script with its keys and arguments, and what its reply means."""

    script: Script
    keys: Sequence[str]
    args: Sequence[bytes | str | int | float]
    read: Callable[[Any], Answer]


def load_script(client: redis.Redis, name: str) -> Script:
    """The script `lua/NAME.lua`. Sends nothing."""
    return client.register_script((resources.files("beam_api.store") / "lua" / f"{name}.lua").read_text("utf-8"))


def ask(client: redis.Redis, *questions: Question[Any]) -> list[Any]:
    """The answers, in order, for one round trip; for one more the first time that a server hears a script.

    Raises
    ------
    StoreUnavailable
        If Redis is away or full. Any of the questions may have been asked all the same.
    """
    with store_errors():
        if len(questions) == 1:
            (only,) = questions
            return [only.read(only.script(keys=only.keys, args=only.args))]
        replies = _run(client, questions)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, redis.exceptions.NoScriptError)]
        for i in unknown:
            client.script_load(questions[i].script.script)
        for i, reply in zip(unknown, _run(client, [questions[i] for i in unknown]), strict=True):
            replies[i] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    return [question.read(reply) for question, reply in zip(questions, replies, strict=True)]


def _run(client: redis.Redis, questions: Sequence[Question[Any]]) -> list[Any]:
    if not questions:
        return []
    with client.pipeline(transaction=False) as pipe:
        for question in questions:
            command = ("EVALSHA", question.script.sha, len(question.keys), *question.keys, *question.args)
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        return list(pipe.execute(raise_on_error=False))
