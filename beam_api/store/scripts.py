"""Questions to Redis, and how several of them make one round trip; of one server as of a cluster.

A question is one script on keys of one slot. Several may be about different slots: what they share is the way there, or
on a cluster the time, as all nodes work at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from importlib import resources
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import redis
from redis import exceptions as redis_errors

from beam_api.exceptions import StoreUnavailable
from beam_api.store.client import store_errors
from beam_api.store.cluster import Command, as_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.typing import EncodableT

Answer = TypeVar("Answer")


class Script:
    """A script, all of whose keys share one hash tag. Call it to run it.

    A server knows it by its hash once it has run it. To one that does not it is sent whole: to a node that has just
    taken over from another, say.
    """

    def __init__(self, client: redis.Redis, text: str) -> None:
        self.client, self.text = client, text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, *, keys: Sequence[str], args: Sequence[EncodableT] = ()) -> Any:
        """Run it: one round trip. Returns its reply as Redis gives it."""
        try:
            if as_cluster(self.client):
                return send(self.client, ("EVALSHA", self.sha, len(keys), *keys, *args))[0]
            return self.client.evalsha(self.sha, len(keys), *keys, *args)
        except redis_errors.NoScriptError:
            return self.client.eval(self.text, len(keys), *keys, *args)


@dataclass(frozen=True, slots=True)
class Question(Generic[Answer]):
    """A script with its keys and arguments, and what its reply means."""

    script: Script
    keys: Sequence[str]
    args: Sequence[EncodableT]
    read: Callable[[Any], Answer]


def load_script(client: redis.Redis, *names: str, before: str = "") -> Script:
    """The script `lua/NAME.lua`, or one in several such files, after the text `before`. Sends nothing."""
    return Script(client, before + "\n".join(map(script_text, names)))


def script_text(name: str) -> str:
    """The text of `lua/NAME.lua`."""
    return (resources.files("beam_api.store") / "lua" / f"{name}.lua").read_text("utf-8")


def ask(client: redis.Redis, *questions: Question[Any]) -> list[Any]:
    """The answers, in order, for one round trip; for one more the first time that a server hears a script.

    Raises
    ------
    StoreUnavailable
        If Redis is unavailable or full. Any of the questions may have been asked all the same.
    """
    answers = ask_each(client, *questions)
    for answer in answers:
        if isinstance(answer, StoreUnavailable):
            raise answer
    return answers


def ask_each(client: redis.Redis, *questions: Question[Any]) -> list[Any]:
    """As `ask`, but where a question could not be answered, the StoreUnavailable stands for its answer.

    A part of a cluster can be unavailable.
    """
    if len(questions) == 1:
        (only,) = questions
        with store_errors():
            return [only.read(only.script(keys=only.keys, args=only.args))]
    commands = [("EVALSHA", q.script.sha, len(q.keys), *q.keys, *q.args) for q in questions]
    with store_errors():
        replies = _send(client, commands)
    for i, question in enumerate(questions):
        if isinstance(replies[i], redis_errors.NoScriptError):
            try:
                replies[i] = client.eval(question.script.text, len(question.keys), *question.keys, *question.args)
            except (redis_errors.RedisError, redis_errors.RedisClusterException) as error:
                replies[i] = error
    return [_answer(question, reply) for question, reply in zip(questions, replies, strict=True)]


def send(client: redis.Redis, *commands: Command) -> list[Any]:
    """The replies to commands on one key each, named after the command, for one round trip. Raises what Redis raises.

    Others' commands may come in between.
    """
    replies = _send(client, commands)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def send_atomically(client: redis.Redis, *commands: Command) -> list[Any]:
    """As `send`, for keys of one hash tag, with nobody's commands in between: all are done, or none."""
    if cluster := as_cluster(client):
        return cluster.transaction(commands)
    with client.pipeline(transaction=True) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        return list(pipe.execute())


def _answer(question: Question[Any], reply: Any) -> Any:
    try:
        with store_errors():
            if isinstance(reply, Exception):
                raise reply
    except StoreUnavailable as error:
        return error
    return question.read(reply)


def _send(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """The replies; an exception stands for the reply of what failed."""
    if cluster := as_cluster(client):
        return cluster.send(commands)
    with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        return list(pipe.execute(raise_on_error=False))
