"""What each of the further views shows, and how they are used by hand and keyboard."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from solera.runs.picture import Picture
from solera_app.pictures import registered
from solera_app.views.snapshot import Snapshot

VIEWS = registered()


def made(qtbot: QtBot, name: str, snapshot: Snapshot) -> Any:
    view = VIEWS[name]()
    qtbot.addWidget(view)
    view.resize(1024, 640)
    view.set_run(snapshot)
    view.show()
    return view


def drag(qtbot: QtBot, plot: Any, start: QPointF, end: QPointF) -> None:
    port = plot.canvas.viewport()
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=start.toPoint())
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication

    for at in (QPointF((start.x() + end.x()) / 2, (start.y() + end.y()) / 2), end):
        event = QMouseEvent(
            QEvent.Type.MouseMove, at, port.mapToGlobal(at), Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(port, event)
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=end.toPoint())


def test_the_triangle_leaves_what_touches_a_failed_point_blank(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["simplex3"]
    view = made(qtbot, "triangle", run)
    plot = view.plot
    assert "simplex of 3 models" in plot.header.subtitle
    assert "15 points: 14 shown, 1 failed" in plot.header.subtitle
    failed = int(np.nonzero(np.isnan(run.points.values[:, 0]))[0][0])
    at = plot._at[plot._index == failed][0]
    column, row = np.abs(plot._xs - at[0]).argmin(), np.abs(plot._ys - at[1]).argmin()
    assert not np.isfinite(plot._values[row - 2 : row + 3, column - 2 : column + 3]).any()
    assert np.isfinite(plot._values).any()
    assert plot.describe(failed)[0].endswith("not finite")
    assert "rotated 0.500, inverted 0.250, mirrored 0.250" in plot.describe(failed)[1]
    assert "× not finite, 1" in plot.canvas.note


def test_a_simplex_of_four_says_which_slice_it_shows(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "triangle", snapshots["simplex4"])
    total = len(snapshots["simplex4"].points)
    assert "slice in which upright has share 0" in view.plot.header.subtitle
    assert f"{total} points: 14 shown, 1 failed, {total - 15} outside" in view.plot.header.subtitle
    view.choose({"slice": "1 2 3"})
    assert "slice in which rotated has share 0" in view.plot.header.subtitle
    assert set(view.plot._models) == {"inverted", "mirrored", "upright"}


def test_the_path_of_a_soup_is_joined_in_order(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "soup", snapshots["soup"])
    stops = view.plot._stops
    assert stops.names == ("", "soup of 2", "soup of 3")
    np.testing.assert_allclose(stops.at[0], view.plot._models["b"])
    assert "off the plane" in view.plot.describe(6)[1] or "In the plane" in view.plot.describe(6)[1]
    assert "onto the plane in which 4 models spread most" in view.plot.header.subtitle
    assert not np.isfinite(view.plot._values).any()  # projections do not fill a plane


def test_the_trajectory_says_that_its_stops_lie_off_the_plane(
    qtbot: QtBot, snapshots: dict[str, Snapshot], tmp_path: Path
) -> None:
    view = made(qtbot, "trajectory", snapshots["trajectory"])
    assert "trajectory of 5 checkpoints" in view.plot.header.subtitle
    assert "by at most 40 % of their way to the last" in view.plot.header.subtitle
    plot = view.plot
    assert "A path of 5 stops from step 0 to step 4, at most 40.00 %" in plot.accessibleDescription()
    stop = plot.canvas.point(*plot._stops.at[1])
    with qtbot.assertNotEmitted(view.pointSelected):
        plot.canvas.hovered.emit(stop)
    assert plot.describe(plot.hovered)[0] == "step 1"
    assert plot.position(plot.hovered) == stop
    rows = list(csv.reader(view.export("csv", tmp_path / "a.csv").open()))
    assert len(rows) == 1 + 12 + 5
    assert rows[-1][-2:] == ["step 4", "0.0"]


def test_a_picture_of_few_points_tells_its_held_out_error(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["plane"]
    axes = (np.linspace(-0.5, 1, 13), np.linspace(0, 1, 9))
    x, y = np.meshgrid(*axes, indexing="ij")
    values = np.stack([1 + x * x + 2 * y, np.exp(-x), 2 - x + y, np.exp(-y)])
    values[0, 5, 5] = np.nan  # beside a score that is not finite nothing is filled in
    evaluated = np.zeros(x.shape, bool)
    evaluated[::2, ::2] = True
    picture = Picture(
        35, (7, 5), axes, values, evaluated, np.zeros((3, 2)),
        np.array([[0.01, 0.002, 0.02, 0.1], [0.031, 0.001, 0.02, 0.1]]), (True,) * 4,
    )  # fmt: skip
    stray = dataclasses.replace(run.points, coords=run.points.coords.copy())
    stray.coords[3] = (0.123, 0.456)
    header = dataclasses.replace(run.header, shape=(), picture=(13, 9))
    view = made(qtbot, "surface", dataclasses.replace(run, header=header, points=stray, picture=picture))
    assert "interpolated, at 3 held-out points wrong by at most 3.1 %" in view.plot.header.subtitle
    assert "Dots: scored, 35" in view.plot.canvas.note
    assert view.plot._scored.sum() == 34
    assert np.isnan(view.plot._values[5, 5])
    assert view.plot._value_of(3) == run.points.values[3, 0]
    states = [row[-1] for row in view.plot.table()[1]]
    assert states.count("scored") == 34
    assert states.count("scored between cells") == 1
    assert states.count("interpolated") == 13 * 9 - 34 - 1
    view.choose({"score": "rotated.accuracy"})
    assert "wrong by at most 0.2 points" in view.plot.header.subtitle


def test_a_picture_that_is_not_drawn_yet_is_no_fault(qtbot: QtBot, beginnings: dict[str, Snapshot]) -> None:
    run = beginnings["plane"]
    header = dataclasses.replace(run.header, shape=(), picture=(13, 9))
    points = dataclasses.replace(run.points, cells=np.empty((0, 0), dtype=np.int64))
    view = made(qtbot, "surface", dataclasses.replace(run, header=header, points=points))
    view.grab()
    assert view.plot._values.shape == (9, 13)


def test_the_relief_turns_by_hand_and_by_keys(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "relief", snapshots["plane"])
    plot, before = view.plot, view.plot.camera
    middle = QPointF(plot.canvas.window_rect.center().toPoint())
    here = plot.position(20)
    drag(qtbot, plot, middle, middle + QPointF(50, 20))
    assert plot.camera.azimuth == pytest.approx(before.azimuth - 20)
    assert plot.camera.elevation == pytest.approx(before.elevation + 8)
    assert plot.position(20) != here
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert plot.camera.azimuth == pytest.approx(before.azimuth - 12.5)
    qtbot.keyClick(plot.canvas, Qt.Key.Key_0)
    assert plot.camera == before
    assert plot.hit(plot.position(20)) == 20
    for _ in range(30):
        plot.look_from(plot.camera.turned(0, 30))
    assert plot.camera.elevation == 85.0


def test_the_relief_draws_near_cells_over_far_ones(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    plot = made(qtbot, "relief", snapshots["plane"]).plot
    ends = np.array([[-4.0, 0.0, 1.0], [8.0, 6.0, 1.0], [-4.0, 0.0, 4.0]])
    for azimuth, nearer in ((45.0, 1), (-135.0, 0)):
        plot.look_from(type(plot.camera)(azimuth, 20.0))
        depth = plot.projected(ends)
        assert int(np.argmax(depth[:2, 2])) == nearer
        assert depth[2, 1] < depth[0, 1]  # higher values are higher up on the screen


def test_a_cell_without_a_number_is_a_hole(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "relief", snapshots["simplex3"])
    assert "× not finite, 1: holes" in view.plot._note
    assert "1 failed" in view.plot.header.subtitle


def test_three_objectives_are_counted_to_the_last(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "pareto3", snapshots["three"])
    texts = [entry.text for entry in view.plot.legend.entries]
    counts = [int(text.split(", ")[-1]) for text in texts]
    assert sum(counts) == 20
    assert texts[-1] == "Not finite, 1"
    assert "front of these 3, projected" in view.plot.header.subtitle
    wanted = int(view.plot.order()[0])
    with qtbot.waitSignal(view.pointSelected) as told:
        at = view.plot.position(wanted).toPoint()
        qtbot.mouseClick(view.plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told.args[0] in view.plot._index


def test_brushes_narrow_the_points_down(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["three"]
    view = made(qtbot, "parallel", run)
    plot = view.plot
    top, foot = plot.canvas.point(1, 1), plot.canvas.point(1, 0)
    with qtbot.waitSignal(plot.brushed):
        drag(qtbot, plot, top, QPointF(top.x() + 3, (top.y() + foot.y()) / 2))
    low, high = plot.brushes[1]
    values = run.points.values[:, 1]
    assert low <= values.min()  # lower is better and on top
    np.testing.assert_array_equal(plot.inside(), (values >= low) & (values <= high))
    assert any(entry.text == f"In all brushes, {int(plot.inside().sum())}" for entry in plot.legend.entries)
    plot.brush(0, (float(np.nanmin(run.points.values[:, 0])), 10.0))
    assert not plot.inside()[7]  # what is not finite is in no range
    qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=(foot - QPointF(0, 6)).toPoint())
    assert 1 not in plot.brushes
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Escape)
    assert plot.brushes == {}
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Left)
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Up)
    assert list(plot.brushes) == [0]
    before = plot.brushes[0]
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Down)
    assert plot.brushes[0][0] > before[0]  # down is towards worse: higher losses


def test_a_line_is_found_between_its_axes(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    plot = made(qtbot, "parallel", snapshots["three"]).plot
    row = 5
    ends = [plot.canvas.point(place, float(plot._level(place)[row])) for place in (0, 1)]
    found = plot.hit(ends[0] + (ends[1] - ends[0]) * 0.02)
    assert found == row
    assert plot.hit(QPointF(-50, 10)) == -1
    assert len(plot.describe(row)) == 4


def test_a_matrix_marks_cells_without_a_number(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "matrix", snapshots["matrix"])
    plot = view.plot
    assert "Made up · rotated · train split · n = 64 · 3 models · 9 rows · 1 without a number · seed 2" in (
        plot.header.subtitle
    )
    assert plot._bar.limits == (-1.0, 1.0)
    assert plot.describe(3)[0] == "Cosine: no number"
    box = plot._cell(1, 2)
    assert plot.hit(box.center()) == 5
    assert plot.describe(5) == ("Cosine: 0.20 ± 0.05", "Model: rotated", "Other: inverted")
    image = plot.canvas.grab().toImage()
    blank = plot._cell(1, 0)
    ratio = image.devicePixelRatio()
    corner = (blank.topLeft() + QPointF(6, 6)) * ratio
    assert image.pixelColor(corner.toPoint()) == plot.canvas.backgroundBrush().color()
    view.choose({"measure": "size"})
    assert plot._bar.scale == "log"


def test_a_layer_map_turns_long_names_upright(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    plot = made(qtbot, "layer_map", snapshots["layers"]).plot
    plot.resize(1000, 500)
    assert not plot._upright
    plot.resize(500, 500)
    assert plot._upright
    plot.grab()


def test_a_spectrum_counts_what_has_no_place_on_its_scale(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "spectrum", snapshots["spectrum"])
    plot = view.plot
    assert [line.name for line in plot._said] == ["base", "rotated"]
    assert "× not finite, 1" in plot.canvas.note
    view.choose({"scale": "log"})
    assert "4 at or below 0, not on this scale" in plot.canvas.note or "3 at or below 0" in plot.canvas.note
    view.choose({"measure": "size"})
    assert view.scale.key == "log"
    assert plot.canvas.y.labels([-2.0, 0.0]) == ["10⁻²", "10⁰"]
    assert plot.describe(6)[0] == "rotated"


def test_scalars_stand_on_rows_with_their_errors(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = made(qtbot, "scalars", snapshots["scalars"])
    plot = view.plot
    assert "× no number here, 1" in plot.canvas.note
    assert plot.describe(4) == ("upright", "Cosine: 0.10 ± 0.05")
    assert plot.describe(3) == ("mirrored", "Cosine: no number")
    tops = [plot.position(index).y() for index in (0, 1, 2, 4)]
    assert tops == sorted(tops)
    assert plot.canvas.from_px(plot.position(4))[0] == pytest.approx(0.1)
    view.choose({"measure": "size"})
    assert plot.canvas.x.labels([-4.0, -1.0]) == ["10⁻⁴", "10⁻¹"]
    assert plot.canvas.from_px(plot.position(0))[0] == pytest.approx(-4.0)


def test_before_there_is_anything_a_view_says_so(
    qtbot: QtBot, snapshots: dict[str, Snapshot], beginnings: dict[str, Snapshot]
) -> None:
    for name, run, words in (
        ("triangle", "simplex3", "No blend has been scored yet."),
        ("soup", "soup", "No soup has been scored yet."),
        ("matrix", "matrix", "No pair has been measured yet."),
        ("layer_map", "layers", "No layer has been measured yet."),
        ("spectrum", "spectrum", "Nothing has been measured yet."),
        ("scalars", "scalars", "No model has been measured yet."),
        ("parallel", "three", "No point has been scored yet."),
        ("pareto3", "three", "No point has been scored yet."),
        ("relief", "plane", "No point of the plane has been scored yet."),
        ("hypervolume", "search", "once there are points"),
    ):
        view = made(qtbot, name, beginnings[run])
        assert words in view.plot.accessibleDescription(), name
        view.update_run(snapshots[run])
        view.flush()
        assert words not in view.plot.accessibleDescription(), name
    silent = dataclasses.replace(snapshots["search"], indicators={})
    assert "recorded no hypervolume" in made(qtbot, "hypervolume", silent).plot.accessibleDescription()


def test_every_plot_walks_by_keyboard(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    for name, run in (("triangle", "simplex3"), ("relief", "plane"), ("pareto3", "three"), ("matrix", "matrix"),
                      ("spectrum", "spectrum"), ("parallel", "three"), ("soup", "soup")):  # fmt: skip
        view = made(qtbot, name, snapshots[run])
        with qtbot.waitSignal(view.pointSelected) as told:
            qtbot.keyClick(view.plot.canvas, Qt.Key.Key_N)
        assert told.args == [int(view.plot.order()[0])], name
        view.grab()


def test_readouts_are_painted_where_the_pointer_is(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    for name, run in (("triangle", "simplex3"), ("matrix", "matrix"), ("pareto3", "three")):
        plot = made(qtbot, name, snapshots[run]).plot
        index = int(plot.order()[1])
        before = plot.canvas.grab().toImage()
        qtbot.mouseMove(plot.canvas.viewport(), QPoint(2, 2))
        plot.canvas.hovered.emit(plot.position(index))
        assert plot.hovered == index
        assert plot.canvas.grab().toImage() != before
