"""Reading mergekit's files: YAML of one or several documents to a recipe, all faults with their lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.references import Reference
from solera.errors import Fault
from solera.recipes.mergekit.config import Config, is_mergekit, read_config
from solera.recipes.mergekit.translate import Shared, translate
from solera.recipes.nodes import Recipe
from solera.recipes.places import parse_all, placed


def looks_like_mergekit(text: str) -> bool:
    """Whether a YAML text is mergekit's: some document says ``merge_method`` and not ``solera``."""
    return "merge_method" in text and any(is_mergekit(plain) for plain, _ in parse_all(text, []))


def read_mergekit(
    text: str,
    locate: Callable[[str], Reference],
    peek: Callable[[str], Checkpoint | None],
    name: str = "",
) -> tuple[Recipe, tuple[Fault, ...]]:
    """A recipe from mergekit's YAML.

    Args:
        text: One document, or several of which later ones may name earlier ones as models.
        locate: A model as written -> what it refers to; raises a SoleraError for what cannot be found.
        peek: A source -> its opened headers, or None where they cannot be had.
        name: What to call the recipe.

    Returns:
        The recipe, and its faults in line order; its note says what is done otherwise than in mergekit.
    """
    faults: list[Fault] = []
    configs: list[tuple[Config, str]] = []
    documents = [document for document in parse_all(text, faults) if document[0] is not None]
    lines: dict[str, int] = {}
    for i, (plain, known) in enumerate(documents):
        place = f"documents[{i}]" if len(documents) > 1 else ""
        lines |= {f"{place}.{at}" if place else at: line for at, line in known.items()}
        if not isinstance(plain, dict) or "merge_method" not in plain:
            faults.append(Fault("mergekit.form", place, "A configuration has 'merge_method'."))
            continue
        found: list[Fault] = []
        configs.append((read_config(plain, found), place))
        faults += [replace(fault, place=f"{place}.{fault.place}" if place else fault.place) for fault in found]
    _check_names(configs, faults)
    shared = Shared(locate, peek, faults)
    recipe = translate(configs, shared, name) if configs else Recipe()
    in_order = [placed(fault, lines) for fault in faults]
    return recipe, tuple(sorted(in_order, key=lambda fault: fault.fields.get("line", 0)))


def _check_names(configs: list[tuple[Config, str]], faults: list[Fault]) -> None:
    seen: set[str] = set()
    for config, place in configs:
        if config.name in seen:
            what = f"called '{config.name}'" if config.name else "without a name"
            faults.append(Fault("mergekit.form", f"{place}.name", f"Two documents are {what}."))
        seen.add(config.name)
