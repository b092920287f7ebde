"""Where uploads wait for their analysis: a local folder, or an object store that several machines share."""

from __future__ import annotations

import io
import secrets
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from beam_api.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART_BYTES = 5 * 1024 * 1024  # what an object store's client holds at a time: the least that S3 takes

# An object store that is silent must be a 503 within half a minute. By its client's own limits a thread would be held
# for half an hour: it tries five times, with five tries of 60 s in each.
_S3_LIMITS = {"connect_timeout": 3, "read_timeout": 6, "retries": {"total_max_attempts": 1}}
_S3_TRIES = 2


class Spool:
    """Keeps uploads by name. Connects to nothing, and makes no folder, before it is first used."""

    def __init__(self, url: str) -> None:
        """`url`: a local folder, or what fsspec understands, such as s3://bucket/folder."""
        self._url = url

    @contextmanager
    def create(self, session_id: str) -> Iterator[tuple[str, BinaryIO]]:
        """Yield the name of a new upload and a file to write it to. It is deleted again if the block raises.

        Raises
        ------
        StoreUnavailable
            If the upload can't be kept: the disk is full, or the object store is unavailable.
        """
        name = f"{session_id}.{secrets.token_hex(8)}"
        fs, root = self._open_root()
        try:
            if isinstance(fs, LocalFileSystem):
                Path(root).mkdir(mode=0o700, parents=True, exist_ok=True)
            with _as_os_errors(), fs.open(f"{root}/{name}", "wb", block_size=_PART_BYTES) as file:
                yield name, cast("BinaryIO", file)
        except BaseException as error:
            with suppress(Exception):
                self.delete(name)
            if isinstance(error, OSError):
                raise StoreUnavailable from error
            raise

    @contextmanager
    def open(self, name: str) -> Iterator[Path | BinaryIO]:
        """Yield an upload: a path where it is local, else a seekable file. Raises OSError."""
        fs, root = self._open_root()
        if isinstance(fs, LocalFileSystem):
            yield Path(root, name)
            return
        # Demuxers jump to and fro, which an object store would answer with a request each: so it is read once, whole.
        with _as_os_errors():
            whole = io.BytesIO(fs.cat_file(f"{root}/{name}"))
        yield whole

    def location(self, name: str) -> str:
        """Path of an upload, or URL where it is not local."""
        fs, root = self._open_root()
        return f"{root}/{name}" if isinstance(fs, LocalFileSystem) else f"{fs.unstrip_protocol(root)}/{name}"

    def delete(self, name: str) -> None:
        """Delete an upload; one that isn't there is no error. Raises OSError."""
        fs, root = self._open_root()
        with suppress(FileNotFoundError), _as_os_errors():
            fs.rm_file(f"{root}/{name}")

    def uploads(self) -> list[tuple[str, datetime]]:
        """Name and time of last change of every upload. Raises OSError."""
        fs, root = self._open_root()
        found = []
        with suppress(FileNotFoundError), _as_os_errors():
            fs.invalidate_cache(root)
            for path in fs.ls(root, detail=False):
                with suppress(FileNotFoundError):
                    changed = fs.modified(path)
                    found.append((path.rpartition("/")[2], changed if changed.tzinfo else changed.replace(tzinfo=UTC)))
        return found

    def _open_root(self) -> tuple[Any, str]:
        if self._url.startswith("s3:"):
            fs, root = fsspec.core.url_to_fs(self._url, config_kwargs=_S3_LIMITS)
            _limit_waits(fs)
        else:
            fs, root = fsspec.core.url_to_fs(self._url)
        return fs, root.rstrip("/")


def _limit_waits(fs: Any) -> None:
    """Have the client of S3 give up in time. Done again it changes nothing."""
    from botocore.handlers import add_expect_header

    fs.retries = _S3_TRIES
    fs.connect()  # to nothing yet
    # It would wait for a 100 Continue without any limit.
    fs.s3.meta.events.unregister("before-call.s3", add_expect_header)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise as OSError what the client of S3 raises that is none: that nobody answers, or that we may not."""
    botocore_errors = sys.modules.get("botocore.exceptions")
    kinds = (botocore_errors.BotoCoreError, botocore_errors.ClientError) if botocore_errors else ()
    try:
        yield
    except kinds as error:
        raise OSError(f"the object store fails: {type(error).__name__}") from error


def session_of(name: str) -> str:
    """The session that an upload belongs to, by its name."""
    return name.partition(".")[0]
