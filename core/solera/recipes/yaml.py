"""Recipes as YAML: all faults with their lines on reading, the same bytes on writing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, FaultsError, NotFoundError
from solera.recipes.checks import check
from solera.recipes.emit import emit
from solera.recipes.nodes import Recipe
from solera.recipes.places import in_line, parse, placed
from solera.recipes.plain import from_plain, to_plain

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

#: A recipe is written by people; anything larger is another file by mistake.
MAX_BYTES = 4 << 20


def dump_recipe(recipe: Recipe) -> str:
    """A recipe as canonical YAML: equal recipes give equal bytes, and reading it back gives the recipe."""
    return emit(to_plain(recipe))


def load_recipe(source: str | Path, methods: Mapping[str, MethodSpec], name: str = "") -> Recipe:
    """A recipe that is complete and right, from a file or from text.

    Args:
        source: A path, or the YAML itself (text with a line break or a colon).
        methods: The registered methods.
        name: What to call it in a fault; the file's name unless given.

    Raises:
        FaultsError: All its faults, each with its line.
        NotFoundError: There is no such file.
    """
    text, subject = read_text(source, name)
    recipe, faults = parse_recipe(text, methods)
    if faults:
        raise FaultsError(f"recipe {subject}" if subject else "recipe", [in_line(fault) for fault in faults])
    return recipe


def parse_recipe(text: str, methods: Mapping[str, MethodSpec]) -> tuple[Recipe, tuple[Fault, ...]]:
    """A recipe as far as it can be read, and everything that is wrong with it.

    For editors: a half-finished recipe is still one, and a node whose method is not installed keeps its data.

    Returns:
        The recipe, and its faults in line order; ``fields["line"]`` is the line, from 1, where it is known.
    """
    faults: list[Fault] = []
    plain, lines = parse(text, faults)
    if faults:
        return Recipe(), tuple(faults)
    recipe = from_plain(plain, methods, faults)
    known = {(fault.place, fault.code) for fault in faults}
    if all(fault.code != "recipe.form" for fault in faults):
        broken = {f"nodes.{node}" for node in _broken_nodes(plain, recipe)}
        for fault in check(recipe, methods):
            if (fault.place, fault.code) not in known and not _follows(fault, broken):
                faults.append(fault)
    in_order = [placed(fault, lines) for fault in faults]
    return recipe, tuple(sorted(in_order, key=lambda fault: fault.fields.get("line", 0)))


def _broken_nodes(plain: Any, recipe: Recipe) -> set[str]:
    """Nodes that could not be read at all: what refers to them is no fault of its own."""
    entries = plain.get("nodes") if isinstance(plain, Mapping) else None
    read = {node.id for node in recipe.nodes}
    return {str(id_) for id_ in entries if str(id_) not in read} if isinstance(entries, Mapping) else set()


def _follows(fault: Fault, broken: set[str]) -> bool:
    return fault.code == "recipe.unknown-node" and any(f"'{place[6:]}'" in fault.message for place in broken)


def read_text(source: str | Path, name: str = "") -> tuple[str, str]:
    """The text of a recipe and what to call it in a fault; arguments and errors as :func:`load_recipe`."""
    if isinstance(source, str) and ("\n" in source or (":" in source and not Path(source).exists())):
        return source, name
    path = Path(source)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            message = f"It has {size / 1e6:.1f} MB; a recipe has at most {MAX_BYTES / 1e6:.1f} MB. Is it another file?"
            raise FaultsError(f"recipe {name or path.name}", [Fault("recipe.size", "", message)])
        return path.read_text(encoding="utf-8"), name or path.name
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no recipe at {path}.", path=str(path)) from error
    except UnicodeDecodeError as error:
        message = f"It is no UTF-8 text (byte {error.start}); is it a recipe?"
        raise FaultsError(f"recipe {name or path.name}", [Fault("recipe.encoding", "", message)]) from error
    except OSError as error:
        message = f"It cannot be read: {error.strerror or error}."
        raise FaultsError(f"recipe {name or path.name}", [Fault("recipe.read", "", message)]) from error
