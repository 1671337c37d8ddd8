from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from solera_app.plots.surface import SurfacePlot

XS, YS = np.linspace(-6, 17, 47), np.linspace(-2, 10, 25)
LOWEST = (8.0, 3.0)


def bowl() -> np.ndarray:
    x, y = np.meshgrid(XS, YS)
    return 2 + 0.02 * (x - LOWEST[0]) ** 2 + 0.05 * (y - LOWEST[1]) ** 2


@pytest.fixture
def plot(qtbot: QtBot) -> SurfacePlot:
    made = SurfacePlot()
    qtbot.addWidget(made)
    made.set_names("x", "y", "Loss (nats)")
    made.set_axes("Along", "Across")
    made.resize(900, 600)
    made.show()
    made.set_grid(XS, YS)
    values = bowl()
    made.set_values(values, np.ones(values.shape, bool), numbers=np.arange(values.size).reshape(values.shape))
    return made


def darkest(plot: SurfacePlot) -> QPointF:
    """Where the painted picture is darkest, px of the canvas."""
    picture = plot.canvas.grab().toImage()
    rect = plot.canvas.window_rect.toRect().adjusted(3, 3, -3, -3)
    light = {
        (x, y): picture.pixelColor(x, y).lightness()
        for x in range(rect.left(), rect.right(), 2)
        for y in range(rect.top(), rect.bottom(), 2)
    }
    least = min(light.values())
    found = np.array([at for at, value in light.items() if value == least])
    return QPointF(*found.mean(axis=0))


def test_contours_ring_the_darkest_place_of_an_asymmetric_picture(plot: SurfacePlot) -> None:
    inner = min(plot._levels, key=lambda level: level[0])
    ringed = inner[3].reshape(-1, 2).mean(axis=0)
    assert ringed == pytest.approx(LOWEST, abs=0.4)
    plot.set_contours(0)  # only the image is left to be looked at
    seen = plot.canvas.from_px(darkest(plot))
    assert seen == pytest.approx(LOWEST, abs=0.8)


def test_both_axes_share_one_scale(plot: SurfacePlot) -> None:
    origin, right, up = (plot.canvas.point(*at) for at in ((0, 0), (5, 0), (0, 5)))
    assert right.x() - origin.x() == pytest.approx(origin.y() - up.y(), rel=1e-6)


def test_what_is_left_over_is_left_on_both_sides(plot: SurfacePlot) -> None:
    plot.resize(1600, 400)
    plot.canvas.arrange()
    rect = plot.canvas.window_rect
    before = rect.left() - plot.canvas._own_left
    behind = plot.canvas.width() - plot.canvas.margin_right - rect.right()
    assert before > 100
    assert before == pytest.approx(behind, abs=2)


def test_a_click_chooses_the_nearest_grid_point_and_enter_activates_it(plot: SurfacePlot, qtbot: QtBot) -> None:
    wanted = 3 * XS.size + 40
    at = plot.canvas.point(XS[40], YS[3]).toPoint()
    with qtbot.waitSignal(plot.pointSelected) as chosen:
        qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert chosen.args == [wanted]
    with qtbot.waitSignal(plot.pointActivated) as opened:
        qtbot.keyClick(plot.canvas, Qt.Key.Key_Return)
    assert opened.args == [wanted]


def test_arrows_step_to_the_neighbour_cell(plot: SurfacePlot, qtbot: QtBot) -> None:
    plot.select(3 * XS.size + 40)
    for key, step in (
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_Up, XS.size),
        (Qt.Key.Key_Left, -1),
        (Qt.Key.Key_Down, -XS.size),
    ):
        before = plot.selected
        qtbot.keyClick(plot.canvas, key)
        assert plot.selected == before + step


def test_hover_reads_out_score_position_and_distance(plot: SurfacePlot, qtbot: QtBot) -> None:
    plot.set_models({"base": (0.0, 0.0)})
    at = plot.canvas.point(XS[14], YS[4]).toPoint()  # (1, 0)
    qtbot.mouseMove(plot.canvas.viewport(), QPoint(2, 2))
    qtbot.mouseMove(plot.canvas.viewport(), at)
    qtbot.waitUntil(lambda: plot.hovered == 4 * XS.size + 14)
    lines = plot.describe(plot.hovered)
    assert list(lines) == ["Loss (nats): 3.430", "x 1.000, y 0", "1.000 to base"]


def test_a_growing_grid_says_what_is_interpolated_and_its_range_only_grows(plot: SurfacePlot) -> None:
    values, scored = bowl(), np.zeros((YS.size, XS.size), bool)
    plot.set_grid(XS, YS)
    assert plot.canvas.note == ""
    scored[::6, ::6] = True
    plot.set_values(values, scored)
    coarse = plot.limits
    assert "interpolated" in plot.canvas.note
    scored[:13] = True
    plot.set_values(values, scored)
    assert plot.limits[0] <= coarse[0]
    assert plot.limits[1] >= coarse[1]
    plot.set_values(values, np.ones_like(scored))
    assert plot.canvas.note == ""


def test_values_off_the_range_and_not_finite_are_said(plot: SurfacePlot) -> None:
    values = bowl()
    values[0, :3] = 900.0
    values[5, 5] = np.nan
    plot.set_values(values, np.ones(values.shape, bool))
    assert "cells above" in plot.canvas.note
    assert "98th percentile" in plot.canvas.note
    assert "not finite, 1" in plot.canvas.note
    plot.set_range((2.0, 3.0))
    assert "percentile" not in plot.canvas.note
    assert plot.limits == (2.0, 3.0)


def test_log_colours_need_positive_values(plot: SurfacePlot) -> None:
    values = bowl()
    values[0, 0] = -1.0
    plot.set_values(values, np.ones(values.shape, bool))
    plot.set_scale("log")
    low, high = plot.limits
    assert 0 < low < high
    assert all(low < level < high for level in plot.levels)


def test_model_names_do_not_cover_each_other(plot: SurfacePlot) -> None:
    plot.set_models({"one": (3.0, 3.0), "two": (3.6, 3.1), "three": (3.2, 3.6)})
    plot.canvas.grab()


def test_csv_has_every_grid_point(plot: SurfacePlot, tmp_path: Path) -> None:
    text = plot.export_csv(tmp_path / "a.csv").read_text().splitlines()
    assert text[0] == "x,y,Loss (nats),Loss (nats) standard error,state"
    assert len(text) == 1 + XS.size * YS.size
    assert float(text[1].split(",")[2]) == bowl()[0, 0]


def test_wheel_zooms_about_the_pointer_and_nought_shows_everything(plot: SurfacePlot, qtbot: QtBot) -> None:
    about = plot.canvas.point(11.0, 1.0)
    plot.canvas.zoom(0.5, about)
    assert plot.canvas.zoomed
    assert plot.canvas.point(11.0, 1.0).x() == pytest.approx(
        about.x(), abs=4
    )  # the labels, and so the axis, may take another width
    plot.set_values(bowl(), np.ones((YS.size, XS.size), bool))
    assert plot.canvas.zoomed
    qtbot.keyClick(plot.canvas, Qt.Key.Key_0)
    assert not plot.canvas.zoomed
