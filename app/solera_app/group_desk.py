"""Groups of a recipe canvas as files: a frame saved as a recipe, a recipe inserted as a frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QFileDialog

from solera.documents.commands import Batch
from solera.documents.document import Document, Frame
from solera.documents.files import load_document, save_document
from solera.documents.framing import framed
from solera.documents.parts import part_of
from solera.errors import Fault, FaultsError
from solera.recipes.nodes import CheckpointNode
from solera_app.canvases.clipboard import copied, pasted
from solera_app.foreign_recipes import is_foreign
from solera_app.tabs import RecipeTab

if TYPE_CHECKING:
    from solera_app.recipe_desk import RecipeDesk

_KINDS = "Recipes (*.yaml *.yml)"


class GroupDesk:
    """Saves frames and inserts recipes.

    Args:
        recipes: What holds the open documents.
    """

    def __init__(self, recipes: RecipeDesk) -> None:
        self._recipes = recipes

    def save(self, tab: RecipeTab, frame: Frame) -> None:
        """Ask for a name and write the nodes of a frame, with all they are made of, as a recipe.

        Raises:
            InputError: They have no one result.
            OutputError: The file cannot be written.
        """
        part = part_of(tab.opened.document, frame.members, frame.title)
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in frame.title).strip("-") or "group"
        start = str(self._recipes.recipes_folder / f"{stem}.yaml")
        chosen, _ = QFileDialog.getSaveFileName(tab, "Save group as recipe", start, _KINDS)
        if not chosen:
            return
        path = Path(chosen)
        path = path if path.suffix else path.with_suffix(".yaml")
        save_document(_moved(part, self._recipes.folder_of(tab.opened), path.parent), path)
        tab.hinted.emit(f"Saved {path.name}: right click on a canvas and Insert recipe brings it back as a group.")

    def insert(self, tab: RecipeTab, at: QPointF) -> None:
        """Ask for a recipe and put its nodes into the document, framed, as one step."""
        start = str(self._recipes.recipes_folder)
        chosen, _ = QFileDialog.getOpenFileName(tab, "Insert recipe", start, _KINDS)
        if chosen:
            self.insert_file(tab, Path(chosen), at)

    def insert_file(self, tab: RecipeTab, path: Path, at: QPointF) -> None:
        """Put the nodes of a recipe file into the document, framed.

        Raises:
            FaultsError: The file has faults, or is another program's.
        """
        if is_foreign(path):
            raise FaultsError(f"recipe {path.name}", [_foreign(path)])
        canvas = tab.canvas
        found, faults = load_document(path, canvas.picture.catalogue)  # type: ignore[arg-type]
        unread = [fault for fault in faults if not fault.place.startswith("layout")]
        if unread and not found.recipe.nodes:
            raise FaultsError(f"recipe {path.name}", unread)
        found = _moved(found, path.parent, self._recipes.folder_of(tab.opened))
        document = tab.opened.document
        ids = [node.id for node in found.recipe.nodes]
        places = {id_: found.layout.get(id_, (0.0, 96.0 * row)) for row, id_ in enumerate(ids)}
        add = pasted(copied(found, ids, places), document, canvas.picture.catalogue, (at.x(), at.y()))
        frame = framed(add.apply(document), [node.id for node in add.nodes], found.recipe.name or path.stem)
        tab.opened.history.settle()
        tab.opened.history.do(Batch((add, frame), label=f"Insert {path.stem}"))
        canvas.select([node.id for node in add.nodes])


def _moved(document: Document, source: Path, target: Path) -> Document:
    """The document with relative paths that mean the same from another folder."""
    if source.resolve() == target.resolve():
        return document
    nodes = tuple(
        replace(node, source=str((source / node.source).resolve()))
        if isinstance(node, CheckpointNode) and node.source and not _fixed(node.source)
        else node
        for node in document.recipe.nodes
    )
    return replace(document, recipe=replace(document.recipe, nodes=nodes))


def _fixed(source: str) -> bool:
    """Whether a source means the same from everywhere: a name of the library, an absolute path, a hub's name."""
    return ":" in source or Path(source).is_absolute()


def _foreign(path: Path) -> Fault:
    return Fault("recipe.foreign", "", f"{path.name} is mergekit's; open it first, and save what it means as a recipe.")
