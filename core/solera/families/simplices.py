"""Blends of n models, and soups of some of them.

A blend of n models is ``theta = sum_i c_i theta_i`` with shares ``c_i >= 0`` that total 1. It has n - 1 coordinates:
the shares of all models but the first, whose share is what they leave. So written a recipe is affine in its variables,
no two points are the same weights, and a plain box of numbers has no redundant direction. Which points of the box are
blends the family's region says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from solera.errors import InputError, NumericError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.geometry import Geometry
from solera.families.graph import Graph, Source, several
from solera.families.region import Region
from solera.params import Param, PerModel, Var
from solera.recipes.nodes import Recipe

#: What the blend of equal shares is called.
UNIFORM = "uniform soup"

#: Models whose differences have a smaller ratio of extreme singular values are taken not to span their simplex.
DEPENDENT = 1e-6


def simplex(
    models: Sequence[Recipe],
    source: Source,
    *,
    margin: Annotated[
        float, Param(0.0, 10.0, step=0.05, help="How far a share may lie below 0; pictures and searches reach so far.")
    ] = 0.0,
) -> Family:
    """Blends of n models: their shares total 1. With three models it is the soup triangle.

    Args:
        models: Two or more, without free variables.
        source: What reads them; all their weights are read once to measure distances.
        margin: How far a share may lie below 0.

    Raises:
        InputError: There are fewer than two, or one is a blend of the others.
        MismatchError: Their tensors do not fit each other.
        NumericError: A weight is NaN or infinite.
    """
    graph = several(models)
    products = _measured(graph, source)
    first, *others = graph.labels
    coords = tuple(
        Coord(f"share_{id_}", 0.0 - margin, 1.0 + margin, f"share of {label}")
        for id_, label in zip(graph.ends[1:], others, strict=True)
    )
    axes = [graph.add(f"{end}_delta", (end, 1.0), (graph.ends[0], -1.0)) for end in graph.ends[1:]]
    recipe = graph.blend(graph.ends[0], list(zip(axes, coords, strict=True)), f"Blends of {graph.models}")
    count = len(coords)
    corners = {first: (0.0,) * count}
    corners |= {label: tuple(float(i == j) for j in range(count)) for i, label in enumerate(others)}
    scale = tuple(math.sqrt(products[i, i]) for i in range(count))
    geometry = Geometry(scale, corners, tuple(tuple(map(float, row)) for row in products))
    labels = {**corners, UNIFORM: (1.0 / len(graph.labels),) * count}
    return Family(recipe, coords, "simplex", labels, geometry, Region("simplex", margin))


def subset(models: Sequence[Recipe], source: Source) -> Family:
    """Which of n models are in a soup of equal shares; a coordinate, 0 or 1, for each.

    Args:
        models: Two or more, without free variables.
        source: What reads them; all their weights are read once to measure distances.

    Raises:
        InputError: There are fewer than two.
    """
    graph = several(models)
    coords = tuple(
        Coord(f"takes_{id_}", 0.0, 1.0, f"takes {label}", kind="whole")
        for id_, label in zip(graph.ends, graph.labels, strict=True)
    )
    weights = PerModel(tuple(Var(coord.name, 0.0, 1.0, 1.0) for coord in coords))
    soup = graph.method("soup", "linear", graph.ends, weight=weights, normalize=True)
    recipe = graph.output(soup, f"Soups of {graph.models}")
    count = len(coords)
    labels = {label: tuple(float(i == j) for j in range(count)) for i, label in enumerate(graph.labels)}
    named = {**labels, UNIFORM: (1.0,) * count}
    return Family(recipe, coords, "subset", named, region=Region("subset"), facts=_distances(graph, source))


def _distances(graph: Graph, source: Source) -> dict[str, Any]:
    """How the models lie to each other, for pictures: inner products of the differences from the first, row by row.

    Nothing where a model has weights that are not finite: it is left out of soups, for want of a score, and not here.
    """
    from solera.families.products import gram

    try:
        found = gram(graph.recipe, graph.ends, source.opened(graph.recipe.nodes), source.methods)
    except NumericError:
        return {}
    return {"products": [list(map(float, row)) for row in found]}


def _measured(graph: Graph, source: Source) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The inner products of the differences from the first model.

    Raises:
        InputError: A model is a blend of the others.
    """
    from solera.families.products import gram

    recipe = graph.recipe
    found = gram(recipe, graph.ends, source.opened(recipe.nodes), source.methods)
    values, vectors = np.linalg.eigh(found)
    if not values[0] > DEPENDENT**2 * values[-1]:
        odd = graph.labels[1 + int(np.argmax(np.abs(vectors[:, 0])))]
        raise InputError(
            f"{odd} is a blend of the other models (it lies where they span, within {DEPENDENT:g} of their size), so "
            "different shares give the same weights. Leave it out.",
            model=odd,
        )
    return np.asarray(found, dtype=np.float64)
