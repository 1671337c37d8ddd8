"""CMA-ES over coordinates: stateless, within bounds, and it finds the bottom of a bowl."""

import dataclasses

import cmaes
import numpy as np
import pytest

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.region import Region
from solera.landscapes.explorer import History, Space
from solera.seeds import Seed
from solera.tasks.scores import Column
from solera_plugins.explorers.evolution import Evolution

COORDS = tuple(Coord(f"x{i}", -1.0, 2.0 + i) for i in range(4))
SPACE = Space(COORDS, (Column("t", "loss", "selection"), Column("u", "loss", "selection")), {}, (0,))
LOW = np.array([0.5, 1.0, 0.0, 2.0])


def losses(coords):
    gap = np.asarray(coords) - LOW
    return np.stack([(gap**2).sum(axis=1), (gap[:, :2] ** 2).sum(axis=1)], axis=1)


def grown(space, history, asks, score=losses):
    new = np.array([ask.coords for ask in asks])
    return History(np.vstack([history.coords, new]), np.vstack([history.values, score(new)]))


def run(explorer, space=SPACE, score=losses, seed=0, stop=10**9):
    history = History.empty(space)
    size = explorer.plan(space).rounds[0]
    while len(history) < stop:
        asks = explorer.ask(space, history, size, Seed(seed))
        if not asks:
            return history
        history = grown(space, history, asks, score)
    return history


def test_it_finds_the_bottom_and_stays_within_bounds():
    history = run(Evolution(points=240))
    best = history.coords[history.values[:, 0].argmin()]
    np.testing.assert_allclose(best, LOW, atol=0.05)
    assert all((history.coords[:, i] >= c.low).all() for i, c in enumerate(COORDS))
    assert all((history.coords[:, i] <= c.high).all() for i, c in enumerate(COORDS))


def test_it_is_the_library_fed_generation_by_generation():
    explorer = Evolution(points=24, start=0.3, step=0.2)
    history = run(explorer)
    drawn = Seed(0).child("evolution").integer() % 2**32
    twin = cmaes.CMA(np.full(4, 0.3), 0.2, bounds=np.tile([0.0, 1.0], (4, 1)), seed=drawn, population_size=8)
    for begin in range(0, 24, 8):
        shares = [twin.ask() for _ in range(8)]
        points = np.array([[c.at(float(x)) for c, x in zip(COORDS, row, strict=True)] for row in shares])
        np.testing.assert_array_equal(history.coords[begin : begin + 8], points)
        twin.tell(list(zip(shares, losses(points)[:, 0].tolist(), strict=True)))


@pytest.mark.parametrize("cut", [0, 3, 8, 11, 16])
def test_a_fresh_explorer_goes_on_bit_for_bit(cut):
    whole = run(Evolution(points=24))
    fresh = Evolution(points=24)
    half = whole.until(cut)
    while len(half) < 24:
        asks = fresh.ask(SPACE, half, 5, Seed(0))
        half = grown(SPACE, half, asks)
    np.testing.assert_array_equal(half.coords, whole.coords)


def test_a_used_explorer_shown_other_scores_at_the_same_places_asks_what_a_fresh_one_asks():
    used = Evolution(points=24)
    whole = run(used)
    first = whole.until(8)
    for values in (-first.values, np.where(np.arange(8)[:, None] == first.values[:, 0].argmin(), np.nan, first.values)):
        other = History(first.coords, values)
        asks = used.ask(SPACE, other, 8, Seed(0))
        assert asks == Evolution(points=24).ask(SPACE, other, 8, Seed(0))
        assert [ask.coords for ask in asks] != [tuple(row) for row in whole.coords[8:16].tolist()]


def test_in_a_simplex_it_asks_for_blends_and_is_told_the_blend_that_was_scored():
    shares = tuple(Coord(f"share_{name}", 0.0, 1.0) for name in "bcde")
    region = Region("simplex")
    space = dataclasses.replace(SPACE, coords=shares, region=region)
    history = run(Evolution(points=24), space, score=lambda x: losses(3 * x))
    assert all(region.contains(row) for row in history.coords.tolist())
    drawn = Seed(0).child("evolution").integer() % 2**32
    twin = cmaes.CMA(np.full(4, 0.5), 1 / 6, bounds=np.tile([0.0, 1.0], (4, 1)), seed=drawn, population_size=8)
    for begin in range(0, 24, 8):
        points = np.array([region.nearest(twin.ask()) for _ in range(8)])
        np.testing.assert_array_equal(history.coords[begin : begin + 8], points)
        twin.tell(list(zip(points, losses(3 * points)[:, 0].tolist(), strict=True)))
    half = history.until(11)
    fresh, asks = Evolution(points=24), []
    while len(half) < 24:
        asks = fresh.ask(space, half, 5, Seed(0))
        half = grown(space, half, asks, lambda x: losses(3 * x))
    np.testing.assert_array_equal(half.coords, history.coords)


def test_a_point_without_a_score_counts_as_the_worst_and_seeds_differ():
    def holed(coords):
        values = losses(coords)
        values[coords[:, 0] > 1.0] = np.nan
        return values

    history = run(Evolution(points=160), score=holed)
    late = history.values[-40:, 0]
    assert np.nanmin(late) < 0.02
    assert not np.array_equal(history.coords[:8], run(Evolution(points=8), seed=1).coords)
    nothing = run(Evolution(points=24), score=lambda coords: np.full((len(coords), 2), np.nan))
    assert len(nothing) == 24


def test_objectives_are_weighed():
    both = dataclasses.replace(SPACE, objectives=(0, 1))
    history = run(Evolution(points=16, weights="0, 2"), both)
    explorer = Evolution(points=16, weights="0, 2")
    said = explorer.remark(both, history)
    assert said.numbers["generation:best"] == history.values[8:, 1].min()
    with pytest.raises(InputError, match="for each of the 2 objectives"):
        Evolution(weights="1").plan(both)


def test_one_coordinate_is_refused_and_a_small_budget_has_a_least():
    with pytest.raises(InputError, match="two coordinates or more"):
        Evolution().plan(dataclasses.replace(SPACE, coords=COORDS[:1]))
    assert Evolution().plan(SPACE).least == 8
