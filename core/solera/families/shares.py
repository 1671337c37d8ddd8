"""Averages of models whose shares are free: by model, by layer or by tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.graph import Source, several
from solera.families.groups import Groups, layer_blocks
from solera.params import Param, PerModel, Rules, Var
from solera.recipes.nodes import Recipe

By = Literal["model", "layer", "tensor"]


def shares(
    models: Sequence[Recipe],
    source: Source,
    *,
    by: Annotated[
        By, Param(help="What has a share of its own: a model, each of its layers, or each tensor.")
    ] = "model",
) -> Family:
    """Averages of n models with a share for each, or for each and layer or tensor; a common factor changes nothing.

    Args:
        models: Two or more, without free variables.
        source: What reads them.
        by: What has a share of its own.

    Raises:
        InputError: There are fewer than two, or layers are wanted and there are none.
    """
    graph = several(models)
    groups = _groups(source.names(graph), by) if by != "model" else (("", ()),)
    coords = tuple(
        Coord(_joined(f"share_{end}", str(g) if by != "model" else ""), 0.0, 1.0, _titled(f"share of {label}", group))
        for end, label in zip(graph.ends, graph.labels, strict=True)
        for g, (group, _) in enumerate(groups)
    )
    values = iter(Var(coord.name, 0.0, 1.0, 1.0) for coord in coords)
    weights = []
    for _ in graph.ends:
        own = [next(values) for _ in groups]
        rules = tuple((glob, var) for var, (_, globs) in zip(own, groups, strict=True) for glob in globs)
        weights.append(Rules(rules[:-1], own[-1]) if rules else own[0])
    soup = graph.method("soup", "linear", graph.ends, weight=PerModel(tuple(weights)), normalize=True)
    recipe = graph.output(soup, f"averages of {graph.models}")
    width = len(groups)
    labels = {label: tuple(float(k // width == i) for k in range(len(coords))) for i, label in enumerate(graph.labels)}
    return Family(recipe, coords, "shares", labels)


def _groups(names: Sequence[str], by: By) -> Groups:
    return tuple((name, (name,)) for name in names) if by == "tensor" else layer_blocks(names, 0)


def _joined(*parts: str) -> str:
    return "_".join(part for part in parts if part)


def _titled(title: str, group: str) -> str:
    return f"{title}, {group}" if group else title
