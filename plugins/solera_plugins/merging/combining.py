"""How sparse task vectors are put together: added, averaged, or after an election of signs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from solera.api import HeldPasses, Passes, Piece, Tape, TapeValue, bricks
from solera_plugins.merging.sums import normalised, weighted_sum
from solera_plugins.merging.trimming import placed, scaled

Combine = Literal["sum", "mean", "ties", "ties_sum"]
ZeroSign = Literal["majority", "plus", "drop"]

#: Adds up signs without rounding.
_EXACT = torch.float64

#: Said alike by every method that offers the choice.
COMBINE_HELP = "Add, average, or elect a sign and take the mean (ties) or sum (ties_sum) of what agrees."
ZERO_SIGN_HELP = "Where an elected sign is even: the one most coordinates of the tensor have, plus, or the base."


class Majority:
    """The sign that most coordinates elect, of a tensor or a model: found when somebody asks, for few must.

    Args:
        passes: The task vectors.
        elected: The sign of each coordinate of a piece.
    """

    def __init__(self, passes: Passes, elected: Callable[[Sequence[Tensor], Piece], Tensor]) -> None:
        self._passes = passes
        self._elected = elected
        self._lock = threading.Lock()
        self._sign: int | None = None

    @property
    def known(self) -> int | None:
        """:attr:`sign`, if somebody asked for it."""
        return self._sign

    @property
    def sign(self) -> int:
        """1, -1, or 0 where as many are positive as negative."""
        with self._lock:
            if self._sign is None:
                balance = sum(float(self._elected(t, piece).sum(dtype=_EXACT)) for piece, t in placed(self._passes))
                self._sign = (balance > 0) - (balance < 0)
            return self._sign


def decided(signs: Tensor, kept: Sequence[Tensor], zero_sign: ZeroSign, undecided: Callable[[], int]) -> Tensor:
    """The signs, with another one where the vote is even and something was kept.

    Args:
        signs: -1, 0 or 1; overwritten.
        kept: What was voted on.
        zero_sign: What an even vote takes; plus also where nothing was kept, which changes nothing there.
        undecided: The majority's sign, asked for only if it is wanted somewhere.
    """
    if zero_sign == "drop":
        return signs
    even = bricks.equal(signs, 0.0)
    if zero_sign == "plus":
        return signs.add_(even)
    sizes = kept[0].abs()
    for entry in kept[1:]:
        sizes += entry.abs()
    if float(sizes.mul_(even).sum()) == 0:
        return signs
    sign = undecided()
    return signs.add_(even, alpha=sign) if sign else signs


def combine(
    deltas: Sequence[Tensor], weight: Sequence[float], how: Combine, zero_sign: ZeroSign = "majority",
    majority: Majority | None = None, *, own: bool = False,
) -> Tensor:  # fmt: skip
    """One task vector from several.

    Args:
        deltas: One or more of one shape.
        weight: One number per model.
        how: Sum, mean (by total weight), or an election of signs over the weighted vectors.
        zero_sign: What an even vote takes.
        majority: Of the election; None counts the vectors at hand, which are whole then.
        own: Whether the vectors may be overwritten.
    """
    if how in {"sum", "mean"}:
        return weighted_sum(deltas, weight if how == "sum" else normalised(weight))
    if majority is None:
        majority = Majority(HeldPasses(deltas), lambda whole, _: bricks.elect_sign(weighted(whole, weight)))
    kept = weighted(deltas, weight, own=own)
    signs = decided(bricks.elect_sign(kept), kept, zero_sign, lambda: majority.sign)
    return agreeing(kept, signs, weight, "mean" if how == "ties" else "sum")


def tape_combine(
    tape: Tape, kept: Sequence[TapeValue], weight: Sequence[float], how: Combine, zero_sign: ZeroSign,
    majority: int | None,
) -> TapeValue | None:  # fmt: skip
    """:func:`combine` on a tape.

    Args:
        tape: The tape.
        kept: The task vectors.
        weight: One number per model.
        how: As there.
        zero_sign: As there.
        majority: The sign of the majority; None, if it is not known yet: then pieces that ask for it are refused.
    """
    if how in {"sum", "mean"}:
        return tape.weighted_sum(kept, weight if how == "sum" else normalised(weight))
    votes = tape_weighted(tape, kept, weight)
    signs = tape_decided(tape, tape_elected(tape, votes), votes, zero_sign, majority)
    return tape_agreeing(tape, votes, signs, weight, "mean" if how == "ties" else "sum")


def tape_weighted(tape: Tape, values: Sequence[TapeValue], weight: Sequence[float]) -> list[TapeValue]:
    """:func:`weighted` on a tape."""
    return [tape.scale(value, w) for value, w in zip(values, weight, strict=True)]


def tape_elected(tape: Tape, votes: Sequence[TapeValue]) -> TapeValue:
    """:func:`solera.methods.bricks.elect_sign` on a tape."""
    return tape.sign(_tape_total(tape, votes))


def _tape_total(tape: Tape, values: Sequence[TapeValue]) -> TapeValue:
    """The sum of one or more, in order."""
    return reduce(tape.add, values)


def tape_decided(
    tape: Tape, signs: TapeValue, votes: Sequence[TapeValue], zero_sign: ZeroSign, majority: int | None
) -> TapeValue:  # fmt: skip
    """:func:`decided` on a tape; ``majority`` as in :func:`tape_combine`."""
    if zero_sign == "drop" or (zero_sign == "majority" and majority == 0):
        return signs
    even = tape.equals(signs, 0.0)
    if zero_sign == "plus":
        return tape.add(signs, even)
    if majority is not None:
        return tape.add(signs, tape.scale(even, float(majority)))
    tape.refuse(tape.multiply(_tape_total(tape, [tape.abs(vote) for vote in votes]), even))
    return signs


def tape_agreeing(
    tape: Tape, votes: Sequence[TapeValue], signs: TapeValue, weight: Sequence[float], merge: str
) -> TapeValue | None:  # fmt: skip
    """:func:`agreeing` on a tape; None for the largest."""
    if merge == "max":
        return None
    sizes = [tape.at_least(tape.multiply(vote, signs), 0.0) for vote in votes]
    total = _tape_total(tape, sizes)
    if merge == "sum":
        return tape.multiply(total, signs)
    shares = _tape_total(tape, tape_weighted(tape, [tape.sign(size) for size in sizes], weight))
    if min(weight) > 0:
        shares = tape.at_least(shares, min(weight))
    else:
        shares = tape.add(shares, tape.equals(shares, 0.0))
    return tape.multiply(tape.divide(total, shares), signs)


def weighted(deltas: Sequence[Tensor], weight: Sequence[float], *, own: bool = False) -> list[Tensor]:
    """Each vector times its weight; in place where they may be overwritten."""
    if own:
        return [delta if w == 1.0 else delta.mul_(w) for delta, w in zip(deltas, weight, strict=True)]
    return [scaled(delta, w) for delta, w in zip(deltas, weight, strict=True)]


def agreeing(kept: Sequence[Tensor], signs: Tensor, weight: Sequence[float], merge: str) -> Tensor:
    """Mean, sum or largest of the entries that have the elected sign; 0 where none has."""
    if merge == "mean":
        return bricks.disjoint_mean(kept, signs, weight)
    sizes = [(entry * signs).clamp_min_(0.0) for entry in kept]
    if merge == "max":
        largest = sizes[0]
        for size in sizes[1:]:
            largest = largest.maximum(size)
        return largest * signs
    return weighted_sum(sizes, [1.0] * len(sizes)) * signs
