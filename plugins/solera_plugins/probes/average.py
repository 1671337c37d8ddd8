"""Sharpness by the mean loss after random steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Estimate, Measure, NetworkObjective, Param, Row, Subject, probe
from solera_plugins.probes.groups import Dtype, Normalise, Only, mean_of, scale_of


@probe(
    "average_sharpness",
    title="Average-case sharpness",
    kind="scalars",
    measures=(Measure("sharpness"), Measure("second_order", "second-order estimate"), Measure("loss")),
    needs="task",
    paper="Andriushchenko and others 2023, A modern look at the relationship between sharpness and generalization",
    url="https://arxiv.org/abs/2302.07011",
)
def average_sharpness(
    subject: Subject,
    *,
    size: Annotated[float, Param(0, None, help="Standard deviation of the noise, or radius of the sphere.")] = 0.01,
    draws: Annotated[int, Param(1, 100000, help="Random steps.")] = 32,
    where: Annotated[
        Literal["gaussian", "sphere"], Param(help="Normal noise, or places at one distance.")
    ] = "gaussian",
    adaptive: Annotated[bool, Param(help="Measure the steps relative to each weight.")] = False,
    antithetic: Annotated[bool, Param(help="Take every step both ways: odd terms cancel, twice the cost.")] = True,
    second_order: Annotated[bool, Param(help="Also half the trace of the Hessian along the same draws.")] = False,
    only: Only = "",
    normalise: Normalise = False,
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """How much the loss rises on average after a random step, with its standard error.

    The mean over draws of ``L(w + size s z) - L(w)`` with ``z`` standard normal (on the sphere scaled to norm 1), ``s``
    1 or ``|w|``. The second-order estimate is ``size^2 / 2`` times the mean of ``z^T s H s z``; with no fewer draws
    than parameters it is taken along every axis instead and exact.

    Args:
        subject: Networks on a task's examples.
        size: Of a step.
        draws: How many.
        where: Of what distribution.
        adaptive: Whether steps are relative to each weight.
        antithetic: Whether each is taken both ways.
        second_order: Whether the curvature is measured as well.
        only: Which tensors are moved.
        normalise: Whether logits are normalised first.
        dtype: Of the arithmetic.
    """
    for i, name, objective, loss in subject.objectives(dtype=dtype, only=only, normalise=normalise):
        theta = objective.theta
        scale = scale_of(theta, "weights" if adaptive else "one")
        subject.steps(draws * (1 + second_order) * len(subject.models))

        def step(draw: int) -> Tensor:
            drawn = subject.normal(f"{name}/noise/{draw}", theta.numel()).to(theta)
            return drawn / drawn.norm() if where == "sphere" else drawn

        def rise(draw: int) -> list[float]:
            move = size * scale * step(draw)
            losses = [objective.loss(theta + move)] + ([objective.loss(theta - move)] if antithetic else [])
            return [sum(losses) / len(losses) - loss]

        values = {
            "sharpness": mean_of([subject.once(f"{name}/{d}", lambda: rise(d))[0] for d in range(draws)]),
            "loss": Estimate(loss, count=objective.count),
        }
        if second_order:
            half = size**2 / 2
            if draws >= theta.numel():
                share = 1 / theta.numel() if where == "sphere" else 1.0
                axes = [
                    subject.once(f"{name}/axis/{k}", lambda: [_along_axis(objective, scale, k)])[0]
                    for k in range(theta.numel())
                ]
                values["second_order"] = Estimate(half * share * sum(axes))
            else:
                curved = [
                    subject.once(f"{name}/curved/{d}", lambda: [_along(objective, scale * step(d))])[0]
                    for d in range(draws)
                ]
                values["second_order"] = mean_of([half * each for each in curved])
        yield Row((i,), values)


def _along(objective: NetworkObjective, vector: Tensor) -> float:
    return float(vector.double() @ objective.hvp(objective.theta, vector).double())


def _along_axis(objective: NetworkObjective, scale: Tensor, axis: int) -> float:
    vector = torch.zeros_like(scale)
    vector[axis] = scale[axis]
    return _along(objective, vector)
