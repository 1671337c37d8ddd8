"""Random directions around a model: pictures after Li et al. 2018, and random subspaces for searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np

from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.geometry import Geometry
from solera.families.graph import Graph, Source
from solera.params import Param, Value
from solera.recipes.nodes import Recipe
from solera.recipes.order import reference
from solera.seeds import Seed

#: Architectures, by ``model_type`` of their config, whose layers lay outputs along the second axis: which tensors.
TRANSPOSED = {"gpt2": "*.c_attn.weight, *.c_proj.weight, *.c_fc.weight"}

_LETTERS = ("alpha", "beta", "gamma", "delta")

Frozen = Annotated[str, Param(help="Globs, with commas between, of tensors that stay where they are.")]
SeedParam = Annotated[int, Param(help="Which directions; any whole number.")]


def random_directions(
    models: Sequence[Recipe],
    source: Source,
    *,
    dimensions: Annotated[int, Param(1, 4, help="How many directions.")] = 2,
    seed: SeedParam = 0,
    normalise: Annotated[
        Literal["filter", "layer", "weight", "none"], Param(help="What each part of a direction is brought to.")
    ] = "filter",
    vectors: Annotated[
        Literal["zero", "weight", "noise"],
        Param(help="What biases and norms do: stay, move along themselves, or at random."),
    ] = "zero",
    reach: Annotated[float, Param(1e-6, 1e6, help="How far to go along each direction, both ways.")] = 1.0,
    frozen: Frozen = "",
    transposed: Annotated[str, Param(help="Globs of tensors whose outputs lie along the second axis.")] = "",
) -> Family:
    """Random directions around a model, filter by filter as long as its weights.

    The rules are those of :mod:`solera.methods.directions`. The directions are drawn independently and not made
    orthogonal; the cosines between them are among the family's facts, and true distances account for them.

    Args:
        models: One, without free variables: the centre.
        source: What reads it; its weights are read to measure the directions.
        dimensions: How many directions.
        seed: Which.
        normalise: See the method ``random_direction``.
        vectors: Likewise.
        reach: Bounds of each coordinate, both ways.
        frozen: Globs of what does not move.
        transposed: Globs of what has its filters along the second axis; for GPT-2 known by its config.

    Raises:
        InputError: The model has free variables.
        NumericError: A weight is NaN or infinite.
    """
    rules = {"normalise": normalise, "vectors": vectors, "frozen": frozen, "transposed": transposed}
    if not transposed:
        rules["transposed"] = _known_layout(models[0], source)
    said: dict[str, Value] = {key: value for key, value in rules.items() if value}
    given = [("random_direction", {"seed": seed_of(seed, i), **said}) for i in range(dimensions)]
    names = [_LETTERS[i] for i in range(dimensions)]
    return _around(models[0], source, given, names, reach, "directions", {"seed": seed, **rules})


def subspace(
    models: Sequence[Recipe],
    source: Source,
    *,
    dimensions: Annotated[int, Param(1, 100_000, help="How many coordinates.")] = 10,
    law: Annotated[
        Literal["dense", "fastfood"],
        Param(help="Columns of normal numbers, each of length 1, or of a fast transform that costs less to make."),
    ] = "dense",
    seed: SeedParam = 0,
    reach: Annotated[
        float, Param(1e-9, 1e9, help="Bounds of each coordinate, both ways: a distance in weight space.")
    ] = 1.0,
    frozen: Frozen = "",
) -> Family:
    """A random subspace through a model: ``theta_0 + P z`` with few coordinates z.

    Args:
        models: One, without free variables: ``theta_0``.
        source: What reads it.
        dimensions: How many coordinates. Every direction is held in memory while a landscape is evaluated.
        law: ``"dense"`` (Li et al. 2018, arXiv 1804.08838) or ``"fastfood"``; all weights move, biases and norms too.
        seed: Which subspace.
        reach: Bounds of each coordinate, both ways.
        frozen: Globs of what does not move.

    Raises:
        InputError: The model has free variables.
    """
    names = [f"z{i}" for i in range(dimensions)]
    left: dict[str, Value] = {"frozen": frozen} if frozen else {}
    if law == "dense":
        same: dict[str, Value] = {"normalise": "unit", "vectors": "noise", **left}
        given = [("random_direction", {"seed": seed_of(seed, i), **same}) for i in range(dimensions)]
    else:
        given = [("fastfood", {"seed": seed_of(seed, 0), "index": i, **left}) for i in range(dimensions)]
    return _around(models[0], None, given, names, reach, "subspace", {"seed": seed, "law": law, "frozen": frozen})


def seed_of(seed: int, index: int) -> int:
    """The seed of one direction, exact as a float (53 bits), for that is what parameters are stored as."""
    return Seed(seed).child("direction", str(index)).integer() >> 10


def _around(
    model: Recipe, source: Source | None, given: Sequence[tuple[str, dict[str, Value]]], names: Sequence[str],
    reach: float, kind: Literal["directions", "subspace"], facts: dict[str, Any],
) -> Family:  # fmt: skip
    graph = Graph([model])
    (centre,), (label,) = graph.ends, graph.labels
    coords = tuple(
        Coord(name, -reach, reach, f"direction {i + 1}", "filter norms" if kind == "directions" else "")
        for i, name in enumerate(names)
    )
    nodes = [graph.method(f"direction_{i + 1}", method, [centre], **params) for i, (method, params) in enumerate(given)]
    title = f"random directions around {label}" if kind == "directions" else f"a random subspace through {label}"
    recipe = graph.blend(centre, list(zip(nodes, coords, strict=True)), title)
    geometry = None
    if source is not None:
        products = _products(recipe, nodes, centre, source)
        lengths = np.sqrt(np.diag(products))
        cosines = products / np.maximum(np.outer(lengths, lengths), 1e-300)
        facts |= {"lengths": lengths.tolist(), "cosines": cosines.tolist()}
        if np.linalg.eigvalsh(products)[0] > 0:
            geometry = Geometry(tuple(lengths.tolist()), {}, tuple(tuple(row) for row in products.tolist()))
    return Family(recipe, coords, kind, {label: (0.0,) * len(coords)}, geometry, facts=facts)


def _products(
    recipe: Recipe, nodes: Sequence[str], centre: str, source: Source
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Inner products of the directions, measured between the centre and the points one unit along each."""
    from solera.families.products import gram
    from solera.recipes.nodes import SumNode, Term

    ends = [SumNode(f"{node}__end", (Term(centre), Term(node))) for node in nodes]
    whole = Recipe((*recipe.nodes, *ends), recipe.output)
    return gram(whole, [centre, *(end.id for end in ends)], source.opened(recipe.nodes), source.methods)


def _known_layout(model: Recipe, source: Source) -> str:
    """The tensors that an architecture is known to lay out the other way."""
    config = source.opened(model.nodes)[reference(model)].config
    return TRANSPOSED.get(str(config.get("model_type", "")), "")
