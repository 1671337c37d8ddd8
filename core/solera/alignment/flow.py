"""Units as they flow through a traced network: which tensors and values share them, and what holds them fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from solera.alignment.symmetry import Axis, Group, Place, Symmetry


@dataclass(frozen=True, slots=True)
class Flow:
    """Where units lie in a value.

    Attributes:
        units: Number of what was made by :meth:`Units.new`.
        dim: Which dimension of the value they lie along.
        rest: Entries of that dimension that go along with each unit, one after another.
    """

    units: int
    dim: int
    rest: int = 1


class Units:
    """Sets of units, joined wherever two must be one.

    Attributes:
        claims: ``(tensor, axis) -> (units, entries a unit)``.
        refused: Axes that must stay as they are, whoever else claims them.
        fused: ``(tensor, axis) -> units`` that lie there one after another.
    """

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._size: list[int] = []
        self._cells: list[int] = []
        self._held: list[bool] = []
        self._name: list[str] = []
        self._along: dict[int, int] = {}
        self.fused: dict[tuple[str, int], tuple[int, ...]] = {}
        self.claims: dict[tuple[str, int], tuple[int, int]] = {}
        self.refused: set[tuple[str, int]] = set()

    def new(self, name: str, size: int) -> int:
        """Units that nothing is known of yet.

        Args:
            name: Of the group they will be, if they stay free.
            size: How many.
        """
        self._parent.append(len(self._parent))
        self._size.append(size)
        self._cells.append(1)
        self._held.append(False)
        self._name.append(name)
        return len(self._parent) - 1

    def heads(self, name: str, size: int, heads: int) -> tuple[int, int]:
        """Values of the heads of an attention, and its queries and keys: runs that move together.

        Args:
            name: Of the layer.
            size: Dimensions of all heads.
            heads: How many.
        """
        values, keys = self.new(f"{name}.heads", size), self.new(f"{name}.keys", size)
        self._cells[values] = self._cells[keys] = heads
        self._along[keys] = values
        return values, keys

    def root(self, units: int) -> int:
        """The same number for units that were joined."""
        while self._parent[units] != units:
            units = self._parent[units]
        return units

    def hold(self, flow: Flow | None) -> None:
        """Let units never change places."""
        if flow is not None:
            self._held[self.root(flow.units)] = True

    def join(self, a: int, b: int) -> None:
        """Make two one."""
        a, b = sorted((self.root(a), self.root(b)))
        if a == b:
            return
        self._parent[b] = a
        cells = (self._cells[a], self._cells[b])
        self._held[a] = self._held[a] or self._held[b] or self._size[a] != self._size[b]
        self._held[b] = self._held[a]
        self._cells[a] = max(cells)
        if min(cells) > 1 and cells[0] != cells[1]:
            self._held[a] = True

    def split(self, flow: Flow, cells: int) -> None:
        """Let units move only with or within one of so many equal runs."""
        at = self.root(flow.units)
        if cells > 1 and (flow.rest != 1 or self._size[at] % cells or self._cells[at] not in (1, cells)):
            self._held[at] = True
        self._cells[at] = max(self._cells[at], cells)

    def claim(self, tensor: str, axis: int, flow: Flow) -> None:
        """Say that units lie along an axis of a tensor too."""
        units, rest = self.claims.setdefault((tensor, axis), (flow.units, flow.rest))
        self.join(units, flow.units)
        if rest != flow.rest:
            self.hold(flow)

    def tie(self, names: list[str], rank: int) -> None:
        """Let names of one tensor be claimed alike: what one that is used leaves as it is stays so for all."""
        for at in [key for key in self.fused if key[0] in names]:
            for name in names:  # the same units, wherever else they are found
                others = self.fused.setdefault((name, at[1]), self.fused[at])
                for one, other in zip(self.fused[at], others, strict=True):
                    self.join(one, other)
        places = set(self.claims) | self.refused
        used = [name for name in names if any((name, i) in places for i in range(rank))]
        for i in range(rank):
            if any((name, i) in self.fused for name in names):
                continue
            found = [self.claims.get((name, i)) for name in used]
            flows = [Flow(each[0], i, each[1]) for each in found if each is not None]
            if len(flows) < len(found) or any((name, i) in self.refused for name in used):
                self.refused.update((name, i) for name in used)
            for name in names if flows else ():
                for flow in flows:
                    self.claim(name, i, flow)

    def symmetry(self, ranks: dict[str, int]) -> Symmetry:
        """What is still free.

        Args:
            ranks: Number of axes of each tensor.
        """
        for place in self.refused & set(self.claims):
            self._held[self.root(self.claims[place][0])] = True
        for place, units in self.fused.items():
            also = self.claims.get(place)
            if also or place in self.refused or any(self._held[self.root(each)] for each in units):
                for each in (*units, *(also or ())[:1]):
                    self._held[self.root(each)] = True
        for keys, values in self._along.items():
            held = self._held[self.root(keys)] or self._held[self.root(values)]
            self._held[self.root(keys)] = self._held[self.root(values)] = held
        groups: dict[str, Group] = {}
        axes: dict[str, list[Place]] = {}

        def axis(units: int, rest: int = 1) -> Axis | None:
            at = self.root(units)
            if self._held[at] or self._size[at] < 2:
                return None
            along = self._along.get(at)
            leader = self._name[self.root(along)] if along is not None else ""
            groups[self._name[at]] = Group(self._size[at], self._cells[at], leader)
            return Axis(self._name[at], ("cell", "unit", rest) if rest > 1 else ("cell", "unit"))

        for (tensor, i), (claimed, rest) in self.claims.items():
            found = axis(claimed, rest)
            if found is not None:
                axes.setdefault(tensor, [None] * ranks[tensor])[i] = found
        for (tensor, i), fused in self.fused.items():
            several = tuple(each for each in map(axis, fused) if each is not None)
            if len(several) == len(fused):
                axes.setdefault(tensor, [None] * ranks[tensor])[i] = several
        return Symmetry(groups, {name: tuple(each) for name, each in axes.items()})


def flattened(flow: Flow, before: tuple[int, ...], after: tuple[int, ...]) -> Flow | None:
    """The flow after a reshape that keeps the units apart; None after any other.

    Dimensions before or after that of the units may be joined or cut; that of the units itself may be joined with all
    that come after it.

    Args:
        flow: Of the value before.
        before: Its shape.
        after: The shape of the result.
    """
    if before == after:
        return flow
    kept = len(before) - flow.dim
    if before[: flow.dim + 1] == after[: flow.dim + 1]:
        return flow
    if before[flow.dim :] == after[-kept:]:
        return Flow(flow.units, len(after) - kept, flow.rest)
    end = flow.dim + 1
    if before[: flow.dim] == after[: flow.dim] and after[flow.dim :] == (math.prod(before[flow.dim :]),):
        return Flow(flow.units, flow.dim, flow.rest * math.prod(before[end:]))
    return None
