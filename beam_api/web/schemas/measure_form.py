"""What may be sent to `POST /api/rppg/measure`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError, fields, validate

from beam_api.exceptions import InvalidParameter, MissingFrame, MissingTimestamps, TooManyFrames
from beam_api.services.windows import clocks
from beam_api.services.windows.measure_request import Post
from beam_api.store.window_values import Session
from beam_api.web.multipart import shown
from beam_api.web.schemas.names import meant as _meant
from beam_api.web.schemas.names import short as _short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from beam_api.web.form import Form

MOST_FRAMES = 64
DEFAULT_SESSION = "default"
_MOST_MS = 9 * 10**12
_STRIDES = "must be a whole number from 1000 to duration_ms"
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{0,20})?([eE][+-]?\d{1,3})?", re.ASCII)


class NumberField(fields.Float):
    """A plain decimal number in text: no NaN, no infinity, no underscores."""

    default_error_messages = {"invalid": "must be a number"}  # noqa: RUF012 - the base class declares it so

    def _deserialize(self, value: Any, *_about: Any, **_options: Any) -> float:
        if not _NUMBER.fullmatch(value):
            raise self.make_error("invalid")
        return float(value)


class MicrosField(NumberField):
    """Milliseconds in text, rounded to whole microseconds."""

    def _deserialize(self, value: Any, *_about: Any, **_options: Any) -> int:
        if not 0 <= super()._deserialize(value, *_about, **_options) <= _MOST_MS:
            raise ValidationError("must be milliseconds from 0 to 9000000000000")
        return round(Decimal(value) * 1000)


class DigitsField(fields.Integer):
    """A whole number in decimal digits; anything else is out of every range."""

    def _deserialize(self, value: Any, *_about: Any, **_options: Any) -> int:
        return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else -1


class FlagField(fields.Boolean):
    """true, false, 1 or 0, in any case."""

    def _deserialize(self, value: Any, *_about: Any, **_options: Any) -> bool:
        if value.lower() not in ("true", "false", "1", "0"):
            raise ValidationError("must be true, false, 1 or 0")
        return value.lower() in ("true", "1")


class MeasureFormSchema(Schema):
    """The form of `POST /api/rppg/measure`, its files apart."""

    timestamp_ms = fields.List(
        MicrosField(metadata={"minimum": 0, "maximum": _MOST_MS, "example": 1000.0}),
        load_default=list,
        metadata={"description": "Capture time of each frame, in the order of the frames, on any clock of the client."},
    )
    fps = NumberField(
        load_default=lambda: None,  # as a plain None it would be documented as a value to send
        validate=validate.Range(1, 240, error="must be a number from 1 to 240"),
        metadata={"description": "Frame rate of several frames without timestamps."},
    )
    duration_ms = DigitsField(
        load_default=30_000,
        validate=validate.Range(10_000, 300_000, error="must be a whole number from 10000 to 300000"),
        metadata={"description": "Length of the window; that of its first request holds."},
    )
    stride_ms = DigitsField(
        load_default=lambda: None,
        validate=validate.Range(1000, 300_000, error=_STRIDES),
        metadata={
            "description": "Let the full window slide, and measure it each time that so much more has been captured. "
            "At most `duration_ms`, which is the default: windows then follow each other. The stride of the request "
            "that opened the window holds."
        },
    )
    final = FlagField(
        load_default=False,
        metadata={"description": "Close the window with this request, however long it is. No frame is needed then."},
    )
    include_raw = FlagField(load_default=False, metadata={"description": "Add the signals to the result."})
    include_series = FlagField(
        load_default=False, metadata={"description": "Add the course of heart rate and breathing to the result."}
    )
    include_partial = FlagField(
        load_default=True,
        metadata={"description": "Without it no running rate is sought for this request, which costs less."},
    )
    session_id = fields.String(
        load_default=DEFAULT_SESSION,
        validate=validate.Regexp(r"[A-Za-z0-9._-]{1,64}\Z", error="must be 1 to 64 of A-Z a-z 0-9 . _ -"),
        metadata={"description": "Which person is measured.", "pattern": "^[A-Za-z0-9._-]{1,64}$"},  # as others read it
    )


class UploadSchema(MeasureFormSchema):
    """The form as documented, with its files."""

    frame = fields.List(
        fields.Raw(metadata={"type": "string", "format": "binary"}),
        required=True,
        validate=validate.Length(1, MOST_FRAMES),
        metadata={"description": "JPEG or PNG, at most 8 MB each, 32 MB together, 25 megapixels each."},
    )


class PictureSchema(Schema):
    """The form of `POST /api/rppg/check`."""

    frame = fields.Raw(
        required=True,
        metadata={"type": "string", "format": "binary", "description": "One JPEG or PNG, at most 8 MB, 25 megapixels."},
    )


_FORM = MeasureFormSchema()


def read_post(form: Form, key_id: str, query: Iterable[str] = (), feeder: bytes = b"") -> Post:
    """Check a form, and read from it what a client with this key asks.

    `query` are the names in the query string, and `feeder` names the connection.

    Raises
    ------
    InvalidParameter
        If a field is out of range, frames and times differ in number, or the times are in seconds.
    MissingFrame, TooManyFrames, MissingTimestamps
        As their names say.
    """
    _check_names(form)
    sent = {name: values for name, values in form.fields.items() if name in _FORM.fields}
    try:
        params = _FORM.load({n: values if n == "timestamp_ms" else _only(n, values) for n, values in sent.items()})
    except ValidationError as error:
        raise first_problem(error) from error
    frames = tuple(form.files.get("frame", ()))
    times = params["timestamp_ms"]
    if not any(frames):  # a form without a chosen file sends an empty one
        if not params["final"]:
            raise MissingFrame(_where_files_are(form))
        frames = ()
    if len(frames) > MOST_FRAMES:
        raise TooManyFrames(f"The request holds {len(frames)} frames; at most {MOST_FRAMES} are taken.")
    if times and len(times) != len(frames):
        raise InvalidParameter("timestamp_ms", f"must be given once per frame: {len(times)} for {len(frames)} frames")
    if not times and len(frames) > 1 and params["fps"] is None:
        raise MissingTimestamps
    check_unit(times)
    return Post(
        frames=frames,
        times_us=tuple(times) or None,
        fps=params["fps"],
        warnings=_warnings(form, query),
        feeder=feeder if params["session_id"] == DEFAULT_SESSION else b"",
        unnamed="session_id" not in sent,
        **asked(params, key_id),
    )


def asked(params: dict[str, Any], key_id: str) -> dict[str, Any]:
    """What the fields that images and samples have in common say in a `Post`. Raises InvalidParameter."""
    if (params["stride_ms"] or 0) > params["duration_ms"]:
        raise InvalidParameter("stride_ms", _STRIDES)
    return {
        "session": Session(key_id, params["session_id"]),
        "duration_us": 1000 * params["duration_ms"],
        "include_raw": params["include_raw"],
        "stride_us": 1000 * params["stride_ms"] if params["stride_ms"] else None,
        "include_series": params["include_series"],
        "include_partial": params["include_partial"],
        "final": params["final"],
    }


def check_unit(times_us: Sequence[int]) -> None:
    """Refuse times in seconds. Raises InvalidParameter."""
    if clocks.look_like_seconds(times_us):
        raise InvalidParameter(
            "timestamp_ms", "must be in milliseconds; these are less than 1 ms apart, as seconds would be"
        )


def first_problem(error: ValidationError) -> InvalidParameter:
    """The first of what a schema found wrong."""
    name, problem = next(iter(error.messages_dict.items()))
    while isinstance(problem, (dict, list)):
        problem = next(iter(problem.values() if isinstance(problem, dict) else problem))
    return InvalidParameter(str(name), str(problem))


def read_picture(form: Form) -> bytes:
    """The one image of a form. Raises MissingFrame or TooManyFrames."""
    frames = form.files.get("frame", [])
    if not any(frames):
        raise MissingFrame(_where_files_are(form))
    if len(frames) > 1:
        raise TooManyFrames(f"The request holds {len(frames)} frames; a check looks at one.")
    return frames[0]


def _check_names(form: Form) -> None:
    """Refuse what would pass for an unknown field and be ignored: without its session, two people would be one."""
    for name in (*form.fields, *form.files, *form.misplaced):
        meant = name.strip().lower().removesuffix("[]")
        if name != meant and meant in _FORM.fields:
            raise InvalidParameter(_short(name), f"must be spelled '{meant}'")
    for name in form.misplaced:
        if name in _FORM.fields:
            raise InvalidParameter(name, "must be text, not an image")


def _where_files_are(form: Form) -> str | None:
    """The message for a client that sent its images under another name."""
    holding = (*(name for name, files in form.files.items() if any(files)), *form.misplaced)
    others = [name for name in holding if shown(name)]
    return f"{MissingFrame.message} It holds one in '{others[0]}': rename that to 'frame'." if others else None


def _only(name: str, values: list[str]) -> str:
    if len(set(values)) > 1:
        raise InvalidParameter(name, "must be given once")
    return values[0]


def _warnings(form: Form, query: Iterable[str]) -> tuple[str, ...]:
    """What the form and the query hold that is not used, and which field was probably meant."""
    known = [*_FORM.fields, "frame"]
    unused = dict.fromkeys(name for name in (*form.fields, *form.files, *form.misplaced) if name not in known)
    found = [f"The form field `{_short(name)}` is unknown and was ignored.{_meant(name, known)}" for name in unused]
    if "frame" in form.fields:
        found.append("A part named `frame` came without a file name and was ignored: send it as a file.")
    found += [
        f"The field `{name}` came as a file and was ignored: send it as a plain form field."
        for name in form.files
        if name in _FORM.fields
    ]
    found += [
        f"The query parameter `{_short(name)}` was ignored: parameters are form fields.{_meant(name, known)}"
        for name in dict.fromkeys(query)
    ]
    most = 16
    return (*found[:most], *([f"{len(found) - most} more fields were ignored."] if len(found) > most else []))
