"""Units as they flow through a traced network: which tensors and values share them, and what holds them fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from solera.alignment.symmetry import Axis, Factor, Group, Symmetry


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
    """

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._size: list[int] = []
        self._cells: list[int] = []
        self._held: list[bool] = []
        self._name: list[str] = []
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
        places = set(self.claims) | self.refused
        used = [name for name in names if any((name, i) in places for i in range(rank))]
        for i in range(rank):
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
        groups: dict[str, Group] = {}
        axes: dict[str, list[Axis | None]] = {}
        for (tensor, i), (units, rest) in self.claims.items():
            at = self.root(units)
            if self._held[at] or self._size[at] < 2:
                continue
            name = self._name[at]
            groups[name] = Group(self._size[at], self._cells[at])
            factors: tuple[Factor, ...] = ("cell", "unit", rest) if rest > 1 else ("cell", "unit")
            axes.setdefault(tensor, [None] * ranks[tensor])[i] = Axis(name, factors)
        return Symmetry(groups, {name: tuple(each) for name, each in axes.items()})


def flattened(flow: Flow, before: tuple[int, ...], after: tuple[int, ...]) -> Flow | None:
    """The flow after a reshape that puts all dimensions from the units' on into one; None after any other.

    Args:
        flow: Of the value before.
        before: Its shape.
        after: The shape of the result.
    """
    if before == after:
        return flow
    end = flow.dim + 1
    if before[: flow.dim] == after[: flow.dim] and after[flow.dim :] == (math.prod(before[flow.dim :]),):
        return Flow(flow.units, flow.dim, flow.rest * math.prod(before[end:]))
    return None
