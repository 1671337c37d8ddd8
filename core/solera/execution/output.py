"""A result folder that appears all at once: made beside its place, locked, and renamed into it.

The unfinished folder ``.NAME.solera`` lies beside the result. It is held by a lock that dies with its process, so what
``kill -9`` leaves behind is taken over by the next attempt; whatever else ends the work removes it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path
from types import TracebackType

from solera.errors import OutputError
from solera.locks import FileLock

_LOCK = ".lock"
_EXCHANGE = 2
_HERE = -100

#: A folder may be replaced only if it holds nothing but what a checkpoint folder holds.
_OURS = (".safetensors", ".json", ".model", ".txt", ".jinja", ".md", ".bin", ".pt", ".spm")


class Output:
    """A folder to fill, as a context manager that gives the unfinished one.

    Leaving it without an exception puts it in its place; otherwise nothing is left behind.

    Args:
        path: The result.
        force: Replace a checkpoint folder that is there.

    Raises (on entry):
        OutputError: The result exists and may not be replaced, or its parent cannot be written.
        LockedError: Another process is making the same result.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))
        self.folder = self.path.with_name(f".{self.path.name}.solera")
        self._aside = self.path.with_name(f".{self.path.name}.solera-old")
        self._force = force
        self._lock = FileLock(self.folder.with_name(self.folder.name + _LOCK), "output")

    def check(self) -> None:
        """See whether the result may be made here, before work is spent on it.

        Raises:
            OutputError: It exists and may not be replaced.
        """
        self._check_free()

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path.parent} cannot be made: {error.strerror}.", path=str(self.path)) from error
        self._lock.acquire()
        try:
            self._recover()
            self._check_free()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
        except OSError as error:
            self._lock.release()
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"{self.folder} cannot be made: {error.strerror}.", path=str(self.path)) from error
        return self.folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._check_free()
                self._put_in_place()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._lock.release()

    def _check_free(self) -> None:
        if not os.path.lexists(self.path):
            return
        if not self._force:
            raise OutputError(
                f"{self.path} exists. Choose another folder, or replace it with --force.", path=str(self.path)
            )
        strangers = sorted(
            item.name for item in self.path.iterdir() if item.is_dir() or not item.name.endswith(_OURS)
        ) if self.path.is_dir() and not self.path.is_symlink() else [self.path.name]  # fmt: skip
        if strangers:
            raise OutputError(
                f"{self.path} is not replaced: it holds more than a checkpoint ({', '.join(strangers[:3])}"
                f"{', ...' if len(strangers) > 3 else ''}). Choose another folder, or remove it yourself.",
                path=str(self.path), strangers=strangers[:10],
            )  # fmt: skip

    def _recover(self) -> None:
        """Finish or undo a replacement that a killed process left half done."""
        if self._aside.exists():
            if self.path.exists():
                shutil.rmtree(self._aside, ignore_errors=True)
            else:
                os.rename(self._aside, self.path)

    def _put_in_place(self) -> None:
        try:
            if not self.path.exists():
                os.rename(self.folder, self.path)
            elif not _exchange(self.folder, self.path):
                os.rename(self.path, self._aside)
                os.rename(self.folder, self.path)
                shutil.rmtree(self._aside, ignore_errors=True)
        except OSError as error:
            raise OutputError(
                f"The result cannot be put in its place {self.path}: {error.strerror}.", path=str(self.path)
            ) from error


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders at one stroke; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
        return False
    raise OSError(code, os.strerror(code))
