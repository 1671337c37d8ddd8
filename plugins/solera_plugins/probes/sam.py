"""Sharpness by one step up the gradient, as sharpness-aware minimisation takes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from solera.api import Measure, Param, Row, Subject, probe
from solera_plugins.probes.groups import Dtype, GroupSize, Normalise, Only, groups_of, mean_of

#: Keeps a step finite where the gradient is zero, as in the authors' code.
_SMALL = 1e-12


@probe(
    "sam_sharpness",
    title="SAM sharpness",
    kind="scalars",
    measures=(
        Measure("sharpness"), Measure("perturbed", "loss after the step"), Measure("loss"),
        Measure("step", "length of the step"), Measure("relative_step", "length relative to the weights"),
        Measure("gradient_norm", "norm of the gradient"),
    ),
    needs="task",
    paper="Foret and others 2021, Sharpness-aware minimization; adaptive: Kwon and others 2021, ASAM",
    url="https://arxiv.org/abs/2010.01412",
)  # fmt: skip
def sam_sharpness(
    subject: Subject,
    *,
    rho: Annotated[float, Param(0, None, help="Length of the step; about ten times larger for adaptive ones.")] = 0.05,
    adaptive: Annotated[bool, Param(help="Measure the step relative to each weight (ASAM).")] = False,
    m: GroupSize = 0,
    only: Only = "",
    normalise: Normalise = False,
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """How much the loss rises after one step of length rho up the gradient.

    With ``g`` the gradient over all tensors together the step is ``rho g / (|g| + 1e-12)``; adaptive
    ``rho w^2 g / (||w| g| + 1e-12)``, whose length relative to the weights is rho. With groups it is the mean over
    groups of the rise of the group's own loss by the group's own step (m-sharpness), with its standard error over them.

    Args:
        subject: Networks on a task's examples.
        rho: Length of the step.
        adaptive: Whether it is relative to each weight.
        m: Samples of a group.
        only: Which tensors are moved.
        normalise: Whether logits are normalised first.
        dtype: Of the arithmetic.

    Pitfalls:
        - Smaller groups give larger numbers: those of different m cannot be compared.
        - One step may lead down: a value may be negative.
    """
    for i, name, objective, _ in subject.objectives(dtype=dtype, only=only, normalise=normalise):
        theta = objective.theta
        groups = groups_of(objective, m)
        subject.steps(len(groups) * len(subject.models))

        def step(rows: slice) -> list[float]:
            gradient = objective.gradient(theta, rows)
            scaled = theta.abs() * gradient if adaptive else gradient
            length = float(scaled.norm())
            move = (theta.square() * gradient if adaptive else gradient) * (rho / (length + _SMALL))
            base, raised = objective.loss(theta, rows), objective.loss(theta + move, rows)
            relative = (move / theta.abs()).nan_to_num(0.0).norm()
            return [raised - base, raised, base, float(move.norm()), float(relative), float(gradient.norm())]

        told = [subject.once(f"{name}/{rows.start}", lambda: step(rows)) for rows in groups]
        names = ("sharpness", "perturbed", "loss", "step", "relative_step", "gradient_norm")
        yield Row((i,), {key: mean_of([each[k] for each in told]) for k, key in enumerate(names)})
