import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from solera_app.plots.front import FrontPlot, Scatter

X = np.array([1.0, 2.0, 4.0, 3.0, 4.5, 2.1, np.nan])
Y = np.array([4.0, 2.0, 1.0, 3.5, 4.5, 2.1, 1.0])
ROLES = {
    "front": np.array([True, True, True, False, False, False, False]),
    "noise": np.array([False, False, False, False, False, True, False]),
}
INDEX = np.array([10, 11, 12, 13, 14, 15, 16])
ERROR = np.full(7, 0.1)


def scatter(sign_x: float = 1.0, sign_y: float = 1.0) -> Scatter:
    return Scatter(INDEX, sign_x * X, sign_y * Y, ERROR, ERROR, **ROLES, names={13: "average"})


@pytest.fixture
def plot(qtbot: QtBot) -> FrontPlot:
    made = FrontPlot()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.set_axes("Prose loss (nats)", "Code loss (nats)")
    made.set_names("Prose loss", "Code loss")
    made.show()
    made.set_reference((5.0, 5.0), 7.0)
    made.set_points(scatter())
    return made


def test_the_counts_of_the_legend_add_up(plot: FrontPlot) -> None:
    words = [entry.text for entry in plot.legend.entries]
    assert words == [
        "Front of 3, ± 1 SE", "Within noise, 1", "Dominated, 2", "Not finite, 1", "Hypervolume 7.00 to (5.00, 5.00)",
    ]  # fmt: skip
    assert sum(int(re.findall(r"\d+", text)[0]) for text in words[:4]) == INDEX.size


@pytest.mark.parametrize(("lower_x", "lower_y"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_staircase_bounds_what_the_front_dominates(plot: FrontPlot, lower_x: bool, lower_y: bool) -> None:
    signs = (1.0 if lower_x else -1.0, 1.0 if lower_y else -1.0)
    plot.set_directions(lower_x, lower_y)
    plot.reset()
    plot.set_points(scatter(*signs))
    steps = plot._steps() * signs  # back to lower is better
    corners = {tuple(corner) for corner in np.round(steps, 9).tolist()}
    assert corners == {(1.0, 4.0), (2.0, 4.0), (2.0, 2.0), (4.0, 2.0), (4.0, 1.0)}


def test_the_shaded_region_has_the_hypervolume(plot: FrontPlot) -> None:
    """The area under the staircase, in pixels, is the hypervolume in data units."""
    from solera.landscapes.pareto import hypervolume

    picture = plot.canvas.grab().toImage()
    inside = plot.canvas.point(4.8, 4.8)
    outside = plot.canvas.point(1.2, 2.2)
    assert picture.pixelColor(inside.toPoint()) != picture.pixelColor(outside.toPoint())
    corners = plot._steps()
    area = sum((5.0 - x) * (high - y) for (x, y), high in zip(corners[::2], [5.0, *corners[::2, 1]], strict=False))
    assert area == pytest.approx(hypervolume(np.column_stack((X[:3], Y[:3])), (5.0, 5.0)))


def test_n_walks_along_the_front_only(plot: FrontPlot, qtbot: QtBot) -> None:
    walked = []
    for _ in range(4):
        qtbot.keyClick(plot.canvas, Qt.Key.Key_N)
        walked.append(plot.selected)
    assert walked == [10, 11, 12, 12]


def test_a_dominated_point_can_be_chosen_and_says_what_it_is(plot: FrontPlot, qtbot: QtBot) -> None:
    with qtbot.waitSignal(plot.pointSelected) as chosen:
        at = plot.canvas.point(4.5, 4.5).toPoint()
        qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert chosen.args == [14]
    assert list(plot.describe(14)) == ["Point 15, dominated", "Prose loss: 4.50 ± 0.10", "Code loss: 4.50 ± 0.10"]
    assert plot.describe(13)[0] == "average, dominated"
    assert "dominated" in plot.accessibleDescription()


def test_a_point_that_is_not_finite_cannot_be_hit(plot: FrontPlot) -> None:
    assert plot.position(16) is None
    assert plot.hit(QPointF(0, 0)) == -1


def test_report_points_stand_apart_in_legend_and_csv(plot: FrontPlot, tmp_path: Path) -> None:
    flags = np.zeros(2, dtype=bool)
    again = Scatter(np.array([17, 18]), X[:2] + 0.2, Y[:2], ERROR[:2], ERROR[:2], flags, flags)
    plot.set_points(scatter(), report=again)
    assert "Report split, 2" in [entry.text for entry in plot.legend.entries]
    plot.canvas.grab()
    rows = list(csv.DictReader(plot.export_csv(tmp_path / "front.csv").open()))
    assert [row["phase"] for row in rows].count("report") == 2
    assert [row["role"] for row in rows].count("front") == 3
    assert rows[3]["name"] == "average"


def test_no_points_are_no_trouble(qtbot: QtBot) -> None:
    plot = FrontPlot()
    qtbot.addWidget(plot)
    plot.set_points(Scatter.empty())
    plot.resize(400, 300)
    plot.show()
    qtbot.keyClick(plot.canvas, Qt.Key.Key_N)
    assert plot.selected == -1
    plot.grab()
