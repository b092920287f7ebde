"""Requests and answers about API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from beam_api.exceptions import InvalidParameter, PayloadTooLarge, UnsupportedMediaType
from beam_api.services.access.keys import TEXT_LIMIT, NewKey, Usage
from beam_api.web.schemas.envelope import MetaSchema

if TYPE_CHECKING:
    from beam_api.store.keys import KeyRecord

_MOST_BYTES = 16 * 1024


class SignupSchema(Schema):
    """What may be said when asking for a key."""

    class Meta:
        """Other fields are ignored."""

        unknown = EXCLUDE

    name = fields.String(
        load_default="",
        validate=validate.Length(max=TEXT_LIMIT, error=f"must have at most {TEXT_LIMIT} characters"),
        metadata={"description": "What the key is for, in your words.", "example": "my first try"},
    )


class NewKeySchema(Schema):
    """A key just made. `key` is shown once and stored nowhere."""

    key_id = fields.String(required=True)
    key = fields.String(required=True, metadata={"example": "beam_sk_..."})
    tier = fields.String(required=True, metadata={"example": "sandbox"})
    prefix = fields.String(required=True, metadata={"description": "How the key begins."})
    last4 = fields.String(required=True, metadata={"description": "How it ends."})
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    expires_at = fields.String(
        required=True, allow_none=True, metadata={"description": "Until when it may be used; rotating it renews that."}
    )


class DaySchema(Schema):
    """One day, in UTC."""

    date = fields.String(required=True, metadata={"format": "date", "example": "2026-05-15"})
    requests = fields.Integer(required=True)


class UsageSchema(Schema):
    """Requests that counted."""

    today = fields.Integer(required=True)
    month = fields.Integer(required=True, metadata={"description": "This calendar month, in UTC."})
    by_day = fields.List(fields.Nested(DaySchema), required=True, metadata={"description": "30 days, oldest first."})


class KeySchema(Schema):
    """A key as it may be shown."""

    key_id = fields.String(required=True)
    name = fields.String(required=True)
    tier = fields.String(required=True)
    limit_per_minute = fields.Integer(required=True)
    prefix = fields.String(required=True)
    last4 = fields.String(required=True)
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    expires_at = fields.String(required=True, allow_none=True)
    usage = fields.Nested(UsageSchema, required=True)


class NewKeyAnswerSchema(Schema):
    """A key just made, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(NewKeySchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)


class KeyAnswerSchema(Schema):
    """A key, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(KeySchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)


def read_signup() -> str:
    """The name in the body of the current request; empty for no body.

    Raises
    ------
    UnsupportedMediaType
        If there is a body that isn't JSON.
    PayloadTooLarge
        If it is larger than any name.
    InvalidParameter
        If it holds no object, or a name that won't do.
    """
    no_json = UnsupportedMediaType("The request must be application/json, or have no body.")
    if request.content_length and not request.is_json:
        raise no_json
    if (request.content_length or 0) > _MOST_BYTES:
        raise PayloadTooLarge
    body = request.stream.read(_MOST_BYTES + 1)
    if not body:
        return ""
    if not request.is_json:  # a chunked body, of unknown length
        raise no_json
    if len(body) > _MOST_BYTES:
        raise PayloadTooLarge
    try:
        loaded: dict[str, Any] = SignupSchema().loads(body)
    except ValidationError as error:
        problem = error.messages_dict.get("name")
        if problem:
            rule = problem[0] if "characters" in problem[0] else "must be a text"
            raise InvalidParameter("name", rule) from error
        raise InvalidParameter("body", "must be a JSON object") from error
    except (ValueError, RecursionError) as error:
        raise InvalidParameter("body", "must be JSON") from error
    return str(loaded["name"])


def write_new_key(made: NewKey) -> dict[str, Any]:
    """The `data` of a key just made."""
    record = made.record
    return {
        "key_id": record.key_id,
        "key": made.key,
        "tier": record.tier,
        "prefix": record.prefix,
        "last4": record.last4,
        "created_at": record.created_at,
        "expires_at": record.expires_at or None,
    }


def write_key(record: KeyRecord, usage: Usage) -> dict[str, Any]:
    """The `data` of a key and what it has sent."""
    return {
        "key_id": record.key_id,
        "name": record.name,
        "tier": record.tier,
        "limit_per_minute": record.limit_per_minute,
        "prefix": record.prefix,
        "last4": record.last4,
        "created_at": record.created_at,
        "expires_at": record.expires_at or None,
        "usage": {
            "today": usage.today,
            "month": usage.month,
            "by_day": [{"date": f"{day:%Y-%m-%d}", "requests": count} for day, count in usage.by_day],
        },
    }
