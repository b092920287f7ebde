"""Looking for images that were left behind: what to look for, and everywhere that something may lie."""

from __future__ import annotations

import base64
import os
import re
import secrets
import struct
import threading
import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from redis import Redis

SIGNATURES = re.compile(
    rb"\xff\xd8\xff(?:\xe0..JFIF\0|\xe1..Exif\0|\xfe..|\xdb\0[\x43\x84]\0)|\x89PNG\r\n\x1a\n|"
    rb"ftyp(?:isom|iso2|mp4[12]|avc1|qt  )|\x1a\x45\xdf\xa3.{0,40}webm|RIFF....AVI ",
    re.DOTALL,
)
"""How JPEG, PNG, MP4, MOV, WebM and AVI files begin: long enough not to turn up among random bytes."""

PIECE = 32


@dataclass
class Traces:
    """What to find again of every image and video that was sent."""

    pieces: dict[bytes, str] = field(default_factory=dict)

    def file(self, name: str, data: bytes) -> bytes:
        """Remember pieces of a file as it is sent, and as base64 would write them."""
        for at in np.linspace(len(data) // 10, len(data) - 2 * PIECE, 6).astype(int):
            piece = data[at : at + PIECE]
            if len(set(piece)) > PIECE // 2:  # not padding
                self.pieces[piece] = name
                for skip in range(3):
                    self.pieces[base64.b64encode(piece[skip : skip + 27])[:36]] = f"{name} as base64"
        return data

    def picture(self, name: str, data: bytes) -> bytes:
        """The same of a JPEG, which is marked so that no other is like it, and of its pixels."""
        mark = secrets.token_bytes(24)
        self.pieces[mark] = f"the mark of {name}"
        marked = data[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(mark)) + mark + data[2:]
        for space in ("RGB", "BGR"):
            pixels = simplejpeg.decode_jpeg(data, colorspace=space)
            for row in np.linspace(pixels.shape[0] // 4, 3 * pixels.shape[0] // 4, 5).astype(int):
                line = pixels[row, pixels.shape[1] // 2 :].tobytes()[: 2 * PIECE]
                if len(set(line)) > PIECE // 2:
                    self.pieces[line] = f"pixels of {name}"
        return self.file(name, marked)

    def video(self, name: str, data: bytes) -> bytes:
        """The same of an MP4; the mark is a box that players pass over."""
        mark = secrets.token_bytes(24)
        self.pieces[mark] = f"the mark of {name}"
        return self.file(name, data + struct.pack(">I", 8 + len(mark)) + b"free" + mark)

    def found_in(self, data: bytes) -> list[str]:
        """What of them is in these bytes, and any other image."""
        found = [name for piece, name in list(self.pieces.items()) if piece in data]
        return sorted({*found, *(f"something like {m[0][:8]!r}" for m in SIGNATURES.finditer(data))})


def _parts(redis: Redis, name: bytes, kind: Any) -> list[Any]:
    """All that is under a name."""
    reads: dict[bytes, Callable[[], list[Any]]] = {
        b"none": list,
        b"string": lambda: [redis.get(name) or b""],
        b"hash": lambda: [part for pair in redis.hgetall(name).items() for part in pair],
        b"list": lambda: redis.lrange(name, 0, -1),
        b"set": lambda: list(redis.smembers(name)),
        b"zset": lambda: redis.zrange(name, 0, -1),
        b"stream": lambda: [
            part for number, fields in redis.xrange(name) for part in (number, *chain(*fields.items()))
        ],
    }
    assert kind in reads, f"{name!r} is a {kind!r}"
    return reads[kind]()


def values(redis: Redis) -> Iterator[tuple[str, bytes]]:
    """Every name in Redis with all that is under it."""
    for name in redis.scan_iter(count=1000):
        kind = redis.type(name)
        parts: list[Any] = [name]
        try:
            parts += _parts(redis, name, kind)
        except Exception as error:
            if "WRONGTYPE" not in str(error):  # it has just been replaced by another kind
                raise
        yield f"Redis {name.decode()}", b"\0".join(parts)


def files(folders: Iterable[Path], since: float = 0.0) -> Iterator[tuple[str, bytes]]:
    """Every file in these folders that was changed since a time."""
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                    yield str(path), path.read_bytes()
            except (FileNotFoundError, PermissionError):
                continue


def open_files(pids: Iterable[int]) -> Iterator[tuple[str, Path]]:
    """What these processes have open that can keep something: files, deleted ones too, and memory without a name."""
    for pid in pids:
        for fd in _entries(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(fd)
            except OSError:
                continue
            if target.startswith(("/dev/shm", "/memfd")) or (target.startswith("/") and not target.startswith("/dev/")):
                yield target, fd


def read_open(fd: Path) -> bytes:
    try:
        return fd.read_bytes() if fd.is_file() else b""
    except OSError:
        return b""


def shared_mappings(pids: Iterable[int]) -> set[str]:
    """Files that these processes can write to by way of memory."""
    found = set()
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        except OSError:
            continue
        found |= {line.split(maxsplit=5)[5] for line in lines if " rw-s " in line and len(line.split(maxsplit=5)) > 5}
    return found


def written(pid: int) -> int:
    """Bytes that a process has handed to `write`, to whatever kind of file; what it sends on sockets isn't counted."""
    try:
        lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    except OSError:
        return 0
    return int(lines["wchar"])


def _entries(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError:
        return []


@dataclass
class Watch:
    """Looks again and again, while the service works, at what exists only for a moment."""

    pids: Callable[[], Iterable[int]]
    traces: Traces
    expected: Callable[[str], bool]
    found: set[str] = field(default_factory=set)
    unexpected: set[str] = field(default_factory=set)
    looks: int = 0
    most_written: dict[int, int] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        self.looks += 1
        pids = list(self.pids())
        for pid in pids:
            self.most_written[pid] = max(self.most_written.get(pid, 0), written(pid))
        for target, fd in open_files(pids):
            if not self.expected(target):
                self.unexpected.add(target)
                self.found |= {f"{target}: {what}" for what in self.traces.found_in(read_open(fd))}

    def _run(self) -> None:
        while not self._ended.is_set():
            self.look()
            time.sleep(0.06)
