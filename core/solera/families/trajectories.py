"""The plane that a training run's checkpoints spread in most, by principal components.

Checkpoints are few and weights are many, so everything is found from the inner products of the checkpoints' differences
from the last one. The components are those of the differences about their mean, as in the published pictures (Li et al.
2018), though the plane passes through the last checkpoint: coordinates are true distances from it along unit vectors.
The other checkpoints do not lie in the plane; how far each is from it is part of the family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.family import Family, Stop
from solera.families.geometry import Geometry
from solera.families.graph import Graph, Source
from solera.params import Param
from solera.recipes.nodes import Recipe

_Array = NDArray[np.float64]

#: Below this share of the first component's spread a second one is rounding.
_FLAT = 1e-12

#: What a person should know of every such picture.
CAUTION = "Only the last checkpoint lies in the plane. Random walks in many dimensions, too, give smooth curves here."


@dataclass(frozen=True, slots=True)
class Principal:
    """Principal components of vectors that are known by their inner products.

    Attributes:
        coefficients: Component k is ``sum_i coefficients[k, i] * vector_i``, a unit vector; shape (k, n).
        coords: Where each vector lies along the components, from the origin; shape (n, k).
        variance: Share of the spread about the mean that each component explains.
        energy: Share of the squared lengths that each principal direction of the vectors themselves, not centred,
            holds; of the first three.
        off: Of each vector, the length outside the components over its whole length; 0 for a vector of length 0.
    """

    coefficients: _Array
    coords: _Array
    variance: tuple[float, ...]
    energy: tuple[float, ...]
    off: tuple[float, ...]


def principal(products: _Array, count: int = 2) -> Principal:
    """The principal components of vectors, about their mean.

    Args:
        products: Inner products of the vectors, shape (n, n), float64.
        count: How many components.

    Raises:
        InputError: The vectors spread in fewer dimensions.
    """
    n = len(products)
    centring = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(centring @ products @ centring)
    values, vectors = values[::-1], vectors[:, ::-1]
    spread = int(np.sum(values > _FLAT * max(values[0], 0.0)))
    if spread < count or not values[0] > 0:
        raise InputError(
            f"These checkpoints spread in {spread if values[0] > 0 else 0} dimension{'' if spread == 1 else 's'}, so "
            f"they span no plane; take {count + 1} or more that do not lie on one line, or explore the line.",
            dimensions=spread,
        )
    coefficients = (centring @ vectors[:, :count] / np.sqrt(values[:count])).T
    coords = products @ coefficients.T
    coefficients, coords = _signed(coefficients, coords)
    lengths = np.sqrt(np.maximum(np.diag(products), 0.0))
    outside = np.sqrt(np.maximum(np.diag(products) - np.square(coords).sum(axis=1), 0.0))
    whole = np.linalg.eigvalsh(products)[::-1]
    return Principal(
        coefficients,
        coords,
        tuple((values[:count] / values[values > 0].sum()).tolist()),
        tuple((whole[: min(3, n)] / whole[whole > 0].sum()).tolist()),
        tuple(np.divide(outside, lengths, out=np.zeros(n), where=lengths > 0).tolist()),
    )


def _signed(coefficients: _Array, coords: _Array) -> tuple[_Array, _Array]:
    """Each component turned so that the first vector that is not at the origin along it has a negative coordinate."""
    for k in range(len(coefficients)):
        first = coords[np.argmax(np.abs(coords[:, k]) > 1e-12 * np.abs(coords[:, k]).max()), k]
        if first > 0:
            coefficients[k], coords[:, k] = -coefficients[k], -coords[:, k]
    return coefficients, coords


def trajectory(
    models: Sequence[Recipe],
    source: Source,
    *,
    margin: Annotated[
        float, Param(0.0, 100.0, step=0.05, help="How far to go beyond the path, as a share of its extent.")
    ] = 0.2,
) -> Family:
    """The plane a training run spreads in most, through its last checkpoint, with the run's path.

    Args:
        models: Three checkpoints or more, without free variables, in order of training.
        source: What reads them; all their weights are read once.
        margin: How far bounds lie beyond the path, as a share of its extent along each axis.

    Raises:
        InputError: There are fewer than three, or they lie on one line.
        MismatchError: Their tensors do not fit each other.
        NumericError: A weight is NaN or infinite.
    """
    graph = Graph(models)
    last = graph.ends[-1]
    if len(set(graph.ends)) < len(graph.ends):
        twice = sorted(
            {label for label, end in zip(graph.labels, graph.ends, strict=True) if graph.ends.count(end) > 1}
        )
        raise InputError(f"{' and '.join(twice)} are one and the same checkpoint; name each once.", models=twice)
    found = principal(_products(graph, source))
    deltas = [graph.add(f"{end}_delta", (end, 1.0), (last, -1.0)) for end in graph.ends[:-1]]
    axes = [
        graph.add(name, *((delta, float(share)) for delta, share in zip(deltas, row[:-1], strict=True)))
        for name, row in zip(("pc1", "pc2"), found.coefficients, strict=True)
    ]
    coords = tuple(_axis(i, found, margin) for i in range(2))
    recipe = graph.blend(last, list(zip(axes, coords, strict=True)), f"The run to {graph.labels[-1]}")
    path = tuple(
        Stop(label, (float(at[0]), float(at[1])), off)
        for label, at, off in zip(graph.labels, found.coords, found.off, strict=True)
    )
    facts: dict[str, Any] = {
        "explained_variance": list(found.variance),
        "energy": list(found.energy),
        "largest_off": max(found.off),
        "caution": CAUTION,
    }
    origin = {graph.labels[-1]: (0.0, 0.0)}
    return Family(recipe, coords, "trajectory", origin, Geometry((1.0, 1.0), {}), path=path, facts=facts)


def _products(graph: Graph, source: Source) -> _Array:
    """Inner products of all differences from the last checkpoint, itself among them."""
    from solera.families.products import gram

    recipe = graph.recipe
    ends = [graph.ends[-1], *graph.ends[:-1]]
    n = len(ends)
    found = np.zeros((n, n))
    found[:-1, :-1] = gram(recipe, ends, source.opened(recipe.nodes), source.methods)
    return found


def _axis(i: int, found: Principal, margin: float) -> Coord:
    low, high = float(found.coords[:, i].min()), float(found.coords[:, i].max())
    beyond = margin * (high - low)
    title = f"component {i + 1} ({found.variance[i]:.1%} of the spread)"
    return Coord(("x", "y")[i], low - beyond, high + beyond, title, "distance")
