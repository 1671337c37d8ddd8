"""Two runs side by side."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from solera.runs.reader import RunReader
from solera_app.linked_tab import LinkedTab
from solera_app.pictures import draw_view, registered
from solera_app.theme import themes
from solera_app.views.beside import BesideRuns, BesideView
from solera_app.views.snapshot import Snapshot

VIEWS = registered()


def other(run: Snapshot, factor: float = 2.0, shift: float = 0.0, columns: bool = True) -> Snapshot:
    """The same run with other scores and another extent."""
    points = dataclasses.replace(run.points, values=run.points.values * factor, coords=run.points.coords + shift)
    coords = tuple({**c, "low": c["low"] + shift, "high": c["high"] + shift} for c in run.header.coords)
    return dataclasses.replace(run, points=points, header=dataclasses.replace(run.header, id="other", coords=coords))


def pair(qtbot: QtBot, name: str, left: Snapshot, right: Snapshot) -> Any:
    made = BesideView(VIEWS[name], left, right)
    qtbot.addWidget(made)
    made.resize(1200, 500)
    made.show()
    return made


def test_two_surfaces_share_extent_zoom_and_colours(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["plane"]
    both = pair(qtbot, "surface", run, other(run, 3.0, 0.5))
    assert both.linked
    one, two = (view.plots()[0] for view in both.views)
    assert one.canvas.full == two.canvas.full == (-4.0, 12.0, 0.0, 9.0)
    values = run.points.values[:, 0]
    assert one.limits == two.limits == (float(values.min()), float(3 * values.max()))
    one.canvas.zoom(0.5, one.canvas.window_rect.center())
    assert two.canvas.shown == one.canvas.shown != one.canvas.full
    two.canvas.fit()
    assert one.canvas.shown == one.canvas.full


def test_a_choice_on_one_side_is_made_on_the_other(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["plane"]
    both = pair(qtbot, "surface", run, other(run))
    both.views[1].choose({"score": "inverted.accuracy"})
    assert both.views[0].choosers()["score"].key == "3"
    one, two = (view.plots()[0] for view in both.views)
    assert one.value_title == two.value_title == "Inverted accuracy (%), higher is better"
    assert one.limits == two.limits


def test_axes_that_mean_something_else_are_not_linked(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["plane"]
    renamed = tuple({**coord, "title": f"towards {coord['name']}"} for coord in run.header.coords)
    strange = dataclasses.replace(other(run, 1.0, 5.0), header=dataclasses.replace(run.header, coords=renamed))
    both = pair(qtbot, "surface", run, strange)
    assert not both.linked
    assert both.note.isVisible()
    assert both.views[0].plots()[0].canvas.full == (-4.0, 8.0, 0.0, 6.0)


def test_a_run_that_grows_takes_its_twin_along(
    qtbot: QtBot, snapshots: dict[str, Snapshot], beginnings: dict[str, Snapshot]
) -> None:
    both = pair(qtbot, "pareto", beginnings["search"], snapshots["search"])
    wide = other(snapshots["search"], 4.0)
    both.update_run(0, wide)
    both.views[0].flush()
    one, two = (view.plots()[0].canvas for view in both.views)
    assert one.full == two.full
    assert one.full[1] >= float(np.nanmax(wide.points.values[:30, 0]))


def test_two_reliefs_turn_together(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["plane"]
    both = pair(qtbot, "relief", run, other(run))
    one, two = (view.plots()[0] for view in both.views)
    one.look_from(one.camera.turned(30, 10))
    assert two.camera == one.camera


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "run"), [("surface", "plane"), ("curve", "line"), ("matrix", "matrix"), ("table", "three")]
)
def test_a_pair_is_one_picture_and_one_table(
    qtbot: QtBot, snapshots: dict[str, Snapshot], tmp_path: Path, name: str, run: str, theme: str
) -> None:
    themes().apply(theme)  # type: ignore[arg-type]
    first = snapshots[run]
    second = dataclasses.replace(first, header=dataclasses.replace(first.header, id="second"))
    both = pair(qtbot, name, first, second)
    image = QImage(str(both.export("png", tmp_path / "a.png", size=(900, 400), scale=1)))
    assert (image.width(), image.height()) == (900, 400)
    for kind in ("svg", "pdf"):
        assert both.export(kind, tmp_path / f"a.{kind}", size=(900, 400)).stat().st_size > 1000  # type: ignore[arg-type]
    rows = list(csv.reader(both.export("csv", tmp_path / "a.csv").open()))
    assert rows[0][0] == "run"
    assert {row[0] for row in rows[1:]} == {first.header.id, "second"}


def test_a_tab_follows_two_files(qtbot: QtBot, run_file: Callable[[str], Path], tmp_path: Path) -> None:
    runs = BesideRuns(RunReader, VIEWS)
    tab = LinkedTab(runs)
    qtbot.addWidget(tab)
    tab.resize(1000, 500)
    tab.show()
    with qtbot.waitSignal(runs.opened, timeout=10_000):
        runs.open(run_file("plane"), run_file("trajectory"))
    assert runs.names == ("surface", "relief", "table")
    assert tab.title == "Plane | The run"
    runs.tabs.setCurrentIndex(1)
    assert runs.current is not None
    tab.fit()
    assert tab.export("csv", tmp_path / "a.csv").exists()
    runs.close_runs()


def test_runs_that_no_view_shows_both_say_so(qtbot: QtBot, run_file: Callable[[str], Path]) -> None:
    runs = BesideRuns(RunReader, {name: cls for name, cls in VIEWS.items() if name != "table"})
    qtbot.addWidget(runs)
    with qtbot.waitSignal(runs.opened, timeout=10_000):
        runs.open(run_file("line"), run_file("matrix"))
    assert runs.names == ()
    assert "No view shows both" in runs.message.text()
    runs.close_runs()


def test_a_figure_has_another_run_beside_it(run_file: Callable[[str], Path], tmp_path: Path, qtbot: QtBot) -> None:
    one, two = RunReader(run_file("simplex3")), RunReader(run_file("plane"))
    script = one.figure("surface", beside=two).script(tmp_path / "a.png")
    assert 'beside=solera.runs.open(here / "plane.h5")' in script
    draw_view(one.path, "surface", [tmp_path / "a.png"], size=(800, 400), scale=1.0, beside=two.path)
    assert QImage(str(tmp_path / "a.png")).width() == 800
