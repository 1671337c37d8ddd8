"""Recipes of other programs in the window: a file of mergekit's becomes a new document, and stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.documents.document import Document, replace_node
from solera.errors import InputError
from solera_app.bridge.slots import notices

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera_app.desk import Desk

#: How files of recipes end.
SUFFIXES = frozenset({".yaml", ".yml"})


def is_recipe(path: Path) -> bool:
    """Whether a file is one of a recipe, by its name; or a picture that carries one."""
    return path.suffix.lower() in SUFFIXES or is_picture(path)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture that carries a recipe."""
    if path.suffix.lower() != ".png":
        return False
    from solera_app.canvases.picture import carries_recipe  # a canvas' modules are not for the window's first paint

    return carries_recipe(path)


def open_picture(desk: Desk, path: Path) -> None:
    """Show the recipe that a picture carries as a new document, its checkpoints where this project has them.

    Raises:
        InputError: It carries none that can be read.
    """
    from solera_app.canvases.picture import document_in

    bench = desk.workbench
    assert bench is not None
    shelf = bench.registry.methods
    methods: dict[str, Any] = {name: shelf.describe(name) for name in shelf}
    document = document_in(path, methods)
    if document is None:
        raise InputError(f"'{path.name}' carries no recipe. Pictures of a recipe canvas do, written as PNG.")
    if bench.project is not None:
        home, recipes = bench.project.folder, bench.project.recipes_folder
        for node in document.recipe.checkpoints:
            beside = (recipes / node.source).resolve()
            if not (home / node.source).exists() and beside.exists():
                there = beside.relative_to(home) if beside.is_relative_to(home) else beside
                document = replace_node(document, replace(node, source=there.as_posix()))
    opened = desk.recipes.open_document(document)
    notices().say("info", f"'{opened.name}' is the recipe that '{path.name}' shows; Save asks for a name.")


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
