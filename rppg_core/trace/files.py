"""Traces in files: a recording without its picture, from which `measure` gives the same vitals to the digit.

A `.beam` file is a NumPy `.npz`: a ZIP of four arrays without pickles, and `about.json`. `numpy.load` opens it in any
program. docs/validation.md describes the members.

Files come from strangers. What reading one costs is bounded by its size: a member may unpack to `_MOST_RATIO` times the
file at most, its shape is checked against the bytes that are there, and nothing is allocated by a number in a header.
"""

from __future__ import annotations

import io
import json
import math
import platform
import struct
import zipfile
import zlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy

from rppg_core.errors import InvalidTraceFile, InvalidTraces
from rppg_core.trace.traces import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT_VERSION = 1
SUFFIX = ".beam"

_ABOUT, _ARRAYS = "about.json", ("times_s", "colours", "pose", "witness")
_MOST_RATIO = 16  # of unpacked bytes to those of the file; a trace that packs better is stored as it is
_MOST_ABOUT, _MOST_HEADER = 64_000, 1000  # bytes
_MOST_S = 3600.0
_MOST_REGIONS = 1000
_MOST_SIDE_PX = 100_000
_MOST_LEVEL, _MOST_OF_OTHERS = 65_536.0, 1e6
_LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "dlib-bin", "av")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member: the same trace makes the same bytes
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A trace from a file, and what the file says about how it was made.

    `about` holds `format_version`, `versions` (of this package and the libraries beneath it), and what was handed to
    `save_trace`. It is what the writer claims, and nothing is computed by it.
    """

    trace: Trace
    about: Mapping[str, Any]


def library_versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in ("beam-rppg", *_LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def save_trace(file: str | PathLike[str] | BinaryIO, trace: Trace, *, about: Mapping[str, Any] | None = None) -> None:
    """Write a trace: times, mean colours, head poses and witnesses, and no picture.

    Parameters
    ----------
    file : path or binary file
        Conventionally ends in `.beam`.
    trace : Trace
        Of any length up to an hour.
    about : mapping, optional
        JSON values to keep beside it, such as the settings and the vitals that were measured.

    Raises
    ------
    InvalidTraces
        If the trace is longer than an hour, or `about` larger than 64 kB.
    OSError
        If the file can't be written.
    """
    if len(trace.times_s) and trace.times_s[-1] - trace.times_s[0] > _MOST_S:
        raise InvalidTraces(f"only traces of up to {_MOST_S:.0f} s are saved")
    arrays = {
        "times_s": trace.times_s.astype("<f8"),
        "colours": _as_small_as_exact(trace.colours),
        "pose": _as_small_as_exact(trace.pose),
    }
    if trace.witness is not None:
        arrays["witness"] = _as_small_as_exact(trace.witness)
    header = {
        "format_version": FORMAT_VERSION,
        "versions": library_versions(),
        "frame_size": [int(side) for side in trace.frame_size],
        "bits_a_pixel": trace.bits_a_pixel,
        "several_faces": trace.several_faces,
        "about": dict(about or {}),
    }
    text = json.dumps(header, allow_nan=False).encode()
    if len(text) > _MOST_ABOUT:
        raise InvalidTraces(f"`about` takes {len(text)} bytes; at most {_MOST_ABOUT} are saved")
    members = {_ABOUT: text} | {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    packed = _zipped(members, zipfile.ZIP_DEFLATED)
    if sum(map(len, members.values())) > _MOST_RATIO * len(packed):
        packed = _zipped(members, zipfile.ZIP_STORED)
    if isinstance(file, str | PathLike):
        Path(file).write_bytes(packed)
    else:
        file.write(packed)


def load_trace(file: str | PathLike[str] | BinaryIO) -> Recording:
    """Read a trace that `save_trace` wrote.

    Raises
    ------
    InvalidTraceFile
        If it is no such file, one of another version, damaged, or holds what can't be a trace.
    OSError
        If the file can't be opened.
    """
    if isinstance(file, str | PathLike):
        with Path(file).open("rb") as opened:
            return load_trace(opened)
    try:
        return _read(file)
    except InvalidTraces as error:
        raise InvalidTraceFile(str(error)) from error
    except RecursionError as error:
        raise InvalidTraceFile("its description is nested too deeply") from error
    except _BROKEN as error:
        raise InvalidTraceFile("it is damaged, or no .beam file") from error


def is_trace_file(head: bytes) -> bool:
    """Whether bytes begin as a `.beam` file does; `load_trace` says whether they are one."""
    return head.startswith(b"PK\x03\x04")


def _read(file: BinaryIO) -> Recording:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        known = {_ABOUT, *(f"{name}.npy" for name in _ARRAYS)}
        if len(set(names)) < len(names) or not set(names) <= known or _ABOUT not in names:
            raise InvalidTraceFile("it does not hold the members of a .beam file")
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
            raise InvalidTraceFile("it is packed by a method that .beam files don't use")
        if sum(entry.file_size for entry in entries) > _MOST_RATIO * size:
            raise InvalidTraceFile(f"it would unpack to more than {_MOST_RATIO} times its size")
        if archive.getinfo(_ABOUT).file_size > _MOST_ABOUT:
            raise InvalidTraceFile("its description is too long")
        header = _header(json.loads(archive.read(_ABOUT)))
        arrays = {name: _array(archive.read(f"{name}.npy"), name) for name in _ARRAYS if f"{name}.npy" in names}
    trace = _checked(
        Trace(
            times_s=arrays["times_s"],
            colours=arrays["colours"],
            pose=arrays["pose"],
            frame_size=tuple(header["frame_size"]),
            witness=arrays.get("witness"),
            bits_a_pixel=header["bits_a_pixel"],
            several_faces=header["several_faces"],
        )
    )
    about = {**header["about"], "format_version": FORMAT_VERSION, "versions": header["versions"]}
    return Recording(trace, about)


def _header(header: object) -> dict[str, Any]:
    """Check `about.json`."""
    if not isinstance(header, dict):
        raise InvalidTraceFile("its description is no object")
    if header.get("format_version") != FORMAT_VERSION or isinstance(header["format_version"], bool):
        raise InvalidTraceFile(
            f"it is of format {str(header.get('format_version'))[:20]}; this version of Beam reads {FORMAT_VERSION}"
        )
    sides, bits = header["frame_size"], header["bits_a_pixel"]
    if not (isinstance(sides, list) and len(sides) == 2 and all(_is_side(side) for side in sides)):
        raise InvalidTraceFile(f"frame_size must be two whole numbers from 1 to {_MOST_SIDE_PX}")
    if bits is not None and (not _is_number(bits) or not 0 <= bits <= _MOST_OF_OTHERS):
        raise InvalidTraceFile("bits_a_pixel must be null or a number from 0 on")
    if not isinstance(header["several_faces"], bool):
        raise InvalidTraceFile("several_faces must be true or false")
    if not isinstance(header["versions"], dict) or not isinstance(header["about"], dict):
        raise InvalidTraceFile("versions and about must be objects")
    return cast("dict[str, Any]", header)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_SIDE_PX


def _array(data: bytes, name: str) -> NDArray[np.float64]:
    """The array in the bytes of a .npy file of format 1.0; its header must promise no more than is there."""
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise InvalidTraceFile(f"{name} is in another version of the .npy format")
    shape, fortran, dtype = npy.read_array_header_1_0(stream, max_header_size=_MOST_HEADER)
    if fortran or dtype.str not in ("<f4", "<f8"):
        raise InvalidTraceFile(f"{name} must hold little-endian floats in C order")
    rest = len(data) - stream.tell()
    if not all(side >= 0 for side in shape) or math.prod(shape) * dtype.itemsize != rest:
        raise InvalidTraceFile(f"{name} holds another number of values than it says")
    if len(shape) > 3:
        raise InvalidTraceFile(f"{name} has too many dimensions")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape).astype(np.float64)


def _checked(trace: Trace) -> Trace:
    """Refuse values that no reader writes. `Trace` has checked shapes, order and what must be finite."""
    if not len(trace.times_s):
        raise InvalidTraceFile("it has no frames")
    if trace.times_s[-1] - trace.times_s[0] > _MOST_S:
        raise InvalidTraceFile(f"it lasts more than {_MOST_S:.0f} s")
    if not 1 <= trace.colours.shape[1] <= _MOST_REGIONS:
        raise InvalidTraceFile(f"it must have 1 to {_MOST_REGIONS} regions")
    others = [trace.pose] if trace.witness is None else [trace.pose, trace.witness]
    if np.any(trace.colours < 0) or np.any(trace.colours > _MOST_LEVEL):
        raise InvalidTraceFile("colours must be NaN or positive")
    if any(np.any(np.abs(values) > _MOST_OF_OTHERS) for values in others):
        raise InvalidTraceFile("poses and witnesses must be NaN or small")
    return trace


def _as_small_as_exact(values: NDArray[np.float64]) -> NDArray[Any]:
    """As 32-bit floats if those are the same numbers, which a reader's samples are."""
    with np.errstate(over="ignore"):
        small = values.astype("<f4")
    return small if np.array_equal(small.astype(np.float64), values, equal_nan=True) else values.astype("<f8")


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    npy.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _zipped(members: Mapping[str, bytes], compression: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = compression
            archive.writestr(entry, data)
    return stream.getvalue()
