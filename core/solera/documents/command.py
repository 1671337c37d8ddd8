"""What an edit is: ``command.apply(document)`` gives the next document; several edits are one step as a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from solera.documents.document import AnyNode, Document
from solera.errors import InputError


class Command(Protocol):
    """An edit.

    Attributes:
        label: What the undo menu says, verb first: ``"Connect math to TIES"``.
    """

    @property
    def label(self) -> str:
        """See above."""
        ...

    def apply(self, document: Document) -> Document:
        """The document after the edit.

        Raises:
            InputError: The edit does not fit the document.
        """
        ...

    def absorbs(self, later: Command) -> bool:
        """Whether ``later`` continues this edit (a drag, a spin), so that both are one step of undo."""
        ...


class Step:
    """A command that stands for itself."""

    __slots__ = ()

    def absorbs(self, later: Command) -> bool:
        """Never."""
        return False


def existing(document: Document, id_: str) -> AnyNode:
    """The node with this id.

    Raises:
        InputError: There is none.
    """
    try:
        return document.node(id_)
    except KeyError:
        raise InputError(f"There is no node '{id_}' in this document.", node=id_) from None


def index_of(items: Sequence[object], place: str, owner: str) -> int:
    """The number of an input that is there.

    Raises:
        InputError: There is none.
    """
    index = int(place)
    if not 0 <= index < len(items):
        raise InputError(f"'{owner}' has {len(items)} inputs, so there is none at {index}.", node=owner)
    return index


@dataclass(frozen=True, slots=True)
class Batch(Step):
    """Several edits as one step of undo."""

    commands: tuple[Command, ...]
    label: str = "Edit"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        for command in self.commands:
            document = command.apply(document)
        return document
