"""Similarity of representations: centred kernel alignment between models, and between the layers of two."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from solera.api import Axis, InputError, Measure, Param, Row, Subject, module_names, probe

Estimator = Annotated[Literal["debiased", "biased"], Param(help="Biased values go to 1 with many features.")]
Batch = Annotated[int, Param(0, None, help="Samples of a batch; sums over batches are divided, 0 is all at once.")]
Kernel = Annotated[Literal["linear", "rbf"], Param(help="What compares two samples.")]
Width = Annotated[float, Param(0, None, help="Of the rbf kernel, in median distances.")]
Flatten = Annotated[
    Literal["features", "samples"], Param(help="Whether positions of a picture or text are features, or samples.")
]
Dtype = Annotated[Literal["float32", "float64"], Param(help="In which the networks run; sums are float64.")]

#: Fewest samples that the debiased estimate is defined for.
_FEWEST = 4

_PAPER = "Kornblith, Norouzi, Lee and Hinton 2019, Similarity of neural network representations revisited"
_URL = "https://arxiv.org/abs/1905.00414"


@probe(
    "cka",
    title="CKA of models",
    kind="matrix",
    needs="task",
    measures=(Measure("cka", "CKA"), Measure("hsic", "HSIC"), Measure("samples", "samples compared", low=0)),
    paper=_PAPER,
    url=_URL,
)
def cka(
    subject: Subject,
    *,
    layer: Annotated[str, Param(help="Name of a module, the same in all models; the networks' outputs if empty.")] = "",
    estimator: Estimator = "debiased",
    batch: Batch = 0,
    kernel: Kernel = "linear",
    width: Width = 0.5,
    flatten: Flatten = "features",
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """How alike the representations of models are, by centred kernel alignment.

    ``sum HSIC(K, L) / sqrt(sum HSIC(K, K) sum HSIC(L, L))`` with the Gram matrices K, L of a batch, summed over batches
    before it is divided (Nguyen, Raghu and Kornblith 2021). The debiased HSIC is the unbiased one of Song and others
    2012, with zero diagonals. It may be negative. Invariant to rotation and to isotropic scaling, to nothing else.

    Args:
        subject: Networks on a task's examples.
        layer: Whose output is compared.
        estimator: Which HSIC.
        batch: Samples at a time.
        kernel: What compares two samples.
        width: Of the rbf kernel.
        flatten: What positions are.
        dtype: In which the networks run.

    Pitfalls:
        - The biased value of unrelated representations goes to 1 when there are more features than samples.
        - The debiased one needs four samples at least; a smaller rest is left out.
    """
    runs = [subject.representation(model, layer, dtype=dtype) for model in subject.models]
    totals, count = _totals(subject, runs, estimator, batch, _gram_of(kernel, width, flatten))
    for i in range(len(runs)):
        for j in range(len(runs)):
            values = {"cka": _ratio(totals, i, j), "hsic": float(totals[i, j]), "samples": float(count)}
            yield Row((i, j), values)


def _layers(subject: Subject, params: Mapping[str, Any]) -> Sequence[str]:
    wanted = [part.strip() for part in str(params["layers"]).split(",") if part.strip()]
    return wanted or module_names(subject.models[0].network.module)


@probe(
    "cka_layers",
    title="CKA of layers",
    kind="matrix",
    axes=(Axis("layer", "layer", "layer of the first"), Axis("other", "layer", "layer of the second")),
    layers=_layers,
    needs="task",
    models=(2, 2),
    measures=(Measure("cka", "CKA"), Measure("hsic", "HSIC")),
    paper=_PAPER,
    url=_URL,
)
def cka_layers(
    subject: Subject,
    *,
    layers: Annotated[str, Param(help="Names of modules with commas between; all that hold no others if empty.")] = "",
    estimator: Estimator = "debiased",
    batch: Batch = 0,
    kernel: Kernel = "linear",
    width: Width = 0.5,
    flatten: Flatten = "features",
    dtype: Dtype = "float32",
) -> Iterator[Row]:
    """How alike every layer of one model is to every layer of another, by centred kernel alignment.

    As ``cka``, with the layers of the first model along one side and those of the second along the other.

    Args:
        subject: Two networks on a task's examples.
        layers: Whose outputs are compared.
        estimator: Which HSIC.
        batch: Samples at a time.
        kernel: What compares two samples.
        width: Of the rbf kernel.
        flatten: What positions are.
        dtype: In which the networks run.
    """
    names = _layers(subject, {"layers": layers})
    sides = [[subject.representation(model, name, dtype=dtype) for name in names] for model in subject.models]
    runs = [*sides[0], *sides[1]]
    totals, _ = _totals(subject, runs, estimator, batch, _gram_of(kernel, width, flatten))
    for i in range(len(names)):
        for j in range(len(names), 2 * len(names)):
            yield Row((i, j - len(names)), {"cka": _ratio(totals, i, j), "hsic": float(totals[i, j])})


def _totals(
    subject: Subject,
    runs: list[Callable[[Tensor], Tensor]],
    estimator: str,
    batch: int,
    gram: Callable[[Tensor], Tensor],
) -> tuple[Tensor, int]:
    """HSIC of every pair, summed over batches, float64; and how many samples there were."""
    inputs = subject.examples.inputs
    step = batch or len(inputs)
    fewest = _FEWEST if estimator == "debiased" else 2
    batches = [slice(s, min(s + step, len(inputs))) for s in range(0, len(inputs), step)]
    kept = [each for each in batches if each.stop - each.start >= fewest]
    if not kept:
        raise InputError(
            f"The {estimator} estimate needs {fewest} samples in a batch; there are {min(step, len(inputs))}.",
            samples=len(inputs), batch=batch,
        )  # fmt: skip
    if len(kept) < len(batches):
        subject.say(f"The last {batches[-1].stop - batches[-1].start} samples are too few for a batch and left out.")
    hsic = _unbiased if estimator == "debiased" else _biased
    subject.steps(len(kept))
    total = torch.zeros(len(runs), len(runs), dtype=torch.float64)

    def sums(where: slice) -> list[float]:
        grams = [gram(_run(run, inputs[where], subject.examples.chunk)) for run in runs]
        found = torch.zeros_like(total)
        for i in range(len(grams)):
            for j in range(i, len(grams)):
                found[i, j] = found[j, i] = hsic(grams[i], grams[j])
        return list(found.flatten().tolist())

    for where in kept:
        told = subject.once(f"samples {where.start}", lambda: sums(where))
        total += torch.tensor(told, dtype=torch.float64).view_as(total)
    return total, sum(each.stop - each.start for each in kept)


def _run(run: Callable[[Tensor], Tensor], inputs: Tensor, chunk: int) -> Tensor:
    return torch.cat([run(inputs[start : start + chunk]).double() for start in range(0, len(inputs), chunk)])


def _ratio(totals: Tensor, i: int, j: int) -> float:
    size = float(totals[i, i]) * float(totals[j, j])
    return float(totals[i, j]) / math.sqrt(size) if size > 0 else math.nan


def _gram_of(kernel: str, width: float, flatten: str) -> Callable[[Tensor], Tensor]:
    def gram(x: Tensor) -> Tensor:
        rows = x.flatten(1)
        if flatten == "samples" and x.ndim > 2:
            # Pictures have channels second, texts last.
            rows = (x.movedim(1, -1) if x.ndim == 4 else x).reshape(-1, x.shape[1] if x.ndim == 4 else x.shape[-1])
        products = rows @ rows.T
        if kernel == "linear":
            return products
        squares = products.diagonal()
        apart = squares[:, None] + squares[None, :] - 2 * products
        # The median as NumPy takes it: the mean of the two in the middle.
        flat = apart.flatten().sort().values
        median = (flat[(len(flat) - 1) // 2] + flat[len(flat) // 2]) / 2
        return torch.exp(-apart / (2 * width**2 * median))

    return gram


def _biased(k: Tensor, other: Tensor) -> float:
    """The inner product of the centred Gram matrices."""
    return float((_centred(k) * _centred(other)).sum())


def _centred(k: Tensor) -> Tensor:
    return k - k.mean(0, keepdim=True) - k.mean(1, keepdim=True) + k.mean()


def _unbiased(k: Tensor, other: Tensor) -> float:
    """The unbiased estimate of HSIC (Song and others 2012), diagonals being zero."""
    n = len(k)
    a, b = (each - torch.diag(each.diagonal()) for each in (k, other))
    first = (a * b.T).sum()
    second = a.sum() * b.sum() / ((n - 1) * (n - 2))
    third = 2 * (a.sum(0) @ b.sum(1)) / (n - 2)
    return float((first + second - third) / (n * (n - 3)))
