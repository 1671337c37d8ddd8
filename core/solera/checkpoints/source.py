"""Bytes of files on disk: positioned reads that notice when the file is no longer the one that was opened.

No mmap: a file that is truncated while mapped kills the process (SIGBUS); a positioned read only comes back short.
"""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path

from solera.errors import ChangedError, CheckpointError, NotFoundError


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells, without reading it, that a file is still the same one.

    Attributes:
        inode: Number of the file on its file system.
        size: Bytes.
        mtime_ns: Time of the last change, nanoseconds since the epoch.
    """

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """From the result of ``os.stat`` or ``os.fstat``."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


class SourceFile:
    """A regular file that is read at positions, from any thread.

    It is the same file as long as size, time and inode are; on network and user-space file systems whose inodes change
    while a file is open, which is noticed, size and time alone.

    The descriptor is opened at the first read, and again at the first one after :meth:`rest`, so that hundreds of
    shards can be listed without holding hundreds of descriptors.

    Args:
        path: The file.

    Raises:
        NotFoundError: There is no such file.
        CheckpointError: It is not a regular file, or may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            status = path.stat()
        except FileNotFoundError:
            raise NotFoundError(f"There is no file {path}.", path=str(path)) from None
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.", path=str(path)) from None
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{path} is not a regular file.", path=str(path))
        self.identity = FileIdentity.of(status)
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._release: weakref.finalize[..., SourceFile] | None = None
        self._closed = False
        self._inodes = True

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        return self.identity.size

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill ``view`` (bytes, writable) from byte ``offset`` on.

        Raises:
            ChangedError: The file has changed since it was opened, or ends before the view is full.
            CheckpointError: It was closed, or the system cannot read it.
        """
        descriptor = self._open()
        try:
            self._check(FileIdentity.of(os.fstat(descriptor)), opened=True)
            while view:
                count = self._read_some(descriptor, view, offset)
                if count == 0:
                    raise self._changed("it ends before the tensor does")
                view = view[count:]
                offset += count
        except OSError as error:
            raise CheckpointError(
                f"{self.path} cannot be read at byte {offset}: {error.strerror or error}.", path=str(self.path)
            ) from None

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on. Raises as :meth:`read_into`."""
        buffer = bytearray(count)
        self.read_into(memoryview(buffer), offset)
        return bytes(buffer)

    def verify(self) -> None:
        """See whether the file at the path is still the one that was opened.

        Raises:
            ChangedError: It is not, or it is gone.
        """
        try:
            now = FileIdentity.of(self.path.stat())
        except OSError:
            raise self._changed("it is gone") from None
        if now.inode != self.identity.inode and self._descriptor is not None:
            self._check(FileIdentity.of(os.fstat(self._descriptor)), opened=True)  # tells whether inodes mean anything
        self._check(now)

    def rest(self) -> None:
        """Give the descriptor back until the next read. Not while another thread reads."""
        with self._lock:
            if self._release is not None:
                self._release()
            self._descriptor = self._release = None

    def close(self) -> None:
        """Give the descriptor back for good. Not while another thread reads."""
        self._closed = True
        self.rest()

    def _open(self) -> int:
        descriptor = self._descriptor
        if descriptor is not None:
            return descriptor
        with self._lock:
            if self._closed:
                raise CheckpointError(f"{self.path} was closed; open the checkpoint again.", path=str(self.path))
            if self._descriptor is None:
                try:
                    self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                except FileNotFoundError:
                    raise self._changed("it is gone") from None
                except OSError as error:
                    raise CheckpointError(
                        f"{self.path} cannot be opened: {error.strerror or error}.", path=str(self.path)
                    ) from None
                self._release = weakref.finalize(self, os.close, self._descriptor)
            return self._descriptor

    def _read_some(self, descriptor: int, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(descriptor, [view], offset)
        with self._lock:  # Windows has no positioned read
            os.lseek(descriptor, offset, os.SEEK_SET)
            data = os.read(descriptor, min(len(view), 1 << 24))
        view[: len(data)] = data
        return len(data)

    def _check(self, now: FileIdentity, *, opened: bool = False) -> None:
        if opened and now.inode != self.identity.inode and not self._replaced(now.inode):
            self._inodes = False  # the open file has another number than its name has: they are made up as one asks
        if not self._inodes:
            now = replace(now, inode=self.identity.inode)
        if now.size < self.identity.size:
            raise self._changed(f"it was {self.identity.size} bytes long and is now {now.size}")
        if now != self.identity:
            raise self._changed("it was written to or replaced")

    def _replaced(self, inode: int) -> bool:
        try:
            return self.path.stat().st_ino == inode
        except OSError:
            return True

    def _changed(self, how: str) -> ChangedError:
        return ChangedError(
            f"{self.path} changed after it was opened: {how}. Open the checkpoint again.", path=str(self.path)
        )


def head_of(path: Path, count: int) -> bytes:
    """The first bytes of a file, to tell what it may be; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""


class Region:
    """A run of bytes of a file that tensors lie in.

    Args:
        file: The file.
        offset: Where the run begins, in bytes.
        nbytes: How long it is.
    """

    def __init__(self, file: SourceFile, offset: int, nbytes: int) -> None:
        self.file = file
        self.nbytes = nbytes
        self._offset = offset

    @property
    def offset(self) -> int:
        """Byte of the file at which the run begins."""
        return self._offset

    @property
    def key(self) -> Hashable:
        """Equal for the same run of the same file."""
        return (str(self.file.path), self._offset)

    def read_into(self, view: memoryview, start: int) -> None:
        """Fill ``view`` from byte ``start`` of the run on. Raises as :meth:`SourceFile.read_into`."""
        self.file.read_into(view, self.offset + start)
