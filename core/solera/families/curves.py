"""Polylines and Bezier curves through models; a point of either is one weighted average of a few models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.family import Family, Stop
from solera.families.graph import Graph, Source
from solera.params import Param, PerModel, Var
from solera.recipes.nodes import Recipe


def polyline(
    models: Sequence[Recipe],
    source: Source,
    *,
    by: Annotated[
        Literal["index", "length"],
        Param(help="What the coordinate counts: models, 0 to n - 1, or the distance in weight space from the first."),
    ] = "index",
) -> Family:
    """Straight lines from each model to the next.

    Args:
        models: Two or more, without free variables, in order.
        source: What reads them; with ``by="length"`` all their weights are read once.
        by: ``"index"``: model i lies at i. ``"length"``: it lies at the length of the way to it, so that equal steps of
            the coordinate are equal distances.

    Raises:
        InputError: There are fewer than two, or neighbours hold the same weights.
        MismatchError: Their tensors do not fit each other.
        NumericError: A weight is NaN or infinite.
    """
    graph = Graph(models)
    if len(graph.ends) < 2:
        raise InputError(f"A polyline goes through two models or more; got {len(graph.ends)}.")
    same = [i for i in range(len(graph.ends) - 1) if graph.ends[i] == graph.ends[i + 1]]
    if same:
        raise InputError(f"The polyline stands still: '{graph.labels[same[0]]}' follows itself.")
    knots = _lengths(graph, source) if by == "length" else tuple(map(float, range(len(graph.ends))))
    title = "distance from the first model" if by == "length" else "place in the polyline"
    coord = Coord("t", 0.0, knots[-1], title)
    t = Var(coord.name, coord.low, coord.high, 0.0)
    point = graph.method("point", "polyline", graph.ends, knot=PerModel(knots), t=t)
    recipe = graph.output(point, f"through {graph.models}")
    labels = {label: (knot,) for label, knot in zip(graph.labels, knots, strict=True)}
    path = tuple(Stop(label, at) for label, at in labels.items())
    return Family(recipe, (coord,), "polyline", labels, path=path, facts={"by": by})


def curve(
    models: Sequence[Recipe],
    source: Source,
    *,
    kind: Annotated[
        Literal["bezier", "polyline"], Param(help="A Bezier curve with the bends as control points, or straight lines.")
    ] = "bezier",
) -> Family:
    """The curve from the first model to the last; those between are its bends (Garipov et al. 2018).

    Args:
        models: Two ends and one bend or more between them, without free variables.
        source: What reads them; all their weights are read once, for distances along the curve.
        kind: Of curve. A polyline's bends lie at even steps of the coordinate, as in the paper.

    Raises:
        InputError: There are fewer than three, or the ends hold the same weights.
        MismatchError: Their tensors do not fit each other.
        NumericError: A weight is NaN or infinite.
    """
    graph = Graph(models)
    products = _products(graph, source)
    if not products[-1, -1] > 0:
        raise InputError(f"{graph.labels[0]} and {graph.labels[-1]} hold the same weights; a curve joins two models.")
    first, last = graph.labels[0], graph.labels[-1]
    coord = Coord("t", 0.0, 1.0, f"{first} to {last}")
    point = graph.method("point", kind, graph.ends, t=Var(coord.name, 0.0, 1.0, 0.0))
    recipe = graph.output(point, f"{first} to {last} by {', '.join(graph.labels[1:-1])}")
    facts = {"kind": kind, "products": products.tolist()}
    return Family(recipe, (coord,), "curve", {first: (0.0,), last: (1.0,)}, facts=facts)


def shares(kind: str, t: float, count: int) -> list[float]:
    """The shares of a curve's models at a point: of a ``"bezier"`` curve or a ``"polyline"`` with even steps."""
    from solera.methods.curves import bernstein, hats

    return bernstein(t, count) if kind == "bezier" else hats(t, [1.0] * count)


def steps(family: Family, at: Sequence[float]) -> list[float]:
    """The distance in weight space from each point of a curve to the next, as the crow flies.

    Args:
        family: Of kind ``"curve"``.
        at: Its coordinate at each point, in order.
    """
    products = np.asarray(family.facts["products"], dtype=np.float64)
    rows = np.array([shares(str(family.facts["kind"]), t, len(products)) for t in at])
    moves = np.diff(rows, axis=0)
    return [float(math.sqrt(max(move @ products @ move, 0.0))) for move in moves]


def _products(graph: Graph, source: Source) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Inner products of all models' differences from the first, itself among them."""
    from solera.families.products import gram

    recipe = graph.recipe
    found = np.zeros((len(graph.ends), len(graph.ends)))
    found[1:, 1:] = gram(recipe, graph.ends, source.opened(recipe.nodes), source.methods)
    return found


def _lengths(graph: Graph, source: Source) -> tuple[float, ...]:
    """How far each model lies along the polyline."""
    whole = _products(graph, source)
    lengths = [0.0]
    for i in range(len(graph.ends) - 1):
        squared = whole[i, i] + whole[i + 1, i + 1] - 2 * whole[i, i + 1]
        if not squared > 1e-14 * max(whole[i, i], whole[i + 1, i + 1]):
            raise InputError(f"{graph.labels[i]} and {graph.labels[i + 1]} hold the same weights; leave one out.")
        lengths.append(lengths[-1] + math.sqrt(squared))
    return tuple(lengths)
