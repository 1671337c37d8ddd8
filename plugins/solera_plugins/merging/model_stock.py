"""Model Stock: between base and average, as far as the angle between the fine-tuned models says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import cos, inf, sqrt
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from solera.api import Param, Passes, Tape, TapeValue, bricks, method
from solera_plugins.merging.sums import row_sum, weighted_sum


def by_row(params: Mapping[str, Any]) -> bool:
    """Whether each row has an angle of its own."""
    return bool(params["by"] == "row" and params["compat"] != "fusion_bench")


def inner_products(passes: Passes, **_: object) -> list[list[float]]:
    """All inner products of the task vectors."""
    return bricks.gram_over(passes)


def taped(
    tape: Tape, values: Sequence[TapeValue], *, by: str, compat: str, state: list[list[float]] | None
) -> TapeValue | None:  # fmt: skip
    """The part of the way to the mean, element by element; not with an angle for each row."""
    if by_row({"by": by, "compat": compat}) or not state:
        return None
    mean = tape.weighted_sum(values, [1.0 / len(values)] * len(values))
    return tape.scale(mean, way(state, compat))


@method(
    "model_stock",
    title="Model Stock",
    takes="delta",
    base="required",
    tape=taped,
    granularity=lambda params: "block" if by_row(params) else "element",
    prepare=inner_products,
    prepare_when=lambda params: not by_row(params),
    prepare_over="tensor",
    gathers=0,
    inputs=(2, None),
    version=4,
    paper="Jang et al. 2024, Model Stock: all we need is just a few fine-tuned models",
    url="https://arxiv.org/abs/2403.19522",
)
def model_stock(
    deltas: list[Tensor],
    *,
    by: Annotated[
        Literal["tensor", "row"], Param(help="One angle for each tensor, or for each row along its last axis.")
    ] = "tensor",
    compat: Annotated[
        Literal["none", "mergekit", "fusion_bench"],
        Param(
            help="mergekit takes lengths whose product is below 1e-6 for longer than they are, and goes away from the "
            "mean; so does fusion_bench, which adds 1e-8 to denominators, in its own float32 arithmetic."
        ),
    ] = "none",
    state: list[list[float]] | None = None,
) -> Tensor:
    """Go from the base towards the average by the ratio that minimises the distance to the centre of the models.

    ``W = W0 + t mean_i d_i`` with ``t = N c / (1 + (N-1) c)`` and ``c`` the mean cosine over all pairs of task vectors.
    The formula is made for models that agree: where ``c`` is negative, ``t`` would lead away from the mean, without
    bounds as ``c`` comes to ``-1/(N-1)`` (opposite models), and the base is kept. Both sources do go there.

    Args:
        deltas: Two or more task vectors of one shape.
        by: What an angle belongs to.
        compat: Whose guards.
        state: The inner products over the tensor.

    Paper:
        two fine-tuned models, angles by tensor; applied again and again during training in its second half.

    Pitfalls:
        - It is one rule for how far to go, the same for all models: poor models are not told from good ones.
        - Angles by row are noisy where rows are short, as in 3x3 kernels.
    """
    count = len(deltas)
    mean = weighted_sum(deltas, [1.0 / count] * count)
    if by_row({"by": by, "compat": compat}) and deltas[0].dim() > 0:
        floor, least = GUARDS[compat]
        pairs = list(combinations(deltas, 2))
        lengths = {id(d): row_sum(d.double().square()).sqrt() for d in deltas}
        cosines = [
            row_sum(a.double() * b) / (lengths[id(a)] * lengths[id(b)]).clamp_min(floor or 1e-300) for a, b in pairs
        ]
        cosine = weighted_sum(cosines, [1.0 / len(pairs)] * len(pairs))
        below = 1 + (count - 1) * cosine
        ratio = torch.where(below > SINGULAR, count * cosine / below, 0.0).clamp_min(least)
        return mean * ratio.unsqueeze(-1).to(mean.dtype)
    return mean * way(state or bricks.gram(deltas), compat)


#: The least product of two lengths, and the least ratio, by whose guards are wanted.
GUARDS = {"none": (0.0, 0.0), "mergekit": (1e-6, -inf)}


def way(products: list[list[float]], compat: str) -> float:
    """How far to go to the mean, from the inner products of the task vectors."""
    if compat == "fusion_bench":
        return fusion_bench_ratio(products)
    floor, least = GUARDS[compat]
    return max(stock_ratio(mean_cosine(products, floor), len(products)), least)


#: Below this ``1 + (N-1) c`` counts as 0.
SINGULAR = 1e-6


def mean_cosine(products: list[list[float]], floor: float) -> float:
    """The mean cosine over all pairs, from inner products; 0 where a vector has no length."""
    found = []
    for i, j in combinations(range(len(products)), 2):
        size = max(sqrt(products[i][i] * products[j][j]), floor)
        found.append(products[i][j] / size if size > 0 else 0.0)
    return sum(found) / len(found)


def stock_ratio(cosine: float, count: int) -> float:
    """How far to go towards the mean."""
    below = 1 + (count - 1) * cosine
    return count * cosine / below if below > SINGULAR else 0.0


def fusion_bench_ratio(products: list[list[float]]) -> float:
    """The ratio as fusion_bench computes it: cosine and angle in float32, 1e-8 added below both fractions."""
    every = len(products)
    angles = []
    for i, j in combinations(range(every), 2):
        dot, left, right = torch.tensor([products[i][j], products[i][i], products[j][j]], dtype=torch.float32)
        cosine32 = dot / (sqrt(float(left * right)) + 1e-8)
        angles.append(float(cosine32.clamp(-1, 1).acos()))
    cosine = cos(sum(angles) / len(angles))
    return every * cosine / ((every - 1) * cosine + 1 + 1e-8)
