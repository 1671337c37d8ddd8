"""One objective through Optuna, and successive halving."""

import cmaes
import numpy as np
import pytest

from solera.api import Ask, Column, History, InputError, Seed, Space
from solera.families.coords import Coord
from solera_plugins.explorers.halving import Halving, best_rows
from solera_plugins.explorers.replay import generation
from solera_plugins.explorers.single import Single


def space_of(d, m=1, **options) -> Space:
    columns = tuple(Column(f"task{i}", "cross_entropy", "selection", 256) for i in range(m))
    return Space(
        tuple(Coord(f"x{i}", 0, 1, **options) for i in range(d)), columns, {}, tuple(range(m)), counts=(256,) * m
    )


def bowl(coords):
    x = np.atleast_2d(coords)
    return ((x - np.linspace(0.2, 0.7, x.shape[1])) ** 2).sum(axis=1, keepdims=True) + 0.1


def walk(explorer, space, score=bowl, seed=Seed(0), rows=()):
    extent, coords = explorer.plan(space), [tuple(row) for row in rows]
    while len(coords) < extent.total:
        start, size = extent.round_at(len(coords))
        table = np.array(coords[:start]).reshape(-1, len(space.coords))
        history = History(table, score(table) if start else np.empty((0, len(space.columns))))
        asks = explorer.ask(space, history, min(size, extent.total - start), seed)
        coords += [ask.coords for ask in asks[len(coords) - start :]]
        if len(asks) < min(size, extent.total - start):
            break
    return np.array(coords)


def test_a_line_closes_in_on_the_lowest_point_and_stops():
    found = walk(Single(points=30), space_of(1), lambda x: np.cosh(3 * (x - 0.37)) + 0.2 * x)
    lowest = 0.37 - np.arcsinh(0.2 / 3) / 3
    assert abs(found - lowest).min() < 2e-3
    assert len(found) < 20
    assert found[:5, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_a_line_leaves_out_what_has_no_score_and_finds_an_end():
    def score(x):
        return np.where(x > 0.8, np.nan, -x)

    found = walk(Single(points=30), space_of(1), score)
    assert found[found <= 0.8].max() > 0.74


@pytest.mark.parametrize(
    ("method", "d", "points"), [("gp", 2, 16), ("tpe", 3, 60), ("cmaes", 8, 200), ("auto", 24, 260)]
)
def test_each_method_comes_closer_and_resumes_bit_for_bit(method, d, points):
    space = space_of(d)
    whole = walk(Single(method=method, points=points), space)
    values = bowl(whole)[:, 0]
    assert values[points // 2 :].min() < values[: points // 4].min()
    cut = points - 3
    np.testing.assert_array_equal(walk(Single(method=method, points=points), space, rows=whole[:cut]), whole)
    assert ((whole >= 0) & (whole <= 1)).all()


def test_many_layers_go_to_cma_es_a_generation_at_a_time():
    assert Single().plan(space_of(24)).rounds == (generation(24),) == (13,)
    assert Single().plan(space_of(3)).rounds == (1,)
    assert Single().plan(space_of(1)).rounds == (5, 1)


def test_by_itself_it_searches_a_choice_with_estimators_and_not_with_processes():
    choice = Coord("method", 0, 2, kind="choice", choices=("ties", "dare", "linear"))
    base = space_of(2)
    space = Space((*base.coords, choice), base.columns, {}, (0,), counts=base.counts)
    by_itself, named = (walk(Single(method=method, points=14), space) for method in ("auto", "tpe"))
    np.testing.assert_array_equal(by_itself, named)
    assert not np.array_equal(named, walk(Single(method="gp", points=14), space))


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_cma_es_takes_a_point_without_a_finite_score_for_the_worst(hole, monkeypatch):
    told, tell = [], cmaes.CMA.tell
    monkeypatch.setattr(cmaes.CMA, "tell", lambda self, rows: (told.extend(rows), tell(self, rows)))

    def score(coords):
        return np.where(coords[:, :1] > 0.5, hole, bowl(coords))

    found = walk(Single(method="cmaes", points=160), space_of(4), score)
    assert len(found) == 160
    assert np.isfinite([value for _, value in told]).all()
    assert (found[-24:, 0] <= 0.5).mean() > (found[:24, 0] <= 0.5).mean()
    np.testing.assert_array_equal(
        found,
        walk(Single(method="cmaes", points=160), space_of(4), lambda x: np.nan_to_num(score(x), nan=99.0, posinf=99.0)),
    )


def test_what_it_cannot_search_is_refused():
    with pytest.raises(InputError, match=r"makes one objective good; got task0\.cross_entropy, task1"):
        Single().plan(space_of(2, 2))
    with pytest.raises(InputError, match="one real coordinate; this family has 2"):
        Single(method="line").plan(space_of(2))
    with pytest.raises(InputError, match="two coordinates or more"):
        Single(method="cmaes").plan(space_of(1))


def test_rungs_halve_candidates_and_double_samples():
    space = space_of(2, 2)
    assert Halving(candidates=16, samples=32).rungs(space) == [(16, 32), (8, 64), (4, 128), (2, 0)]
    extent = Halving(candidates=16, samples=32).plan(space)
    assert (extent.total, extent.rounds, extent.partial) == (30, (16, 8, 4, 2, 1), True)
    assert Halving(candidates=4, samples=1000).rungs(space) == [(4, 0)]


def test_the_better_candidates_go_on():
    space, explorer = space_of(2, 2), Halving(candidates=8, samples=64)
    first = explorer.ask(space, History.empty(space), 8, Seed(0))
    assert {ask.samples for ask in first} == {64}
    values = np.array([[i, 7 - i] if i < 3 else [8 + i, 8 + i] for i in range(8)], dtype=float)
    values[7] = np.nan
    history = History(np.array([ask.coords for ask in first]), values)
    assert best_rows(space, history)[-1] == 7
    asks = explorer.ask(space, history, 4, Seed(0))
    assert {ask.coords for ask in asks} == {first[i].coords for i in (0, 1, 2, 3)}
    assert {ask.samples for ask in asks} == {128}
    assert explorer.remark(space, history).text == "4 of 8 candidates go on from 64 samples to 128 samples."
    whole = History(history.coords, values, counts=np.full((8, 2), 256))
    assert "scored whole" in explorer.remark(space, whole).text
    assert explorer.ask(space, history, 2, Seed(0)) == asks[:2]
    assert all(isinstance(ask, Ask) for ask in asks)
