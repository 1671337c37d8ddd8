"""What holds for every registered view, and what each of ours shows."""

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractButton, QComboBox
from pytestqt.qtbot import QtBot

from solera_app.pictures import registered
from solera_app.theme import themes
from solera_app.views.snapshot import Snapshot

VIEWS = registered()
SHOWS = {
    "curve": "line", "surface": "plane", "pareto": "search", "table": "comparison", "triangle": "simplex3",
    "trajectory": "trajectory", "soup": "soup", "relief": "plane", "pareto3": "three", "hypervolume": "search",
    "parallel": "three", "layer_map": "layers", "matrix": "matrix", "spectrum": "spectrum", "scalars": "scalars",
}  # fmt: skip


def made(qtbot: QtBot, name: str, snapshot: Snapshot, size: tuple[int, int] = (1024, 640)) -> Any:
    view = VIEWS[name]()
    qtbot.addWidget(view)
    view.resize(*size)
    view.set_run(snapshot)
    view.show()
    return view


def test_ours_are_registered() -> None:
    assert set(SHOWS) == set(VIEWS)


@pytest.mark.parametrize(
    ("run", "views"),
    [("line", {"curve", "table"}), ("plane", {"surface", "relief", "table"}), ("comparison", {"table"}),
     ("search", {"pareto", "parallel", "hypervolume", "table"}),
     ("simplex3", {"triangle", "surface", "relief", "table"}), ("simplex4", {"triangle", "soup", "table"}),
     ("trajectory", {"trajectory", "surface", "relief", "table"}),
     ("soup", {"soup", "pareto", "parallel", "hypervolume", "table"}),
     ("three", {"pareto", "pareto3", "parallel", "hypervolume", "table"}), ("matrix", {"matrix", "table"}),
     ("layers", {"layer_map", "table"}), ("spectrum", {"spectrum", "table"}), ("scalars", {"scalars", "table"})],
)  # fmt: skip
def test_each_run_has_its_views(snapshots: dict[str, Snapshot], run: str, views: set[str]) -> None:
    accepting = {name for name in SHOWS if VIEWS[name].accepts(snapshots[run].header)}
    assert accepting == views


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", SHOWS)
def test_every_view_opens_small_in_both_themes_and_exports(
    qtbot: QtBot, snapshots: dict[str, Snapshot], tmp_path: Path, name: str, theme: str
) -> None:
    themes().apply(theme)  # type: ignore[arg-type]
    try:
        view = made(qtbot, name, snapshots[SHOWS[name]])
        ground = view.grab().toImage().pixelColor(3, 637)
        assert ground == themes().current.colour("base")
        image = QImage(str(view.export("png", tmp_path / "a.png", size=(700, 500), scale=2)))
        assert (image.width(), image.height()) == (1400, 1000)
        ET.parse(view.export("svg", tmp_path / "a.svg"))
        assert view.export("pdf", tmp_path / "a.pdf", size=(500, 400)).read_bytes().startswith(b"%PDF")
        assert len(view.export("csv", tmp_path / "a.csv").read_text().splitlines()) >= 5
    finally:
        themes().apply("light")


@pytest.mark.parametrize("name", SHOWS)
def test_every_control_has_a_tooltip_and_a_name(qtbot: QtBot, snapshots: dict[str, Snapshot], name: str) -> None:
    view = made(qtbot, name, snapshots[SHOWS[name]])
    for kind in (QComboBox, QAbstractButton):
        for control in view.findChildren(kind):
            if control.isVisible() and not control.objectName().startswith("qt_"):
                assert control.toolTip(), control
                assert control.accessibleName(), control


@pytest.mark.parametrize("name", SHOWS)
def test_a_view_follows_a_run_from_before_its_first_point(
    qtbot: QtBot, snapshots: dict[str, Snapshot], beginnings: dict[str, Snapshot], name: str
) -> None:
    whole = snapshots[SHOWS[name]]
    view = made(qtbot, name, beginnings[SHOWS[name]])
    view.grab()
    for start in range(0, len(whole.points), 3):
        view.append(whole.points.rows(slice(start, start + 3)))
    view.append(whole.points.rows(slice(0, 2)))  # heard before
    view.flush()
    assert view.snapshot is not None
    assert len(view.snapshot.points) == len(whole.points)
    assert view.finite() == int(np.isfinite(whole.points.values).any(axis=1).sum())
    view.update_run(whole)
    view.flush()
    view.grab()


