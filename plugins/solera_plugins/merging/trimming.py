"""Trimming: which entries of a task vector are kept, counted exactly over a tensor or a whole model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from solera.api import Passes, bricks, reductions, selection
from solera_plugins.merging.energy import energy_counts

Compat = Literal["none", "authors", "mergelm"]
Share = Literal["count", "energy"]
Norm = Literal["none", "l1", "l2", "linf"]
Elect = Literal["mass", "count", "normfrac", "normmass", "none"]

#: Up to here finding the k-th largest at once is faster than by histograms; both are exact.
_SMALL = 2**18


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one model is trimmed: larger magnitudes stay, smaller ones go, of equal ones the first.

    Attributes:
        threshold: The magnitude.
        ties: How many entries of exactly that magnitude stay, by tensor; None keeps all.
        end: Name and size of a tensor whose last entry stays whatever its magnitude; an empty name is none.
    """

    threshold: float
    ties: dict[str, int] | None = field(default_factory=dict)
    end: tuple[str, int] = ("", 0)


#: Nothing is trimmed; everything is.
WHOLE, NOTHING = Cut(-1.0), Cut(math.inf)


class Progress:
    """A cut on its way over the pieces of a model, in order."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._left = dict(cut.ties or {})
        self._seen = 0

    def trim(self, delta: Tensor, name: str) -> Tensor:
        """The task vector with 0 where it is trimmed; a whole tensor, or the next piece of it."""
        threshold = self._cut.threshold
        if threshold < 0:
            return delta
        if self._cut.ties is None:  # the threshold itself stays too
            return torch.where(delta.abs() >= threshold, delta, 0.0)
        kept = torch.nn.functional.hardshrink(delta, threshold)
        left = self._left.get(name, 0)
        if left:
            places = (delta.abs() == threshold).reshape(-1).nonzero()[:left, 0]
            kept.view(-1)[places] = delta.reshape(-1)[places]
            self._left[name] = left - places.numel()
        if self._cut.end[1] and name == self._cut.end[0]:
            self._seen += delta.numel()
            if self._seen == self._cut.end[1]:
                kept.view(-1)[-1] = delta.reshape(-1)[-1]
        return kept


def keep_count(numel: int, density: float, compat: Compat) -> int:
    """How many entries are to be kept; the released codes keep one more, and count from either end."""
    if compat == "authors":
        return min(int(numel * density) + 1, numel)
    if compat == "mergelm":
        return min(numel - int(numel * (1 - density)) + 1, numel)
    return max(int(numel * density), 1) if density > 0 and numel > 0 else 0


def cut(delta: Tensor, density: float, compat: Compat, name: str, share: Share = "count") -> Cut:
    """The cut of one tensor on its own."""
    if share == "energy":
        return find_cuts([(name, [delta])], (density,), compat, share)[0]
    numel, count = delta.numel(), keep_count(delta.numel(), density, compat)
    if count in {0, numel}:
        return WHOLE if count else NOTHING
    size = delta.abs().reshape(-1)
    if numel > _SMALL:
        select = selection.select_kth([size], count)
        return _cut(select.threshold, count - select.above, select.ties, compat, name)
    threshold = float(size.kthvalue(numel - count + 1).values)
    above = int(torch.count_nonzero(size > threshold))
    return _cut(threshold, count - above, int(torch.count_nonzero(size >= threshold)) - above, compat, name)


def _cut(threshold: float, wanted: int, ties: int, compat: Compat, name: str) -> Cut:
    return Cut(threshold, None if compat != "none" or wanted == ties else {name: wanted})


def find_cuts(passes: Passes, density: tuple[float, ...], compat: Compat, share: Share = "count") -> list[Cut]:
    """The cut of every model: two passes for the thresholds, a third if equal magnitudes must be told apart.

    A share of the squared norm takes two passes more; with it the authors' code keeps exactly as many as reach the
    share, and the last entry of the vector besides.
    """
    reached = energy_counts(passes, density) if share == "energy" else None
    end = ("", 0)
    selects = [selection.StreamingSelect(1) for _ in density]
    numels = [0] * len(density)
    for name, deltas in passes:
        for i, delta in enumerate(deltas):
            selects[i].add(delta)
            numels[i] += delta.numel()
        end = (name, deltas[0].numel() + (end[1] if end[0] == name else 0))
    counts = reached or [keep_count(numel, part, compat) for numel, part in zip(numels, density, strict=True)]
    partly = [i for i, count in enumerate(counts) if 0 < count < numels[i]]
    for i in partly:
        selects[i].k = counts[i]  # how many are wanted is known only now that they are counted
        selects[i].end_pass()
    if partly:
        for _, deltas in passes:
            for i in partly:
                selects[i].add(deltas[i])
        for i in partly:
            selects[i].end_pass()
    cuts = [WHOLE if count else NOTHING for count in counts]
    left = {}
    for i in partly:
        wanted = counts[i] - selects[i].above
        cuts[i] = _cut(selects[i].threshold, wanted, selects[i].ties, compat if reached is None else "none", "")
        if cuts[i].ties is not None:
            left[i] = wanted
    _share_ties(passes, cuts, left)
    return [replace(cut, end=end) for cut in cuts] if reached is not None and compat == "authors" else cuts


def _share_ties(passes: Passes, cuts: list[Cut], left: dict[int, int]) -> None:
    """Give the entries that lie exactly on the threshold to the tensors, first come first served."""
    shares: dict[int, dict[str, int]] = {i: {} for i in left}
    if left:
        for name, deltas in passes:
            for i in left:
                here = min(int(torch.count_nonzero(deltas[i].abs() == cuts[i].threshold)), left[i])
                left[i] -= here
                if here:
                    shares[i][name] = shares[i].get(name, 0) + here
    for i, ties in shares.items():
        cuts[i] = Cut(cuts[i].threshold, ties)


def squared_norms(passes: Passes, cuts: list[Cut], elect: Elect) -> list[float]:
    """The squared norm of every trimmed task vector; 1 if the election needs none."""
    if elect not in {"normfrac", "normmass"}:
        return [1.0] * len(cuts)
    totals = [0.0] * len(cuts)
    progress = [Progress(cut) for cut in cuts]
    for name, deltas in passes:
        for i, (delta, at) in enumerate(zip(deltas, progress, strict=True)):
            kept = at.trim(delta, name)
            totals[i] += reductions.dot(kept, kept)
    return totals


def rescaled(kept: Tensor, whole: Tensor, norm: Norm) -> Tensor:
    """What was kept of a tensor, scaled to the norm of the whole; 0 stays 0."""
    if norm == "none" or not whole.numel():
        return kept
    if norm == "l1":
        return bricks.rescale_l1(kept, whole)
    if norm == "l2":
        wanted, got = reductions.norm(whole), reductions.norm(kept)
    else:
        wanted, got = float(whole.abs().max()), float(kept.abs().max())
    return kept * (wanted / got) if got > 0 else kept
