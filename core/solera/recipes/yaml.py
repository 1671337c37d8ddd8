"""Recipes as YAML: all faults with their lines on reading, the same bytes on writing."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, FaultsError, NotFoundError
from solera.recipes.checks import check
from solera.recipes.emit import emit
from solera.recipes.nodes import Recipe
from solera.recipes.plain import from_plain, to_plain

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

#: A recipe is written by people; anything larger is another file by mistake.
MAX_BYTES = 4 << 20

#: Most values a file may stand for, aliases written out.
_MAX_VALUES = 200_000


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
    text, subject = _read(source, name)
    recipe, faults = parse_recipe(text, methods)
    if faults:
        raise FaultsError(f"recipe {subject}" if subject else "recipe", [_in_line(fault) for fault in faults])
    return recipe


def parse_recipe(text: str, methods: Mapping[str, MethodSpec]) -> tuple[Recipe, tuple[Fault, ...]]:
    """A recipe as far as it can be read, and everything that is wrong with it.

    For editors: a half-finished recipe is still one, and a node whose method is not installed keeps its data.

    Returns:
        The recipe, and its faults in line order; ``fields["line"]`` is the line, from 1, where it is known.
    """
    faults: list[Fault] = []
    plain, lines = _parse(text, faults)
    if faults:
        return Recipe(), tuple(faults)
    recipe = from_plain(plain, methods, faults)
    known = {(fault.place, fault.code) for fault in faults}
    if all(fault.code != "recipe.form" for fault in faults):
        broken = {f"nodes.{node}" for node in _broken_nodes(plain, recipe)}
        for fault in check(recipe, methods):
            if (fault.place, fault.code) not in known and not _follows(fault, broken):
                faults.append(fault)
    placed = [_placed(fault, lines) for fault in faults]
    return recipe, tuple(sorted(placed, key=lambda fault: fault.fields.get("line", 0)))


def _broken_nodes(plain: Any, recipe: Recipe) -> set[str]:
    """Nodes that could not be read at all: what refers to them is no fault of its own."""
    entries = plain.get("nodes") if isinstance(plain, Mapping) else None
    read = {node.id for node in recipe.nodes}
    return {str(id_) for id_ in entries if str(id_) not in read} if isinstance(entries, Mapping) else set()


def _follows(fault: Fault, broken: set[str]) -> bool:
    return fault.code == "recipe.unknown-node" and any(f"'{place[6:]}'" in fault.message for place in broken)


def _read(source: str | Path, name: str) -> tuple[str, str]:
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


def _parse(text: str, faults: list[Fault]) -> tuple[Any, dict[str, int]]:
    """Plain data and the line of every place in it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = YAML(typ="rt", pure=True)
    try:
        loaded = reader.load(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        problem = str(error.problem or error.context or "it cannot be read").partition("\n")[0]
        faults.append(Fault("recipe.yaml", f"line {line}", f"It is no YAML: {problem}.", (), {"line": line}))
        return None, {}
    except (YAMLError, ValueError, RecursionError) as error:
        faults.append(Fault("recipe.yaml", "", f"It is no YAML: {str(error).partition(chr(10))[0]}."))
        return None, {}
    lines: dict[str, int] = {}
    budget = iter(range(_MAX_VALUES))
    try:
        return _plain(loaded, "", lines, budget), lines
    except (StopIteration, RecursionError):
        faults.append(Fault("recipe.size", "", "Its aliases stand for more values than a recipe has."))
        return None, {}


def _plain(loaded: Any, place: str, lines: dict[str, int], budget: Iterator[int]) -> Any:
    """Turn the reader's own types into plain ones; places are written as faults write them."""
    next(budget)
    if isinstance(loaded, Mapping):
        plain = {}
        for key, value in loaded.items():
            here = f"{place}.{key}" if place else str(key)
            position = getattr(loaded, "lc", None)
            known = position.data if position is not None and position.data else {}
            if key in known:
                lines[here] = known[key][0] + 1
            plain[_scalar(key)] = _plain(value, here, lines, budget)
        return plain
    if isinstance(loaded, list):
        for i in range(len(loaded)):
            known = getattr(loaded, "lc", None)
            if known is not None and known.data and i in known.data:
                lines[f"{place}[{i}]"] = known.data[i][0] + 1
        return [_plain(value, f"{place}[{i}]", lines, budget) for i, value in enumerate(loaded)]
    return _scalar(loaded)


def _scalar(loaded: Any) -> Any:
    if loaded is None or isinstance(loaded, bool):
        return loaded
    for kind in (int, float, str):
        if isinstance(loaded, kind):
            return kind(loaded)
    return bool(loaded) if type(loaded).__name__ == "ScalarBoolean" else str(loaded)


def _placed(fault: Fault, lines: Mapping[str, int]) -> Fault:
    """The fault with the line of its place, or of the nearest place around it."""
    place = fault.place
    while place and place not in lines:
        cut = max(place.rfind("."), place.rfind("["))
        place = place[:cut] if cut > 0 else ""
    return replace(fault, fields={**fault.fields, "line": lines[place]}) if place else fault


def _in_line(fault: Fault) -> Fault:
    line = fault.fields.get("line")
    if not line or fault.place.startswith("line "):
        return fault
    return replace(fault, place=f"line {line}, {fault.place}")
