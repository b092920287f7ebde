"""Requests and answers about session tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from beam_api.services.access.session_tokens import DEFAULT_REQUESTS, DEFAULT_TTL_S, MOST_REQUESTS, MOST_TTL_S
from beam_api.web.schemas.envelope import MetaSchema
from beam_api.web.schemas.measure_form import first_problem

if TYPE_CHECKING:
    from beam_api.services.access.session_tokens import NewSessionToken

MOST_BYTES, MOST_NESTED = 16 * 1024, 16
_NAME = r"[A-Za-z0-9._-]{1,64}"


class CountField(fields.Integer):
    """A whole number; true and false are none, though Python counts with them."""

    def _deserialize(self, value: Any, *about: Any, **options: Any) -> int:
        if isinstance(value, bool):
            raise self.make_error("invalid")
        return int(super()._deserialize(value, *about, **options))


def _count(most: int, default: int, unit: str) -> Any:
    rule = f"must be a whole number from 1 to {most}"
    return CountField(
        strict=True,
        load_default=default,
        validate=validate.Range(1, most, error=rule),
        error_messages={"invalid": rule, "null": rule},
        metadata={"description": unit},
    )


class SessionTokenSchema(Schema):
    """What a token is for."""

    class Meta:
        """Other fields are ignored."""

        unknown = EXCLUDE

    session_id = fields.String(
        required=True,
        validate=validate.Regexp(_NAME + r"\Z", error="must be 1 to 64 of A-Z a-z 0-9 . _ -"),
        error_messages=dict.fromkeys(("required", "invalid", "null"), "must be 1 to 64 of A-Z a-z 0-9 . _ -"),
        metadata={"description": "Whom the token measures.", "example": "anna", "pattern": f"^{_NAME}$"},
    )
    ttl_s = _count(MOST_TTL_S, DEFAULT_TTL_S, "Seconds for which it is good.")
    requests = _count(MOST_REQUESTS, DEFAULT_REQUESTS, "Requests for which it is good.")


class NewSessionTokenSchema(Schema):
    """A token just made. It is shown once and stored nowhere."""

    token = fields.String(required=True, metadata={"example": "beam_tk_..."})
    expires_at = fields.String(required=True, metadata={"format": "date-time"})


class NewSessionTokenAnswerSchema(Schema):
    """A token just made, in the envelope."""

    success = fields.Boolean(required=True)
    data = fields.Nested(NewSessionTokenSchema, required=True)
    meta = fields.Nested(MetaSchema, required=True)


def read_token_wish(body: dict[str, Any]) -> dict[str, Any]:
    """`session_id`, `ttl_s` and `requests` of a body. Raises InvalidParameter."""
    try:
        wish: dict[str, Any] = SessionTokenSchema().load(body)
    except ValidationError as error:
        raise first_problem(error) from error
    return wish


def write_new_token(made: NewSessionToken) -> dict[str, str]:
    """The `data` of a token just made."""
    return {"token": made.token, "expires_at": made.expires_at}
