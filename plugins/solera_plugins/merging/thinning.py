"""Task vectors thinned out, whatever by: brought to their former size, and put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from torch import Tensor

from solera.api import Passes, Piece, Tape, TapeValue, bricks
from solera_plugins.merging.combining import (
    Combine,
    Majority,
    ZeroSign,
    combine,
    tape_combine,
    tape_weighted,
    weighted,
)
from solera_plugins.merging.trimming import Build, Norm, Thin, are_new, norm_factors, rescaled, scaled

#: Norms that what is kept of a tensor may be brought to.
NORMS = ("l1", "l2", "linf")


class Thinned:
    """How the task vectors of a tensor are thinned out, and what the whole tensor tells of the rest.

    Args:
        passes: The task vectors.
        thin: What is kept of them.
        weight: One number per model.
        build: The same on a tape; None where there is no such form.
        rescale: The norm of the whole that what is kept is brought to, if it is one of :data:`NORMS`.
    """

    def __init__(
        self, passes: Passes, thin: Thin, weight: Sequence[float], rescale: str, build: Build | None = None
    ) -> None:  # fmt: skip
        self._build = build
        self._weight = weight
        self._factors = [1.0] * len(weight)
        if rescale in NORMS and passes.numel:
            self._factors = norm_factors(passes, thin, cast("Norm", rescale), build)
        self._kept = partial(_kept, thin, self._factors)
        # Not by a method of its own: in a ring nothing is freed before somebody looks for rings, and masks are large.
        self._majority = Majority(passes, partial(_elected, self._kept, weight))

    def merged(self, deltas: Sequence[Tensor], piece: Piece, how: Combine, zero_sign: ZeroSign, scale: float) -> Tensor:
        """The merged task vector at one piece; ``how`` and ``zero_sign`` as in :func:`combine`."""
        kept = self._kept(deltas, piece)
        own = are_new(kept, deltas)
        return scaled(combine(kept, self._weight, how, zero_sign, self._majority, own=own), scale)

    def taped(
        self, tape: Tape, values: Sequence[TapeValue], name: str, how: Combine, zero_sign: ZeroSign, scale: float
    ) -> TapeValue | None:  # fmt: skip
        """:meth:`merged` on a tape, at the tensor of a name; None where there is no such form."""
        kept = self._build(tape, values, name) if self._build else None
        if kept is None:
            return None
        kept = tape_weighted(tape, kept, self._factors)
        made = tape_combine(tape, kept, self._weight, how, zero_sign, self._majority.known)
        return None if made is None else tape.scale(made, scale)


def _kept(thin: Thin, factors: Sequence[float], deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
    """What is kept of a piece, in its former size."""
    return rescaled(thin(deltas, piece), factors, deltas)


def _elected(
    kept: Callable[[Sequence[Tensor], Piece], Sequence[Tensor]], weight: Sequence[float], deltas: Sequence[Tensor],
    piece: Piece,
) -> Tensor:  # fmt: skip
    """The sign of each coordinate."""
    return bricks.elect_sign(weighted(kept(deltas, piece), weight))
