"""Flag aggregator: project the task vectors on the subspace that most of them share."""

from __future__ import annotations

from math import sqrt
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import InputError, Param, Passes, bricks, method
from solera_plugins.merging.sums import weighted_sum

#: Keeps the weights of vectors that lie in the subspace finite.
EPSILON = 1e-7


def inner_products(passes: Passes, **_: object) -> list[list[float]]:
    """All inner products of the task vectors over the whole model."""
    return bricks.gram_over(passes)


@method(
    "flag_aggregator",
    title="Flag aggregator",
    takes="delta",
    base="required",
    granularity="tensor",
    version=3,
    prepare=inner_products,
    prepare_when=lambda params: params["scope"] == "model",
    gathers=0,
    promise="tolerance",
    paper="Almasi et al. 2023, Flag aggregator: scalable distributed training under failures and augmented losses "
    "using convex optimization",
    url="https://arxiv.org/abs/2302.05865",
)
def flag_aggregator(
    deltas: list[Tensor],
    start: Tensor | None = None,
    *,
    rank: Annotated[
        int,
        Param(0, help="Dimensions of the subspace, fewer than there are models; 0 is half of the models, rounded up."),
    ] = 0,
    penalty: Annotated[
        float,
        Param(0.0, step=0.1, help="How much differences of pairs of vectors count in the choice of the subspace."),
    ] = 0.0,
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.0,
    iterations: Annotated[int, Param(1, 10_000, help="Most steps; it ends when the objective falls no more.")] = 50,
    output: Annotated[
        Literal["mean_norm", "paper", "released"],
        Param(
            help="Mean of the projected directions at the mean length; mean of the projected vectors; or the sum of "
            "projected directions over the rank, as released."
        ),
    ] = "mean_norm",
    scope: Annotated[
        Literal["tensor", "model"], Param(help="One subspace for the model as one vector, or one for each tensor.")
    ] = "model",
    state: list[list[float]] | None = None,
) -> Tensor:
    """Find the subspace nearest to most of the directions, average what each vector has in it.

    With ``x_i = d_i / |d_i|`` and an orthonormal basis ``Y`` of ``rank`` columns, iteratively reweighted least squares
    minimise ``sum_i sqrt(1 - |Y'x_i|^2)``: ``w_i = (|1 - |Y'x_i|^2| + 1e-7)^(-1/4)``, ``Y`` the leading left singular
    vectors of ``[w_i x_i]`` (with ``penalty`` also of weighted differences ``x_i - x_j``), from equal weights until the
    objective falls no more. ``m = mean|d| / p * Y Y' sum_i x_i``. It needs the p x p inner products only. Subspaces
    know no sign: opposite vectors cancel. Vectors of zeros have no direction.

    Args:
        deltas: One task vector per model, one whole tensor.
        start: ``Y'X`` of a subspace to start from, (rank, p); None starts from equal weights.
        rank: Dimensions of the subspace.
        penalty: Weight of differences.
        scale: Common factor.
        iterations: Most steps.
        output: What is made of the projections.
        scope: Over what directions are taken.
        state: Inner products over the model.

    Raises:
        InputError: The rank is larger than the number of models.

    Paper:
        one step from a random subspace; the released code returns normalised directions.

    Pitfalls:
        - A subspace knows no sign: opposite models span it alike, and cancel in the mean.
    """
    count = len(deltas)
    if rank > count:
        raise InputError(f"A subspace of {rank} dimensions is wanted of {count} models.", rank=rank)
    products = bricks.gram(deltas) if state is None else state
    lengths = [sqrt(products[i][i]) for i in range(count)]
    scales = torch.tensor([1 / length if length > 0 else 0.0 for length in lengths], dtype=torch.float64)
    cosines = torch.tensor(products, dtype=torch.float64) * scales.unsqueeze(0) * scales.unsqueeze(1)
    dimensions = rank or (count + 1) // 2
    projector = shared_subspace(cosines, dimensions, penalty, iterations, start)
    if output == "paper":
        parts = projector @ torch.tensor(lengths, dtype=torch.float64) / count
    else:
        parts = projector.sum(dim=1) * (1 / dimensions if output == "released" else sum(lengths) / count / count)
    return weighted_sum(deltas, [scale * part for part in (parts * scales).tolist()])


def shared_subspace(cosines: Tensor, rank: int, penalty: float, iterations: int, start: Tensor | None) -> Tensor:
    """The projector on the subspace, in terms of the unit vectors: ``Y Y' X = X P``.

    Args:
        cosines: Inner products of the unit vectors, (p, p), float64.
        rank: Dimensions.
        penalty: Weight of differences.
        iterations: Most steps.
        start: ``Y'X`` of the starting subspace.
    """
    values, vectors = torch.linalg.eigh(cosines)
    sure = values > 1e-12 * max(float(values[-1]), torch.finfo(torch.float64).tiny)
    root = vectors[:, sure] * values[sure].sqrt() @ vectors[:, sure].T
    inverse = vectors[:, sure] / values[sure].sqrt() @ vectors[:, sure].T
    shadows, basis = start, torch.zeros_like(cosines)
    best = float("inf") if shadows is None else objective(shadows)
    for step in range(iterations):
        columns = root @ weighted_columns(shadows, cosines.shape[0], penalty)
        found = torch.linalg.svd(columns, full_matrices=False)[0][:, :rank]
        value = objective(found.T @ root)
        if step and value >= best:
            break
        basis, shadows, best = found, found.T @ root, value
    projector: Tensor = inverse @ basis @ basis.T @ root
    return projector


def objective(shadows: Tensor) -> float:
    """``sum_i sqrt(1 - |Y'x_i|^2)`` from the vectors' shadows in the subspace."""
    return float((1 - shadows.double().square().sum(0)).clamp_min(0.0).sqrt().sum())


def weighted_columns(shadows: Tensor | None, count: int, penalty: float) -> Tensor:
    """What the next subspace is fitted to, in terms of the unit vectors: one column each, then one for every pair."""
    columns, factors = torch.eye(count, dtype=torch.float64), [1.0]
    if penalty > 0 and count > 1:
        pairs = [columns[:, i] - columns[:, j] for i in range(count) for j in range(count) if i != j]
        columns = torch.stack([*columns.T, *pairs], dim=1)
        factors = [1.0] * count + [penalty / (count * (count - 1))] * len(pairs)
    inside = torch.zeros(columns.shape[1], dtype=torch.float64)
    if shadows is not None:
        inside = (shadows.double() @ columns).square().sum(0)
    return columns * ((1 - inside).abs() + EPSILON) ** -0.25 * torch.tensor(factors, dtype=torch.float64)
