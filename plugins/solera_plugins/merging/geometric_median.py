"""Geometric median: the point with the least total distance to the models."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Annotated, Literal

from torch import Tensor

from solera.api import HeldPasses, InputError, Param, Passes, method, reductions
from solera_plugins.merging.sums import weighted_sum


def survey(passes: Passes, *, weight: tuple[float, ...], iterations: int, tolerance: float, **_: object) -> list[float]:
    """How much of each model is in the median, from the inner products of what each differs by from the first."""
    products: reductions.Gram | None = None
    for _name, tensors in passes:
        products = products or reductions.Gram(len(tensors))
        products.add([tensor - tensors[0] for tensor in tensors])
    return shares(products.products if products else [], weight, iterations, tolerance)


@method(
    "geometric_median",
    title="Geometric median",
    takes="any",
    granularity="element",
    prepare=survey,
    prepare_over=lambda params: params["scope"],
    gathers=0,
    version=3,
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
    state: list[float] | None = None,
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
        state: How much of each is in the median over the tensor or model.

    Raises:
        InputError: The weights total 0.

    Pitfalls:
        - Half of the weight or more can carry it anywhere.
    """
    held = HeldPasses(tensors)
    return weighted_sum(tensors, state or survey(held, weight=weight, iterations=iterations, tolerance=tolerance))


def shares(
    products: Sequence[Sequence[float]], weight: Sequence[float], iterations: int, tolerance: float
) -> list[float]:
    """How much of each model is in the median.

    Raises:
        InputError: The weights total 0.
    """
    if sum(weight) <= 0:
        raise InputError(f"The weights {list(weight)} of a geometric median must total more than 0.")
    every = range(len(weight))
    found = [w / sum(weight) for w in weight]
    size = max((products[i][i] for i in every), default=0.0) if products else 0.0
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
