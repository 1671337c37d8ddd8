"""What every statistic is: sums that grow with the examples, and what is made of them at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from solera.context import Context
from solera.models.network import Network
from solera.tasks.examples import Examples


class Collector(Protocol):
    """Gathers one statistic of one network.

    Its sums are float64 and grow in the order of the examples, so that a collection which was stopped gives the same
    bytes as one that was not. One thread at a time; the network's weights stay as they are.

    Attributes:
        chunk: Examples taken at a time.
        facts: What a reader of the result should know, JSON-ready; complete when the first examples were added.
    """

    chunk: int
    facts: dict[str, str | int | float]

    def add(self, network: Network, examples: Examples, where: slice, context: Context) -> None:
        """Take some more examples; ``where`` are those of the whole set, in order.

        Raises:
            TaskError: The network does not fit the examples.
        """
        ...

    def state(self) -> dict[str, Tensor]:
        """The sums so far, by name; on any device."""
        ...

    def restore(self, state: Mapping[str, Tensor], facts: Mapping[str, str | int | float]) -> None:
        """Go on from sums and facts that were kept."""
        ...

    def result(self) -> dict[str, Tensor]:
        """The statistic, float32 on the CPU, by name.

        Raises:
            MismatchError: The network has nothing of the kind.
        """
        ...
