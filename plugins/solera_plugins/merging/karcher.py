"""Karcher mean: the point of the sphere nearest, along arcs, to all models."""

from __future__ import annotations

from collections.abc import Sequence
from math import acos, cos, sin, sqrt
from typing import Annotated

from torch import Tensor

from solera.api import InputError, Param, Passes, Tape, TapeValue, bricks, method
from solera_plugins.merging.sums import weighted_sum

#: A tensor shorter than this has no direction.
TINY = 1e-12


def parts(
    products: Sequence[Sequence[float]], weight: Sequence[float], iterations: int, tolerance: float
) -> list[float]:
    """How much of each model is in the mean, from their inner products; shares for tensors without elements.

    Raises:
        InputError: The weights total 0.
    """
    if sum(weight) <= 0:
        raise InputError(f"The weights {list(weight)} of a Karcher mean must total more than 0.")
    shares = [w / sum(weight) for w in weight]
    lengths = [sqrt(products[i][i]) for i in range(len(products))]
    pointing = [i for i, length in enumerate(lengths) if length > TINY and shares[i] > 0]
    if not pointing:
        return shares
    cosines = [[products[i][j] / (lengths[i] * lengths[j]) for j in pointing] for i in pointing]
    total = sum(shares[i] for i in pointing)
    mean = mean_direction(cosines, [shares[i] / total for i in pointing], iterations, tolerance)
    scale = sum(share * length for share, length in zip(shares, lengths, strict=True))
    found = [0.0] * len(shares)
    for c, i in zip(mean, pointing, strict=True):
        found[i] = scale * c / lengths[i]
    return found


def survey(passes: Passes, *, weight: tuple[float, ...], iterations: int, tolerance: float, **_: object) -> list[float]:
    """How much of each model is in a tensor's mean."""
    return parts(bricks.gram_over(passes), weight, iterations, tolerance)


def taped(tape: Tape, values: Sequence[TapeValue], *, state: list[float], **_: object) -> TapeValue:
    """The sum of all, element by element."""
    return tape.weighted_sum(values, state)


@method(
    "karcher",
    title="Karcher mean",
    takes="weights",
    granularity="element",
    tape=taped,
    prepare=survey,
    prepare_over="tensor",
    gathers=0,
    version=3,
    paper="Karcher 1977, Riemannian center of mass and mollifier smoothing",
    url="https://doi.org/10.1002/cpa.3160300502",
    also={
        "Fréchet mean on the sphere": "as it is",
    },
)
def karcher(
    tensors: list[Tensor],
    *,
    weight: Annotated[
        tuple[float, ...], Param(0.0, per_model=True, step=0.05, search=(0.0, 1.0), help="Share of each model.")
    ] = (1.0,),
    iterations: Annotated[int, Param(1, 1000, help="Stop after so many steps.")] = 10,
    tolerance: Annotated[float, Param(0.0, 1.0, log=True, help="Stop when a step is shorter, in radians.")] = 1e-5,
    state: list[float] | None = None,
) -> Tensor:
    """Average the directions of the models along the sphere, and their lengths apart.

    With ``u_i = W_i / |W_i|`` and shares ``a_i``, from the normalised weighted mean ``u`` on: ``T = sum_i a_i
    theta_i / sin(theta_i) (u_i - cos(theta_i) u)``, ``u <- cos|T| u + sin|T| T/|T|``, until ``|T|`` is short. ``W =
    sum_i a_i |W_i| u``. Everything lies in the span of the models, so the steps run on their inner products.

    Tensors of zeros have no direction but count in the length. Where the mean of the directions vanishes (opposite
    models) the start is the first model; a direction opposite to ``u`` says nothing of where to go and is left out.

    Args:
        tensors: One or more of one shape; empty ones give an empty one.
        weight: Shares; made to total 1.
        iterations: Most steps.
        tolerance: Shortest step.
        state: How much of each is in the mean over the tensor.

    Raises:
        InputError: The weights total 0.

    Pitfalls:
        - For models near each other it is the average, up to what averaging loses in length.
        - Opposite directions have no mean; where they cancel the first model decides.
    """
    return weighted_sum(tensors, state or parts(bricks.gram(tensors), weight, iterations, tolerance))


def mean_direction(
    cosines: Sequence[Sequence[float]], shares: Sequence[float], iterations: int, tolerance: float
) -> list[float]:
    """The coefficients of the mean direction in terms of unit vectors with these cosines."""
    every = range(len(shares))

    def length(c: Sequence[float]) -> float:
        return sqrt(max(sum(c[i] * cosines[i][j] * c[j] for i in every for j in every), 0.0))

    mean = list(shares)
    if length(mean) <= TINY:
        mean = [1.0, *[0.0 for _ in every[1:]]]
    mean = [c / length(mean) for c in mean]
    for _ in range(iterations):
        step = [0.0 for _ in every]
        for i in every:
            cosine = min(max(sum(cosines[i][j] * mean[j] for j in every), -1.0), 1.0)
            angle = acos(cosine)
            if sin(angle) > TINY:
                pull = shares[i] * angle / sin(angle)
                step = [s - pull * cosine * m for s, m in zip(step, mean, strict=True)]
                step[i] += pull
        size = length(step)
        if size < tolerance or size == 0:
            break
        mean = [cos(size) * m + sin(size) * s / size for m, s in zip(mean, step, strict=True)]
        unit = length(mean)
        mean = [m / unit for m in mean]
    return mean
