"""MAP: what it asks, what it says, what it refuses, and how far few points take it."""

import time

import numpy as np
import pytest

from solera.api import Column, History, InputError, Seed, Space, front_search, pareto
from solera.families.coords import Coord
from solera_plugins.explorers.box import sobol
from solera_plugins.explorers.map_front import Map, first_round


def space_of(d, metric="cross_entropy", m=2, coords=None) -> Space:
    labels = {"base": (0.0,) * d, **{f"expert{i}": tuple(float(i == j) for j in range(d)) for i in range(d)}}
    columns = tuple(Column(f"task{i}", metric, "selection", 300) for i in range(m))
    return Space(coords or tuple(Coord(f"x{i}", 0, 1) for i in range(d)), columns, labels, tuple(range(m)))


def losses(coords, m=2):
    """Smooth losses with their lowest points apart; no quadratic, of either themselves or their logarithm."""
    x = np.atleast_2d(coords)
    d = x.shape[1]
    turn = np.eye(d) + 0.5 * np.random.default_rng(7).standard_normal((m, d, d)) / np.sqrt(d)
    lows = np.linspace(0.15, 0.85, m)
    apart = [(((x - low) @ t) ** 2).sum(axis=1) for low, t in zip(lows, turn, strict=True)]
    return np.stack([0.05 + 0.4 * a + 0.1 * a**1.5 for a in apart], axis=1)


def walk(explorer, space, score=losses, seed=Seed(1), rows=(), total=None, broken=()):
    """Ask to the end, round by round; what was asked before may be given."""
    extent = explorer.plan(space)
    coords = [tuple(row) for row in rows]
    while len(coords) < (total or extent.total):
        start, size = extent.round_at(len(coords))
        history = _history(space, coords[:start], score, broken)
        n = min(size, (total or extent.total) - start)
        asks = explorer.ask(space, history, n, seed)
        coords += [ask.coords for ask in asks[len(coords) - start :]]
        if len(asks) < n:
            break
    return _history(space, coords, score, broken)


def _history(space, coords, score, broken=()):
    table = np.array(coords).reshape(-1, len(space.coords))
    values = np.array(score(table)).reshape(-1, len(space.columns)) if len(table) else np.empty((0, len(space.columns)))
    values[[row for row in broken if row < len(values)]] = np.nan
    return History(table, values)


def best_volume(d):
    _, values = front_search.predicted_front(
        lambda u: losses((u + 1) / 2), np.zeros((1, d)), 2 * sobol(d, 1024, Seed(0)) - 1, np.random.default_rng(0)
    )
    reference = values.max(axis=0) + 0.1 * np.ptp(values, axis=0)
    return pareto.hypervolume(values, reference), reference


@pytest.mark.parametrize("d", [2, 4, 6])
def test_it_comes_near_the_best_within_its_promise_at_little_thought(d):
    space, (best, reference) = space_of(d), best_volume(d)
    p = (d + 1) * (d + 2) // 2
    shares, thought = [], 0.0
    for seed in range(3):
        began = time.process_time()
        found = walk(Map(points=round(1.35 * p + 28)), space, seed=Seed(seed))
        thought = max(thought, (time.process_time() - began) / len(found))
        shares.append(pareto.hypervolume(found.values, reference) / best)
    assert np.median(shares) > 0.97
    assert thought < 0.05


def test_it_starts_from_base_and_experts_and_scores_both_predicted_ends():
    space = space_of(2)
    found = walk(Map(), space)
    assert found.coords[:3].tolist() == [[0, 0], [1, 0], [0, 1]]
    assert len(found) == Map().plan(space).total == 62
    assert Map().plan(space).rounds == (9, 8)
    first_end = losses(found.coords[9:17]).min(axis=0)
    assert (first_end < losses(found.coords[:9]).min(axis=0)).all()


def test_without_named_models_it_starts_from_corners():
    space = Space(tuple(Coord(f"x{i}", -1, 3) for i in range(2)), space_of(2).columns, {}, (0, 1))
    found = walk(Map(points=20), space, score=lambda x: losses((x + 1) / 4))
    assert found.coords[:3].tolist() == [[-1, -1], [3, -1], [-1, 3]]