@pytest.mark.heavy
@pytest.mark.parametrize("name", SHOWS)
def test_bad_data_are_drawn_without_a_fault(
    qtbot: QtBot, snapshots: dict[str, Snapshot], tmp_path: Path, name: str
) -> None:
    run = snapshots[SHOWS[name]]
    shape = run.points.values.shape
    for values in (
        np.full(shape, np.nan), np.full(shape, np.inf), np.full(shape, -1.5),
        np.where(np.arange(shape[0])[:, None] % 2, np.nan, run.points.values), run.points.values * 1e150,
    ):  # fmt: skip
        bad = dataclasses.replace(run, points=dataclasses.replace(run.points, values=values))
        view = made(qtbot, name, bad, (480, 320))
        for chooser in view.choosers().values():
            view.choose({chooser.word: chooser.entries()[-1][0]})
        view.grab()
        view.export("csv", tmp_path / "a.csv")
    one = dataclasses.replace(run, points=run.points.rows(slice(0, 1)))
    made(qtbot, name, one, (480, 320)).grab()


@pytest.mark.parametrize("name", SHOWS)
def test_a_selection_from_outside_is_shown_without_telling(
    qtbot: QtBot, snapshots: dict[str, Snapshot], name: str
) -> None:
    view = made(qtbot, name, snapshots[SHOWS[name]])
    with qtbot.assertNotEmitted(view.pointSelected):
        view.select(3)
        view.select(-1)


def test_the_curve_shows_all_tasks_then_one_with_its_barrier(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "curve", snapshots["line"])
    plot = view.plots()[0]
    assert plot.canvas.y.title == "Cross-entropy (nats), lower is better"
    assert plot.canvas.x.title == "Fraction of the way from rotated to inverted"
    assert not plot.has_barrier
    view.chooser.choose("0")
    view.restart_axes()
    assert plot.has_barrier
    assert "Barrier 1.000 ± 0.024" in plot.accessibleDescription()
    assert [entry.text for entry in plot.legend.entries][-1] == "Report split, 1"


def test_the_surface_stands_in_true_distances(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "surface", snapshots["plane"])
    plot = view.plots()[0]
    assert plot.canvas.full == (-4.0, 8.0, 0.0, 6.0)
    assert plot.canvas.equal
    run = snapshots["plane"]
    for row in (0, 7, 34):
        x, y = run.points.coords[row] * (8.0, 6.0)
        here = plot.position(row)
        assert here is not None
        assert plot.canvas.from_px(here) == pytest.approx((x, y))
        assert plot._value_of(row) == run.points.values[row, 0]


def test_a_click_on_the_front_tells_the_index_in_the_run(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "pareto", snapshots["search"])
    plot = view.plots()[0]
    wanted = int(plot.order()[2])
    here = plot.position(wanted)
    assert here is not None
    with qtbot.waitSignal(view.pointSelected) as told:
        qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=here.toPoint())
    assert told.args == [wanted]


def test_the_hypervolume_is_said_only_for_the_scores_it_is_of(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "pareto", snapshots["search"])
    assert any("Hypervolume 0.967 to (1.90, 1.80)" in entry.text for entry in view.plot.legend.entries)
    view.up.choose("3")
    view.restart_axes()
    assert not any("Hypervolume" in entry.text for entry in view.plot.legend.entries)
    assert view.plot.canvas.y.title == "Inverted accuracy (%), higher is better"


