"""The border between a network and what is scored: logits by slice of fixed inputs, however they are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from solera.context import Context
from solera.tasks.examples import Examples
from solera.tasks.scores import Score

#: Numbers that are scored at once where samples have few each; a chunk with more is scored alone.
BLOCK = 2**18

#: So many classes are few: fewer than a processor's vectors have numbers, or not many more.
FEW_CLASSES = 32

#: The logits of a slice of an evaluator's inputs, in the order of the slice; on the inputs' device.
Forward = Callable[[slice], Tensor]


@runtime_checkable
class ScoresLogits(Protocol):
    """An evaluator whose logits may be computed in another way than by calling the network, and in other chunks.

    What it gives then agrees with a plain call to rounding (2e-5 relative), and bytes are equal for one way and chunk.
    It can also keep *traces*: numbers per sample that are smooth in the weights where the score is not, so that scores
    between points can be had from interpolated traces. Those of the built-in tasks do.

    Attributes:
        trace_width: How many float32 numbers a trace has.
    """

    @property
    def trace_width(self) -> int:
        """Numbers of a trace."""
        ...

    def examples(self) -> Examples:
        """The samples it scores; ``chunk`` is how many it feeds at a time by itself."""
        ...

    def score(self, forward: Forward, chunk: int, context: Context, *, traced: bool = False) -> tuple[Score, ...]:
        """Score logits; as :meth:`solera.tasks.task.Evaluator.__call__`.

        Args:
            forward: Gives the logits.
            chunk: Samples per call of it.
            context: Asked between chunks whether to stop.
            traced: Whether the first score carries the trace.
        """
        ...

    def values(self, traces: NDArray[np.float32]) -> NDArray[np.float64]:
        """What scores follow from traces.

        Args:
            traces: Shape (k, trace_width).

        Returns:
            Shape (k, number of columns); NaN where a trace is not a number.
        """
        ...


def in_chunks(forward: Forward, count: int, chunk: int, context: Context) -> Iterator[tuple[slice, Tensor]]:
    """``(where, logits)`` of all samples, chunk by chunk; asks before each whether to stop."""
    for start in range(0, count, chunk):
        context.check()
        where = slice(start, min(start + chunk, count))
        yield where, forward(where)


def in_blocks(pieces: Iterator[tuple[slice, Tensor]]) -> Iterator[tuple[slice, Tensor]]:
    """The same logits in fewer and larger pieces, so that scoring small ones is not mostly calling.

    Args:
        pieces: One after another without gaps, as :func:`in_chunks` gives them.
    """
    held: list[Tensor] = []
    start, stop, numbers = 0, 0, 0
    for where, logits in pieces:
        if held and numbers + logits.numel() > BLOCK:
            yield slice(start, stop), _joined(held)
            held, start, numbers = [], where.start, 0
        held.append(logits)
        stop, numbers = where.stop, numbers + logits.numel()
    if held:
        yield slice(start, stop), _joined(held)


def _joined(pieces: list[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def log_odds(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How far the label is ahead of all others together, and of the best of them.

    The cross-entropy is ``softplus(-odds)``; the label is the argmax where the lead is above 0.

    Args:
        logits: Shape (n, classes), at least two classes; **overwritten**.
        labels: Shape (n,) int64.

    Returns:
        ``odds = z_y - logsumexp of the others`` and ``lead = z_y - max of the others``, shape (n,) each.
    """
    at = labels[:, None]
    own = logits.gather(1, at)[:, 0]
    logits.scatter_(1, at, -torch.inf)
    return own - logits.logsumexp(1), own - logits.amax(1)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each sample, in nats.

    Of few classes a processor computes side by side only what lies side by side: there samples do, not classes.

    Args:
        logits: Shape (n, classes), float32; not changed.
        labels: Shape (n,) int64.

    Returns:
        Shape (n,), NaN where a logit is not a number.
    """
    if logits.device.type != "cpu" or logits.shape[1] > FEW_CLASSES:
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    shares = torch.log_softmax(logits.t().contiguous(), dim=0)
    return shares.gather(0, labels[None])[0].neg_()


def mean_loss(odds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean cross-entropy of rows of log-odds, shape (k, n) to (k,)."""
    losses = torch.nn.functional.softplus(-torch.from_numpy(np.ascontiguousarray(odds)))
    return np.asarray(losses.mean(1, dtype=torch.float64).numpy())
