"""Several points in one call of the network: torch.vmap over stacked weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.func import functional_call

from solera.errors import CapacityError
from solera.tasks.forward import Forward
from solera.tasks.inference import network_forward

if TYPE_CHECKING:
    from solera.models.network import Network
    from solera.tasks.examples import Examples

#: Bytes of logits kept for one task until all points have been scored on them.
MOST_BYTES = 256 * 2**20


class Together:
    """Scores of several points from one call, each the same whatever other points share the call.

    A call has always the same number of points: where there are fewer, the places left over hold older weights.

    Args:
        network: Written point after point; its weights are taken from it.
        points: How many share a call.
        chunk: Samples per call at most; 0 is the task's own.
    """

    def __init__(self, network: Network, points: int, chunk: int) -> None:
        self._network, self._points, self._chunk = network, points, chunk
        self._flat = network.flat.repeat(points, 1)
        start = network.flat.storage_offset()
        self._weights = {
            name: self._flat[:, view.storage_offset() - start :][:, : view.numel()].view(points, *view.shape)
            for name, view in network.layout.views(network.flat)
        }
        self._call: Any = torch.vmap(self._one, in_dims=(0, None))

    def refresh(self, numbers: Mapping[str, float]) -> None:
        """Take the network's weights in the first place."""
        self.take(0)

    def take(self, place: int) -> None:
        """Take the weights that were just written into the network as those of a place."""
        self._flat[place].copy_(self._network.flat)

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        """The logits of the first place."""
        forwards, chunk = self.forwards(examples, task, 1)
        return forwards[0], chunk

    def forwards(self, examples: Examples, task: str, count: int) -> tuple[list[Forward], int]:
        """What gives the logits of each of the first places, and how many samples at a time.

        Raises:
            CapacityError: When called, where the logits of all places are too many to keep.
        """
        chunk = self._chunk or examples.chunk
        calls = network_forward(self._stacked, examples.inputs, chunk, task)
        known: dict[int, Tensor] = {}

        def logits(where: slice) -> Tensor:
            if where.start not in known:
                known[where.start] = calls(where)
                nbytes = 4 * known[where.start][0, 0].numel() * len(examples.inputs) * self._points
                if nbytes > MOST_BYTES:
                    raise CapacityError(
                        f"The logits of {self._points} points on task '{task}' take {nbytes:,} bytes, more than "
                        f"{MOST_BYTES:,}; score fewer points together.",
                        task=task,
                    )
            return known[where.start]

        return [lambda where, place=place: logits(where)[place] for place in range(count)], chunk  # type: ignore[misc]

    def _stacked(self, inputs: Tensor) -> Tensor:
        found: Tensor = self._call(self._weights, inputs)
        return found

    def _one(self, weights: dict[str, Tensor], inputs: Tensor) -> Any:
        output = functional_call(self._network.module, weights, (inputs,))
        return getattr(output, "logits", output)
