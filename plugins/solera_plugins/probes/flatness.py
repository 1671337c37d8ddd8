"""Relative flatness of a layer: curvature weighed by the weights, which rescaling of units does not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from solera.api import Estimate, Measure, MismatchError, Param, Row, Subject, probe
from solera_plugins.probes.groups import Dtype, mean_of


@probe(
    "relative_flatness",
    kind="scalars",
    measures=(Measure("flatness", "relative flatness"), Measure("trace", "trace of the layer's Hessian")),
    needs="task",
    paper="Petzka and others 2021, Relative flatness and generalization",
    url="https://arxiv.org/abs/2001.00939",
)
def relative_flatness(
    subject: Subject,
    *,
    layer: Annotated[str, Param(help="The weight of the layer; the network's last matrix if empty.")] = "",
    draws: Annotated[int, Param(1, 100000, help="Random vectors; each is two products.")] = 64,
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """The sum over pairs of a layer's rows of their inner product times the trace of the Hessian between them.

    ``sum_st <w_s, w_t> Tr H_st`` for rows s, t of one layer's weight (a convolution's are flattened). It is the mean of
    ``v^T H v`` over ``v = (W y) z^T`` with random signs y, z. With no fewer draws than the layer has weights it is
    ``sum_kj v^T H v`` over all ``v`` with the k-th singular column of W in place of row entries j, and exact.

    Args:
        subject: Networks on a task's examples.
        layer: Which.
        draws: How many vectors.
        dtype: Of the arithmetic.
    """
    for i, model in enumerate(subject.models):
        name = layer or _last_matrix(subject, i)
        objective = subject.objective(model, dtype=dtype, only=name)
        (part,) = objective.parts
        rows = objective.theta.view(part.shape[0], -1)
        exact = draws >= objective.theta.numel()
        left, sizes, _ = torch.linalg.svd(rows, full_matrices=False)
        columns = left * sizes

        def curvature(vector: Tensor) -> float:
            flat = vector.reshape(-1)
            return float(flat.double() @ objective.hvp(objective.theta, flat).double())

        def pair(draw: int) -> list[float]:
            y = subject.signs(f"{model.name}/y/{draw}", rows.shape[1]).to(rows)
            z = subject.signs(f"{model.name}/z/{draw}", rows.shape[1]).to(rows)
            v = subject.signs(f"{model.name}/v/{draw}", rows.numel()).to(rows)
            return [curvature(torch.outer(rows @ y, z)), curvature(v)]

        def axis(j: int) -> list[float]:
            unit = torch.zeros(rows.shape[1]).to(rows)
            unit[j] = 1
            eye = torch.eye(rows.shape[0]).to(rows)
            sums = [sum(curvature(torch.outer(c, unit)) for c in each.T) for each in (columns, eye)]
            return [float(each) for each in sums]

        count = rows.shape[1] if exact else draws
        subject.steps(count * len(subject.models))
        told = [subject.once(f"{model.name}/{k}", lambda: axis(k) if exact else pair(k)) for k in range(count)]
        found = [
            Estimate(sum(each[k] for each in told)) if exact else mean_of([each[k] for each in told]) for k in (0, 1)
        ]
        yield Row((i,), {"flatness": found[0], "trace": found[1]})


def _last_matrix(subject: Subject, index: int) -> str:
    model = subject.models[index]
    layout = model.network.layout
    matrices = [name for name, shape in zip(layout.names, layout.shapes, strict=True) if len(shape) >= 2]
    if not matrices:
        raise MismatchError(f"'{model.name}' has no layer with a matrix.", model=model.name)
    return matrices[-1]
