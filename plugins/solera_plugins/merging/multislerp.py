"""Multi-SLERP: the mean direction of several models, one step from their normalised average."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin, sqrt
from typing import Annotated

from torch import Tensor

from solera.api import InputError, Param, Passes, bricks, method
from solera_plugins.merging.sums import weighted_sum

#: A mean direction shorter than this is none.
TINY = 1e-8


def parts_of(products: Sequence[Sequence[float]], weight: Sequence[float], normalize: bool) -> list[float]:
    """How much of each model is in the mean, from their inner products; shares for tensors without elements.

    Raises:
        InputError: The weights total 0.
    """
    if sum(weight) <= 0:
        raise InputError(f"The weights {list(weight)} must total more than 0.")
    every, total = range(len(products)), sum(weight)
    parts = [w / total for w in weight]
    lengths = [sqrt(products[i][i]) for i in every]
    units = [[products[i][j] / ((lengths[i] * lengths[j]) or 1.0) for j in every] for i in every]

    def length(c: list[float]) -> float:
        return sqrt(max(sum(c[i] * units[i][j] * c[j] for i in every for j in every), 0.0))

    if length(parts) < TINY:
        return parts if normalize else list(weight)
    pole = [a / length(parts) for a in parts]
    along = sum(parts[i] * units[i][j] * pole[j] for i in every for j in every)
    step = [a - along * p for a, p in zip(parts, pole, strict=True)]
    size = length(step)
    if size >= TINY:
        pole = [cos(size) * p + sin(size) / size * s for p, s in zip(pole, step, strict=True)]
    scale = sum(a * n for a, n in zip(parts, lengths, strict=True)) * (1.0 if normalize else total)
    return [scale * p / (n or 1.0) for p, n in zip(pole, lengths, strict=True)]


def survey(passes: Passes, *, weight: tuple[float, ...], normalize: bool, **_: object) -> list[float]:
    """How much of each model is in a tensor's mean."""
    return parts_of(bricks.gram_over(passes), weight, normalize)


@method(
    "multislerp",
    title="Multi-SLERP",
    takes="any",
    granularity="element",
    prepare=survey,
    prepare_over="tensor",
    gathers=0,
    version=3,
    base="optional",
    paper="Goddard et al. 2024, Arcee's MergeKit: a toolkit for merging large language models",
    url="https://arxiv.org/abs/2403.13257",
)
def multislerp(
    tensors: list[Tensor],
    *,
    weight: Annotated[
        tuple[float, ...], Param(0.0, per_model=True, step=0.05, search=(0.0, 1.0), help="Share of each model.")
    ] = (1.0,),
    normalize: Annotated[bool, Param(help="Divide by the total of the weights, so that lengths are averaged.")] = True,
    state: list[float] | None = None,
) -> Tensor:
    """Average directions in the plane that touches the sphere at their mean, and lengths apart.

    With ``u_i = W_i / |W_i|``, shares ``a_i`` and the pole ``p``, the normalised ``sum_i a_i u_i``: ``T = sum_i a_i
    (u_i - (u_i . p) p)``, ``W = (cos|T| p + sin|T| T/|T|) sum_i a_i |W_i|``. T all but vanishes by construction: it is
    the normalised mean direction; for the true mean take the Karcher mean. Where the directions cancel (opposite
    models, zeros) the weighted average is taken.

    Args:
        tensors: One or more of one shape; empty ones give an empty one.
        weight: Shares.
        state: How much of each is in the mean over the tensor.
        normalize: Whether shares are made to total 1; else the result is longer by their total.

    Raises:
        InputError: The weights total 0.

    Pitfalls:
        - It is one step from the normalised mean, which it hardly leaves.
        - A tensor that none of the models changed, in the form with a base, stays at the base; mergekit stops there.
    """
    return weighted_sum(tensors, state or parts_of(bricks.gram(tensors), weight, normalize))
