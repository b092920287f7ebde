"""What may be sent to `POST /api/rppg/samples`: the fields of a measure form in JSON, and samples instead of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError, fields, validate

from beam_api.exceptions import InvalidParameter, MissingFrame, TooManyFrames
from beam_api.services.windows.measure_request import Post
from beam_api.services.windows.samples import MOST_SAMPLES, GivenSamples
from beam_api.web.schemas.measure_form import DEFAULT_SESSION, MeasureFormSchema, asked, check_unit, first_problem
from beam_api.web.schemas.names import meant, short
from rppg_core.face.exchange import DETAIL, MOST_MS, N_COLOURS, SAMPLE_FIELDS, SAMPLE_VERSION, unknown_fields
from rppg_core.media.images import MAX_SIDE
from rppg_core.trace.traces import POSE

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES = 1024 * 1024
MOST_NESTED = 64 * MOST_SAMPLES

_FORM = MeasureFormSchema(exclude=("timestamp_ms", "fps"))
_OWN = ("sample_version", "frame_size", "samples")
_KNOWN = (*_FORM.fields, *_OWN)
_MOST_WARNINGS = 16
_COLOURS = (
    "GHIJXJ81u5Nbf4pa25rOiBVlZXq+XhU8/YjIcBhQXYDiawdJ3MCxl65547yzlm150ZF0bjNMivmc0+/BBeKRthScyOhwtg6fQ/Jpyh+3neX0ud6e"
    "q8g0njOFvNmvsoeakffnzAG7xu0lvyOrFufGtGWeprinhyFvHOXwtOmbWOC0tE6cndpQq/aOCdZqpkCLxsABkhh3+MhJnKZ/XOCvtSCcTcaFnAKB"
    "WuoUvRKoWrPXjL5zFb7os06uVs8Xw/i8z5xYi0FqeWhsZHdh"
)
"""An example: a simulated face, as the reader reduces it."""


class SeenFaceSchema(Schema):
    """A face in fractions of the upright image."""

    box = fields.List(fields.Float(), metadata={"description": "left, top, width, height; else it follows from these:"})
    landmarks = fields.List(
        fields.List(fields.Float()), required=True, metadata={"description": "Five points, as in an answer."}
    )


class SampleSchema(Schema):
    """One frame, reduced on the device; docs/mobile.md has the format."""

    timestamp_ms = fields.Float(required=True, metadata={"minimum": 0, "maximum": MOST_MS, "example": 1000.0})
    pose = fields.List(
        fields.Float(),
        required=True,
        metadata={"description": ", ".join(POSE), "example": [159.6, 117.3, 40.0, 0.05, 0.021]},
    )
    colours = fields.Raw(
        required=True,
        metadata={
            "oneOf": [
                {"type": "string", "format": "byte"},
                {
                    "type": "array",
                    "minItems": N_COLOURS,
                    "maxItems": N_COLOURS,
                    "items": {"type": ["array", "null"], "items": {"type": "number"}},
                },
            ],
            "description": f"{N_COLOURS} regions: base64 of little-endian uint16 in 1/256 of a level, 0xFFFF for a "
            "region that is not seen, or a list of [red, green, blue] and null.",
            "example": _COLOURS,
        },
    )
    detail = fields.List(fields.Float(allow_none=True), metadata={"description": ", ".join(DETAIL)})
    face = fields.Nested(SeenFaceSchema, metadata={"description": "Where the face is, for the answer alone."})


class SamplesSchema(MeasureFormSchema):
    """The body as documented."""

    class Meta:
        """What only images have."""

        exclude = ("timestamp_ms", "fps")

    sample_version = fields.Integer(required=True, metadata={"enum": [SAMPLE_VERSION]})
    frame_size = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "Width and height of the upright frames in pixels.", "example": [320, 240]},
    )
    samples = fields.List(fields.Nested(SampleSchema), required=True, validate=validate.Length(1, MOST_SAMPLES))


def read_samples_post(body: dict[str, Any], key_id: str, query: Iterable[str] = (), feeder: bytes = b"") -> Post:
    """Check a body, and read from it what a client with this key asks.

    `query` are the names in the query string, and `feeder` names the connection.

    Raises
    ------
    InvalidParameter
        If a field is out of range, of the wrong type or misspelt, or the times are in seconds.
    InvalidSample
        If a sample is of no use.
    MissingFrame, TooManyFrames
        If there are no samples, or too many.
    """
    _check_names(body)
    try:
        params = _FORM.load({name: _text(name, body[name]) for name in _FORM.fields if body.get(name) is not None})
    except ValidationError as error:
        raise first_problem(error) from error
    closes = params["final"] and not body.get("samples")  # then nothing is left to describe
    given = GivenSamples((0, 0)) if closes else _given(body)
    check_unit(given.times_us)
    return Post(
        frames=(),
        times_us=given.times_us or None,
        fps=None,
        given=given,
        warnings=_warnings(body, query),
        feeder=feeder if params["session_id"] == DEFAULT_SESSION else b"",
        unnamed="session_id" not in body,
        **asked(params, key_id),
    )


def _text(name: str, value: object) -> str:
    """A field as a form would hold it, whose rules then apply."""
    is_text = isinstance(_FORM.fields[name], fields.String)
    if is_text != isinstance(value, str) or isinstance(value, (list, dict)):
        raise InvalidParameter(name, "must be text" if is_text else "must not be text, a list or an object")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _given(body: dict[str, Any]) -> GivenSamples:
    version, samples = body.get("sample_version"), body.get("samples")
    if type(version) is not int or version != SAMPLE_VERSION:
        raise InvalidParameter("sample_version", f"must be {SAMPLE_VERSION}")
    if samples is not None and not isinstance(samples, list):
        raise InvalidParameter("samples", "must be a list")
    if not samples:
        raise MissingFrame("The request holds no 'samples'.")
    if len(samples) > MOST_SAMPLES:
        raise TooManyFrames(f"The request holds {len(samples)} samples; at most {MOST_SAMPLES} are taken.")
    return GivenSamples.of(samples, _frame_size(body.get("frame_size")))


def _frame_size(value: object) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2:
        width, height = value
        if type(width) is int and type(height) is int and 1 <= min(width, height) <= max(width, height) <= MAX_SIDE:
            return width, height
    raise InvalidParameter("frame_size", f"must be width and height in whole pixels, each from 1 to {MAX_SIDE}")


def _check_names(body: dict[str, Any]) -> None:
    """Refuse what would pass for an unknown field and be ignored, as in a form."""
    for name in body:
        meant_name = name.strip().lower()
        if name != meant_name and meant_name in _KNOWN:
            raise InvalidParameter(short(name), f"must be spelled '{meant_name}'")


def _warnings(body: dict[str, Any], query: Iterable[str]) -> tuple[str, ...]:
    """What the body and the query hold that is not used, and which field was probably meant."""
    unknown = [name for name in body if name not in _KNOWN]
    in_samples = sorted(unknown_fields(body.get("samples") or ()))
    ignored = list(dict.fromkeys(query))
    most = _MOST_WARNINGS  # of each kind: there may be any number of names, and each takes time to explain
    found = [f"The field `{short(n)}` is unknown and was ignored.{meant(n, _KNOWN)}" for n in unknown[:most]]
    found += [
        f"The field `{short(name)}` of a sample is unknown and was ignored.{meant(name, SAMPLE_FIELDS)}"
        for name in in_samples[:most]
    ]
    found += [
        f"The query parameter `{short(name)}` was ignored: parameters are fields of the body.{meant(name, _KNOWN)}"
        for name in ignored[:most]
    ]
    more = len(unknown) + len(in_samples) + len(ignored) - most
    return (*found[:most], *([f"{more} more fields were ignored."] if more > 0 else []))
