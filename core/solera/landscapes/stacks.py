"""Landscapes of variable depth: a network for every number of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from solera.context import Context
from solera.landscapes.landscape import Landscape, Measure
from solera.landscapes.ways import make_engine
from solera.tasks.scores import Score

if TYPE_CHECKING:
    from solera.families.stacks import StackFamily
    from solera.models.network import Network

#: Gives the tensors of a point's model: name -> tensor, as they would be saved.
Stacked = Callable[[Sequence[float]], Mapping[str, Tensor]]


class Depths:
    """Networks by their number of layers, made when they are first needed; and the weights of points.

    One thread at a time.

    Args:
        family: The stacks.
        build: Makes the network of a point, any weights.
        tensors: Gives the weights of a point.
    """

    def __init__(self, family: StackFamily, build: Callable[[Sequence[float]], Network], tensors: Stacked) -> None:
        self._family = family
        self._build = build
        self._tensors = tensors
        self._networks: dict[int, Network] = {}

    def network(self, coords: Sequence[float]) -> Network:
        """The network for a point's number of layers."""
        depth = len(self._family.layers(coords))
        if depth not in self._networks:
            self._networks[depth] = self._build(coords)
        return self._networks[depth]

    def at(self, numbers: Mapping[str, float], out: Tensor) -> None:
        """Write the weights of a point; see :class:`solera.landscapes.landscape.Materialiser`."""
        coords = [numbers[coord.name] for coord in self._family.coords]
        network = self.network(coords)
        tensors = self._tensors(coords)
        for name, view in network.layout.views(out):
            view.copy_(tensors[name])


class StackLandscape(Landscape):
    """A landscape over a family of stacks.

    Args:
        family: The stacks.
        depths: Their networks and weights; may be shared by the landscapes of one thread.
        measures: The tasks.
    """

    def __init__(self, family: StackFamily, depths: Depths, measures: Sequence[Measure]) -> None:
        start = next(iter(family.labels.values()))
        super().__init__(family, depths.network(start), depths, measures)
        self._depths = depths

    @property
    def one_network(self) -> bool:
        """Each depth has a network of its own."""
        return False

    def _score(self, coords: tuple[float, ...], context: Context, samples: int) -> tuple[Score, ...]:
        self.family.numbers(coords)  # a point without layers has no network
        network = self._depths.network(coords)
        if network is not self.network:
            self.network, self._engine = network, make_engine(self.way, network)
        return super()._score(coords, context, samples)
