"""The conformance suite for explorers notices one that remembers what it should work out again."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from solera.landscapes.explorer import Ask, Extent
from solera.landscapes.front_search import greedy_gain
from solera.testing.bowls import BowlLandscape, spaces
from solera.testing.conformance_explorers import explorer_complaints


class Wandering:
    """Step from the best point so far; an aggregate will do.

    Args:
        draws: From where the steps come.
    """

    name = "wandering"

    def __init__(self, *, draws: Literal["seed", "global"] = "seed") -> None:
        self._draws = draws

    def plan(self, space):
        return Extent(20, rounds=(5,))

    def ask(self, space, history, n, seed):
        n = min(n, 20 - len(history))
        own = seed.child(str(len(history))).numpy().random((n, len(space.coords)))
        shares = own if self._draws == "seed" else np.random.random((n, len(space.coords)))
        if len(history):
            shares = 0.5 * shares + 0.1 * float(np.tanh(history.values[:, 0].min()))
        return [
            Ask(space.nearest([c.snap(c.at(float(share))) for c, share in zip(space.coords, row, strict=True)]))
            for row in shares
        ]


class Hoarding(Wandering):
    """Keeps answers by the number of points alone; an aggregate will do."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[int, int], list[Ask]] = {}

    def ask(self, space, history, n, seed):
        key = len(space.coords), len(history)
        if key not in self._kept:
            self._kept[key] = super().ask(space, history, n, seed)
        return self._kept[key]


class Counting(Wandering):
    """Draws by how often it was asked; an aggregate will do."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def ask(self, space, history, n, seed):
        self._calls += 1
        return super().ask(space, history, n, seed.child(str(self._calls)) if len(history) else seed)


def test_global_draws_are_found_where_they_are_a_choice() -> None:
    (complaint,) = explorer_complaints(Wandering)
    assert complaint.startswith("With draws = global: Over three lanes its run is another")


def test_an_answer_kept_by_the_number_of_points_is_found() -> None:
    complaints = explorer_complaints(Hoarding)
    assert complaints
    assert all("once it was shown another history" in text for text in complaints)


def test_a_counter_of_calls_is_found() -> None:
    assert any("it keeps state" in text for text in explorer_complaints(Counting))


def test_nothing_is_gained_where_there_is_nothing_to_choose() -> None:
    assert greedy_gain(np.empty((0, 2)), np.zeros((1, 2)), np.ones(2), 3, np.empty((0, 2))) == []


@pytest.mark.parametrize("space", spaces())
def test_a_bowl_is_a_landscape_of_its_space(space) -> None:
    over = BowlLandscape(space)
    assert over.space() is space
    assert over.family.coords == space.coords