@pytest.mark.parametrize("variant", ["verified", "plain", "bayesian", "nested"])
def test_a_resumed_search_asks_the_same_bit_for_bit(variant):
    space = space_of(2)
    whole = walk(Map(variant=variant), space, broken=(5,) if variant == "verified" else ())
    for cut in (1, 4, 13, 20):
        rows = whole.coords[:cut].tolist()
        again = walk(Map(variant=variant), space, rows=rows, broken=(5,) if variant == "verified" else ())
        np.testing.assert_array_equal(again.coords, whole.coords)
    assert ((whole.coords >= 0) & (whole.coords <= 1)).all()
    assert len(np.unique(whole.coords.round(6), axis=0)) > 0.9 * len(whole)


def test_it_says_how_wrong_it_is_and_that_shrinks():
    space, explorer = space_of(2), Map()
    found = walk(explorer, space)
    said = {n: explorer.remark(space, found.until(n)) for n in range(1, len(found) + 1)}
    assert [n for n, remark in said.items() if remark.text] == [9, 17, 25, 33, 41, 49, 57]
    assert "Leave-one-out error of the fit to 9 points: task0.cross_entropy" in said[9].text
    assert "At 8 new points the fit before was wrong by" in said[17].text
    left_out = [said[n].numbers["left-out:task0.cross_entropy"] for n in (9, 25, 57)]
    assert left_out[2] < left_out[0]
    assert said[57].numbers["held-out:task1.cross_entropy"] < 0.05


def test_error_rates_are_fitted_by_log_odds():
    space = space_of(2, "accuracy")

    def accuracy(x):
        apart = ((x[:, None] - np.array([[0.15, 0.2], [0.85, 0.7]])) ** 2).sum(axis=2)
        return (1 / (1 + np.exp(6 * apart - 4))).round(3)

    found = walk(Map(), space, score=accuracy)
    first, all_ = (pareto.hypervolume(-found.values[:n], (0, 0)) for n in (9, len(found)))
    assert all_ > first
    assert "in log-odds" in Map().remark(space, found.until(9)).text


def test_three_objectives_have_three_ends():
    space = space_of(3, m=3)

    def score(x):
        return losses(x, 3)

    found = walk(Map(points=40), space, score=score)
    begun = first_round(space)
    assert (score(found.coords[begun : begun + 8]).min(axis=0) < score(found.coords[:begun]).min(axis=0)).all()


def test_beyond_six_coordinates_it_says_what_it_leaves_out_and_beyond_twenty_it_refuses():
    space = space_of(8)
    extent = Map().plan(space)
    assert extent.rounds == (23, 8)
    found = walk(Map(points=31), space)
    assert (
        "With 8 coordinates a full quadratic has 45 coefficients; beyond 6" in Map().remark(space, found.until(23)).text
    )
    with pytest.raises(InputError, match=r"use pareto \(nsga2 or tpe\), or 20 coordinates at most"):
        Map().plan(space_of(21))
    for variant in ("plain", "bayesian", "nested"):
        with pytest.raises(InputError, match="20 coordinates at most"):
            Map(variant=variant).plan(space_of(21, m=21))


def test_a_budget_too_small_says_how_many_are_needed():
    with pytest.raises(InputError, match=r"needs 9 points and 2 to verify it; 8 were given\. Give 11 points or more"):
        Map(points=8).plan(space_of(2))
    assert Map().plan(space_of(2)).least == 11
    with pytest.raises(InputError, match="Give 13 points or more"):
        Map(variant="plain", points=10).plan(space_of(2))


def test_what_it_cannot_search_is_refused():
    with pytest.raises(InputError, match="two objectives or more"):
        Map().plan(space_of(2, m=1))
    method = (Coord("m", 0, 1, kind="choice", choices=("ties", "dare")), Coord("x", 0, 1))
    with pytest.raises(InputError, match="m is a choice"):
        Map().plan(space_of(2, coords=method))
    with pytest.raises(InputError, match="one objective for each model"):
        Map(variant="nested").plan(space_of(3))
    with pytest.raises(InputError, match="Only 2 of 9 points have a score"):
        walk(Map(), space_of(2), broken=range(2, 60))


def test_nested_merging_ends_at_one_model_better_for_all_than_the_worst_expert():
    space = space_of(3, m=3)

    def score(x):
        return losses(x, 3)

    found = walk(Map(variant="nested", preference="1,1,1"), space, score=score)
    assert len(found) == 3 + 2 * 19
    last = score(found.coords[-1:])[0]
    assert last.sum() < score(np.eye(3)).sum(axis=1).min()