def test_the_reference_of_more_objectives_is_not_drawn(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["search"]
    more = {**run.indicators, "reference:upright.cross_entropy": (np.array([5]), np.array([1.0]))}
    view = made(qtbot, "pareto", dataclasses.replace(run, indicators=more))
    assert not any("Hypervolume" in entry.text for entry in view.plot.legend.entries)


def cells(view: Any, column: str) -> list[str]:
    model = view.model
    place = model.titles().index(column)
    return [model.data(model.index(row, place)) for row in range(model.rowCount())]


def test_the_table_names_splits_and_marks_what_is_within_noise(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "table", snapshots["comparison"])
    assert "row" not in view.model.titles()
    assert cells(view, "Split") == ["report", "selection", "selection", "report", "report"]
    assert cells(view, "scale") == ["", "0.3", "0.6", "0.6", ""]
    assert cells(view, "Rotated cross-entropy (nats)") == [
        "0.900 ± 0.020", "0.600 ± 0.020", "0.500 ± 0.020", "≈ 0.520 ± 0.020", "0.500 ± 0.020",
    ]  # fmt: skip
    assert "within noise" in view.header.subtitle


def shown_rows(view: Any) -> list[str]:
    sorted_ = view.view.model()
    split = view.model.titles().index("Split")
    return [sorted_.index(row, split).data() for row in range(sorted_.rowCount())]


def test_a_comparison_shows_its_report_first_and_the_rest_when_asked(
    qtbot: QtBot, snapshots: dict[str, Snapshot]
) -> None:
    run = snapshots["comparison"]
    view = made(qtbot, "table", run)
    titles = view.model.titles()
    assert shown_rows(view) == ["report"] * 3
    assert view.view.isColumnHidden(titles.index("Split"))
    assert "report split" in view.header.subtitle
    view.select(1)  # a row that is not shown
    assert not view.view.selectionModel().hasSelection()
    view.split.choose("search")
    view.redraw()
    assert shown_rows(view) == ["selection"] * 2
    assert "selection split" in view.header.subtitle
    view.split.choose("all")
    view.redraw()
    assert sorted(shown_rows(view)) == ["report"] * 3 + ["selection"] * 2
    assert not view.view.isColumnHidden(titles.index("Split"))
    for metric, hidden in (("cross_entropy", False), ("accuracy", True)):
        if view.scores.findData(metric) >= 0:
            view.scores.choose("cross_entropy")
            view.redraw()
            place = next(place for place, title in enumerate(titles) if metric.replace("_", "-") in title)
            assert view.view.isColumnHidden(place) is hidden


def test_a_search_shows_all_its_rows(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "table", snapshots["search"])
    assert len(shown_rows(view)) == len(snapshots["search"].points)


def test_titles_leave_the_figures_narrow(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "table", snapshots["comparison"])
    score = view.model.titles().index("Rotated cross-entropy (nats)")
    assert view.model.headerData(score, Qt.Orientation.Horizontal) == "rotated\ncross-entropy (nats)"
    assert view.view.columnWidth(score) < view.view.fontMetrics().horizontalAdvance("Rotated cross-entropy (nats)")


def test_the_table_sorts_by_number_and_a_row_tells_its_point(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "table", snapshots["comparison"])
    view.split.choose("all")
    view.redraw()
    view.view.sortByColumn(view.model.titles().index("Inverted cross-entropy (nats)"), Qt.SortOrder.AscendingOrder)
    with qtbot.waitSignal(view.pointSelected) as told:
        view.view.selectRow(0)
    assert told.args == [2]
    view.select(0)
    assert view.view.currentIndex().siblingAtColumn(0).data() == 1


@pytest.mark.parametrize("name", SHOWS)
def test_every_picture_does_with_an_aggregate_what_it_says(
    qtbot: QtBot, snapshots: dict[str, Snapshot], name: str
) -> None:
    """Scores without errors, as a task gives that has no value per sample: nothing is told of an error."""
    whole = snapshots[SHOWS[name]]
    blunt = dataclasses.replace(whole.points, stderrs=np.full_like(whole.points.stderrs, np.nan))
    view = made(qtbot, name, dataclasses.replace(whole, points=blunt))
    assert "aggregate" in (VIEWS[name].__doc__ or "")
    if not len(blunt):  # a probe's: it has no scores
        assert VIEWS[name].accepts(whole.header)
        return
    told = [line for index in range(len(blunt)) for plot in view.plots() for line in plot.describe(index)]
    assert told or name == "table"
    assert not any("±" in line for line in told)
    header, rows = view.table()
    errors = [i for i, title in enumerate(header) if "error" in str(title) or "stderr" in str(title)]
    assert not any(str(row[i]) not in ("", "nan", "None") for row in rows for i in errors)
