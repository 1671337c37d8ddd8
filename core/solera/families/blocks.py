"""Blends of two models with a ratio for each block of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.graph import Source, several
from solera.families.groups import layer_blocks
from solera.params import Param, Rules, Var
from solera.recipes.nodes import Recipe


def blocks(
    models: Sequence[Recipe],
    source: Source,
    *,
    count: Annotated[int, Param(1, 1000, help="How many blocks the layers are cut into.")] = 3,
) -> Family:
    """Blends of two models with a ratio for each block of layers: 1 is the first model, 0 the second.

    Lin et al. 2024 (Mitigating the alignment tax of RLHF): the first is the model before alignment, the second after.
    Embeddings take the first block's ratio, the final norm and the head the last one's. Where layers do not divide
    evenly, the last block has the rest.

    Args:
        models: Before and after.
        source: What reads them.
        count: How many blocks.

    Raises:
        InputError: There are no layers, or fewer than blocks.
    """
    graph = several(models)
    before, after = graph.ends
    groups = layer_blocks(source.names(graph), count)
    coords = tuple(
        Coord(f"ratio_{k}", 0.0, 1.0, f"{graph.labels[0]} in {title}") for k, (title, _) in enumerate(groups)
    )
    own = [Var(coord.name, 0.0, 1.0, 0.5) for coord in coords]
    rules = tuple((glob, var) for var, (_, globs) in zip(own, groups, strict=True) for glob in globs)
    back = graph.add("back", (before, 1.0), (after, -1.0))
    blend = graph.add("blend", (after, 1.0), (back, Rules(rules, own[-1])))
    recipe = graph.output(blend, f"{graph.labels[0]} and {graph.labels[1]} by blocks")
    labels = {graph.labels[0]: (1.0,) * count, graph.labels[1]: (0.0,) * count}
    return Family(recipe, coords, "blocks", labels)
