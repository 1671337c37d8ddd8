"""The search for trade-offs."""

import subprocess
import sys

import numpy as np
import pytest

from solera.api import Column, History, InputError, Seed, Space
from solera.families.coords import Coord
from solera.landscapes.pareto import hypervolume
from solera_plugins.explorers.pareto import Pareto, Sampler

COLUMNS = (
    Column("left", "cross_entropy", "selection"), Column("left", "accuracy", "selection"),
    Column("right", "accuracy", "selection"),
)  # fmt: skip
LABELS = {"base": (0.0, 0.0), "left": (1.0, 0.0), "right": (0.0, 1.0), "far": (3.0, 0.0), "again": (0.0, 0.0)}
SPACE = Space((Coord("a", 0, 1), Coord("b", 0, 1)), COLUMNS, LABELS, (0, 2))


def score(coords) -> tuple[float, ...]:
    a, b = coords
    return ((a - 1) ** 2 + 0.3 * b, a, 1 - (b - 1) ** 2 - 0.3 * a)


def search(explorer, space=SPACE, seed=Seed(5), rows=(), fresh=None, broken=()):
    """Ask to the end, round by round; with ``fresh`` a new explorer takes over at every round, as after a kill."""
    coords = [coord for coord, _ in rows]
    values = [value for _, value in rows]
    while True:
        one = fresh() if fresh else explorer
        start, size = one.plan(space).round_at(len(coords))
        history = History(np.array(coords[:start]).reshape(-1, 2), np.array(values[:start]).reshape(-1, 3))
        asks = one.ask(space, history, size, seed)[len(coords) - start :]
        if not asks:
            return list(zip(coords, values, strict=True))
        for ask in asks:
            coords.append(ask.coords)
            values.append((np.nan,) * 3 if len(coords) in broken else score(ask.coords))


def test_it_starts_from_the_named_models_within_bounds():
    explorer = Pareto(points=30)
    assert explorer.plan(SPACE).initial == 3
    assert [coords for coords, _ in search(explorer)][:3] == [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]


def test_without_named_models_the_first_generation_is_the_yardstick():
    bare = Space(SPACE.coords, COLUMNS, {}, (0, 2))
    assert Pareto(points=30).plan(bare) == Pareto(points=30).plan(Space(SPACE.coords, COLUMNS, {"a": (0, 0)}, (0, 2)))
    assert Pareto(points=30).plan(bare).initial == 20
    assert Pareto(points=10).plan(bare).initial == 10


@pytest.mark.parametrize(("sampler", "points"), [("nsga2", 70), ("nsga3", 70), ("tpe", 30), ("random", 40), ("gp", 13)])
def test_a_resumed_search_asks_the_same_bit_for_bit(sampler, points):
    whole = search(Pareto(sampler=sampler, points=points), broken=(5, 27))
    assert len(whole) == points
    for cut in (points - 2,) if sampler == "gp" else (1, 3, points // 2, points - 2):
        resumed = search(Pareto(sampler=sampler, points=points), rows=whole[:cut], broken=(5, 27))
        np.testing.assert_array_equal([c for c, _ in resumed], [c for c, _ in whole])
    assert all(0 <= value <= 1 for coords, _ in whole for value in coords)


def test_a_fresh_explorer_at_every_point_asks_the_same():
    whole = search(Pareto(points=45))
    assert search(None, fresh=lambda: Pareto(points=45)) == whole


def test_batches_repeat_too_and_the_seed_matters():
    whole = search(Pareto(points=25, sampler="tpe", batch=5))
    assert search(Pareto(points=25, sampler="tpe", batch=5), rows=whole[:18]) == whole
    assert search(Pareto(points=25, sampler="tpe", batch=5), seed=Seed(6)) != whole


def test_choices_and_whole_numbers_are_searched_too():
    coords = (Coord("a", 0, 2, kind="choice", choices=("x", "y", "z")), Coord("b", 1, 4, kind="whole"))
    space = Space(coords, COLUMNS, {}, (0, 2))
    for sampler in ("nsga2", "tpe"):
        found = search(Pareto(points=24, population=8, sampler=sampler), space)
        assert {at[0] for at, _ in found} <= {0, 1, 2}
        assert {at[1] for at, _ in found} <= {1, 2, 3, 4}
        assert len({at for at, _ in found}) > 5


def test_making_a_study_anew_costs_in_proportion_to_its_points(monkeypatch):
    import optuna

    calls = []
    add = optuna.Study.add_trial
    monkeypatch.setattr(optuna.Study, "add_trial", lambda self, trial: calls.append(1) or add(self, trial))
    monkeypatch.setattr(optuna.Study, "ask", lambda self, *a, ask=optuna.Study.ask: calls.append(9) or ask(self, *a))
    generator = np.random.default_rng(0)
    coords = generator.random((400, 2))
    history = History(coords, np.array([score(at) for at in coords]))
    Pareto(points=1000, sampler="tpe").ask(SPACE, history, 1, Seed(0))
    assert calls == [1] * 400 + [9]


def test_one_explorer_may_serve_two_searches_in_turn():
    explorer = Pareto(points=30)
    first = search(explorer)
    assert search(explorer, seed=Seed(8)) != first
    assert search(explorer) == first


def zdt1(sampler: Sampler, points: int, seed: int) -> float:
    """Hypervolume reached on ZDT1 in six dimensions (Zitzler, Deb & Thiele 2000); the whole front covers 8.47."""
    space = Space(tuple(Coord(f"x{i}", 0, 1) for i in range(6)), COLUMNS[::2], {}, (0, 1))
    explorer, coords, values = Pareto(sampler=sampler, points=points), np.empty((0, 6)), np.empty((0, 2))
    while len(coords) < points:
        for ask in explorer.ask(space, History(coords, values), explorer.plan(space).rounds[0], Seed(seed)):
            first, g = ask.coords[0], 1 + 9 * np.mean(ask.coords[1:])
            coords = np.vstack([coords, ask.coords])
            values = np.vstack([values, (first, -g * (1 - np.sqrt(first / g)))])
    return hypervolume(space.minimised(values), (1.1, 8))


def test_a_search_beats_chance():
    chance = max(zdt1("random", 200, seed) for seed in range(3))
    assert min(zdt1("nsga2", 200, seed) for seed in range(3)) > chance
    assert zdt1("gp", 25, 0) > chance


def test_one_objective_is_no_trade_off():
    with pytest.raises(InputError, match=r"two objectives or more, from two tasks; got left\.cross_entropy"):
        Pareto().plan(Space(SPACE.coords, COLUMNS, {}, (0,)))


def test_it_says_nothing_on_stderr():
    code = (
        "import numpy as np\n"
        "from solera.api import *\nfrom solera.families.coords import Coord\n"
        "from solera_plugins.explorers.pareto import Pareto\n"
        "c = (Column('l', 'loss', 'selection'), Column('r', 'loss', 'selection'))\n"
        "s = Space((Coord('a', 0, 1), Coord('b', 0, 1)), c, {}, (0, 1))\n"
        "for sampler in ('nsga2', 'tpe', 'gp'):\n"
        "    h = History(np.random.default_rng(0).random((12, 2)), np.random.default_rng(1).random((12, 2)))\n"
        "    print(Pareto(sampler=sampler).ask(s, h, 1, Seed(0)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    assert done.stdout.count("Ask(") == 3
