"""The Hessian of the loss: both ends of its spectrum, its trace, its spectral density."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from solera.api import Axis, Estimate, Finding, Measure, NetworkObjective, Param, Row, Subject, probe
from solera_plugins.probes.curvature import Krylov, lanczos

Matrix = Annotated[
    Literal["hessian", "ggn", "fisher"],
    Param(help="Which matrix: the Hessian, the generalised Gauss-Newton matrix, or the empirical Fisher matrix."),
]
Dtype = Annotated[Literal["float32", "float64"], Param(help="Of the arithmetic.")]
Only = Annotated[str, Param(help="Tensors to take, globs with commas between; '-*bias' leaves some out.")]

_MODEL = Axis("model", "model")


@probe(
    "hessian_eigenvalues",
    kind="curve",
    axes=(_MODEL, Axis("rank", title="rank")),
    measures=(Measure("eigenvalue"), Measure("residual", log=True, low=0)),
    needs="task",
    paper="Ghorbani, Krishnan and Xiao 2019, Neural net optimization via Hessian eigenvalue density",
    url="https://arxiv.org/abs/1901.10159",
)
def hessian_eigenvalues(
    subject: Subject,
    *,
    top: Annotated[int, Param(1, 100, help="How many eigenvalues of each end.")] = 5,
    steps: Annotated[int, Param(2, 2000, help="Lanczos steps; each is one product and one vector kept.")] = 60,
    matrix: Matrix = "hessian",
    only: Only = "",
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """The largest and the most negative eigenvalues of the Hessian, each with its residual.

    Lanczos iteration with full reorthogonalisation. Ranks 1, 2, ... are the largest eigenvalues, -1, -2, ... the
    smallest (most negative) ones. The residual is ``|H v - l v|`` for the unit vector ``v`` that was found: an
    eigenvalue of the matrix lies within it. Where the steps are as many as the parameters, all is exact up to rounding.

    Args:
        subject: Networks on a task's examples.
        top: How many of each end.
        steps: Lanczos steps.
        matrix: Which matrix.
        only: Which tensors the matrix is of.
        dtype: Of the arithmetic.
    """
    for i, name, objective, _ in subject.objectives(dtype=dtype, only=only):
        theta = objective.theta

        def found() -> list[float]:
            krylov = _krylov(subject, name, theta, steps, lambda v: objective.hvp(theta, v, matrix=matrix))
            values, vectors = krylov.ritz()
            count = min(top, len(values))
            # The smallest ones that are not among the largest already.
            picked = [*range(len(values) - 1, len(values) - 1 - count, -1), *range(min(count, len(values) - count))]
            told = []
            for place in picked:
                vector = krylov.vector(vectors[:, place])
                vector = vector / vector.norm()
                image = objective.hvp(theta, vector, matrix=matrix)
                told += [float(values[place]), float((image - float(values[place]) * vector).norm())]
            return [count, *told]

        count, *told = subject.once(f"{name}/ends", found)
        for place in range(len(told) // 2):
            rank = place + 1 if place < count else -(place - int(count) + 1)
            yield Row((i, rank), {"eigenvalue": told[2 * place], "residual": told[2 * place + 1]})


@probe(
    "hessian_trace",
    kind="scalars",
    measures=(Measure("trace"), Measure("mean_eigenvalue", "mean eigenvalue"), Measure("loss"), Measure("parameters")),
    needs="task",
    paper="Hutchinson 1990, A stochastic estimator of the trace of the influence matrix",
)
def hessian_trace(
    subject: Subject,
    *,
    draws: Annotated[int, Param(1, 100000, help="Random vectors; each is one product.")] = 32,
    kind: Annotated[
        Literal["signs", "normal"], Param(help="What the vectors hold: 1 or -1, or normal numbers.")
    ] = "signs",
    matrix: Matrix = "hessian",
    only: Only = "",
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """The trace of the Hessian by Hutchinson's estimator, with its standard error.

    The mean of ``v^T H v`` over a fixed number of random vectors. With no fewer draws than parameters every unit vector
    is taken once instead, and the trace is exact.

    Args:
        subject: Networks on a task's examples.
        draws: How many vectors.
        kind: What they hold.
        matrix: Which matrix.
        only: Which tensors the trace is over.
        dtype: Of the arithmetic.
    """
    for i, name, objective, loss in subject.objectives(dtype=dtype, only=only):
        samples = _traces(subject, name, objective, draws, kind, matrix).sum(1)
        exact = draws >= objective.theta.numel()
        trace = Estimate(float(samples.sum())) if exact else _mean(samples)
        size = objective.theta.numel()
        yield Row(
            (i,),
            {
                "trace": trace,
                "mean_eigenvalue": Estimate(trace.value / size, trace.stderr / size, trace.count),
                "loss": Estimate(loss, count=objective.count),
                "parameters": float(size),
            },
        )


@probe(
    "hessian_layer_traces",
    kind="layers",
    layers=lambda subject, params: subject.tensors(params["only"]),
    measures=(Measure("trace"), Measure("mean_diagonal", "mean diagonal entry")),
    needs="task",
)
def hessian_layer_traces(
    subject: Subject,
    *,
    draws: Annotated[int, Param(1, 100000, help="Random vectors; each is one product.")] = 32,
    kind: Annotated[
        Literal["signs", "normal"], Param(help="What the vectors hold: 1 or -1, or normal numbers.")
    ] = "signs",
    matrix: Matrix = "hessian",
    only: Only = "",
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """The trace of each tensor's own block of the Hessian, all from the same products.

    ``E[v_b . (H v)_b]`` is the trace of block b, for what other blocks add has mean zero. With no fewer draws than
    parameters it is exact.

    Args:
        subject: Networks on a task's examples.
        draws: How many vectors.
        kind: What they hold.
        matrix: Which matrix.
        only: Which tensors.
        dtype: Of the arithmetic.
    """
    layers = list(subject.tensors(only))
    for i, name, objective, _ in subject.objectives(dtype=dtype, only=only):
        samples = _traces(subject, name, objective, draws, kind, matrix)
        exact = draws >= objective.theta.numel()
        for j, part in enumerate(objective.parts):
            if part.name not in layers:
                continue
            trace = Estimate(float(samples[:, j].sum())) if exact else _mean(samples[:, j])
            size = part.where.stop - part.where.start
            mean = Estimate(trace.value / size, trace.stderr / size, trace.count)
            yield Row((i, layers.index(part.name)), {"trace": trace, "mean_diagonal": mean})


@probe(
    "hessian_density",
    kind="curve",
    axes=(_MODEL, Axis("eigenvalue")),
    measures=(Measure("density", log=True, low=0),),
    needs="task",
    paper="Ghorbani, Krishnan and Xiao 2019, Neural net optimization via Hessian eigenvalue density",
    url="https://arxiv.org/abs/1901.10159",
)
def hessian_density(
    subject: Subject,
    *,
    vectors: Annotated[int, Param(1, 1000, help="Random vectors; each takes all the steps.")] = 4,
    steps: Annotated[int, Param(2, 2000, help="Lanczos steps for each vector.")] = 60,
    sigma: Annotated[
        float, Param(0, None, help="Width of the Gaussian in place of an eigenvalue; 0 is a hundredth of the range.")
    ] = 0.0,
    points: Annotated[int, Param(16, 10000, help="Places at which the density is given.")] = 400,
    matrix: Matrix = "hessian",
    only: Only = "",
    dtype: Dtype = "float32",
) -> Iterator[Row | Finding]:
    """The density of the Hessian's eigenvalues by stochastic Lanczos quadrature.

    For each random vector the Ritz values are nodes and the squared first components of their vectors weights; the
    density is the mean over vectors of the sum of Gaussians of width sigma there. Its integral is 1. The width that
    was used and the mean of the first two moments are kept as findings.

    Args:
        subject: Networks on a task's examples.
        vectors: How many random vectors.
        steps: Lanczos steps.
        sigma: Width of the Gaussians.
        points: Places.
        matrix: Which matrix.
        only: Which tensors the matrix is of.
        dtype: Of the arithmetic.
    """
    for i, name, objective, _ in subject.objectives(dtype=dtype, only=only):
        theta = objective.theta
        nodes, weights = [], []
        for draw in range(vectors):

            def quadrature() -> list[float]:
                label = f"{name}/{draw}"
                krylov = _krylov(subject, label, theta, steps, lambda v: objective.hvp(theta, v, matrix=matrix))
                values, inside = krylov.ritz()
                return [*values, *np.square(inside[0])]

            told = np.array(subject.once(f"{name}/quadrature/{draw}", quadrature))
            nodes.append(told[: len(told) // 2])
            weights.append(told[len(told) // 2 :])
        x, w = np.concatenate(nodes), np.concatenate(weights) / vectors
        width = sigma or max(float(x.max() - x.min()) / 100, 1e-12)
        for power in (1, 2):
            yield Finding(f"moment {power}: {name}", float(w @ x**power))
        yield Finding(f"sigma: {name}", width)
        for at in np.linspace(x.min() - 4 * width, x.max() + 4 * width, points):
            bells = np.exp(-(((at - x) / width) ** 2) / 2) / (width * math.sqrt(2 * math.pi))
            yield Row((i, float(at)), {"density": float(w @ bells)})


def _krylov(subject: Subject, label: str, theta: Tensor, steps: int, product: Callable[[Tensor], Tensor]) -> Krylov:
    def start(which: int) -> Tensor:
        return subject.signs(f"{label}/start/{which}", theta.numel()).to(theta)

    return lanczos(product, start(-1), steps, start)


def _traces(
    subject: Subject, name: str, objective: NetworkObjective, draws: int, kind: str, matrix: Matrix
) -> np.ndarray:
    """``v_b . (H v)_b`` for every draw and tensor, float64 of shape (draws, tensors)."""
    theta = objective.theta
    size = theta.numel()
    exact = draws >= size
    count = size if exact else draws
    subject.steps(count * len(subject.models))

    def one(draw: int) -> list[float]:
        if exact:
            vector = torch.zeros_like(theta)
            vector[draw] = 1.0
        else:
            drawn = subject.normal if kind == "normal" else subject.signs
            vector = drawn(f"{name}/trace/{draw}", size).to(theta)
        image = objective.hvp(theta, vector, matrix=matrix)
        return [float(vector[part.where].double() @ image[part.where].double()) for part in objective.parts]

    return np.array([subject.once(f"{name}/trace/{draw}", lambda: one(draw)) for draw in range(count)])


def _mean(samples: np.ndarray) -> Estimate:
    """The mean of draws with its standard error; the error of one draw is unknown."""
    count = len(samples)
    error = float(samples.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return Estimate(float(samples.mean()), error, count)
