"""The rows of a comparison as an experiment file lists them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from solera.errors import Fault, FaultsError
from solera.landscapes.compare import Entry
from solera.recipes.nodes import CheckpointNode, Recipe

_KEYS = {"name", "checkpoint", "recipe", "single", "tune"}


def entries_from_plain(plain: Any, load: Callable[[str], Recipe]) -> tuple[Entry, ...]:
    """Rows from plain data.

    Each is ``{name, checkpoint: SOURCE}`` or ``{name, recipe: PATH}``, with ``single: true`` for a model merging starts
    from and ``tune: {variable: [values]}``.

    Args:
        plain: A list of such mappings.
        load: Reads the recipe at a path, as the experiment writes it; its errors pass through.

    Raises:
        FaultsError: All faults of form at once.
    """
    faults: list[Fault] = []
    if not isinstance(plain, list) or not plain:
        message = "A comparison lists its models: '- {name: base, checkpoint: checkpoints/base, single: true}'."
        raise FaultsError("comparison", [Fault("compare.entries", "entries", message)])
    rows = [_row(item, f"entries[{index}]", faults) for index, item in enumerate(plain)]
    if faults:
        raise FaultsError("comparison", faults)
    return tuple(
        Entry(
            name=row["name"],
            recipe=checkpoint_recipe(row["checkpoint"]) if "checkpoint" in row else load(row["recipe"]),
            single=row["single"],
            tune=row["tune"],
        )
        for row in rows
    )


def checkpoint_recipe(source: str) -> Recipe:
    """The recipe that is one checkpoint; its node is called ``model``."""
    return Recipe((CheckpointNode("model", source),), "model")


def _row(item: Any, place: str, faults: list[Fault]) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        faults.append(Fault("compare.form", place, "A model of a comparison is a mapping with a name."))
        return {}
    for key in sorted(str(key) for key in set(item) - _KEYS):
        known = ", ".join(sorted(_KEYS))
        faults.append(Fault("compare.unknown-key", f"{place}.{key}", f"'{key}' is not known; known: {known}."))
    texts = {key: item[key] for key in ("name", "checkpoint", "recipe") if key in item}
    for key, value in texts.items():
        if not isinstance(value, str) or not value:
            faults.append(Fault("compare.text", f"{place}.{key}", f"'{key}' is text, not {value!r}."))
    if "name" not in texts:
        faults.append(Fault("compare.name", f"{place}.name", "A model of a comparison needs a name."))
    if ("checkpoint" in texts) == ("recipe" in texts):
        faults.append(Fault("compare.source", place, "A model is either a 'checkpoint' or a 'recipe'."))
    single = item.get("single", False)
    if not isinstance(single, bool):
        faults.append(Fault("compare.single", f"{place}.single", f"'single' is true or false, not {single!r}."))
    return {**texts, "single": single, "tune": _tune(item.get("tune", {}), f"{place}.tune", faults)}


def _tune(plain: Any, place: str, faults: list[Fault]) -> dict[str, tuple[float, ...]]:
    if not isinstance(plain, Mapping):
        faults.append(Fault("compare.tune", place, "'tune' is a mapping of variables to lists of values."))
        return {}
    found = {}
    for name, values in plain.items():
        if not isinstance(values, (list, tuple)) or not values or not all(_is_number(value) for value in values):
            faults.append(Fault("compare.tune", f"{place}.{name}", f"'{name}' lists numbers to try, not {values!r}."))
        else:
            found[str(name)] = tuple(float(value) for value in values)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
