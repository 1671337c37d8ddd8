"""Geometric median: the point with the least total distance to the models."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Annotated, Literal

from torch import Tensor

from solera.api import InputError, Param, Passes, bricks, method, reductions
from solera_plugins.merging.sums import weighted_sum


def inner_products(passes: Passes, **_: object) -> list[list[float]]:
    """Inner products over the whole model of what each one differs by from the first."""
    total: list[list[float]] = []
    for _name, tensors in passes:
        count = len(tensors)
        total = total or [[0.0] * count for _ in range(count)]
        apart = [tensor - tensors[0] for tensor in tensors]
        for i in range(1, count):
            for j in range(1, i + 1):
                total[i][j] += reductions.dot(apart[i], apart[j])
                total[j][i] = total[i][j]
    return total


@method(
    "geometric_median",
    title="Geometric median",
    takes="any",
    granularity="tensor",
    prepare=inner_products,
    prepare_when=lambda params: params["scope"] == "model",
    paper="Pillutla et al. 2022, Robust aggregation for federated learning; Weiszfeld 1937",
    url="https://arxiv.org/abs/1912.13445",
    also={
        "RFA (robust federated aggregation)": "weight: how many samples each client trained on",
    },
)
def geometric_median(
    tensors: list[Tensor],
    *,
    weight: Annotated[
        tuple[float, ...], Param(0.0, per_model=True, step=0.05, search=(0.0, 1.0), help="Say of each model.")
    ] = (1.0,),
    scope: Annotated[
        Literal["tensor", "model"], Param(help="Distances over the model as one vector, or tensor by tensor.")
    ] = "model",
    iterations: Annotated[int, Param(1, 100_000, help="Most steps.")] = 200,
    tolerance: Annotated[float, Param(0.0, 1.0, log=True, help="Stop when no model's share changes by more.")] = 1e-9,
    state: list[list[float]] | None = None,
) -> Tensor:
    """Minimise ``sum_i w_i |W - W_i|`` by Weiszfeld's steps.

    ``W <- sum_i s_i W_i`` with shares ``s_i`` in proportion to ``w_i / |W - W_i|``, from the weighted average on. Less
    than half of the weight cannot carry it away. It needs inner products only. Where the median is one of the models,
    the steps come near it slowly.

    Args:
        tensors: One per model, one whole tensor, any one shape.
        weight: Per model.
        scope: What distances are taken over.
        iterations: Most steps.
        tolerance: When to stop.
        state: Inner products over the model.

    Raises:
        InputError: The weights total 0.

    Pitfalls:
        - Half of the weight or more can carry it anywhere.
    """
    if sum(weight) <= 0:
        raise InputError(f"The weights {list(weight)} of a geometric median must total more than 0.")
    products = bricks.gram([tensor - tensors[0] for tensor in tensors]) if state is None else state
    return weighted_sum(tensors, shares(products, weight, iterations, tolerance))


def shares(
    products: Sequence[Sequence[float]], weight: Sequence[float], iterations: int, tolerance: float
) -> list[float]:
    """How much of each model is in the median."""
    every = range(len(weight))
    found = [w / sum(weight) for w in weight]
    size = max(products[i][i] for i in every)
    floor = 1e-12 * sqrt(size)
    if floor == 0:
        return found
    for _ in range(iterations):
        along = [sum(products[i][j] * found[j] for j in every) for i in every]
        own = sum(found[i] * along[i] for i in every)
        apart = [max(sqrt(max(own - 2 * along[i] + products[i][i], 0.0)), floor) for i in every]
        pulls = [w / distance for w, distance in zip(weight, apart, strict=True)]
        new = [pull / sum(pulls) for pull in pulls]
        moved = max(abs(a - b) for a, b in zip(new, found, strict=True))
        found = new
        if moved <= tolerance:
            break
    return found
