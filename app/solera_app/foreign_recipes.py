"""Recipes of other programs in the window: a file of mergekit's becomes a new document, and stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from solera.documents.document import Document
from solera_app.bridge.slots import notices

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera_app.desk import Desk

#: How files of recipes end.
SUFFIXES = frozenset({".yaml", ".yml"})


def is_recipe(path: Path) -> bool:
    """Whether a file is one of a recipe, by its name."""
    return path.suffix.lower() in SUFFIXES


def is_foreign(path: Path) -> bool:
    """Whether a file is a recipe of mergekit's; not if it cannot be read, which opening it tells."""
    from solera.recipes.mergekit.reading import looks_like_mergekit

    try:
        return looks_like_mergekit(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def open_foreign(desk: Desk, path: Path) -> None:
    """Translate a file off the window's thread (checkpoints' headers are read) and show it as a new document.

    It has no file of its own: Save asks for one. What is done otherwise than by mergekit is told, and stands in the
    recipe's note; faults are told with their lines.
    """
    bench = desk.workbench
    assert bench is not None

    def show(recipe: Recipe) -> None:
        opened = desk.recipes.open_document(Document(recipe))
        remarks = " Some is done otherwise: see Details." if recipe.note else ""
        sentence = f"'{path.name}' is mergekit's; '{opened.name}' is what it means, and Save asks for a name.{remarks}"
        notices().say("info", sentence, recipe.note)

    desk.aside(lambda: bench.recipe(str(path), path.parent), show)
