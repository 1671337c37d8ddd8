"""Drop entries of the library, or files from a file manager."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData

from solera.checkpoints.adapters.adapter import is_adapter
from solera.documents.commands import AddNodes
from solera.documents.document import Document, Position
from solera.documents.links import likely_base
from solera.recipes.nodes import AdapterNode, CheckpointNode
from solera_app.canvases.arrange import snapped
from solera_app.foreign_recipes import is_recipe

#: What a library drags: JSON, a list of {"name", "path"}.
LIBRARY_MIME = "application/x-solera-library"
_STACK = 88.0


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """A checkpoint of the library.

    Attributes:
        name: What the library calls it.
        path: Where it is.
    """

    name: str
    path: str

    @property
    def source(self) -> str:
        """How a checkpoint node names it: the library's name if it has one, else the path."""
        return f"library:{self.name}" if self.name else self.path


def entry_of(plain: Any) -> LibraryEntry:
    """A library entry from anything with ``name`` and ``path``, as attributes or as keys."""
    if isinstance(plain, Mapping):
        return LibraryEntry(str(plain.get("name", "")), str(plain.get("path", "")))
    return LibraryEntry(str(plain.name), str(plain.path))


def library_entries(mime: QMimeData) -> tuple[LibraryEntry, ...]:
    """The library entries that are dragged; empty if none, or if the data are not what a library writes."""
    if not mime.hasFormat(LIBRARY_MIME):
        return ()
    try:
        plain = json.loads(bytes(mime.data(LIBRARY_MIME).data()))
    except ValueError:
        return ()
    if not isinstance(plain, list):
        return ()
    return tuple(
        entry_of(entry) for entry in plain if isinstance(entry, dict) and (entry.get("name") or entry.get("path"))
    )


def dropped_files(mime: QMimeData) -> list[str]:
    """The local files that are dragged; none of a drag of library entries, which carries files for other programs."""
    if mime.hasFormat(LIBRARY_MIME):
        return []
    return [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]


class DropLibrary:
    """A drag that comes from outside the canvas.

    Args:
        mime: What is dragged.
    """

    def __init__(self, mime: QMimeData) -> None:
        self.entries = library_entries(mime)
        self.files: list[str] = [] if self.entries else dropped_files(mime)

    @property
    def welcome(self) -> bool:
        """Whether a canvas can do anything with it."""
        return bool(self.entries or self.files)

    @property
    def hint(self) -> str:
        """What would happen, for the status bar."""
        if self.files and all(is_recipe(Path(file)) for file in self.files):
            return "Drop to open the recipe." if len(self.files) == 1 else f"Drop to open {len(self.files)} recipes."
        count = len(self.entries) or len(self.files)
        what = "checkpoint" if count == 1 else f"{count} checkpoints"
        return f"Drop to add {what} here." if self.entries else f"Drop to add {what} to the library and here."


def add_checkpoints(document: Document, entries: Sequence[LibraryEntry], corner: Position) -> AddNodes:
    """The edit that adds nodes in a column whose top left corner is ``corner``; an adapter finds its base if it can."""
    nodes: list[CheckpointNode] = []
    base = likely_base(document)
    positions: dict[str, Position] = {}
    draft = document
    for i, entry in enumerate(entries):
        id_ = draft.fresh_id(entry.name or entry.path.rsplit("/", 1)[-1])
        adapter = is_adapter(entry.path)
        node = AdapterNode(id_, entry.source, base=base) if adapter else CheckpointNode(id_, entry.source)
        nodes.append(node)
        positions[node.id] = snapped(corner[0], corner[1] + i * _STACK)
        draft = AddNodes((node,)).apply(draft)
    what = f"Add {nodes[0].id}" if len(nodes) == 1 else f"Add {len(nodes)} checkpoints"
    return AddNodes(tuple(nodes), positions, label=what)
