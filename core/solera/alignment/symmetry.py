"""Which units of a network may change places without changing what it computes, as data."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from solera.errors import InputError, MismatchError

#: One part of an axis: the cells of its group, the units of a cell, or so many entries that go along.
Factor = int | Literal["cell", "unit"]


@dataclass(frozen=True, slots=True)
class Group:
    """Units that change places together wherever they appear: the hidden units of a layer, the heads of a block.

    Attributes:
        size: Units in all.
        cells: The units lie in so many runs of equal length. A run moves as a whole, and units move within their run
            (channels under a GroupNorm, value dimensions of heads). 1 leaves every order open.
    """

    size: int
    cells: int = 1

    @property
    def inner(self) -> int:
        """Units of one cell."""
        return self.size // self.cells


@dataclass(frozen=True, slots=True)
class Axis:
    """How the units of a group lie along one axis of a tensor.

    Attributes:
        group: Name of the group.
        factors: The axis as a product, outermost first. ``("cell", "unit")`` is one entry a unit; ``("cell", "unit",
            16)`` is 16 entries a unit, one after another (channels after flattening); ``("cell", 64)`` is 64 entries a
            cell whose own order is fixed (the queries of a head).
    """

    group: str
    factors: tuple[Factor, ...] = ("cell", "unit")

    @property
    def by_cell(self) -> bool:
        """Whether only whole cells move here."""
        return "unit" not in self.factors

    def sizes(self, group: Group) -> tuple[int, ...]:
        """The factors as numbers."""
        named = {"cell": group.cells, "unit": group.inner}
        return tuple(factor if isinstance(factor, int) else named[factor] for factor in self.factors)


#: The axes of one tensor, outermost first; None where nothing moves.
Axes = tuple[Axis | None, ...]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """The permutation spec of a network.

    Attributes:
        groups: By name.
        axes: By tensor name; tensors of which nothing moves may be absent.
    """

    groups: Mapping[str, Group] = field(default_factory=dict)
    axes: Mapping[str, Axes] = field(default_factory=dict)

    def without(self, patterns: Collection[str]) -> Symmetry:
        """The same with groups that match one of these globs held fast.

        Raises:
            MismatchError: A pattern matches none.
        """
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.groups):
                raise MismatchError(f"No group is called '{pattern}'; there are: {listed(self.groups)}.", group=pattern)
        kept = {n: g for n, g in self.groups.items() if not any(fnmatchcase(n, pattern) for pattern in patterns)}
        axes = {
            name: tuple(axis if axis is not None and axis.group in kept else None for axis in each)
            for name, each in self.axes.items()
        }
        return Symmetry(kept, {name: each for name, each in axes.items() if any(each)})

    def where(self, group: str) -> list[tuple[str, int]]:
        """Every ``(tensor, axis)`` along which the units of a group lie."""
        return [
            (name, i)
            for name, each in self.axes.items()
            for i, axis in enumerate(each)
            if axis is not None and axis.group == group
        ]

    def fit(self, shapes: Mapping[str, Sequence[int]], subject: str) -> Symmetry:
        """See whether it is one of tensors of these shapes; the same, without tensors that are not there.

        Args:
            shapes: By tensor name.
            subject: Whose they are, for the sentence.

        Raises:
            MismatchError: An axis has another size; all such are named.
        """
        wrong = []
        for name, each in self.axes.items():
            shape = tuple(shapes.get(name, ()))
            if name not in shapes:
                continue
            wanted = tuple(
                math.prod(axis.sizes(self.groups[axis.group])) if axis is not None else size
                for axis, size in zip(each, shape, strict=False)
            )
            if len(each) != len(shape) or wanted != shape:
                wrong.append(f"'{name}' is {list(shape)}, wanted {list(wanted)}")
        if wrong:
            raise MismatchError(
                f"The permutations declared do not fit {subject}: {listed(wrong)}. Choose the architecture these "
                "weights come from.",
                wrong=wrong,
            )
        return Symmetry(self.groups, {name: each for name, each in self.axes.items() if name in shapes})

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready: ``{"groups": {name: [size, cells]}, "axes": {tensor: [null | [group, factor, ...]]}}``."""
        axes = {
            name: [None if axis is None else [axis.group, *axis.factors] for axis in each]
            for name, each in sorted(self.axes.items())
        }
        return {"groups": {name: [g.size, g.cells] for name, g in sorted(self.groups.items())}, "axes": axes}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Symmetry:
        """The inverse of :meth:`to_plain`; a group may also be ``size`` alone.

        Raises:
            InputError: It is malformed; the sentence says where.
        """
        groups = {str(name): _group(str(name), each) for name, each in plain["groups"].items()}
        axes = {}
        for name, each in plain["axes"].items():
            axes[str(name)] = tuple(None if axis is None else _axis(str(name), axis, groups) for axis in each)
        return cls(groups, axes)

    def digest(self) -> str:
        """SHA-256 of its plain form, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_plain(), sort_keys=True).encode()).hexdigest()


def _group(name: str, plain: Any) -> Group:
    size, cells = (plain, 1) if isinstance(plain, int) else plain
    if size < 1 or cells < 1 or size % cells:
        raise InputError(f"The group '{name}' of {size} units cannot be cut into {cells} equal cells.", group=name)
    return Group(size, cells)


def _axis(tensor: str, plain: Any, groups: Mapping[str, Group]) -> Axis:
    group, *factors = (plain,) if isinstance(plain, str) else tuple(plain)
    if group not in groups:
        raise InputError(f"An axis of '{tensor}' is of the group '{group}', which is not declared.", tensor=tensor)
    named = [factor for factor in factors if not isinstance(factor, int)]
    if factors and named not in (["cell"], ["cell", "unit"]):
        raise InputError(
            f"An axis of '{tensor}' has the factors {factors}; wanted numbers, 'cell' once, and 'unit' once after it "
            "or not at all.",
            tensor=tensor,
        )
    return Axis(group, tuple(factors)) if factors else Axis(group)


def listed(items: Collection[str]) -> str:
    """``"a, b, c and 4 more"``; ``"none"``."""
    shown = list(items)[:3]
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return (", ".join(shown) or "none") + more
