"""What single tensors look like: norms, ranks, singular values, sizes of changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from solera.api import Axis, Measure, MismatchError, Param, Row, Subject, Weights, probe, reductions, selection

Only = Annotated[str, Param(help="Tensors to take, globs with commas between; '-*embed*' leaves some out.")]


def tensors(subject: Subject, params: Mapping[str, Any]) -> Sequence[str]:
    """Every tensor that is chosen."""
    return subject.tensors(params["only"])


def matrices(subject: Subject, params: Mapping[str, Any]) -> Sequence[str]:
    """Every tensor of two or more dimensions that is chosen.

    Raises:
        MismatchError: There is none.
    """
    found = [name for name in subject.tensors(params["only"]) if len(subject.models[0].checkpoint[name].shape) >= 2]
    if not found:
        raise MismatchError("The models have no matrices of these names.", only=params["only"])
    return found


def _weights(subject: Subject) -> Weights:
    base = [subject.base] if subject.base else []
    return Weights([model.checkpoint for model in (*subject.models, *base)])


def _changes(subject: Subject, pieces: tuple[Tensor, ...]) -> list[Tensor]:
    """Pieces of every model, float64; with a base, of its difference from that."""
    if subject.base is None:
        return [piece.double() for piece in pieces]
    return [piece.double() - pieces[-1].double() for piece in pieces[:-1]]


@probe(
    "norms",
    kind="layers",
    base="optional",
    layers=tensors,
    measures=(
        Measure("norm", log=True, low=0), Measure("norm_per_root", "norm by root of the size", log=True, low=0),
        Measure("mean_size", "mean magnitude", log=True, low=0),
        Measure("largest", "largest magnitude", log=True, low=0),
    ),
    paper="Pan and others 2024, LISA: layerwise importance sampling",
    url="https://arxiv.org/abs/2403.17919",
)  # fmt: skip
def norms(subject: Subject, *, only: Only = "") -> Iterator[Row]:
    """How large the weights of each tensor are; with a base, how large their change is.

    Norm, norm divided by the root of the number of elements, mean and largest magnitude. Weights are streamed, and the
    numbers are the same whatever the pieces.

    Args:
        subject: Checkpoints, and a base.
        only: Which tensors.
    """
    weights, names, count = _weights(subject), subject.tensors(only), len(subject.models)
    subject.steps(len(names))
    for j, name in enumerate(names):

        def sums() -> list[float]:
            gram = reductions.Gram(count, [(i, i) for i in range(count)])
            sizes, largest = [0.0] * count, [0.0] * count
            for pieces in weights.pieces(name):
                changes = _changes(subject, pieces)
                gram.add(changes)
                for i, change in enumerate(changes):
                    for partial in reductions.block_partials(torch.abs, change):
                        sizes[i] += partial
                    largest[i] = max(largest[i], float(change.abs().max()))
            return [number for i in range(count) for number in (gram.total(i, i), sizes[i], largest[i])]

        told = subject.once(name, sums)
        numel = subject.models[0].checkpoint[name].numel
        for i in range(count):
            square, size, largest = told[3 * i : 3 * i + 3]
            norm = math.sqrt(square)
            values = {"norm": norm, "norm_per_root": norm / math.sqrt(numel), "mean_size": size / numel}
            yield Row((i, j), {**values, "largest": largest})


@probe(
    "delta_magnitudes",
    kind="layers",
    base="required",
    layers=tensors,
    measures=(
        Measure("zero", "share that is exactly zero", low=0, high=1),
        Measure("small", "share below the first threshold", low=0, high=1),
        Measure("middle", "share below the second threshold", low=0, high=1),
        Measure("large", "share below the third threshold", low=0, high=1),
        Measure("percentile_99", "magnitude that one in a hundred reaches", log=True, low=0),
        Measure("largest", "largest magnitude", log=True, low=0),
        Measure("mean_size", "mean magnitude", log=True, low=0),
    ),
    paper="Yu and others 2024, Language models are super Mario (DARE)",
    url="https://arxiv.org/abs/2311.03099",
)  # fmt: skip
def delta_magnitudes(
    subject: Subject,
    *,
    first: Annotated[float, Param(0, None, help="Below it dropping nine in ten changes is harmless.")] = 0.002,
    second: Annotated[float, Param(0, None, help="The threshold an earlier version of the paper names.")] = 0.005,
    third: Annotated[float, Param(0, None, help="Where changes are larger, dropping fails.")] = 0.03,
    only: Only = "",
) -> Iterator[Row]:
    """In which range the changes from a base lie: whether they may be dropped at random.

    Shares of each tensor's changes whose magnitude is below three thresholds, the magnitude that one in a hundred
    reaches (exactly: the largest number that at least that many reach), the largest and the mean. Weights are streamed.

    Args:
        subject: Checkpoints and their base.
        first: A threshold.
        second: A threshold.
        third: A threshold.
        only: Which tensors.
    """
    weights, names, count = _weights(subject), subject.tensors(only), len(subject.models)
    limits = (first, second, third)
    subject.steps(len(names))
    for j, name in enumerate(names):
        numel = subject.models[0].checkpoint[name].numel

        def ranges() -> list[float]:
            told = []
            for i in range(count):
                select = selection.StreamingSelect(math.ceil(numel / 100))
                sums = [0.0] * 6
                first_pass = True
                while select.needs_pass:
                    for pieces in weights.pieces(name):
                        size = (pieces[i].double() - pieces[-1].double()).abs()
                        select.add(size.float())
                        if first_pass:
                            sums[0] += float((size == 0).sum())
                            for k, limit in enumerate(limits):
                                sums[k + 1] += float((size < limit).sum())
                            sums[4] = max(sums[4], float(size.max()))
                            for partial in reductions.block_partials(lambda x: x, size):
                                sums[5] += partial
                    select.end_pass()
                    first_pass = False
                told += [*sums, select.threshold]
            return told

        found = subject.once(name, ranges)
        for i in range(count):
            zero, small, middle, large, largest, total, percentile = found[7 * i : 7 * i + 7]
            shares = {"zero": zero / numel, "small": small / numel, "middle": middle / numel, "large": large / numel}
            rest = {"percentile_99": percentile, "largest": largest, "mean_size": total / numel}
            yield Row((i, j), {**shares, **rest})


@probe(
    "matrix_ranks",
    kind="layers",
    base="optional",
    layers=matrices,
    measures=(
        Measure("effective_rank", "effective rank", low=0),
        Measure("proportional", "effective rank by the largest possible", low=0, high=1.0 + 1e-9),
        Measure("stable_rank", "stable rank", low=0), Measure("participation", "participation ratio", low=0),
        Measure("entropy_rank", "exponential of the entropy of squares", low=0),
        Measure("nuclear_over_spectral", "nuclear by spectral norm", low=0),
        Measure("numerical_rank", "numerical rank", low=0), Measure("top_1", "largest singular value", low=0),
        Measure("top_2", "second singular value", low=0), Measure("top_3", "third singular value", low=0),
    ),
    paper="Roy and Vetterli 2007, The effective rank",
)  # fmt: skip
def matrix_ranks(subject: Subject, *, only: Only = "") -> Iterator[Row]:
    """How many directions each matrix uses; with a base, its change.

    Of the singular values ``s`` in float64 (a convolution's weight is flattened to out x rest): the effective rank
    ``exp(-sum p ln p)`` with ``p = s / sum s`` (0 ln 0 is 0), the same divided by the number of singular values, the
    stable rank ``|W|_F^2 / s_1^2``, the participation ratio ``(sum s^2)^2 / sum s^4``, the exponential of the entropy
    of ``s^2``, nuclear by spectral norm, the numerical rank (above ``s_1 max(shape)`` times the float32 epsilon), and
    the three largest.

    Args:
        subject: Checkpoints, and a base.
        only: Which tensors.
    """
    for i, j, values in _spectra(subject, only):
        yield Row((i, j), ranks_of(values, max(_sides(subject, matrices(subject, {"only": only})[j]))))


@probe(
    "singular_values",
    kind="curve",
    base="optional",
    axes=(Axis("model", "model"), Axis("layer", "layer"), Axis("rank")),
    layers=matrices,
    measures=(Measure("value", "singular value", log=True, low=0),),
)
def singular_values(
    subject: Subject,
    *,
    top: Annotated[int, Param(1, 100000, help="How many of each matrix, from the largest.")] = 64,
    only: Only = "",
) -> Iterator[Row]:
    """The largest singular values of each matrix; with a base, of its change.

    In float64; a convolution's weight is flattened to out x rest.

    Args:
        subject: Checkpoints, and a base.
        top: How many.
        only: Which tensors.
    """
    for i, j, values in _spectra(subject, only):
        for rank, value in enumerate(values[:top].tolist()):
            yield Row((i, j, rank + 1), {"value": value})


def _sides(subject: Subject, name: str) -> tuple[int, int]:
    shape = subject.models[0].checkpoint[name].shape
    return shape[0], math.prod(shape[1:])


def _spectra(subject: Subject, only: str) -> Iterator[tuple[int, int, Tensor]]:
    """Singular values of every matrix, float64, largest first."""
    weights, names = _weights(subject), matrices(subject, {"only": only})
    subject.steps(len(names) * len(subject.models))
    for j, name in enumerate(names):
        for i, model in enumerate(subject.models):

            def values() -> list[float]:
                matrix = weights.whole(i, name).double().flatten(1)
                if subject.base is not None:
                    matrix = matrix - weights.whole(len(subject.models), name).double().flatten(1)
                return list(torch.linalg.svdvals(matrix).tolist())

            yield i, j, torch.tensor(subject.once(f"{model.name}/{name}", values), dtype=torch.float64)


def ranks_of(values: Tensor, side: int) -> dict[str, float]:
    """The measures of :func:`matrix_ranks`.

    Args:
        values: Singular values, float64, shape (n,), largest first.
        side: The longer side of the matrix.
    """
    found = {f"top_{k + 1}": float(values[k]) for k in range(min(3, len(values)))}
    total, square = float(values.sum()), float(values.square().sum())
    if not total:
        return {**found, "numerical_rank": 0.0}
    entropy = float(-torch.special.xlogy(values / total, values / total).sum())
    squares = values.square() / square
    smallest = float(values[0]) * side * torch.finfo(torch.float32).eps
    return found | {
        "effective_rank": math.exp(entropy),
        "proportional": math.exp(entropy) / len(values),
        "stable_rank": square / float(values[0]) ** 2,
        "participation": square**2 / float(values.pow(4).sum()),
        "entropy_rank": math.exp(float(-torch.special.xlogy(squares, squares).sum())),
        "nuclear_over_spectral": total / float(values[0]),
        "numerical_rank": float((values > smallest).sum()),
    }
