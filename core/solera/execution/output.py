"""A result folder that appears all at once: made beside its place, locked, and renamed into it.

The unfinished folder ``.NAME.solera`` lies beside the result. It is held by a lock that dies with its process, so what
``kill -9`` leaves behind is taken over by the next attempt: its finished files are kept where a journal says that they
belong to the same result, the rest is removed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from solera.errors import Cancelled, ChangedError, Interrupted, LockedError, OutputError, SoleraError
from solera.execution.journal import Journal
from solera.locks import FileLock

_LOCK, _JOURNAL = ".lock", ".journal"
_EXCHANGE = 2
_HERE = -100

#: A folder may be replaced only if it holds nothing but what a checkpoint folder holds.
_OURS = (".safetensors", ".json", ".model", ".txt", ".jinja", ".md", ".bin", ".pt", ".spm")


class Output:
    """A folder to fill, as a context manager that gives the unfinished one.

    Leaving it without an exception puts it in its place. Leaving it with one keeps the finished files that the journal
    names, unless a person cancelled or an input changed whose fingerprint was not known, and says so in the error;
    otherwise nothing is left behind.

    Args:
        path: The result.
        force: Replace a checkpoint folder that is there.
        journal: Notes finished files; without one nothing is kept.
        tell: Takes sentences for a person: what is gone on with, how a replacement is done.

    Raises:
        OutputError: It is the root of a disk.

    Raises (on entry):
        OutputError: The result exists and may not be replaced, or its parent cannot be written.
        LockedError: Another process is making the same result.
    """

    def __init__(
        self,
        path: Path,
        *,
        force: bool = False,
        journal: Journal | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))
        if not self.path.name:
            raise OutputError(f"{self.path} cannot be a result; name a folder in it.", path=str(self.path))
        self.folder = self.path.with_name(f".{self.path.name}.solera")
        self._aside = self.path.with_name(f".{self.path.name}.solera-old")
        self._force = force
        self._journal = journal
        self._journal_path = self.folder.with_name(self.folder.name + _JOURNAL)
        self._tell = tell
        self._lock = FileLock(self.folder.with_name(self.folder.name + _LOCK), "output")

    def check(self) -> None:
        """See whether the result may be made here, before work is spent on it.

        Raises:
            OutputError: It exists and may not be replaced.
        """
        self._check_free()

    def discard(self) -> None:
        """Remove what a killed process left of an unfinished result; nothing if another is making it now."""
        if not self.folder.exists():
            return
        try:
            with self._lock:
                self._remove()
        except (LockedError, OutputError):
            return

    def __enter__(self) -> Path:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path.parent} cannot be made: {error.strerror}.", path=str(self.path)) from error
        self._lock.acquire()
        try:
            self._recover()
            self._check_free()
            self._begin()
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError) and not isinstance(error, SoleraError):
                sentence = f"{self.folder} cannot be made: {error.strerror}."
                raise OutputError(sentence, path=str(self.path)) from error
            raise
        return self.folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._leave(error)
                return
            try:
                self._check_free()
                self._put_in_place()
            except OutputError as late:
                self._leave(late)
                raise
            self._remove()
        finally:
            self._lock.release()

    def _begin(self) -> None:
        if self._journal is None:
            self._remove()
            self.folder.mkdir()
        elif self._journal.open(self._journal_path, self.folder):
            self._tell(
                f"Going on after {len(self._journal.finished)} of {self._journal.files} files, which an earlier "
                f"attempt left in {self.folder}."
            )

    def _leave(self, error: BaseException) -> None:
        """The work ended early: keep what the same command can go on from, and say so."""
        journal = self._journal
        changed = isinstance(error, ChangedError) and not (journal and journal.decidable)
        cancelled = isinstance(error, Cancelled) and not isinstance(error, Interrupted)
        if journal is None or not journal.finished or changed or cancelled:
            self._remove()
            if isinstance(error, OutputError):
                error.message += " Nothing of the result is kept."
            return
        journal.clear(self.folder)  # on a full disk the room of half a file is worth having
        said = (
            f"{len(journal.finished)} of {journal.files} files are finished and kept in {self.folder}: the same "
            "command goes on after them; remove that folder to give the room back."
        )
        if isinstance(error, SoleraError) and not isinstance(error, Interrupted):
            error.message += f" {said}"
            error.fields["kept"] = sorted(journal.finished)
        else:
            self._tell(said)

    def _remove(self) -> None:
        self._journal_path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

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
                self._tell(
                    f"The disk of {self.path.parent} cannot exchange folders at one stroke; {self.path.name} is "
                    "replaced by two renames. If the process ends between them, the next merge to this place puts it "
                    "right."
                )
                os.rename(self.path, self._aside)
                try:
                    os.rename(self.folder, self.path)
                except OSError:
                    os.rename(self._aside, self.path)
                    raise
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
