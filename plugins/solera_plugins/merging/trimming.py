"""Trimming: which entries of a task vector are kept, counted exactly over a tensor or a whole model."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from solera.api import LoopPasses, Passes, Piece, Tape, TapeValue, bricks, reductions, selection
from solera_plugins.merging.energy import energy_counts

Compat = Literal["none", "authors", "mergelm"]
Share = Literal["count", "energy", "deviation"]
Norm = Literal["none", "l1", "l2", "linf"]
Elect = Literal["mass", "count", "normfrac", "normmass", "none"]

#: Puts on a tape what is kept of the task vectors of the tensor of a name; None where it cannot.
Build = Callable[[Tape, Sequence[TapeValue], str], Sequence[TapeValue] | None]

#: Takes the pieces of all task vectors at one place, and gives what is kept of them.
Thin = Callable[[Sequence[Tensor], Piece], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one model is trimmed: larger magnitudes stay, smaller ones go, of equal ones the first.

    Attributes:
        threshold: The magnitude.
        until: Name of a tensor and flat index in it: entries of exactly that magnitude stay before this place, in the
            order of names; None keeps all of them.
        end: Name and size of a tensor whose last entry stays whatever its magnitude; an empty size is none.
        centre: Distances from here are meant instead of magnitudes, and only larger ones stay; None is 0.
    """

    threshold: float
    until: tuple[str, int] | None = None
    end: tuple[str, int] = ("", 0)
    centre: float | None = None

    def trim(self, delta: Tensor, piece: Piece) -> Tensor:
        """A piece of the task vector with 0 where it is trimmed."""
        if self.centre is not None:
            return bricks.masked(delta, (delta - self.centre).abs() > self.threshold)
        if self.threshold < 0:
            return delta
        ties = self._ties(piece, delta.numel())
        if ties in {0, delta.numel()}:
            kept = self._shrunk(delta, ties > 0)
        else:
            flat = delta.reshape(-1)
            kept = torch.cat([self._shrunk(flat[:ties], True), self._shrunk(flat[ties:], False)]).view(delta.shape)
        last = self.end[1] - 1 - piece.start
        if piece.name == self.end[0] and 0 <= last < delta.numel():
            kept = kept.clone()
            kept.view(-1)[last] = delta.reshape(-1)[last]
        return kept

    def tape(self, tape: Tape, value: TapeValue, name: str) -> TapeValue | None:
        """:meth:`trim` of a value on a tape, at a tensor; None where it cannot be put there."""
        if self.centre is not None or self.end[1]:
            return None
        if self.threshold < 0:
            return value
        until = None if self.until is None or name < self.until[0] else self.until[1] if name == self.until[0] else 0
        return tape.trim(value, self.threshold, until)

    def mask(self, size: Tensor, piece: Piece) -> Tensor:
        """1 where a magnitude stays, else 0, of a piece: of the dtype and shape of ``size``."""
        ties = self._ties(piece, size.numel())
        flat = size.reshape(-1)
        parts = [1.0 - bricks.less(flat[:ties], self.threshold), bricks.more(flat[ties:], self.threshold)]
        return torch.cat(parts).view(size.shape)

    def _ties(self, piece: Piece, numel: int) -> int:
        """How many of the first entries of a piece stay if they are of exactly the threshold."""
        if self.until is None or piece.name < self.until[0]:
            return numel
        return min(max(self.until[1] - piece.start, 0), numel) if piece.name == self.until[0] else 0

    def _shrunk(self, delta: Tensor, ties: bool) -> Tensor:
        limit = float(np.nextafter(np.float32(self.threshold), np.float32(0.0))) if ties else self.threshold
        return delta if ties and self.threshold == 0 else torch.nn.functional.hardshrink(delta, limit)


#: Nothing is trimmed; everything is.
WHOLE, NOTHING = Cut(-1.0), Cut(math.inf)


def placed(passes: Passes) -> Iterator[tuple[Piece, Sequence[Tensor]]]:
    """One pass, with the place of each piece."""
    name, start = "", 0
    for name_, tensors in passes:
        start = start if name_ == name else 0
        name = name_
        yield Piece(name, start), tensors
        start += tensors[0].numel()


