"""The data of a task themselves, for what is measured on them beside scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Examples:
    """What a task feeds a network, and what it holds its answer against.

    Attributes:
        inputs: Shape (n, ...), as the network takes it, on the device.
        targets: int64, shape (n,) where the network gives one row of logits per example, (n, t) where it gives t.
        chunk: How many the task feeds at a time.
    """

    inputs: Tensor
    targets: Tensor
    chunk: int


@runtime_checkable
class GivesExamples(Protocol):
    """An evaluator that hands its data out. Those of the built-in tasks do."""

    def examples(self) -> Examples:
        """The samples it scores, in order; not to be changed."""
        ...
