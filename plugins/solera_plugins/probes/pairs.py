"""Similarity of checkpoints by their weights: cosines, signs and masks of task vectors, two by two."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from solera.api import Measure, Param, Row, Subject, Weights, probe, reductions, selection

Only = Annotated[str, Param(help="Tensors to take, globs with commas between; '-*embed*' leaves some out.")]

_SHARE = Measure("", low=0, high=1)


def _shares(*named: tuple[str, str]) -> tuple[Measure, ...]:
    return tuple(Measure(name, title, low=0, high=1) for name, title in named)


@probe(
    "task_vectors",
    kind="matrix",
    base="required",
    measures=(
        Measure("cosine", low=-1, high=1),
        *_shares(
            ("signs", "equal signs where both are not zero"), ("signs_all", "equal signs, zero being one"),
            ("signs_top", "equal signs where both are among the largest"), ("overlap", "overlap of the largest"),
            ("overlap_chance", "overlap expected by chance"),
        ),
        Measure("norm", "norm of the model's task vector", low=0), Measure("distance", low=0),
    ),
)  # fmt: skip
def task_vectors(
    subject: Subject,
    *,
    density: Annotated[float, Param(0, 1, help="Share of each task vector that counts as its largest.")] = 0.2,
    only: Only = "",
) -> Iterator[Row]:
    """How alike models are by what they have beyond their base: cosines, signs, overlap of their largest changes.

    Task vectors are differences from the base, in float64. ``overlap`` is the intersection over the union of the masks
    of each one's largest changes over all tensors; ``overlap_chance`` what masks of that size at random places would
    have, ``k / (2 - k)``. ``signs`` counts where both are not zero, ``signs_top`` where both are in their masks. Equal
    magnitudes at the threshold are taken in the order of the tensors. Weights are streamed.

    Args:
        subject: Checkpoints and their base.
        density: What counts as largest.
        only: Which tensors.

    Pitfalls:
        - Weights stored in bfloat16 have differences of exactly zero in many places: look at both ``signs``.
        - Embeddings are included unless left out, also where only few of their rows were trained.
    """
    names = subject.tensors(only)
    weights = Weights([*(model.checkpoint for model in subject.models), subject.reference.checkpoint])
    count = len(subject.models)
    numel = sum(subject.models[0].checkpoint[name].numel for name in names)
    kept = int(density * numel)
    subject.steps(count + len(names))
    masks = [_Mask(*subject.once(f"{m.name}/top", lambda: _threshold(weights, names, i, kept))) for i, m in
             enumerate(subject.models)]  # fmt: skip
    pairs = [(i, j) for i in range(count) for j in range(i, count)]
    totals = torch.zeros(len(pairs), len(_SUMS), dtype=torch.float64)
    for name in names:
        told = subject.once(f"tensor {name}", lambda: _sums(weights, name, pairs, masks))
        for mask, used in zip(masks, told[len(pairs) * len(_SUMS) :], strict=True):
            mask.ties = used
        totals += torch.tensor(told[: len(pairs) * len(_SUMS)]).view(len(pairs), -1)
    told_of = {pair: dict(zip(_SUMS, row.tolist(), strict=True)) for pair, row in zip(pairs, totals, strict=True)}
    for i in range(count):
        for j in range(count):
            pair, ends = told_of[min(i, j), max(i, j)], [told_of[k, k]["dot"] for k in (i, j)]
            yield Row((i, j), _measures(pair, ends, numel, kept))


#: What is added up for each pair.
_SUMS = ("dot", "both", "equal", "equal_all", "union", "shared", "equal_shared")


@dataclass(slots=True)
class _Mask:
    """Which changes are among the largest: those above a threshold and the first few that are equal to it."""

    threshold: float
    ties: float

    def of(self, size: Tensor) -> Tensor:
        """The mask of the next piece, float32 magnitudes; uses ties up."""
        mask = size > self.threshold
        if self.ties > 0:
            equal = torch.nonzero(size == self.threshold)[: int(self.ties), 0]
            mask[equal] = True
            self.ties -= len(equal)
        return mask


def _threshold(weights: Weights, names: tuple[str, ...], index: int, kept: int) -> list[float]:
    """The size of the smallest of the largest changes, and how many equal ones belong to them."""
    select = selection.StreamingSelect(kept)
    while select.needs_pass:
        for name in names:
            for pieces in weights.pieces(name):
                select.add((pieces[index].double() - pieces[-1].double()).abs().float())
        select.end_pass()
    return [select.threshold, kept - select.above if kept else 0.0]


def _sums(weights: Weights, name: str, pairs: list[tuple[int, int]], masks: list[_Mask]) -> list[float]:
    """The sums over one tensor, then what is left of each model's ties."""
    gram = reductions.Gram(len(masks))
    counts = torch.zeros(len(pairs), len(_SUMS) - 1, dtype=torch.float64)
    for *pieces, base in weights.pieces(name):
        deltas = [piece.double() - base.double() for piece in pieces]
        gram.add(deltas)
        signs = [delta.sign() for delta in deltas]
        tops = [mask.of(delta.abs().float()) for mask, delta in zip(masks, deltas, strict=True)]
        for row, (i, j) in enumerate(pairs):
            same, both, shared = signs[i] == signs[j], (signs[i] != 0) & (signs[j] != 0), tops[i] & tops[j]
            found = (both, same & both, same, tops[i] | tops[j], shared, same & shared)
            counts[row] += torch.tensor([float(each.sum()) for each in found], dtype=torch.float64)
    told: list[float] = []
    for row, (i, j) in enumerate(pairs):
        told += [gram.total(i, j), *counts[row].tolist()]
    return [*told, *(mask.ties for mask in masks)]


def _measures(pair: dict[str, float], ends: list[float], numel: int, kept: int) -> dict[str, float]:
    def ratio(part: float, whole: float) -> float:
        return part / whole if whole else math.nan

    size, share = math.sqrt(ends[0] * ends[1]), kept / numel
    cosine = max(-1.0, min(1.0, ratio(pair["dot"], size)))
    return {
        "cosine": cosine,
        "signs": ratio(pair["equal"], pair["both"]),
        "signs_all": ratio(pair["equal_all"], numel),
        "signs_top": ratio(pair["equal_shared"], pair["shared"]),
        "overlap": ratio(pair["shared"], pair["union"]),
        "overlap_chance": ratio(share, 2 - share),
        "norm": math.sqrt(ends[0]),
        "distance": math.sqrt(max(ends[0] + ends[1] - 2 * pair["dot"], 0.0)),
    }
