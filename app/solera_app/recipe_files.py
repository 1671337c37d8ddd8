"""Files of open recipes: saving them, asking before they close, and copying them as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from solera_app.dialogs import answered
from solera_app.open_document import OpenDocument

if TYPE_CHECKING:
    from solera_app.recipe_desk import RecipeDesk


class RecipeFiles:
    """Writes recipes.

    Args:
        recipes: What holds the open documents.
    """

    def __init__(self, recipes: RecipeDesk) -> None:
        self._recipes = recipes

    def save(self, opened: OpenDocument) -> None:
        """Write the recipe; a name is asked for if it has none, or if its file holds what could not be read."""
        if opened.path is None or opened.unread:  # a file with more in it than was read is not overwritten unasked
            self.save_as(opened)
            return
        opened.save()
        self._recipes.window.hint(f"Saved {opened.path.name}")

    def save_as(self, opened: OpenDocument) -> None:
        """Ask for a name and write the recipe there."""
        project = self._recipes.bench.project
        folder = project.recipes_folder if project is not None else Path()
        chosen, _ = QFileDialog.getSaveFileName(
            self._recipes.window, "Save recipe", str(folder / f"{opened.name}.yaml"), "Recipes (*.yaml)"
        )
        if chosen:
            path = Path(chosen)
            opened.save(path if path.suffix else path.with_suffix(".yaml"))
            self._recipes.window.hint(f"Saved {path.name}")

    def copy_as(self, form: str) -> None:
        """Put the recipe in front on the clipboard: ``"yaml"``, ``"python"`` or ``"cli"``."""
        from solera.recipes.export import as_command, as_python, as_yaml

        def copy(opened: OpenDocument) -> None:
            recipe = opened.document.recipe
            file = str(opened.path) if opened.path is not None else f"{opened.name}.yaml"
            text = (
                as_command(file, opened.name) if form == "cli" else (as_yaml if form == "yaml" else as_python)(recipe)
            )
            QApplication.clipboard().setText(text)
            self._recipes.window.hint(f"The recipe is on the clipboard as {form}.")

        self._recipes.with_front(copy)

    def ask(self, opened: OpenDocument) -> bool:
        """Ask about unsaved edits of a document that closes; False if the person would rather stay."""
        if not opened.modified or not opened.document.nodes:
            return True
        box = QMessageBox(
            QMessageBox.Icon.NoIcon, "Solera", f"Save the changes to '{opened.name}'?", parent=self._recipes.window
        )
        save = box.addButton("Save", QMessageBox.ButtonRole.AcceptRole)
        discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        answered(box)
        if box.clickedButton() is save:
            self.save(opened)
            return not opened.modified
        return box.clickedButton() is discard
