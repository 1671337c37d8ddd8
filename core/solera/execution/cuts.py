"""How tensors are cut into the pieces that are computed one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

#: Into any flat chunks; into runs of whole slices along the first axis; not at all.
Cut = Literal["element", "block", "tensor"]

#: Elements of a piece that a first pass sees. One number everywhere, a multiple of the reductions' block: so what is
#: gathered does not depend on budgets.
PIECE = 2**17

_COARSE: tuple[Cut, ...] = ("element", "block", "tensor")


def coarsest(cuts: Iterable[Cut]) -> Cut:
    """The cut that suits all of them; ``"element"`` for none."""
    return max(cuts, key=_COARSE.index, default="element")


def slice_of(shape: tuple[int, ...], cut: Cut) -> int:
    """Elements that must stay together: 1, a slice along the first axis (of a vector all), or the whole tensor."""
    if cut == "element":
        return 1
    return max(math.prod(shape[1:] if cut == "block" and len(shape) > 1 else shape), 1)


def pieces(
    shape: tuple[int, ...], cut: Cut, size: int, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, int, tuple[int, ...] | None]]:
    """The pieces of a tensor in index order.

    Args:
        shape: The tensor's.
        cut: How it may be cut.
        size: Elements of a piece, if the cut allows it; at least one slice is in every piece.
        start: Flat index to begin at, the beginning of a piece.
        stop: Flat index to end at; the tensor's end if None.

    Yields:
        First element, after the last one, and the piece's shape; None for flat chunks.
    """
    stop = math.prod(shape) if stop is None else stop
    together = slice_of(shape, cut)
    step = max(size // together, 1) * together
    for first in range(start, stop, step):
        last = min(first + step, stop)
        if cut == "element":
            yield first, last, None
        elif cut == "tensor" or len(shape) < 2:
            yield first, last, shape
        else:
            yield first, last, ((last - first) // together, *shape[1:])
