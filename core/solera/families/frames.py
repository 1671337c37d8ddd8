"""Lines through two models and planes through three.

The plane is in the frame of Garipov et al. 2018 (arXiv 1802.10026): its first axis runs from a to b, the second is
the part of c - a at right angles to it. A point is ``a + alpha*(b - a) + beta*((c - a) - k*(b - a))``, with distances
``x = alpha*dx`` and ``y = beta*dy``; a lies at (0, 0), b at (1, 0), c at (k, 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.geometry import Geometry
from solera.families.products import inner_products
from solera.params import Value, Var
from solera.recipes.join import join, unused
from solera.recipes.nodes import Node, Recipe, SumNode, Term

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.methods.spec import MethodSpec

#: Checkpoints by the id of their node, or what opens those of a recipe.
Checkpoints = Mapping[str, "Checkpoint"] | Callable[[Recipe], Mapping[str, "Checkpoint"]]

#: How far a picture reaches beyond the models that span it.
MARGIN = 0.2

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
    nodes, ends = _joined((a, b))
    first, second = _labels((a, b), ends, names)
    scale = 1.0
    if checkpoints is not None:
        found = inner_products(Recipe(nodes), ends, _opened(checkpoints, nodes), methods or {})
        scale = _length(found.uu, first, second)
    coord = Coord("t", 0.0 - margin, 1.0 + margin, f"{first} to {second}")
    graph = _Graph(nodes)
    toward = graph.add("toward", (ends[1], 1.0), (ends[0], -1.0))
    recipe = graph.blend(ends[0], ((toward, coord),), f"{first} to {second}", a.dtype)
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
    nodes, ends = _joined((a, b, c))
    first, second, third = _labels((a, b, c), ends, names)
    found = inner_products(Recipe(nodes), ends, _opened(checkpoints, nodes), methods or {})
    dx = _length(found.uu, first, second)
    k, dy = found.uv / found.uu, math.sqrt(found.height)
    if dy < COLLINEAR * dx:
        raise InputError(
            f"{first}, {second} and {third} lie on one line (the third is {dy:.3g} away from it, the first two are "
            f"{dx:.3g} apart), so they span no plane. Choose another model, or explore the line.",
            dx=dx,
            dy=dy,
        )
    alpha = Coord("alpha", min(0.0, k) - margin, max(1.0, k) + margin, f"{first} to {second}")
    beta = Coord("beta", 0.0 - margin, 1.0 + margin, f"toward {third}")
    graph = _Graph(nodes)
    across = graph.add("across", (ends[1], 1.0), (ends[0], -1.0))
    aside = graph.add("aside", (ends[2], 1.0), (ends[0], -1.0))
    upright = graph.add("upright", (aside, 1.0), (across, -k))
    recipe = graph.blend(ends[0], ((across, alpha), (upright, beta)), f"{first}, {second}, {third}", a.dtype)
    points = {first: (0.0, 0.0), second: (1.0, 0.0), third: (k, 1.0)}
    return Family(recipe, (alpha, beta), "plane", points, Geometry((dx, dy), points))


class _Graph:
    """Nodes to which sums are added under ids that are still free."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = list(nodes)

    def add(self, wanted: str, *terms: tuple[str, Value]) -> str:
        """Append the sum of ``(node, coefficient)``; returns its id."""
        id_ = unused(wanted, [node.id for node in self._nodes])
        self._nodes.append(SumNode(id_, tuple(Term(node, coefficient) for node, coefficient in terms)))
        return id_

    def blend(self, origin: str, axes: Sequence[tuple[str, Coord]], name: str, dtype: str) -> Recipe:
        """The recipe ``origin + sum of coordinate * direction``, standing at the origin until someone chooses."""
        steps = [(node, Var(coord.name, coord.low, coord.high, 0.0)) for node, coord in axes]
        output = self.add("point", (origin, 1.0), *steps)
        return Recipe(tuple(self._nodes), output, dtype, name)


def _joined(recipes: Sequence[Recipe]) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """The nodes of all ends side by side, and the id of each; every end must be one model."""
    for recipe in recipes:
        if recipe.variables:
            free = ", ".join(var.name for var in recipe.variables)
            raise InputError(
                f"'{recipe.name or recipe.output}' has free variables ({free}); give them values before making it an "
                "end of a line or plane.",
                variables=free,
            )
    return join(recipes)


def _opened(checkpoints: Checkpoints, nodes: Sequence[Node]) -> Mapping[str, Checkpoint]:
    return checkpoints(Recipe(tuple(nodes))) if callable(checkpoints) else checkpoints


def _labels(recipes: Sequence[Recipe], ends: Sequence[str], names: Sequence[str]) -> list[str]:
    """What the ends are called: the names given, else the recipes' own, each once."""
    if names and len(names) != len(ends):
        raise InputError(f"{len(ends)} models need {len(ends)} names; got {len(names)}.")
    wanted = names or [recipe.name or end for recipe, end in zip(recipes, ends, strict=True)]
    labels: list[str] = []
    for name in wanted:
        labels.append(unused(name, labels))
    return labels


def _length(squared: float, first: str, second: str) -> float:
    if not squared > 0:
        raise InputError(f"{first} and {second} hold the same weights, so there is no line between them.")
    return math.sqrt(squared)
