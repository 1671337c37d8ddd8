"""Sharpness by the largest loss that is found in a ball or box around the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Measure, NetworkObjective, Param, Row, Subject, probe
from solera_plugins.probes.groups import Dtype, GroupSize, Normalise, Only, Scale, groups_of, mean_of, scale_of

Norm = Literal["l2", "linf"]

#: An ascent ends when its steps are this small a part of the radius.
_SMALLEST = 1e-4


@probe(
    "worst_sharpness",
    title="Worst-case sharpness",
    kind="scalars",
    measures=(
        Measure("sharpness"), Measure("perturbed", "largest loss found"), Measure("loss"),
        Measure("percent", "rise in percent of 1 + loss"), Measure("distance", "distance of the worst place"),
    ),
    needs="task",
    paper="Keskar and others 2017, On large-batch training; Andriushchenko and others 2023, A modern look at sharpness",
    url="https://arxiv.org/abs/2302.07011",
)  # fmt: skip
def worst_sharpness(
    subject: Subject,
    *,
    rho: Annotated[float, Param(0, None, help="Radius of the ball, half side of the box.")] = 0.05,
    norm: Annotated[Literal["l2", "linf"], Param(help="A ball, or a box.")] = "l2",
    scale: Scale = "one",
    starts: Annotated[int, Param(1, 1000, help="Ascents: from the model, from below it, then from random places.")] = 3,
    steps: Annotated[int, Param(1, 1000, help="Steps of an ascent; each is a gradient and two losses.")] = 20,
    m: GroupSize = 0,
    only: Only = "",
    normalise: Normalise = False,
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """The largest rise of the loss that several ascents find within a radius: a lower bound of the true one.

    The places are ``w + s u`` with ``|u| <= rho`` in the norm; ``s`` is 1, ``|w|`` (adaptive) or ``|w| + 1`` (with a
    box and rho 1e-3 the sharpness of Keskar and others, whose number is ``percent``). The ascents begin at the model,
    at the far end down the gradient, and at random places. Each step tries the far end of the ball along the gradient
    and a place beyond it in the direction of the last move, keeps the better one if it is better, and else takes
    shorter projected steps. With groups of m samples it is the mean over groups of the group's own worst case.

    Args:
        subject: Networks on a task's examples.
        rho: The radius.
        norm: Ball or box.
        scale: What a step is measured by.
        starts: How many ascents.
        steps: Of each.
        m: Samples of a group.
        only: Which tensors are moved.
        normalise: Whether logits are normalised first.
        dtype: Of the arithmetic.

    Pitfalls:
        - More starts and steps can only raise it: state them beside the number.
        - Values of different m, radius or scale cannot be compared.
    """
    for i, name, objective, _ in subject.objectives(dtype=dtype, only=only, normalise=normalise):
        theta = objective.theta
        size, groups = scale_of(theta, scale), groups_of(objective, m)
        subject.steps(len(groups) * starts * len(subject.models))

        def ascent(rows: slice, start: int) -> list[float]:
            base = objective.loss(theta, rows)
            begin = torch.zeros_like(theta)
            if start == 1:
                begin = -_far(size * objective.gradient(theta, rows), rho, norm)
            elif start:
                drawn = subject.normal(f"{name}/{rows.start}/{start}", theta.numel()).to(theta)
                begin = _far(drawn, rho, norm)
            worst, place = _ascend(objective, theta, rows, size, begin, rho, norm, steps)
            return [worst - base, worst, base, 100 * (worst - base) / (1 + base), float((size * place).norm())]

        told = []
        for rows in groups:
            found = [subject.once(f"{name}/{rows.start}/{s}", lambda: ascent(rows, s)) for s in range(starts)]
            told.append(max(found, key=lambda each: each[0]))
        names = ("sharpness", "perturbed", "loss", "percent", "distance")
        yield Row((i,), {key: mean_of([each[k] for each in told]) for k, key in enumerate(names)})


def _ascend(
    objective: NetworkObjective, theta: Tensor, rows: slice, scale: Tensor, begin: Tensor, rho: float, norm: Norm,
    steps: int,
) -> tuple[float, Tensor]:  # fmt: skip
    """The largest loss on the way up, and where: in units of the scale, shape (P,)."""
    place, best = begin, objective.loss(theta + scale * begin, rows)
    last, reach, short = begin, 1.0, rho / 2
    for _ in range(steps):
        slope = scale * objective.gradient(theta + scale * place, rows)
        if not bool(slope.isfinite().all()) or not float(slope.norm()):
            break
        far = _far(slope, rho, norm)
        tried = [far, _within(far + reach * (far - last), rho, norm)]
        losses = [objective.loss(theta + scale * each, rows) for each in tried]
        if not any(math.isfinite(loss) and loss > best for loss in losses):
            tried.append(_within(place + _far(slope, short, norm), rho, norm))
            losses.append(objective.loss(theta + scale * tried[-1], rows))
            short /= 2
        top = max(range(len(tried)), key=lambda k: losses[k] if math.isfinite(losses[k]) else -math.inf)
        if math.isfinite(losses[top]) and losses[top] > best:
            reach = min(2 * reach, 64.0) if top == 1 else max(reach / 2, 0.5)
            last, place, best = place, tried[top], losses[top]
        elif short < _SMALLEST * rho:
            break
    return best, place


def _far(direction: Tensor, rho: float, norm: Norm) -> Tensor:
    """The end of the ball or box along a direction."""
    if norm == "linf":
        return rho * direction.sign()
    return direction * (rho / max(float(direction.norm()), 1e-300))


def _within(place: Tensor, rho: float, norm: Norm) -> Tensor:
    """The nearest place in the ball or box."""
    if norm == "linf":
        return place.clamp(-rho, rho)
    return place * min(1.0, rho / max(float(place.norm()), 1e-300))
