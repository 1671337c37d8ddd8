"""Merges whose weights and densities are free for each model and group of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.genome import METHODS, Genome
from solera.families.graph import Source, several
from solera.params import Param, Var
from solera.recipes.nodes import Recipe

EvolvedName = Literal["linear", "task_arithmetic", "ties", "dare_ties"]


def genome(
    models: Sequence[Recipe],
    source: Source,
    *,
    method: Annotated[
        EvolvedName, Param(help="The method whose weights, and densities if it has them, are evolved.")
    ] = ("dare_ties"),
    granularity: Annotated[int, Param(0, 1000, help="Layers in a group; 0 is one group of all.")] = 1,
    negative: Annotated[bool, Param(help="Whether weights may be below 0.")] = False,
) -> Family:
    """Merges of models with a base: for each model and group of layers a weight, and a density if the method has one.

    Args:
        models: The base first, then two or more; for ``linear`` there is no base.
        source: What reads them.
        method: What merges.
        granularity: Layers in a group.
        negative: Whether weights may be below 0.

    Raises:
        InputError: There are too few models, or they have no numbered layers.
    """
    evolved = METHODS[method]
    graph = several(models)
    ends = graph.ends[1:] if evolved.base else graph.ends
    titles = graph.labels[1:] if evolved.base else graph.labels
    if len(ends) < 2:
        what = "a base and two models or more" if evolved.base else "two models or more"
        raise InputError(f"A genome of '{method}' takes {what}; got {len(graph.ends)} models.")
    laid = Genome.of(source.names(graph), granularity)
    low = {"weight": -1.0 if negative else 0.0, "density": 0.0}
    coords = []
    genes = []
    for g, group in enumerate(laid.groups):
        where = f"layer {group[0]}" if len(group) == 1 else f"layers {group[0]} to {group[-1]}"
        rows = []
        for end, title in zip(ends, titles, strict=True):
            own = [Coord(f"{name}_{end}_{g}", low[name], 1.0, f"{name} of {title}, {where}") for name in evolved.genes]
            coords += own
            rows.append([[Var(coord.name, coord.low, coord.high, 0.5) for coord in own]])
        genes.append(rows)
    params = {**evolved.fixed, **laid.params(genes, evolved.genes)}
    base = graph.ends[0] if evolved.base else ""
    merged = graph.based("merged", evolved.method, ends, base, params)
    return Family(graph.output(merged, f"{method} of {', '.join(titles)}"), tuple(coords), "genome")
