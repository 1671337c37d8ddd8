"""The interpolation canvas and its panel: weights and places, the handle, keys, drops, surfaces, scores."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDoubleSpinBox, QPushButton

from solera.errors import InputError
from solera_app.canvases.blend import nearest_inside, place_of, polygon, rebalanced, shifted, tidy, weights_of
from solera_app.canvases.interpolation import InterpolationCanvas
from solera_app.canvases.interpolation_panel import InterpolationPanel
from solera_app.canvases.scores_here import ScoreHere, mean_of
from solera_app.theme import themes

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
NAMES = ("rotated", "inverted", "mirrored")
TRIANGLE = ((0.0, 0.0), (14.2, 0.0), (6.3, 11.4))
LINE = ((0.0, 0.0), (14.2, 0.0))
share = st.floats(-2, 3, allow_nan=False)


@pytest.fixture
def triangle(qtbot):
    made = InterpolationCanvas()
    qtbot.addWidget(made)
    made.resize(760, 640)
    made.show()
    made.set_models(NAMES, TRIANGLE)
    return made


@pytest.fixture
def line(qtbot):
    made = InterpolationCanvas()
    qtbot.addWidget(made)
    made.resize(760, 640)
    made.show()
    made.set_models(NAMES[:2], LINE, available=3)
    return made


# --- weights and places -------------------------------------------------------------------------------------------


@given(share, share)
@settings(max_examples=60, deadline=None)
def test_a_place_of_weights_has_these_weights(second, third):
    weights = (1 - second - third, second, third)
    assert weights_of(TRIANGLE, place_of(TRIANGLE, weights)) == pytest.approx(weights, abs=1e-9)
    ends = (1 - second, second)
    assert weights_of(LINE, place_of(LINE, ends)) == pytest.approx(ends, abs=1e-9)


@given(st.lists(share, min_size=2, max_size=3), st.integers(0, 1), share)
@settings(max_examples=60, deadline=None)
def test_the_others_give_way_so_that_the_total_stays_one(weights, index, value):
    changed = rebalanced(weights, index, value)
    assert changed[index] == value
    assert sum(changed) == pytest.approx(1, abs=1e-6 * (1 + sum(map(abs, changed))))


@given(st.tuples(share, share))
@settings(max_examples=60, deadline=None)
def test_rounding_keeps_the_total(pair):
    assert sum(tidy((1 - sum(pair), *pair))) == pytest.approx(1, abs=1e-12)


def test_models_that_span_nothing_are_refused(triangle):
    with pytest.raises(InputError, match="same weights"):
        triangle.set_models(("a", "b"), ((1, 1), (1, 1)))
    with pytest.raises(InputError, match="on one line"):
        triangle.set_models(NAMES, ((0, 0), (1, 1), (2, 2)))


# --- the handle -----------------------------------------------------------------------------------------------------


def drag(canvas, to: QPoint, *, release=True):
    view = canvas.ground.canvas.viewport()
    start = canvas.handle_px().toPoint()
    QTest.mousePress(view, LEFT, PLAIN, start)
    for step in (1, 2, 3):
        QTest.mouseMove(view, start + (to - start) * (step / 3))
    if release:
        QTest.mouseRelease(view, LEFT, PLAIN, to)


def test_dragging_the_handle_to_a_corner_gives_that_model_all_the_weight(triangle, qtbot):
    moves: list[tuple[float, ...]] = []
    triangle.moved.connect(moves.append)
    corner = triangle.triangle.canvas.point(*TRIANGLE[2]).toPoint()
    with qtbot.waitSignal(triangle.released) as caught:
        drag(triangle, corner)
    assert caught.args[0] == pytest.approx((0, 0, 1), abs=0.01)
    assert len(moves) == 3
    assert all(sum(weights) == pytest.approx(1) for weights in moves)
    assert triangle.weights == caught.args[0]


def test_both_axes_have_one_scale(triangle):
    a, b = (triangle.triangle.canvas.point(*at) for at in ((0, 0), (1, 1)))
    assert b.x() - a.x() == pytest.approx(a.y() - b.y(), rel=1e-6)
    triangle.resize(500, 700)
    a, b = (triangle.triangle.canvas.point(*at) for at in ((0, 0), (1, 1)))
    assert b.x() - a.x() == pytest.approx(a.y() - b.y(), rel=1e-6)


def test_escape_puts_a_dragged_handle_back(triangle):
    before = triangle.weights
    corner = triangle.triangle.canvas.point(*TRIANGLE[0]).toPoint()
    drag(triangle, corner, release=False)
    assert triangle.weights != before
    QTest.keyClick(triangle.ground.canvas, Qt.Key.Key_Escape)
    assert triangle.weights == before
    QTest.mouseRelease(triangle.ground.canvas.viewport(), LEFT, PLAIN, corner)
    assert triangle.weights == before


def test_a_press_beside_the_handle_moves_nothing_and_a_double_click_puts_it_there(triangle):
    before = triangle.weights
    view = triangle.ground.canvas.viewport()
    corner = triangle.triangle.canvas.point(*TRIANGLE[1]).toPoint()
    QTest.mouseClick(view, LEFT, PLAIN, corner)
    assert triangle.weights == before
    QTest.mouseDClick(view, LEFT, PLAIN, corner)
    assert triangle.weights == pytest.approx((0, 1, 0), abs=0.01)


def test_arrow_keys_move_by_a_hundredth_and_with_shift_by_a_tenth(triangle, qtbot):
    triangle.set_weights((0.4, 0.2, 0.4))
    with qtbot.waitSignal(triangle.released) as caught:
        QTest.keyClick(triangle.ground.canvas, Qt.Key.Key_Right)
    assert caught.args[0] == pytest.approx((0.39, 0.21, 0.4))
    QTest.keyClick(triangle.ground.canvas, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert triangle.weights == pytest.approx((0.325, 0.175, 0.5))
    assert shifted((0.5, 0.5), 0.01, 0) == pytest.approx((0.49, 0.51))


def test_a_recorded_path_has_a_point_for_every_release(triangle, qtbot):
    triangle.set_recording(True)
    with qtbot.waitSignals([triangle.pathChanged] * 2):
        QTest.keyClick(triangle.ground.canvas, Qt.Key.Key_Right)
        QTest.keyClick(triangle.ground.canvas, Qt.Key.Key_Right)
    triangle.set_recording(False)
    QTest.keyClick(triangle.ground.canvas, Qt.Key.Key_Right)
    assert len(triangle.path) == 2
    assert triangle.triangle.kit.path == tuple(triangle.path)


# --- grounds --------------------------------------------------------------------------------------------------------


def slope():
    """An asymmetric surface: it grows along x, and doubles along y."""
    xs, ys = np.linspace(-3, 18, 22), np.linspace(-3, 17, 11)
    return xs[None, :] + 100 * ys[:, None] + 500


def test_a_surface_lies_where_its_numbers_say(triangle):
    triangle.set_surface(slope(), (-3, 18), (-3, 17), title="Mean loss (nats)")
    plot = triangle.triangle
    assert plot.limits[1] > plot.limits[0]
    low, high = plot.canvas.point(0, -2), plot.canvas.point(0, 16)
    picture = triangle.grab().toImage()
    offset = plot.canvas.mapTo(triangle, QPoint(0, 0))
    dark, light = (picture.pixelColor(at.toPoint() + offset) for at in (low, high))
    assert dark.lightness() < light.lightness()
    triangle.set_weights((1, 0, 0))
    assert plot._value_of(-1) == pytest.approx(500, abs=101)


def test_a_growing_surface_keeps_the_handle_and_its_zoom(triangle):
    values = slope()
    values[5:] = np.nan
    triangle.set_surface(values, (-3, 18), (-3, 17))
    assert "interpolated" not in triangle.triangle.canvas.note
    triangle.triangle.canvas.zoom(0.5, triangle.triangle.canvas.window_rect.center())
    shown = triangle.triangle.canvas.shown
    triangle.set_surface(slope(), (-3, 18), (-3, 17))
    assert triangle.triangle.canvas.shown == shown


def test_a_wide_range_is_shown_by_its_logarithm(triangle):
    triangle.set_surface(np.geomspace(0.1, 10, 12).reshape(3, 4), (0, 1), (0, 1), title="Loss (nats)")
    assert triangle.triangle._scale == "log"
    assert triangle.triangle._bar.title == "Loss (nats), log scale"
    triangle.clear_surface()
    assert not triangle.triangle.surface


def score(value=0.9, **changes):
    fields = {"count": 1797, "total": 1797, "metric": "Accuracy", "percent": True, "low": 0.0, "high": 1.0}
    return ScoreHere("rotated", value, 0.01, **{**fields, **changes})


def test_a_line_gathers_scores_where_the_handle_is_let_go(line):
    assert line.handle_px().y() == pytest.approx(line.line.canvas.window_rect.center().y(), abs=1)
    for second, value in ((0.0, 0.6), (1.0, 0.7), (0.5, 0.9)):
        line.set_weights((1 - second, second))
        line.set_scores([score(value)])
    line.set_scores([score(0.2, preview=True, count=256)])
    _, rows = line.line.table()
    assert [row[3] for row in rows] == [0.6, 0.9, 0.7]
    line.set_weights((0.75, 0.25))
    assert line.handle_px().y() == pytest.approx(line.line.canvas.point(0, 0.75).y(), abs=1)


def test_the_handle_of_a_line_stays_on_it(line, qtbot):
    line.set_curve((1.0, 0.0, 0.5), (0.7, 0.6, 0.9), (math.nan, 0.01, 0.01), title="Accuracy (%)", percent=True)
    with qtbot.waitSignal(line.released) as caught:
        drag(line, line.line.canvas.point(14.2 * 0.25, 0.62).toPoint())
    assert caught.args[0] == pytest.approx((0.75, 0.25), abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["png", "svg", "csv"])
def test_both_forms_are_exported(triangle, line, tmp_path, kind, theme):
    themes().apply(theme)
    triangle.set_surface(slope(), (-3, 18), (-3, 17), title="Loss (nats)")
    for canvas, name in ((triangle, "triangle"), (line, "line")):
        path = canvas.export(kind, tmp_path / f"{name}.{kind}")
        assert path.stat().st_size > 20
        if kind == "png":
            assert not QImage(str(path)).isNull()
        if kind == "svg":
            assert "inverted" in path.read_text(encoding="utf-8")
    themes().apply("light")
    with pytest.raises(InputError):
        InterpolationCanvas().export("png", tmp_path / "x.png")


# --- drops and forms --------------------------------------------------------------------------------------------------


def test_a_dropped_model_is_handed_on(triangle, qtbot):
    mime = QMimeData()
    mime.setData("application/x-solera-library", json.dumps([{"name": "d", "path": "/d"}]).encode())
    enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, mime, LEFT, PLAIN)
    QApplication.sendEvent(triangle, enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(triangle.modelsDropped) as caught:
        event = QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, mime, LEFT, PLAIN)
        QApplication.sendEvent(triangle, event)
    assert [entry.name for entry in caught.args[0]] == ["d"]


def test_the_form_is_asked_for_and_changes_with_the_models(triangle, line, qtbot):
    switch = triangle._switches[1]
    with qtbot.waitSignal(triangle.formRequested) as caught:
        switch.buttons["line"].click()
    assert caught.args == ["line"]
    assert switch.buttons["triangle"].isChecked()
    assert line._switches[0].buttons["triangle"].isEnabled()
    line.set_models(NAMES[:2], LINE)
    assert not line._switches[0].buttons["triangle"].isEnabled()
    assert "third model" in line._switches[0].buttons["triangle"].toolTip()
    line.set_models((), ())
    assert line._stack.currentWidget() is line._empty


# --- the panel --------------------------------------------------------------------------------------------------------


@pytest.fixture
def panel(qtbot):
    made = InterpolationPanel()
    qtbot.addWidget(made)
    made.resize(272, 640)
    made.show()
    made.set_models(NAMES)
    return made


def fields(panel):
    return panel.rows.findChildren(QDoubleSpinBox)


def test_a_locked_sum_makes_the_other_weights_give_way(panel, qtbot):
    panel.set_weights((0.5, 0.25, 0.25))
    with qtbot.waitSignal(panel.moved) as caught:
        fields(panel)[0].setValue(0.8)
    assert caught.args[0] == pytest.approx((0.8, 0.1, 0.1))
    assert panel._sum.text() == "sum 1.00"


def test_an_unlocked_sum_is_said_and_locking_rescales(panel, qtbot):
    panel.set_weights((0.5, 0.25, 0.25))
    panel._lock.click()
    with qtbot.assertNotEmitted(panel.moved):
        fields(panel)[0].setValue(1.5)
    assert panel._sum.text() == "sum 2.00, must be 1"
    with qtbot.waitSignal(panel.released) as caught:
        panel._lock.click()
    assert caught.args[0] == pytest.approx((0.75, 0.125, 0.125))


def test_centre_keep_and_record_are_told(panel, qtbot):
    with qtbot.waitSignal(panel.released) as caught:
        panel._centre.click()
    assert caught.args[0] == pytest.approx((1 / 3,) * 3)
    with qtbot.waitSignals([panel.keepRequested, panel.recordToggled]):
        panel.keep.click()
        panel.record.click()
    assert not panel._save_run.isEnabled()
    panel.set_path_length(6)
    assert panel._path_figure.text() == "6 points"
    with qtbot.waitSignal(panel.saveRunRequested):
        panel._save_run.click()


def test_scores_say_what_they_are(panel):
    scores = [
        score(0.914, count=256, preview=True, expert=0.97),
        ScoreHere("inverted", 0.82, 0.024, 256, 1797, True, "Accuracy", percent=True, low=0, high=1),
    ]
    panel.set_scores(scores, best=("rotated", score(0.618)), ground="mean loss (nats)")
    assert panel._heading.text() == "Accuracy here"
    assert panel._preview.text() == "Preview, n = 256"
    assert panel._mean.text() == "86.7 ± 1.3 %"
    assert panel._best.text() == "61.8 ± 1.0 %"
    assert "all 1,797 samples" in panel._hint.text()
    assert "the ground is mean loss (nats)" in panel._hint.text()
    assert "selection split" in panel._bars.bars[0].accessibleName()
    panel.set_busy(True)
    assert panel._preview.text() == "Scoring all samples"
    panel.set_scores([score()])
    assert panel._preview.text() == "Exact, n = 1,797"
    assert len(panel._bars.bars) == 1
    assert not panel._mean.isVisible()


def test_the_mean_is_over_one_metric_only():
    losses = [
        ScoreHere("a", 1.0, 0.3, metric="Loss", unit="nats"),
        ScoreHere("b", 3.0, 0.4, metric="Loss", unit="nats"),
    ]
    mean = mean_of(losses)
    assert mean is not None
    assert (mean.value, mean.stderr) == pytest.approx((2.0, 0.25))
    assert mean_of([losses[0], score()]) is None
    assert mean_of([]) is None


def test_controls_of_canvas_and_panel_have_tips_and_names(panel, triangle):
    for widget in (panel, triangle):
        for button in widget.findChildren(QPushButton):
            if not button.isHidden() and button.text():
                assert button.toolTip(), button.text()
                assert button.accessibleName()
    assert "rotated 0.33" in triangle.triangle.canvas.accessibleDescription()


def test_the_ends_of_a_line_stand_at_their_own_scores(line, triangle):
    line.set_ends([score(0.5), score(0.9)])
    low, high = (line.line._on_curve(share).y() for share in (0.0, 1.0))
    assert low > high
    line.set_scores([score(0.7)])
    low, high = (line.line._on_curve(share) for share in (0.0, 1.0))
    assert line.line.canvas.from_px(low)[1] == pytest.approx(0.5)
    assert line.line.canvas.from_px(high)[1] == pytest.approx(0.9)
    triangle.set_ends([score(0.5), score(0.9), None])  # a triangle's ground is another quantity


# --- four models and more ---------------------------------------------------------------------------------------------


@given(st.integers(4, 12), st.floats(0, 1), st.floats(0, 6.28))
@settings(max_examples=80, deadline=None)
def test_a_place_in_a_polygon_has_weights_that_lead_back_to_it(count, radius, turn):
    corners = polygon(count)
    at = (radius * math.sin(turn), radius * math.cos(turn))
    inside = nearest_inside(corners, at)
    weights = weights_of(corners, at)
    assert sum(weights) == pytest.approx(1, abs=1e-9)
    assert min(weights) >= -1e-9
    assert place_of(corners, weights) == pytest.approx(inside, abs=1e-6)
    if radius < math.cos(math.pi / count):
        assert inside == at


def test_a_corner_and_a_side_of_a_polygon_belong_to_their_models():
    corners = polygon(5)
    for i, corner in enumerate(corners):
        assert weights_of(corners, corner) == pytest.approx([float(i == j) for j in range(5)])
    (ax, ay), (bx, by) = corners[0], corners[1]
    middle = ((ax + bx) / 2, (ay + by) / 2)
    assert weights_of(corners, middle) == pytest.approx((0.5, 0.5, 0, 0, 0), abs=1e-9)
    assert weights_of(corners, (0.0, 0.0)) == pytest.approx((0.2,) * 5)
    assert weights_of(corners, (9.0, 9.0)) == pytest.approx(weights_of(corners, nearest_inside(corners, (9.0, 9.0))))


@pytest.fixture
def pentagon(qtbot):
    made = InterpolationCanvas()
    qtbot.addWidget(made)
    made.resize(760, 640)
    made.show()
    made.set_models((*NAMES, "base", "transposed"), polygon(5))
    return made


def test_the_handle_of_a_polygon_is_dragged_and_its_path_recorded(pentagon):
    told: list[tuple[float, ...]] = []
    left: list[tuple[float, ...]] = []
    pentagon.moved.connect(told.append)
    pentagon.released.connect(left.append)
    pentagon.set_recording(True)
    view, start = pentagon.ground.canvas.viewport(), pentagon.handle_px().toPoint()
    corner = pentagon.ground.canvas.point(*polygon(5)[1]).toPoint()
    QTest.mousePress(view, LEFT, PLAIN, start)
    QTest.mouseMove(view, start + (corner - start) * 0.5)
    QTest.mouseMove(view, corner)
    QTest.mouseRelease(view, LEFT, PLAIN, corner)
    assert len(told) >= 2
    assert left[-1][1] > 0.97
    assert sum(left[-1]) == pytest.approx(1)
    assert pentagon.path == left[-1:]
    QTest.keyClick(pentagon.ground.canvas, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert pentagon.weights[1] < left[0][1]
    pentagon.set_weights((0.1, 0.2, 0.3, 0.4, 0.0))
    assert pentagon.weights == (0.1, 0.2, 0.3, 0.4, 0.0)  # typed weights stay what they are


def test_the_switch_offers_what_there_are_models_for(pentagon, line):
    asked: list[str] = []
    pentagon.formRequested.connect(asked.append)
    switch = next(s for s in pentagon._switches if s.isVisible())
    assert switch.buttons["polygon"].isChecked()
    QTest.mouseClick(switch.buttons["triangle"], LEFT)
    assert asked == ["triangle"]
    assert switch.buttons["polygon"].isChecked()  # until the window decides
    shown = next(s for s in line._switches if s.isVisible())
    assert shown.buttons["triangle"].isEnabled()
    assert not shown.buttons["polygon"].isEnabled()
    assert "fourth" in shown.buttons["polygon"].toolTip()
