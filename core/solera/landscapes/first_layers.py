"""First layers answered without being computed: on fixed data they are affine where the family is.

Where weights are ``base + sum_k t_k D_k`` a linear layer that reads the data alone answers ``R + sum_k t_k R_k``. The
``R`` are computed once, in float64; a point costs one sum, and another where it begins a new row of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import functional_call

from solera.errors import InputError, NumericError
from solera.execution.memory import Materialiser
from solera.models.leading import FirstLayer

if TYPE_CHECKING:
    from solera.families.family import Family
    from solera.models.network import Network

#: More coordinates than this, and adding up answers costs more than most layers do.
MOST_AXES = 4
#: Bytes of answers kept for one task.
MOST_BYTES = 128 * 2**20
#: Samples answered at a time, and how many of them the answers are held against the layer itself.
_ROWS, _HELD = 256, 16
#: How close they must come, relative to the largest answer.
_AGREES = 1e-5


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of an affine family.

    Attributes:
        names: The recipe's variables.
        middle: The value of each in the middle of its range.
        half: Half of each range.
        write: Writes the weights at such values into a flat vector.
    """

    names: tuple[str, ...]
    middle: tuple[float, ...]
    half: tuple[float, ...]
    write: Callable[[Mapping[str, float], Tensor], None]

    @staticmethod
    def of(family: Family, materialiser: object) -> Axes | None:
        """The axes; None where the weights are not affine, or rounded to few bits, or there are too many axes."""
        if not isinstance(materialiser, Materialiser) or not materialiser.affine or materialiser.rounds:
            return None
        coords = family.coords
        if len(coords) > MOST_AXES:
            return None
        return Axes(
            tuple(coord.name for coord in coords),
            tuple((coord.low + coord.high) / 2 for coord in coords),
            tuple((coord.high - coord.low) / 2 for coord in coords),
            materialiser.at,
        )

    def shares(self, numbers: Mapping[str, float]) -> tuple[float, ...]:
        """How far along each axis a point is: -1 at the low end of the range, 1 at the high end."""
        along = zip(self.names, self.middle, self.half, strict=True)
        return tuple((numbers[name] - middle) / half for name, middle, half in along)

    def numbers(self, shares: Sequence[float]) -> dict[str, float]:
        """The inverse of :meth:`shares`."""
        along = zip(self.names, self.middle, self.half, shares, strict=True)
        return {name: middle + half * share for name, middle, half, share in along}


class FirstAnswers:
    """What the first layers of a network answer on fixed data, anywhere in an affine family.

    Args:
        layers: Taken out of the network's graph.
        network: Its weights are not touched.
        axes: Of the family.
        data: What the network is called with, shape (n, ...).

    Raises:
        InputError: They cannot be had: a layer mixes samples, its answers are too many to keep, or its weights are not
            affine after all.
    """

    def __init__(self, layers: Sequence[FirstLayer], network: Network, axes: Axes, data: Tensor) -> None:
        corners = [axes.numbers([0.0] * len(axes.names))]
        corners += [axes.numbers([float(i == k) for i in range(len(axes.names))]) for k in range(len(axes.names))]
        apart = [0.37 - 0.86 * (k % 2) for k in range(len(axes.names))]
        with torch.inference_mode():
            for layer in layers:
                _check_rows(layer, data, len(corners) + 1)  # with the sums of a row
            weights = _Weights(layers, network)
            try:
                held = [weights.at(axes, corner) for corner in (*corners, axes.numbers(apart))]
            except NumericError as error:
                raise InputError(f"a corner of the family has no weights ({error})") from error
            self._parts = [_parts(layer, [corner[i] for corner in held[:-1]], data) for i, layer in enumerate(layers)]
            self._row: tuple[float, ...] | None = None
            self._sums: list[Tensor] = []
            where = slice(0, min(_HELD, len(data)))
            for i, (layer, found) in enumerate(zip(layers, self.at(apart, where), strict=True)):
                wanted = _answer(layer, held[-1][i], data[where])
                if not (found - wanted).abs().max() <= _AGREES * wanted.abs().max():
                    raise InputError("the first layer is not affine in the coordinates")

    def at(self, shares: Sequence[float], where: slice) -> tuple[Tensor, ...]:
        """The answers for some of the samples, new tensors.

        Args:
            shares: How far along each axis (:meth:`Axes.shares`).
            where: Which samples.
        """
        *before, along = shares
        if tuple(before) != self._row:
            self._row, self._sums = tuple(before), [_added(parts, before) for parts in self._parts]
        return tuple(
            torch.add(total[where], parts[-1][where], alpha=along)
            for total, parts in zip(self._sums, self._parts, strict=True)
        )


def _added(parts: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The answer in the middle and what all axes but the last add to it: the same along a row of a grid."""
    total = parts[0]
    for k, (part, share) in enumerate(zip(parts[1:-1], shares, strict=True)):
        total = total.add_(part, alpha=share) if k else torch.add(total, part, alpha=share)
    return total


class _Weights:
    """The weights of some layers at points of a family, in float64."""

    def __init__(self, layers: Sequence[FirstLayer], network: Network) -> None:
        names = {id(tensor): name for name, tensor in network.module.named_parameters()}
        self._names = [{key: names[id(each)] for key, each in item.layer.named_parameters()} for item in layers]
        self._layout = network.layout
        self._flat = torch.empty_like(network.flat)

    def at(self, axes: Axes, numbers: Mapping[str, float]) -> list[dict[str, Tensor]]:
        """The weights of each layer by their names in the layer."""
        axes.write(numbers, self._flat)
        return [
            {key: self._layout.view(self._flat, name).double() for key, name in names.items()} for names in self._names
        ]


def _check_rows(layer: FirstLayer, data: Tensor, kept: int) -> None:
    """Refuse a layer that does not answer sample by sample, or whose answers are too many to keep."""
    few = data[: min(8, len(data))]
    answers = layer.answer(few)
    if answers.shape[:1] != few.shape[:1] or len(few) < 2:
        raise InputError("its first layer does not answer sample by sample")
    nbytes = 4 * kept * len(data) * answers[0].numel()
    if nbytes > MOST_BYTES:
        raise InputError(f"the answers of its first layer take {nbytes:,} bytes, more than {MOST_BYTES:,}")
    alone = layer.answer(few[1:2])
    if alone.shape != answers[1:2].shape or not torch.allclose(alone, answers[1:2], rtol=1e-4, atol=1e-5):
        raise InputError("its first layer does not answer sample by sample")


def _parts(layer: FirstLayer, corners: Sequence[Mapping[str, Tensor]], data: Tensor) -> list[Tensor]:
    """The answer in the middle, and what each axis adds to it at its high end; float32."""
    pieces: list[list[Tensor]] = [[] for _ in corners]
    for rows in torch.split(data, _ROWS):
        middle, *ends = (_answer(layer, weights, rows) for weights in corners)
        pieces[0].append(middle.float())
        for piece, end in zip(pieces[1:], ends, strict=True):
            piece.append((end - middle).float())
    whole = [torch.cat(piece) for piece in pieces]
    return whole if layer.laid is None else [each.contiguous(memory_format=layer.laid) for each in whole]


def _answer(layer: FirstLayer, weights: Mapping[str, Tensor], rows: Tensor) -> Tensor:
    found: Tensor = functional_call(layer.layer, dict(weights), (layer.read(rows).double(),))
    return found
