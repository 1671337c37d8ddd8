"""Lines through two models and planes through three.

The plane is in the frame of Garipov et al. 2018 (arXiv 1802.10026): its first axis runs from a to b, the second is
the part of c - a at right angles to it. A point is ``a + alpha*(b - a) + beta*((c - a) - k*(b - a))``, with distances
``x = alpha*dx`` and ``y = beta*dy``; a lies at (0, 0), b at (1, 0), c at (k, 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.geometry import Geometry
from solera.families.graph import Checkpoints, Graph, Source
from solera.params import Param
from solera.recipes.nodes import Recipe

if TYPE_CHECKING:
    from solera.families.products import Products
    from solera.methods.spec import MethodSpec

#: How far a picture reaches beyond the models that span it.
MARGIN = 0.2

#: The parameter of that name.
Margin = Annotated[float, Param(0.0, step=0.05, help="How far to go beyond the models, in units of each axis.")]

#: Below this ratio of dy to dx three models are taken to lie on one line.
COLLINEAR = 1e-6


def line(
    a: Recipe,
    b: Recipe,
    checkpoints: Checkpoints | None = None,
    methods: Mapping[str, MethodSpec] | None = None,
    *,
    margin: float = 0.0,
    names: Sequence[str] = (),
) -> Family:
    """``a + t*(b - a)``, from a at t = 0 to b at t = 1.

    Args:
        a: Weights, without free variables.
        b: Weights, without free variables.
        checkpoints: If given, the length of the line is measured; else its unit is its own length.
        methods: The registered methods, needed to measure when an end is made by one.
        margin: How far to go beyond both ends.
        names: Labels of the ends; from the recipes if empty.

    Raises:
        InputError: An end has free variables or no output, or both hold the same weights.
        MismatchError: Their tensors do not fit each other.
    """
    graph = Graph((a, b), names)
    ends, (first, second) = graph.ends, graph.labels
    scale = 1.0
    if checkpoints is not None:
        scale = _length(_products(graph, Source(checkpoints, methods or {})).uu, first, second)
    coord = Coord("t", 0.0 - margin, 1.0 + margin, f"{first} to {second}")
    toward = graph.add("toward", (ends[1], 1.0), (ends[0], -1.0))
    recipe = graph.blend(ends[0], ((toward, coord),), f"{first} to {second}")
    points = {first: (0.0,), second: (1.0,)}
    return Family(recipe, (coord,), "line", points, Geometry((scale,), points))


def plane(
    a: Recipe,
    b: Recipe,
    c: Recipe,
    checkpoints: Checkpoints,
    methods: Mapping[str, MethodSpec] | None = None,
    *,
    margin: float = MARGIN,
    names: Sequence[str] = (),
) -> Family:
    """The plane through three models, the line from a to b its first axis.

    Args:
        a: Weights at (0, 0), without free variables.
        b: Weights at (1, 0), without free variables.
        c: Weights at (k, 1), without free variables.
        checkpoints: What the recipes read; all their weights are read once to measure k, dx and dy.
        methods: The registered methods, needed when one of the three is made by one.
        margin: How far to go beyond the outermost of the three, in units of each axis.
        names: Labels of the three; from the recipes if empty.

    Raises:
        InputError: One has free variables or no output, two hold the same weights, or the three lie on a line.
        MismatchError: Their tensors do not fit each other.
    """
    graph = Graph((a, b, c), names)
    ends, (first, second, third) = graph.ends, graph.labels
    found = _products(graph, Source(checkpoints, methods or {}))
    dx = _length(found.uu, first, second)
    k, dy = found.uv / found.uu, math.sqrt(found.height)
    if dy < COLLINEAR * dx:
        angle = math.degrees(math.atan2(dy, k * dx))
        raise InputError(
            f"{first}, {second} and {third} lie on one line (seen from the first, the angle between the other two is "
            f"{angle:.3g} degrees; the third is {dy:.3g} away from the line, the first two are {dx:.3g} apart), so "
            "they span no plane. Choose another model, or explore the line.",
            dx=dx,
            dy=dy,
            angle=angle,
        )
    alpha = Coord("alpha", min(0.0, k) - margin, max(1.0, k) + margin, f"{first} to {second}")
    beta = Coord("beta", 0.0 - margin, 1.0 + margin, f"toward {third}")
    across = graph.add("across", (ends[1], 1.0), (ends[0], -1.0))
    aside = graph.add("aside", (ends[2], 1.0), (ends[0], -1.0))
    upright = graph.add("upright", (aside, 1.0), (across, -k))
    recipe = graph.blend(ends[0], ((across, alpha), (upright, beta)), f"{first}, {second}, {third}")
    points = {first: (0.0, 0.0), second: (1.0, 0.0), third: (k, 1.0)}
    return Family(recipe, (alpha, beta), "plane", points, Geometry((dx, dy), points))


def _products(graph: Graph, source: Source) -> Products:
    from solera.families.products import inner_products

    recipe = graph.recipe
    return inner_products(recipe, graph.ends, source.opened(recipe.nodes), source.methods)


def _length(squared: float, first: str, second: str) -> float:
    if not squared > 0:
        raise InputError(f"{first} and {second} hold the same weights, so there is no line between them.")
    return math.sqrt(squared)
