"""Distance of models by what they compute: exact, linearised in the weights, and from stored moments alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Estimate, Measure, NetworkObjective, Param, Row, Subject, probe
from solera_plugins.probes.laftr import Gated, gated_network

Dtype = Annotated[Literal["float32", "float64"], Param(help="Of the arithmetic.")]


@probe(
    "function_space_distance",
    kind="matrix",
    needs="task",
    measures=(
        Measure("distance", low=0), Measure("linearised", low=0), Measure("kl", "KL divergence", "nats", low=-1e-6),
        Measure("softmax", "distance of probabilities", low=0), Measure("gates", "with the old gates", low=0),
        Measure("laftr", "LAFTR", low=0), Measure("diagonal", "by the diagonal of Gauss-Newton", low=0),
    ),
    paper="Dhawan and others 2023, Efficient parametric approximations of neural network function space distance",
    url="https://arxiv.org/abs/2302.03519",
)  # fmt: skip
def function_space_distance(
    subject: Subject,
    *,
    laftr: Annotated[bool, Param(help="Also LAFTR, for chains of linear layers and ReLUs.")] = False,
    diagonal: Annotated[bool, Param(help="Also by the diagonal of Gauss-Newton; a gradient for each output.")] = False,
    draws: Annotated[int, Param(2, None, help="Inputs and gates that LAFTR draws.")] = 20000,
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """How far apart two models are by what they compute: half the mean squared distance of their outputs.

    Rows are the model that is left, columns the one gone to; all but ``distance`` and ``softmax`` depend on which is
    which. ``linearised``: the outputs of the first, moved along the difference of the weights by their derivative.
    ``kl``: of the second's probabilities from the first's. ``gates``: both with the first one's ReLUs open or shut, on
    the data. ``laftr``: the same without data, from the mean and covariance of the inputs and from how often each ReLU
    is open, inputs and gates drawn at random; with its standard error. Each with its standard error over samples.

    Args:
        subject: Networks of one kind on a task's examples.
        laftr: Whether LAFTR is measured.
        diagonal: Whether the diagonal of Gauss-Newton is used.
        draws: Of LAFTR.
        dtype: Of the arithmetic.

    Pitfalls:
        - The derivative sees no ReLU change: it is good near by, and for large steps only an order of magnitude.
    """
    subject.tensors()  # names what differs between networks that are not of one kind
    objectives = [subject.objective(model, dtype=dtype) for model in subject.models]
    nets = [gated_network(model.network, model.flat(dtype)) if laftr else None for model in subject.models]
    if laftr and any(net is None for net in nets):
        subject.say("LAFTR is for chains of linear layers and ReLUs; these networks are others.", "warning")
    subject.steps(len(objectives) ** 2)
    for i, old in enumerate(objectives):
        for j, new in enumerate(objectives):
            label = f"{subject.names[i]} to {subject.names[j]}"
            told = subject.once(label, lambda: _moments(old, new, diagonal and old is not new))
            values = _estimates(told, old.count)
            if diagonal:
                values["diagonal"] = told[-1]
            before, after = nets[i], nets[j]
            if before is not None and after is not None:
                values |= _by_gates(subject, label, before, after, draws)
            yield Row((i, j), values)


def _by_gates(subject: Subject, label: str, before: Gated, after: Gated, draws: int) -> dict[str, Estimate]:
    """With the old gates on the data, and by LAFTR."""
    inputs = subject.examples.inputs.to(before.weights[0].dtype).flatten(1)
    gates = subject.once(f"{label}/gates", lambda: _mean(_halves(before.moved(after, inputs))))
    mean, error = subject.once(f"{label}/laftr", lambda: _drawn(subject, before, after, inputs, draws))
    return {"gates": Estimate(gates[0], gates[1], len(inputs)), "laftr": Estimate(mean, error, draws)}


_MOMENTS = ("distance", "linearised", "kl", "softmax")


def _moments(old: NetworkObjective, new: NetworkObjective, diagonal: bool) -> list[float]:
    """Sums over samples of each measure, then of its square; at the end the diagonal's."""
    change = new.theta - old.theta
    sums = torch.zeros(2, len(_MOMENTS), dtype=torch.float64)
    curved = 0.0
    for where in old.chunks():
        before, along = old.along(old.theta, change, where)
        with torch.no_grad():
            after = new.outputs(new.theta, where)
        p, q = before.double().log_softmax(-1), after.double().log_softmax(-1)
        each = torch.stack(
            [
                _halves(after - before), _halves(along), _per_sample(p.exp() * (p - q)), _halves(q.exp() - p.exp()),
            ],
            1,
        )  # fmt: skip
        sums[0] += each.sum(0)
        sums[1] += each.square().sum(0)
        if diagonal:
            curved += float((old.jacobian(old.theta, where).double().square() @ change.double().square()).sum()) / 2
    return [*sums.flatten().tolist(), curved / old.count]


def _estimates(told: tuple[float, ...], count: int) -> dict[str, float | Estimate]:
    found: dict[str, float | Estimate] = {}
    for k, name in enumerate(_MOMENTS):
        mean, square = told[k] / count, told[len(_MOMENTS) + k] / count
        error = math.sqrt(max(square - mean**2, 0.0) / (count - 1)) if count > 1 else math.nan
        found[name] = Estimate(mean, error, count)
    return found


def _per_sample(values: Tensor) -> Tensor:
    """Sums over classes, means over tokens, float64, shape (n,)."""
    return values.double().sum(-1).flatten(1).mean(1) if values.ndim > 2 else values.double().sum(-1)


def _halves(gaps: Tensor) -> Tensor:
    return _per_sample(gaps.double().square()) / 2


def _mean(values: Tensor) -> list[float]:
    return [float(values.mean()), float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan]


def _drawn(subject: Subject, before: Gated, after: Gated, inputs: Tensor, draws: int) -> list[float]:
    """The mean over drawn inputs and gates, with its standard error."""
    shares = before.shares(inputs)
    centre, root = _gaussian(inputs.double())
    found = []
    for start in range(0, draws, 4096):
        subject.context.check()
        count = min(4096, draws - start)
        noise = subject.normal(f"inputs/{start}", count * len(centre)).view(count, -1).to(centre)
        drawn = (centre + noise @ root.T).to(inputs)
        gates = []
        for layer, share in enumerate(shares):
            uniform = torch.special.ndtr(subject.normal(f"gates/{layer}/{start}", count * len(share)))
            gates.append(uniform.view(count, -1).to(share) < share)
        found.append(_halves(before.moved(after, drawn, gates)))
    return _mean(torch.cat(found))


def _gaussian(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and a root of the covariance of inputs, shape (n, d)."""
    centre = inputs.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(inputs.T).reshape(len(centre), -1))
    return centre, vectors * values.clamp_min(0).sqrt()
