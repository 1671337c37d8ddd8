"""Trimming: which entries of a task vector are kept, counted exactly over a tensor or a whole model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from solera.api import Passes, reductions, selection

Compat = Literal["none", "authors", "mergelm"]


@dataclass(slots=True)
class Cut:
    """Where one model is trimmed: larger magnitudes stay, smaller ones go, of equal ones the first.

    Attributes:
        threshold: The magnitude.
        ties: How many entries of exactly that magnitude stay, in each tensor; None keeps all.
    """

    threshold: float
    ties: dict[str, int] | None = None
    _left: dict[str, int] = field(default_factory=dict)

    def restart(self) -> None:
        """Begin a pass over the scope in pieces."""
        self._left = dict(self.ties or {})

    def fresh(self) -> Cut:
        """The same cut, for one whole tensor."""
        return Cut(self.threshold, self.ties, dict(self.ties or {}))

    def take(self, name: str, most: int) -> int:
        """How many ties of the next piece of a tensor stay."""
        taken = min(self._left.get(name, 0), most)
        self._left[name] = self._left.get(name, 0) - taken
        return taken


def keep_count(numel: int, density: float, compat: Compat) -> int:
    """How many entries are to be kept; the released codes keep one more, and count from either end."""
    if compat == "authors":
        return min(int(numel * density) + 1, numel)
    if compat == "mergelm":
        return min(numel - int(numel * (1 - density)) + 1, numel)
    return max(int(numel * density), 1) if density > 0 and numel > 0 else 0


def trim(delta: Tensor, cut: Cut, name: str) -> Tensor:
    """The task vector with 0 where it is trimmed; one tensor, or the next piece of it."""
    size = delta.abs()
    if cut.ties is None:
        return torch.where(size >= cut.threshold, delta, 0.0)
    mask = size > cut.threshold
    if cut.ties.get(name, 0):
        tied = (size == cut.threshold).reshape(-1)
        wanted = cut.take(name, int(tied.sum()))
        mask.view(-1)[tied.nonzero()[:wanted, 0]] = True
    return torch.where(mask, delta, 0.0)


def find_cuts(passes: Passes, density: tuple[float, ...], compat: Compat) -> list[Cut]:
    """The cut of every model: two passes for the thresholds, a third if equal magnitudes must be told apart."""
    selects = [selection.StreamingSelect(1) for _ in density]
    numels = [0] * len(density)
    for _, deltas in passes:
        for i, delta in enumerate(deltas):
            selects[i].add(delta)
            numels[i] += delta.numel()
    counts = [keep_count(numel, share, compat) for numel, share in zip(numels, density, strict=True)]
    open_ = [i for i, count in enumerate(counts) if 0 < count < numels[i]]
    for i in open_:
        selects[i].k = counts[i]  # how many are wanted is known only now that they are counted
        selects[i].end_pass()
    if open_:
        for _, deltas in passes:
            for i in open_:
                selects[i].add(deltas[i])
        for i in open_:
            selects[i].end_pass()
    cuts = [Cut(-1.0 if count else math.inf, {}) for count in counts]
    for i in open_:
        every = compat != "none" or counts[i] - selects[i].above == selects[i].ties
        cuts[i] = Cut(selects[i].threshold, None if every else {})
    _share_ties(passes, cuts, {i: counts[i] - selects[i].above for i in open_ if cuts[i].ties is not None})
    return cuts


def _share_ties(passes: Passes, cuts: list[Cut], left: dict[int, int]) -> None:
    """Give the entries that lie exactly on the threshold to the tensors, first come first served."""
    if not any(left.values()):
        return
    for name, deltas in passes:
        for i in left:
            here = min(int((deltas[i].abs() == cuts[i].threshold).sum()), left[i])
            left[i] -= here
            ties = cuts[i].ties
            if here and ties is not None:
                ties[name] = ties.get(name, 0) + here


def squared_norms(passes: Passes, cuts: list[Cut]) -> list[float]:
    """The squared norm of every trimmed task vector."""
    totals = [0.0] * len(cuts)
    for cut in cuts:
        cut.restart()
    for name, deltas in passes:
        for i, (delta, cut) in enumerate(zip(deltas, cuts, strict=True)):
            kept = trim(delta, cut, name)
            totals[i] += reductions.dot(kept, kept)
    return totals
