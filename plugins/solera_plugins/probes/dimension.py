"""Functional dimension: in how many directions the weights move what a network computes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from solera.api import CapacityError, Measure, NetworkObjective, Param, Row, Subject, probe
from solera_plugins.probes.groups import Only

#: Most columns of a matrix whose singular values are taken.
_MOST = 5000


@probe(
    "functional_dimension",
    kind="scalars",
    needs="task",
    measures=(
        Measure("rank", "functional dimension", low=0), Measure("parameters", low=0), Measure("outputs", low=0),
        Measure("bound", "largest that is possible", low=0), Measure("smallest", "smallest singular value in", low=0),
        Measure("next", "largest singular value out", low=0),
    ),
    paper="Grigsby, Lindsey, Meyerhoff and Wu 2022, Functional dimension of feedforward ReLU neural networks",
    url="https://arxiv.org/abs/2209.04036",
)  # fmt: skip
def functional_dimension(
    subject: Subject,
    *,
    directions: Annotated[
        int, Param(0, _MOST, help="Random directions to look along instead of all; needed beyond 5000 parameters.")
    ] = 0,
    only: Only = "",
) -> Iterator[Row]:
    """The rank of the Jacobian of all outputs on all samples with respect to the weights.

    In float64, from the triangular factor of the Jacobian, which is built up over chunks of samples; a singular value
    counts if it is above the largest times the longer side times epsilon. ``smallest`` and ``next`` are the last
    that counts and the first that does not: a wide gap between them says that the rank is no accident. The ``bound`` is
    the number of parameters less one for each hidden unit of a chain of linear layers and ReLUs. Looked at along random
    directions only, the rank is at most their number: a lower bound.

    Args:
        subject: Networks on a task's examples.
        directions: How many random directions.
        only: Which tensors.

    Pitfalls:
        - It is the rank at the samples given, a lower bound: take twice as many outputs as there are parameters, and
          samples in every region of activations.
    """
    for i, model in enumerate(subject.models):
        objective = subject.objective(model, dtype="float64", only=only)
        size = objective.theta.numel()
        if size > _MOST and not directions:
            raise CapacityError(
                f"The Jacobian of '{model.name}' has {size:,} columns, more than the {_MOST:,} whose singular values "
                "are taken. Look along random directions (directions), or at some tensors (only).",
                parameters=size,
            )
        told = subject.once(model.name, lambda: _rank(subject, model.name, objective, directions))
        rank, outputs, smallest, following = told
        bound = size - _hidden(model.network.module) if not only else math.nan
        yield Row(
            (i,),
            {
                "rank": rank, "parameters": float(size), "outputs": outputs, "bound": bound, "smallest": smallest,
                "next": following,
            },
        )  # fmt: skip


def _rank(subject: Subject, name: str, objective: NetworkObjective, directions: int) -> list[float]:
    """Rank, number of outputs, and the singular values on both sides of the gap."""
    theta = objective.theta
    along: Tensor | None = None
    if directions and directions < theta.numel():
        drawn = [subject.normal(f"{name}/{k}", theta.numel()) for k in range(directions)]
        along = torch.stack(drawn, 1).to(theta) / math.sqrt(theta.numel())
    triangle: Tensor | None = None
    outputs = 0
    for where in objective.chunks():
        lines = objective.jacobian(theta, where)
        outputs += len(lines)
        lines = lines if along is None else lines @ along
        stacked = lines if triangle is None else torch.cat([triangle, lines])
        triangle = torch.linalg.qr(stacked, mode="r").R if len(stacked) > stacked.shape[1] else stacked
    assert triangle is not None
    values = torch.linalg.svdvals(triangle)
    smallest = float(values[0]) * max(outputs, triangle.shape[1]) * torch.finfo(torch.float64).eps
    rank = int((values > smallest).sum())
    ends = [float(values[k]) if 0 <= k < len(values) else 0.0 for k in (rank - 1, rank)]
    return [float(rank), float(outputs), *ends]


def _hidden(module: nn.Module) -> float:
    """Hidden units of a chain of linear layers and ReLUs; NaN for other networks."""
    leaves = [each for each in module.modules() if next(each.children(), None) is None]
    linear = [each for each in leaves if isinstance(each, nn.Linear)]
    others = [each for each in leaves if not isinstance(each, (nn.Linear, nn.ReLU, nn.Flatten))]
    if others or not linear:
        return math.nan
    return float(sum(each.out_features for each in linear[:-1]))
