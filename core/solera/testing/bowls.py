"""Spaces and landscapes that cost nothing: each column is a bowl whose lowest point is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from solera.context import Context
from solera.families.coords import Coord
from solera.families.family import Family, FamilyKind
from solera.families.region import Region
from solera.landscapes.explorer import Ask, Slope, Space
from solera.landscapes.landscape import Landscape
from solera.landscapes.portions import Portions
from solera.landscapes.traces import TaskTraces, ValueTraces
from solera.landscapes.ways import Way
from solera.models.network import Network
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.seeds import Seed
from solera.tasks.scores import Column, Difference, Score

#: Why an aggregate-only task has no gradient.
_NO_EXAMPLES = "the task 'left' hands out no examples, only scores"

#: Two models of two layers in a row.
_SLOTS = tuple(Coord(f"slot_{t}_{t}", 0.0, 1.0, kind="whole") for t in range(4))


def spaces() -> list[Space]:
    """Spaces of one to three coordinates, with one and two objectives; shares, blocks, stacks, subsets, blends.

    Then some of them on a task that gives only an aggregate: no paired errors, no gradients. There too an explorer
    works, or says in a sentence what it lacks.
    """
    coords = (Coord("x", 0.0, 1.0), Coord("y", -1.0, 2.0))
    columns = (Column("left", "loss", "selection", 100), Column("right", "loss", "selection", 100))
    plain = [
        Space(coords[:n], columns[:m], {"origin": (0.0,) * n, "end": (1.0,) * n}, tuple(range(m)))
        for n in (1, 2)
        for m in (1, 2)
    ]
    shares = (Coord("a", 0.0, 1.0), Coord("b", 0.0, 1.0))
    special = [
        Space(shares, columns[:1], {"a": (1.0, 0.0), "b": (0.0, 1.0)}, (0,), kind="shares", no_slopes=""),
        Space(shares, columns, {"before": (1.0, 1.0), "after": (0.0, 0.0)}, (0, 1), kind="blocks", no_slopes=""),
        Space(_SLOTS, columns[:1], {"A": (1.0, 1.0, 0.0, 0.0), "B": (0.0, 0.0, 1.0, 1.0)}, (0,), kind="stack"),
    ]
    parts = _parts(columns)
    blunt = [replace(space, paired=False, no_slopes=_NO_EXAMPLES) for space in (*plain[:2], *special, *parts[:2])]
    return [*plain, *special, *blunt, *parts]


def _parts(columns: tuple[Column, ...]) -> list[Space]:
    """Spaces of which only a part of the box is the family: choices of models, and blends of models."""
    takes = tuple(Coord(f"takes_{name}", 0.0, 1.0, kind="whole") for name in "abc")
    alone: dict[str, tuple[float, ...]] = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "c": (0.0, 0.0, 1.0)}
    shares = tuple(Coord(f"share_{name}", 0.0, 1.0) for name in "bc")
    corners: dict[str, tuple[float, ...]] = {"a": (0.0, 0.0), "b": (1.0, 0.0), "c": (0.0, 1.0)}
    found = []
    for m in (1, 2):
        subset = Space(takes, columns[:m], alone, tuple(range(m)), kind="subset", region=Region("subset"))
        blends = Space(shares, columns[:m], corners, tuple(range(m)), kind="simplex", region=Region("simplex"))
        found += [subset, blends, replace(blends, coords=shares[:1], labels={"a": (0.0,), "b": (1.0,)})]
    few = (Coord("share_b", 0.25, 1.0), shares[1])
    return [*found, replace(found[-2], coords=few)]


def slopes(space: Space, asks: Sequence[Ask]) -> NDArray[np.float64]:
    """The gradients of :func:`bowl` that were asked for; shape (n, coordinates + 1), NaN where none was."""
    found = np.full((len(asks), len(space.coords) + 1), np.nan)
    for row, ask in enumerate(asks):
        if ask.slope is not None:
            places = ask.slope.objectives or range(len(space.objectives))
            lows = [0.2 + 0.6 * space.objectives[i] for i in places]
            found[row] = [*(2 * (x - float(np.mean(lows))) for x in ask.coords), 0.0]
    return found


def bowl(space: Space, coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses of points: each column is lowest in another corner; shape (n, columns)."""
    lows = np.array([[0.2 + 0.6 * i] * coords.shape[1] for i in range(len(space.columns))])
    return np.asarray(((coords[:, None, :] - lows[None]) ** 2).sum(axis=2), dtype=np.float64)


class BowlLandscape(Landscape):
    """A landscape without a network: its scores are those of :func:`bowl`, aggregates without values per sample.

    Args:
        space: What is explored.
    """

    def __init__(self, space: Space) -> None:
        free = {coord.name: Var(coord.name, coord.low, coord.high, coord.low) for coord in space.coords}
        recipe = Recipe((CheckpointNode("a", "memory:a"), MethodNode("bowl", "linear", ("a",), "", free)), "bowl")
        kind = cast("FamilyKind", space.kind or "recipe")
        self.family = Family(recipe, space.coords, kind, space.labels, region=space.region)
        self.columns, self.traced, self.way = space.columns, False, Way()
        self.network = cast("Network", object())
        self.portions = Portions(())
        self.traces = cast("TaskTraces", _BowlTraces(space.columns))
        self._space = space

    def space(self, objectives: Sequence[str] = ()) -> Space:
        """The space it was made of."""
        return self._space

    def evaluate(self, coords: Sequence[float], context: Context, samples: int = 0) -> tuple[Score, ...]:
        """The bowls at a point, on as many samples as were asked for."""
        values = bowl(self._space, np.array([coords], dtype=np.float64))[0]
        counts = (min(samples or column.count, column.count) for column in self.columns)
        return tuple(
            Score(column, float(value), math.nan, count)
            for column, value, count in zip(self.columns, values, counts, strict=True)
        )

    def slope(
        self, coords: Sequence[float], slope: Slope, space: Space, seed: Seed, context: Context
    ) -> NDArray[np.float64]:
        """The gradient of the bowls at a point."""
        return np.asarray(slopes(space, [Ask(tuple(coords), slope=slope)])[0], dtype=np.float64)

    def difference(self, a: Sequence[Score], b: Sequence[Score], columns: Sequence[int]) -> Difference:
        """The difference of two points; its error is not known."""
        gap = float(np.mean([a[i].value - b[i].value for i in columns]))
        return Difference(gap, math.nan, 0)

    def remember(self, coords: Sequence[float], scores: tuple[Score, ...]) -> None:
        """Nothing need be kept."""


class _BowlTraces(ValueTraces):
    """The logarithms of a point's scores."""

    too_wide = False

    def of(self, values: object) -> NDArray[np.float32]:
        scores = cast("Sequence[Score]", values)
        found = super().of(np.array([[score.value for score in scores]]))
        return found.reshape(-1)
