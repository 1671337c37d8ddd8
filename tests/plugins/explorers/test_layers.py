"""Layer evolution: paths of any length, statelessly."""

import dataclasses

import numpy as np
import pytest

from solera.errors import InputError
from solera.families.coords import Coord
from solera.landscapes.explorer import History, Space
from solera.seeds import Seed
from solera.tasks.scores import Column
from solera_plugins.explorers.layers import LayerEvolution

#: Two models of three layers, the row twice.
SLOTS = tuple(Coord(f"slot_{t}_{t % 6}", 0.0, 1.0, f"{'AB'[t % 6 // 3]} {t % 3}", kind="whole") for t in range(12))
FACTORS = tuple(Coord(f"w_{i}_{j}", 0.5, 1.5) for i in range(6) for j in range(6))
LABELS = {
    "A": (*(float(t < 3) for t in range(12)), *[1.0] * 36),
    "B": (*(float(3 <= t < 6) for t in range(12)), *[1.0] * 36),
}
SPACE = Space((*SLOTS, *FACTORS), (Column("t", "loss", "selection"),), LABELS, (0,), kind="stack")

#: The best path: A 0, A 1, B 2, A 2.
WANTED = np.array([1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0])


def losses(coords):
    points = np.asarray(coords)
    off = np.abs(np.round(points[:, :12]) - WANTED).sum(axis=1)
    return (off + (points[:, 12 + 1] - 1.3) ** 2)[:, None]  # w_0_1, of A 0 and A 1


def run(explorer, seed=0, history=None, score=losses, space=SPACE):
    history = history or History.empty(space)
    extent = explorer.plan(space)
    while len(history) < extent.total:
        start, size = extent.round_at(len(history))
        asks = explorer.ask(space, history.until(start), size, Seed(seed))[len(history) - start :]
        new = np.array([ask.coords for ask in asks])
        history = History(np.vstack([history.coords, new]), np.vstack([history.values, score(new)]))
    return history


def test_it_begins_with_the_models_and_finds_the_path_and_its_factor():
    history = run(LayerEvolution(points=640))
    assert history.coords[:2].tolist() == [list(LABELS["A"]), list(LABELS["B"])]
    best = history.coords[history.values[:, 0].argmin()]
    assert best[:12].tolist() == WANTED.tolist()
    assert abs(best[13] - 1.3) < 0.05
    depths = history.coords[:, :12].sum(axis=1)
    assert len(set(depths.tolist())) > 3
    assert depths.min() >= 1


@pytest.mark.parametrize("cut", [1, 16, 21, 40])
def test_a_fresh_explorer_goes_on_bit_for_bit(cut):
    whole = run(LayerEvolution(points=64))
    again = run(LayerEvolution(points=64), history=whole.until(cut))
    np.testing.assert_array_equal(again.coords, whole.coords)
    assert not np.array_equal(run(LayerEvolution(points=64), seed=1).coords, whole.coords)


def test_points_without_a_score_are_no_parents():
    def holed(coords):
        values = losses(coords)
        values[np.asarray(coords)[:, :12].sum(axis=1) > 4] = np.nan
        return values

    history = run(LayerEvolution(points=320), score=holed)
    assert np.nanmin(history.values) < 1
    assert len(run(LayerEvolution(points=48), score=lambda c: np.full((len(c), 1), np.nan))) == 48


def test_children_are_no_longer_than_wanted_and_seldom_drawn_twice():
    history = run(LayerEvolution(points=200, longest=3))
    assert history.coords[2:, :12].sum(axis=1).max() <= 3
    assert len({tuple(row) for row in history.coords.tolist()}) > 190


def test_another_kind_of_family_is_refused():
    with pytest.raises(InputError, match=r"stack: \[A, B\]"):
        LayerEvolution().plan(dataclasses.replace(SPACE, kind="plane"))


def test_the_path_of_the_best_is_told():
    history = run(LayerEvolution(points=16))
    best = int(history.values[:, 0].argmin())
    said = LayerEvolution(points=16).remark(SPACE, history.until(best + 1))
    assert said.text.startswith("Best so far, ")
    assert said.numbers["depth"] == history.coords[best, :12].sum()
