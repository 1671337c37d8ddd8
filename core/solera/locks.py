"""A lock file: one process at a time in a project, a run or an output.

The file says who holds it (host, pid, since when) and its modification time is a heartbeat. Between processes of one
machine the kernel decides (an advisory lock that dies with its process), so a lock left behind by ``kill -9`` is taken
over at once; between machines that share a folder, where such locks may not travel, a lock whose heartbeat is older
than a minute counts as left behind.

Where the kernel has no such locks (some network folders, Windows) a *lease* stands for it: a file ``NAME.lease`` that
only one can make. One whose process is gone, or whose heartbeat is older than a minute, is taken over.
"""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from solera.errors import LockedError, OutputError

fcntl: Any
try:
    fcntl = importlib.import_module("fcntl")
except ImportError:  # not a Unix
    fcntl = None

_LOG = logging.getLogger(__name__)

#: What the kernel says where a file system has no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})

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
        self._lease: Path | None = None
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
            target=_beat, args=(self.path, self._lease, self._stop), name="solera-heartbeat", daemon=True
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
            if self._lease is not None:
                self._lease.unlink(missing_ok=True)
                self._lease = None
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
            locked = _lock(file)
            if locked is None and _take_lease(self.path):
                self._lease = _lease_of(self.path)
                return file
            if locked and _same(file, self.path):
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
        locked = _lock(file)
        if locked is None and not _lease_alive(_lease_of(Path(path))):
            return None
        if locked and (owner is None or not _elsewhere_alive(owner, file)):
            return None
        return owner or Owner("an unknown machine", 0, 0.0)
    finally:
        os.close(file)


def _beat(path: Path, lease: Path | None, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            os.utime(path)
            if lease is not None:
                os.utime(lease)
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


def _lock(file: int) -> bool | None:
    """Take the kernel's lock if it is free; it goes when the file is closed or the process dies.

    Returns:
        Whether it was free; None where there are no such locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    return True


def _lease_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lease")


def _take_lease(path: Path) -> bool:
    """Make the lease file, which only one can; a lease left behind is moved out of the way first."""
    lease = _lease_of(path)
    if lease.exists() and not _lease_alive(lease):
        # Renamed, not removed: should another have taken over meanwhile, its fresh lease is put back.
        aside = lease.with_name(f"{lease.name}.{secrets.token_hex(4)}")
        try:
            os.rename(lease, aside)
        except OSError:
            return False
        if _lease_alive(aside):
            try:
                os.link(aside, lease)
            except OSError:
                _LOG.debug("The lease %s was taken anew.", lease)
        aside.unlink(missing_ok=True)
    try:
        file = os.open(lease, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError:
        return False
    os.write(file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
    os.close(file)
    _LOG.warning("%s has no file locks; the lease %s stands for one.", path.parent, lease.name)
    return True


def _lease_alive(lease: Path) -> bool:
    """Whether the holder of a lease lives: its heart beats, and on this machine its process is there."""
    try:
        if time.time() - lease.stat().st_mtime >= STALE_SECONDS:
            return False
        plain = json.loads(lease.read_text("utf-8"))
        return plain["host"] != socket.gethostname() or _process_lives(int(plain["pid"]))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True  # just made, and not written yet


def _process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
