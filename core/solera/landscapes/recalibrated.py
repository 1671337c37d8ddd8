"""Points of a family whose BatchNorm statistics are made anew at each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from solera.context import Context

if TYPE_CHECKING:
    from solera.landscapes.landscape import Materialiser
    from solera.models.network import Network
    from solera.statistics.recalibration import Recalibration


class Recalibrated:
    """A materialiser after whose every point the network's running statistics are measured on examples.

    What is scored is then not the point's own recipe but that with the statistics of data: a point that is kept as a
    checkpoint is recalculated too.

    Args:
        inner: Writes the weights.
        network: Whose flat vector it writes into.
        recalibration: Measures.
        context: Asked between batches whether to stop.
    """

    def __init__(self, inner: Materialiser, network: Network, recalibration: Recalibration, context: Context) -> None:
        self._inner = inner
        self._network = network
        self._recalibration = recalibration
        self._context = context

    def at(self, numbers: Mapping[str, float], out: Tensor) -> None:
        """Write a point and measure its statistics; see :class:`solera.landscapes.landscape.Materialiser`."""
        self._inner.at(numbers, out)
        self._recalibration(self._network, self._context)
