"""A lock file: one process at a time in a project, a run or an output.

The file says who holds it (host, pid, since when) and its modification time is a heartbeat. Between processes of one
machine the kernel decides (an advisory lock that dies with its process), so a lock left behind by ``kill -9`` is taken
over at once; between machines that share a folder, where such locks may not travel, a lock whose heartbeat is older
than a minute counts as left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from solera.errors import LockedError, OutputError

BEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock.

    Attributes:
        host: Name of the machine.
        pid: Its process.
        since: When it was taken, seconds since the epoch.
        what: For what: ``"project"``, ``"run"`` ...
    """

    host: str
    pid: int
    since: float
    what: str = ""

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host} since {when}"


class FileLock:
    """Exclusive while held; also between two holders in one process.

    Args:
        path: The lock file; made when taken, removed when released.
        what: What it protects, for the sentence a second comer reads.
    """

    def __init__(self, path: str | os.PathLike[str], what: str = "file") -> None:
        self.path = Path(path)
        self.what = what
        self._file: int | None = None
        self._stop = threading.Event()
        self._beating: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it now."""
        return self._file is not None

    def acquire(self) -> FileLock:
        """Take it; returns itself.

        Raises:
            LockedError: Another holds it; ``fields`` has host, pid and since.
            OutputError: The folder cannot be written.
        """
        if self._file is not None:
            raise LockedError(f"This {self.what} is already held here.", path=str(self.path))
        file = self._take()
        mine = Owner(socket.gethostname(), os.getpid(), time.time(), self.what)
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(mine)).encode(), 0)
        self._file, self._stop = file, threading.Event()
        self._beating = threading.Thread(
            target=_beat, args=(self.path, self._stop), name="solera-heartbeat", daemon=True
        )
        self._beating.start()
        return self

    def release(self) -> None:
        """Give it back; harmless when not held."""
        file, self._file = self._file, None
        if file is not None:
            self._stop.set()
            if self._beating is not None:
                self._beating.join(1.0)  # it wakes at once, unless its file lies on a network that hangs
            self.path.unlink(missing_ok=True)  # before the lock goes, so that nobody's fresh file is removed
            os.close(file)

    def __enter__(self) -> FileLock:
        return self if self.held else self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self) -> int:
        deadline = time.monotonic() + 0.2  # a probe by holder() holds it for an instant
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise OutputError(
                    f"Cannot lock the {self.what}: {self.path} cannot be written ({error.strerror}). Make its folder "
                    "writable, or choose another place.",
                    path=str(self.path),
                ) from error
            if _lock(file) and _same(file, self.path):
                owner = _read(file)
                if owner is None or not _elsewhere_alive(owner, file):
                    return file
            os.close(file)
            if time.monotonic() > deadline:
                raise self._refusal()
            time.sleep(0.01)

    def _refusal(self) -> LockedError:
        owner = read_owner(self.path)
        who = str(owner) if owner else "another process"
        facts: dict[str, Any] = asdict(owner) if owner else {}
        facts |= {"path": str(self.path), "what": self.what}
        return LockedError(
            f"This {self.what} is in use by {who} ({self.path}). Close it there, or work on a copy.", **facts
        )


def read_owner(path: str | os.PathLike[str]) -> Owner | None:
    """Who is written in the lock file, alive or not; None if there is no readable one."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _read(file)
    finally:
        os.close(file)


def holder(path: str | os.PathLike[str]) -> Owner | None:
    """Who holds this lock file now; None if nobody does."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        owner = _read(file)
        if _lock(file) and (owner is None or not _elsewhere_alive(owner, file)):
            return None
        return owner or Owner("an unknown machine", 0, 0.0)
    finally:
        os.close(file)


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            os.utime(path)
        except OSError:
            return  # the folder is gone


def _elsewhere_alive(owner: Owner, file: int) -> bool:
    return owner.host != socket.gethostname() and time.time() - os.fstat(file).st_mtime < STALE_SECONDS


def _same(file: int, path: Path) -> bool:
    """Whether the open file is still the one of that name: its holder may just have removed it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except OSError:
        return False


def _read(file: int) -> Owner | None:
    try:
        plain = json.loads(os.pread(file, 4096, 0))
        return Owner(str(plain["host"]), int(plain["pid"]), float(plain["since"]), str(plain.get("what", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lock(file: int) -> bool:
    """Take the kernel's lock if it is free; it goes when the file is closed or the process dies."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
