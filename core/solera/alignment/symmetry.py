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
        along: A group of as many cells whose runs change places as those of this one do, while the units within
            have an order of their own (query and key dimensions of the heads whose values are that group's).
    """

    size: int
    cells: int = 1
    along: str = ""

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


#: One axis of a tensor: None where nothing moves, several where they lie one after another (fused projections).
Place = Axis | tuple[Axis, ...] | None

#: The axes of one tensor, outermost first.
Axes = tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Where the units of a group lie.

    Attributes:
        tensor: Its name.
        number: Of the axis.
        axis: How.
        start: First entry of the axis that is of this part.
        whole: Whether it is all of the axis.
    """

    tensor: str
    number: int
    axis: Axis
    start: int = 0
    whole: bool = True


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
        held = {name for name in self.groups if any(fnmatchcase(name, pattern) for pattern in patterns)}
        # Two groups whose runs move together, or lie along one axis, stay together.
        while True:
            bound = {name for name, group in self.groups.items() if group.along in held}
            bound |= {group.along for name, group in self.groups.items() if name in held and group.along}
            for each in self.axes.values():
                for place in each:
                    fused = {axis.group for axis in parts(place)}
                    bound |= fused if fused & held else set()
            if bound <= held:
                break
            held |= bound
        kept = {name: group for name, group in self.groups.items() if name not in held}
        axes = {
            name: tuple(place if any(axis.group in kept for axis in parts(place)) else None for place in each)
            for name, each in self.axes.items()
        }
        return Symmetry(kept, {name: each for name, each in axes.items() if any(each)})

    def families(self) -> dict[str, list[str]]:
        """Groups that are matched together: one, and those whose runs move along with it."""
        return {
            name: [name, *(other for other, each in self.groups.items() if each.along == name)]
            for name, group in self.groups.items()
            if not group.along
        }

    def where(self, group: str) -> list[Part]:
        """Everywhere the units of a group lie."""
        found = []
        for name, each in self.axes.items():
            for i, place in enumerate(each):
                start = 0
                for axis in parts(place):
                    if axis.group == group:
                        found.append(Part(name, i, axis, start, isinstance(place, Axis)))
                    start += self.length(axis)
        return found

    def length(self, axis: Axis) -> int:
        """How many entries an axis, or its part, has."""
        return math.prod(axis.sizes(self.groups[axis.group]))

    def fit(self, shapes: Mapping[str, Sequence[int]], subject: str) -> Symmetry:
        """See whether it is one of tensors of these shapes; the same, without tensors and groups that are not there.

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
                sum(map(self.length, parts(place))) if place else size for place, size in zip(each, shape, strict=False)
            )
            if len(each) != len(shape) or wanted != shape:
                wrong.append(f"'{name}' is {list(shape)}, wanted {list(wanted)}")
        if wrong:
            raise MismatchError(
                f"The permutations declared do not fit {subject}: {listed(wrong)}. Choose the architecture these "
                "weights come from.",
                wrong=wrong,
            )
        axes = {name: each for name, each in self.axes.items() if name in shapes}
        used = {axis.group for each in axes.values() for place in each for axis in parts(place)}
        used |= {self.groups[name].along for name in used}
        return Symmetry({name: group for name, group in self.groups.items() if name in used}, axes)

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready: ``{"groups": {name: [size, cells]}, "axes": {tensor: [null | [group, factor, ...]]}}``.

        A group whose cells move along with another's is ``[size, cells, other]``; an axis of several parts is a list of
        such lists.
        """

        def plain(place: Place) -> Any:
            told = [[axis.group, *axis.factors] for axis in parts(place)]
            return told[0] if isinstance(place, Axis) else told or None

        groups = {
            name: [group.size, group.cells, *([group.along] if group.along else [])]
            for name, group in sorted(self.groups.items())
        }
        return {"groups": groups, "axes": {name: [*map(plain, each)] for name, each in sorted(self.axes.items())}}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Symmetry:
        """The inverse of :meth:`to_plain`; a group may also be ``size`` alone.

        Raises:
            InputError: It is malformed; the sentence says where.
        """
        groups = {str(name): _group(str(name), each) for name, each in plain["groups"].items()}
        for name, group in groups.items():
            leader = groups.get(group.along)
            if group.along and (leader is None or leader.along or leader.cells != group.cells):
                raise InputError(
                    f"The cells of '{name}' move along with those of '{group.along}', which is no group of "
                    f"{group.cells} cells that move by themselves.",
                    group=name,
                )
        axes = {}
        for name, each in plain["axes"].items():
            axes[str(name)] = tuple(None if axis is None else _place(str(name), axis, groups) for axis in each)
        return cls(groups, axes)

    def digest(self) -> str:
        """SHA-256 of its plain form, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_plain(), sort_keys=True).encode()).hexdigest()


def _group(name: str, plain: Any) -> Group:
    size, cells, *rest = (plain, 1) if isinstance(plain, int) else plain
    if size < 1 or cells < 1 or size % cells:
        raise InputError(f"The group '{name}' of {size} units cannot be cut into {cells} equal cells.", group=name)
    return Group(size, cells, *rest)


def _place(tensor: str, plain: Any, groups: Mapping[str, Group]) -> Place:
    if isinstance(plain, str) or isinstance(plain[0], str):
        return _axis(tensor, plain, groups)
    return tuple(_axis(tensor, each, groups) for each in plain)


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


def parts(place: Place) -> tuple[Axis, ...]:
    """What lies along one axis of a tensor, in order."""
    return () if place is None else (place,) if isinstance(place, Axis) else place


def listed(items: Collection[str]) -> str:
    """``"a, b, c and 4 more"``; ``"none"``."""
    shown = list(items)[:3]
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return (", ".join(shown) or "none") + more
