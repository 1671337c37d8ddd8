"""Undo and redo over documents. Documents are frozen and small, so a step is the document before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from solera.documents.commands import Command
from solera.documents.document import Document


@dataclass(frozen=True, slots=True)
class _Step:
    before: Document
    command: Command


class History:
    """The one holder of the current document; every canvas edits through it and listens to it.

    Not thread-safe: it belongs to whoever edits (the window's thread). Results of jobs are never undone; they are
    not in here.

    Args:
        document: What is edited.
        limit: How many steps are kept.
    """

    def __init__(self, document: Document | None = None, limit: int = 500) -> None:
        self._document = document or Document()
        self._limit = limit
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._listeners: list[Callable[[Document], None]] = []
        self._open = False
        self._saved = self._document

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self._document

    @property
    def modified(self) -> bool:
        """Whether it differs from what was last saved."""
        return self._document != self._saved

    def mark_saved(self) -> None:
        """Remember the present document as the saved one."""
        self._saved = self._document
        self._open = False

    def subscribe(self, listener: Callable[[Document], None]) -> Callable[[], None]:
        """Call ``listener(document)`` after every change; returns the way to stop that."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def do(self, command: Command) -> None:
        """Apply a command. One that changes nothing leaves no step.

        Raises:
            InputError: It does not fit; the document stays as it was.
        """
        after = command.apply(self._document)
        if after == self._document:
            return
        last = self._done[-1] if self._done else None
        if last is not None and self._open and last.command.absorbs(command):
            self._done[-1] = _Step(last.before, command)
        else:
            self._done.append(_Step(self._document, command))
            del self._done[: -self._limit]
        self._undone.clear()
        self._open = True
        self._set(after)

    def settle(self) -> None:
        """End a drag or a spin: the next command starts a step of its own."""
        self._open = False

    def undo(self) -> str:
        """Take the last step back; returns its label, empty if there was none."""
        if not self._done:
            return ""
        step = self._done.pop()
        self._undone.append(_Step(self._document, step.command))
        self._open = False
        self._set(step.before)
        return step.command.label

    def redo(self) -> str:
        """Do again what was undone last; returns its label, empty if there was none."""
        if not self._undone:
            return ""
        step = self._undone.pop()
        self._done.append(_Step(self._document, step.command))
        self._open = False
        self._set(step.before)
        return step.command.label

    @property
    def can_undo(self) -> str:
        """Label of the step that undo would take back; empty if none."""
        return self._done[-1].command.label if self._done else ""

    @property
    def can_redo(self) -> str:
        """Label of the step that redo would do again; empty if none."""
        return self._undone[-1].command.label if self._undone else ""

    def reset(self, document: Document) -> None:
        """Open another document: no steps, nothing modified."""
        self._done.clear()
        self._undone.clear()
        self._open = False
        self._saved = document
        self._set(document)

    def _set(self, document: Document) -> None:
        self._document = document
        for listener in list(self._listeners):
            if self._document is not document:
                return  # a listener went on editing, and everybody was told of that
            listener(document)
