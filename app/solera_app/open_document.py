"""A document that is open in the window: its history, its file, its journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from solera.documents.document import Document
from solera.documents.files import load_document, save_document
from solera.documents.history import History
from solera.documents.journal import Journal
from solera.errors import Fault, LockedError
from solera.recipes.checks import check
from solera_app.bridge.slots import guarded

#: Milliseconds from an edit to its journal entry; a crash loses no more.
AUTOSAVE_MS = 700


class OpenDocument(QObject):
    """One document: every tab over it (recipe canvas, interpolation canvas) shares this.

    Signals:
        changed: The document, its name or its modified state changed.

    Args:
        document: What is edited.
        path: Its recipe file; None if it was never saved.
        folder: Where the journal of a document without a file goes.
        read_only: Whether nothing may be written (no journal either).
    """

    changed = Signal()

    def __init__(
        self, document: Document, path: Path | None, folder: Path, *, read_only: bool = False, modified: bool = False
    ) -> None:
        super().__init__()
        self.history = History(document)
        self.path = path
        self.faults: tuple[Fault, ...] = ()
        self.unread: tuple[Fault, ...] = ()  # what its file said and could not be read; gone once it is saved
        self._folder = folder
        self._read_only = read_only
        self._recovered = modified
        self._journal = Journal(folder, path)
        self._timer = QTimer(self, interval=AUTOSAVE_MS, singleShot=True)
        self._timer.timeout.connect(guarded(self.autosave))
        self.history.subscribe(self._on_change)
        if modified:
            self._timer.start()

    @staticmethod
    def load(path: Path, methods: Mapping[str, Any], *, read_only: bool = False) -> OpenDocument:
        """Open a recipe file and its sidecar; faults are kept, what could be read is shown.

        Raises:
            NotFoundError: There is no such file.
            FaultsError: It is not text.
        """
        document, faults = load_document(path, methods)
        opened = OpenDocument(document, path, path.parent, read_only=read_only)
        opened.faults = faults
        mendable = {(fault.code, fault.message) for fault in check(document.recipe, methods)}
        opened.unread = tuple(fault for fault in faults if (fault.code, fault.message) not in mendable)
        return opened

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self.history.document

    @property
    def name(self) -> str:
        """What a tab calls it."""
        return self.document.recipe.name or (self.path.stem if self.path is not None else "untitled")

    @property
    def modified(self) -> bool:
        """Whether it has edits that its file has not."""
        return self.history.modified or self._recovered

    @property
    def journal(self) -> Path:
        """Where its unsaved edits are kept."""
        return self._journal.file

    def autosave(self) -> None:
        """Write the journal now."""
        if self.modified and not self._read_only:
            self._journal.record(self.document)

    def save(self, path: Path | None = None) -> None:
        """Write the recipe and its sidecar; the journal is done with.

        Raises:
            OutputError: They cannot be written; nothing is lost.
            LockedError: It was opened read-only, and this is its own file.
        """
        target = path or self.path
        if target is None:
            raise ValueError("a document without a file needs a path")
        if self._read_only and target == self.path:
            raise LockedError(
                f"'{self.name}' is open read-only here: its project is in use elsewhere or cannot be written. "
                "Save it under another name.",
                path=str(target),
            )
        save_document(self.document, target)
        self._timer.stop()
        self._journal.clear()
        if target != self.path:
            self.path = target
            self._journal = Journal(target.parent, target)
            self._read_only = False
        self._recovered = False
        self.unread = ()
        self.history.mark_saved()
        self.changed.emit()

    def discard(self) -> None:
        """Close without saving: the journal is done with."""
        self._timer.stop()
        self._timer.timeout.disconnect()  # the connection holds this document
        self._journal.clear()

    def _on_change(self, _: Document) -> None:
        if not self._timer.isActive():
            self._timer.start()
        self.changed.emit()