def keep_count(numel: int, density: float, compat: Compat) -> int:
    """How many entries are to be kept; the released codes keep one more, and count from either end."""
    if compat == "authors":
        return min(int(numel * density) + 1, numel)
    if compat == "mergelm":
        return min(numel - int(numel * (1 - density)) + 1, numel)
    return max(int(numel * density), 1) if density > 0 and numel > 0 else 0


def find_cuts(passes: Passes, density: tuple[float, ...], compat: Compat, share: Share = "count") -> list[Cut]:
    """The cut of every model over what the passes go over.

    A share of the squared norm takes two passes more; with it the authors' code keeps exactly as many as reach the
    share, and the last entry of the vector besides.
    """
    if share == "count":
        counts = [keep_count(passes.numel, part, compat) for part in density]
        return cuts_at(passes, list(enumerate(counts)), all_ties=compat != "none")
    cuts = cuts_at(passes, list(enumerate(energy_counts(passes, density))))
    if compat != "authors":
        return cuts
    end = ("", 0)
    for piece, deltas in placed(passes):
        end = (piece.name, piece.start + deltas[0].numel())
    return [replace(cut, end=end) for cut in cuts]


def deviation_cuts(passes: Passes, deviations: float) -> list[Cut]:
    """Cuts that keep what lies more than so many (unbiased) standard deviations from the mean, in two passes."""
    sums: list[float] = []
    for _, deltas in passes:
        sums = [a + reductions.reduce_sum(b) for a, b in zip(sums or [0.0] * len(deltas), deltas, strict=True)]
    means = [total / max(passes.numel, 1) for total in sums]
    squares = [0.0] * len(means)
    for _, deltas in passes:
        for i, delta in enumerate(deltas):
            apart = delta.double() - means[i]
            squares[i] += reductions.dot(apart, apart)
    return [
        Cut(deviations * math.sqrt(square / max(passes.numel - 1, 1)), centre=mean)
        for mean, square in zip(means, squares, strict=True)
    ]


def cuts_at(passes: Passes, wanted: Sequence[tuple[int, int]], *, all_ties: bool = False) -> list[Cut]:
    """Cuts that keep so many of the largest magnitudes: mostly from one pass.

    Args:
        passes: The task vectors.
        wanted: For each cut the model and how many entries it keeps.
        all_ties: Keep every entry that equals the threshold.
    """
    cuts = [WHOLE if count >= passes.numel else NOTHING for _, count in wanted]
    partly = {i: model for i, (model, count) in enumerate(wanted) if 0 < count < passes.numel}
    selects = {i: selection.StreamingSelect(wanted[i][1]) for i in partly}
    sample = passes.sample() if partly else []
    for i, model in partly.items():
        selects[i].guess([run[model] for run in sample], wanted[i][1] / passes.numel)
    places = Places(passes)
    while waiting := {i: select for i, select in selects.items() if select.needs_pass}:
        places.show(list(waiting.values()), *_of_models([partly[i] for i in waiting]))
    untold: dict[int, tuple[int, float, int]] = {}
    for i, select in selects.items():
        cuts[i] = Cut(select.threshold)
        ties = select.k - select.above
        if not all_ties and ties < select.ties:
            last = select.tie_at(ties)
            if last is None:
                untold[i] = (partly[i], select.threshold, ties)
            else:
                cuts[i] = replace(cuts[i], until=places.after(last))
    for i, until in ties_until(passes, untold).items():
        cuts[i] = replace(cuts[i], until=until)
    return cuts


def _of_models(models: Sequence[int]) -> tuple[Callable[[Sequence[Tensor]], Sequence[Tensor]], Build]:
    """What gives the task vectors of some models, from those of all; and the same on a tape."""
    return lambda deltas: [deltas[model] for model in models], lambda _, values, __: [values[m] for m in models]


