"""Searches over several seeds: one line for each experiment, the median of its seeds between the quartiles."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from solera.errors import InputError
from solera.landscapes.pareto import hypervolume
from solera.runs.header import run_path
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter
from solera_app.pictures import draw_view, registered
from solera_app.seeds_tab import SeedsTab
from solera_app.views.seeds import over_seeds
from solera_app.views.snapshot import Snapshot

VIEWS = registered()


def seeded(run: Snapshot, seed: int, explorer: str = "pareto", count: int = 30) -> Snapshot:
    """The search with other values, as another seed would give; its own reference."""
    rng = np.random.default_rng(seed)
    values = np.where(run.search[:, None], run.points.values + 0.2 * rng.random(run.points.values.shape), np.nan)
    points = dataclasses.replace(run.points, values=values).rows(slice(0, count))
    experiment = {**run.header.experiment, "seed": seed, "explorer": {"name": explorer}, "title": f"Seed {seed}"}
    header = dataclasses.replace(run.header, id=f"s{seed}", experiment=experiment)
    indicators = {
        name: (at, found + 0.1 * seed if name.startswith("reference") else found)
        for name, (at, found) in run.indicators.items()
    }
    return Snapshot(header, points, "done", "", indicators)


def test_the_median_and_quartiles_are_those_of_a_slow_count(snapshots: dict[str, Snapshot]) -> None:
    runs = [seeded(snapshots["search"], seed) for seed in range(5)]
    (group,), reference = over_seeds(runs)
    assert reference.tolist() == pytest.approx([1.9 + 0.4, 1.8 + 0.4])  # the worst of all, not each its own
    assert (group.name, group.seeds) == ("pareto, 5 seeds", 5)
    for place in (0, 9, 29):
        volumes = [hypervolume(run.points.values[: place + 1][:, [0, 2]], reference) for run in runs]
        assert group.median[place] == pytest.approx(float(np.median(volumes)))
        assert group.low[place] == pytest.approx(float(np.quantile(volumes, 0.25)))
        assert group.high[place] == pytest.approx(float(np.quantile(volumes, 0.75)))
    assert (np.diff(group.median) >= 0).all()


def test_only_equal_experiments_are_one_line_and_none_goes_on_without_the_others(
    snapshots: dict[str, Snapshot],
) -> None:
    run = snapshots["search"]
    mixed = [seeded(run, 0), seeded(run, 1, "map"), seeded(run, 2, count=20), seeded(run, 3, "map")]
    first, second = over_seeds(mixed)[0]
    assert (first.name, first.at.size) == ("pareto, 2 seeds", 20)
    assert (second.name, second.at.size) == ("map, 2 seeds", 30)
    with pytest.raises(InputError, match="over the same two objectives"):
        over_seeds([run, snapshots["three"]])


def test_a_point_without_a_score_adds_nothing(snapshots: dict[str, Snapshot]) -> None:
    run = seeded(snapshots["search"], 0)
    values = run.points.values.copy()
    values[4:7] = np.nan
    broken = dataclasses.replace(run, points=dataclasses.replace(run.points, values=values))
    (group,), _ = over_seeds([broken, broken])
    assert group.median[3] == group.median[6]
    assert np.isfinite(group.median).all()


def test_the_picture_and_its_data_have_the_band(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["search"]
    view: Any = VIEWS["hypervolume"]()
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.set_run(seeded(run, 0))
    view.join([seeded(run, 1), seeded(run, 2)])
    header, rows = view.table()
    table = list(rows)
    assert tuple(header) == ("line", "evaluations", "median", "lower quartile", "upper quartile")
    assert len(table) == 30
    assert all(low <= middle <= high for _, _, middle, low, high in table)  # type: ignore[operator]
    assert any(low < high for *_, low, high in table)  # type: ignore[operator]
    before = view.grab().toImage()
    view.set_run(seeded(run, 0))  # one run again
    assert tuple(view.table()[0]) == ("line", "evaluations", "value")
    assert view.grab().toImage() != before


def test_a_view_of_one_run_says_which_takes_several(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view: Any = VIEWS["pareto"]()
    qtbot.addWidget(view)
    with pytest.raises(InputError, match="one run at a time; 'hypervolume' takes several"):
        view.join([snapshots["search"]])


def test_a_tab_refuses_what_is_no_search(qtbot: QtBot, snapshots: dict[str, Snapshot], tmp_path: Path) -> None:
    run = snapshots["search"]
    tab = SeedsTab(VIEWS["hypervolume"], [seeded(run, 0), seeded(run, 1)])
    qtbot.addWidget(tab)
    assert tab.title == "2 runs over seeds"
    assert tab.export("csv", tmp_path / "a.csv").read_text().startswith("line,")
    with pytest.raises(InputError, match="is no search for a front"):
        SeedsTab(VIEWS["hypervolume"], [run, snapshots["line"]])


def test_headless_figures_take_further_runs(run_file: Callable[[str], Path], tmp_path: Path) -> None:
    first = RunReader(run_file("search"))
    header = dataclasses.replace(first.header, id="other", experiment={**first.header.experiment, "seed": 1})
    path = run_path(tmp_path, "other")
    with RunWriter.create(path, header) as writer:
        points = first.points()
        from tests.app.views.conftest import RUNS  # the same events under the other name

        for event in RUNS["search"]()[1]:
            writer.append(dataclasses.replace(event, run="other"))  # type: ignore[call-arg]  # all of them have a run
    assert len(points) == 31
    other = RunReader(path)
    figure = first.figure("hypervolume", among=[other])
    assert "among=[solera.runs.open(here / path)" in figure.script(tmp_path / "a.png")
    draw_view(first.path, "hypervolume", [tmp_path / "a.png", tmp_path / "a.csv"], among=[other.path])
    with (tmp_path / "a.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0][-1] == "upper quartile"
    assert rows[1][0] == "pareto, 2 seeds"
    with pytest.raises(InputError, match="not both"):
        first.figure("hypervolume", beside=other, among=[other])
