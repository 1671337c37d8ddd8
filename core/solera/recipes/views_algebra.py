"""Stacks of layers and layouts of tokens from recipes: what ``solera.stack`` and ``solera.tokens`` mean in a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from solera.recipes.algebra import identifier
from solera.recipes.join import join, unused
from solera.recipes.nodes import UNION, Part, Recipe, StackNode, TokenRow, TokensNode


def stacked(parts: Sequence[tuple[Recipe, Part]], layers: str = "", name: str = "stack") -> Recipe:
    """A recipe whose layers are chosen layers of others.

    Args:
        parts: Recipes, each with what is taken of it; the part's own node is passed over.
        layers: What stands before a layer's number; empty is the longest numbered list.
        name: What its node is called.
    """
    nodes, ids = join([recipe for recipe, _ in parts])
    taken = tuple(replace(part, node=id_) for (_, part), id_ in zip(parts, ids, strict=True))
    id_ = unused(identifier(name), [node.id for node in nodes])
    return Recipe((*nodes, StackNode(id_, taken, layers)), id_)


def laid_out(
    model: Recipe,
    vocabulary: Recipe | None,
    base: Recipe | None = None,
    among: Sequence[Recipe] = (),
    rows: Mapping[str, tuple[Recipe | None, TokenRow]] | None = None,
    multiple: int = 1,
    name: str = "tokens",
) -> Recipe:
    """A recipe with embedding and head laid out for another vocabulary.

    Args:
        model: Whose weights.
        vocabulary: Whose tokenizer; None is the union of all.
        base: Whose rows go before the others'.
        among: Who lends rows.
        rows: Rows said outright, each with the recipe that lends it; the row's own node is passed over.
        multiple: The number of rows is a multiple of this.
        name: What its node is called.
    """
    given = [(token, lender, row) for token, (lender, row) in (rows or {}).items()]
    lenders = [lender for _, lender, _ in given if lender is not None]
    single = [recipe for recipe in (vocabulary, base) if recipe is not None]
    nodes, ids = join([model, *single, *among, *lenders])
    rest = list(ids[1:])
    whose = rest.pop(0) if vocabulary is not None else UNION
    foot = rest.pop(0) if base is not None else ""
    others, rest = tuple(rest[: len(among)]), rest[len(among) :]
    said = {token: replace(row, node=rest.pop(0) if lender is not None else "") for token, lender, row in given}
    id_ = unused(identifier(name), [node.id for node in nodes])
    return Recipe((*nodes, TokensNode(id_, ids[0], whose, others, said, multiple, foot)), id_)