class Places:
    """A stream that selections look at, and where its entries lie.

    Args:
        passes: The stream.
    """

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self._starts: list[int] = []
        self._names: list[str] = []

    def show(
        self, selects: Sequence[selection.StreamingSelect], values: Callable[[Sequence[Tensor]], Sequence[Tensor]],
        build: Build,
    ) -> None:  # fmt: skip
        """One pass, and its end.

        Args:
            selects: Each looks at one value.
            values: Makes them of what the stream gives.
            build: The same on a tape.
        """
        found = self._passes.sift(selects, build) if isinstance(self._passes, LoopPasses) else None
        if found is None:
            found = self._add(selects, values)
        self._starts = [0, *accumulate(numel for _, numel in found)][:-1]
        self._names = [name for name, _ in found]
        for select in selects:
            select.end_pass()

    def _add(
        self, selects: Sequence[selection.StreamingSelect], values: Callable[[Sequence[Tensor]], Sequence[Tensor]]
    ) -> list[tuple[str, int]]:  # fmt: skip
        sizes: dict[str, int] = {}
        for name, tensors in self._passes:
            made = values(tensors)
            for select, value in zip(selects, made, strict=True):
                select.add(value)
            sizes[name] = sizes.get(name, 0) + tensors[0].numel()
        return list(sizes.items())

    def after(self, entry: int) -> tuple[str, int]:
        """Name of the tensor, and the flat index in it, right after an entry of the stream that was gone through."""
        i = bisect_right(self._starts, entry) - 1
        return self._names[i], entry - self._starts[i] + 1


def ties_until(passes: Passes, wanted: dict[int, tuple[int, float, int]]) -> dict[int, tuple[str, int]]:
    """The place after so many entries of exactly a magnitude: model, magnitude and how many, by any number."""
    found: dict[int, tuple[str, int]] = {}
    left = {i: count for i, (_, _, count) in wanted.items()}
    for piece, deltas in placed(passes) if wanted else ():
        for i in [i for i in wanted if i not in found]:
            model, threshold, _ = wanted[i]
            equal = bricks.equal(deltas[model].reshape(-1).abs(), threshold)
            here = int(equal.sum())
            if here >= left[i]:
                found[i] = (piece.name, piece.start + int(equal.nonzero()[left[i] - 1]) + 1)
            left[i] -= here
        if len(found) == len(wanted):
            break
    return found


def trimmed(deltas: Sequence[Tensor], cuts: Sequence[Cut], piece: Piece) -> list[Tensor]:
    """A piece of every task vector with 0 where it is trimmed."""
    return [cut.trim(delta, piece) for delta, cut in zip(deltas, cuts, strict=True)]


def norm_factors(passes: Passes, thin: Thin, norm: Norm, build: Build | None = None) -> list[float]:
    """What brings each vector, thinned out, to the norm it had; 1 where nothing is left.

    Args:
        passes: The vectors.
        thin: What is kept of them.
        norm: The norm.
        build: The same on a tape.
    """
    if norm == "l1" and build is not None and isinstance(passes, LoopPasses):
        found = passes.sizes(partial(_whole_and_kept, build))
        if found is not None:
            pairs = zip(found[: len(found) // 2], found[len(found) // 2 :], strict=True)
            return [whole / left if left > 0 else 1.0 for whole, left in pairs]
    sizes: list[list[float]] = []
    for piece, deltas in placed(passes):
        sizes = sizes or [[0.0, 0.0] for _ in deltas]
        for size, delta, kept in zip(sizes, deltas, thin(deltas, piece), strict=True):
            for k, vector in enumerate((delta, kept)):
                if norm == "linf":
                    size[k] = max(size[k], float(vector.abs().max()))
                else:
                    size[k] += reductions.sum_abs(vector) if norm == "l1" else reductions.dot(vector, vector)
    if norm == "l2":
        sizes = [[math.sqrt(size) for size in pair] for pair in sizes]
    return [whole / left if left > 0 else 1.0 for whole, left in sizes]


def _whole_and_kept(build: Build, tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue] | None:
    kept = build(tape, values, name)
    return None if kept is None else [*values, *kept]


def scaled(tensor: Tensor, factor: float) -> Tensor:
    """The tensor times a number; itself at 1."""
    return tensor if factor == 1.0 else tensor * factor


def rescaled(kept: Sequence[Tensor], factors: Sequence[float], vectors: Sequence[Tensor]) -> list[Tensor]:
    """What was kept of some vectors, each times its factor: in place, but where it is the vector itself."""
    return [
        scaled(entry, factor) if factor == 1.0 or entry is vector else entry.mul_(factor)
        for entry, factor, vector in zip(kept, factors, vectors, strict=True)
    ]


def are_new(kept: Sequence[Tensor], vectors: Sequence[Tensor]) -> bool:
    """Whether none of what was kept is the vector itself, so that all of it may be overwritten."""
    return all(entry is not vector for entry, vector in zip(kept, vectors, strict=True))
