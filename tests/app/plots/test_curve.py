import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from solera_app.plots.curve import CurvePlot, chord_barrier
from solera_app.plots.lines import Series

T = np.linspace(0, 1, 11)
HILL = 2.0 + 0.1 * T + 0.4 * np.sin(np.pi * T)
ERROR = np.full(11, 0.02)


@pytest.fixture
def plot(qtbot: QtBot) -> CurvePlot:
    made = CurvePlot()
    qtbot.addWidget(made)
    made.resize(800, 500)
    made.set_axes("Fraction", "Loss (nats), lower is better")
    made.set_names("t", "loss")
    made.show()
    return made


def test_the_chord_barrier_is_the_largest_rise_above_the_line_between_the_ends() -> None:
    barrier = chord_barrier(T, HILL, ERROR)
    assert barrier is not None
    assert barrier.x == pytest.approx(0.5)
    assert barrier.value == pytest.approx(0.4)
    assert barrier.foot == pytest.approx(2.05)
    assert barrier.stderr == pytest.approx(0.02 * np.sqrt(1.5))
    assert barrier.text == "Barrier 0.400 ± 0.024 (chord)"


def test_it_agrees_with_the_core() -> None:
    from solera.landscapes.barriers import barriers

    wild = HILL + np.random.default_rng(3).normal(0, 0.2, 11)
    found = chord_barrier(T, wild, ERROR)
    assert found is not None
    assert max(found.value, 0.0) == pytest.approx(barriers(T, wild)["chord"].height)


def test_where_higher_is_better_a_barrier_is_a_drop() -> None:
    barrier = chord_barrier(T, 4 - HILL, ERROR, lower_is_better=False)
    assert barrier is not None
    assert barrier.value == pytest.approx(0.4)


def test_a_small_barrier_is_within_noise_and_two_points_have_none() -> None:
    flat = chord_barrier(T, np.full(11, 2.0), ERROR)
    assert flat is not None
    assert flat.text.endswith("within noise")
    assert chord_barrier(T[:2], HILL[:2], ERROR[:2]) is None


def test_the_axis_grows_and_never_shrinks_while_points_arrive(plot: CurvePlot) -> None:
    plot.set_extent(0, 1)
    seen = []
    for count in range(1, 12):
        plot.set_series([Series("", T[:count], HILL[:count], ERROR[:count], np.arange(count))], newest=count - 1)
        seen.append(plot.canvas.full)
        plot.canvas.grab()
    lows, highs = [full[2] for full in seen], [full[3] for full in seen]
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    assert all(full[:2] == (0, 1) for full in seen)
    plot.reset()
    plot.set_series([Series("", T, HILL * 0.01, ERROR * 0.01, np.arange(11))])
    assert plot.canvas.full[3] < 0.1


def test_n_and_p_walk_along_the_coordinate(plot: CurvePlot, qtbot: QtBot) -> None:
    index = np.array([4, 2, 9, 0, 1, 3, 5, 6, 7, 8, 10])
    plot.set_series([Series("", T, HILL, ERROR, index)])
    walked = []
    for _ in range(4):
        qtbot.keyClick(plot.canvas, Qt.Key.Key_N)
        walked.append(plot.selected)
    assert walked == [4, 2, 9, 0]
    qtbot.keyClick(plot.canvas, Qt.Key.Key_P)
    assert plot.selected == 9
    qtbot.keyClick(plot.canvas, Qt.Key.Key_Escape)
    assert plot.selected == -1


def test_double_click_activates_and_empty_space_deselects(plot: CurvePlot, qtbot: QtBot) -> None:
    plot.set_series([Series("", T, HILL, ERROR, np.arange(11))])
    at = plot.canvas.point(T[5], HILL[5]).toPoint()
    with qtbot.waitSignal(plot.pointActivated) as opened:
        qtbot.mouseDClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert opened.args == [5]
    with qtbot.waitSignal(plot.pointSelected) as chosen:
        nowhere = plot.canvas.point(0.5, HILL.min()).toPoint()
        qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=nowhere)
    assert chosen.args == [-1]


def test_gaps_do_not_break_it_and_the_csv_has_them_empty(plot: CurvePlot, tmp_path: Path) -> None:
    holed = HILL.copy()
    holed[3] = np.nan
    report = Series("report", T[[0, 10]], HILL[[0, 10]], ERROR[[0, 10]], np.array([11, 12]), 1)
    plot.set_series([Series("loss", T, holed, ERROR, np.arange(11))], report=report)
    plot.set_barrier(chord_barrier(T, holed, ERROR))
    plot.set_ends("prose", "code")
    plot.canvas.grab()
    rows = list(csv.DictReader(plot.export_csv(tmp_path / "curve.csv").open()))
    assert len(rows) == 13
    assert rows[3]["loss"] == ""
    assert float(rows[4]["loss"]) == HILL[4]
    assert {row["line"] for row in rows} == {"loss", "report"}


def test_what_a_point_says(plot: CurvePlot) -> None:
    plot.set_series([Series("", T, HILL, ERROR, np.arange(11))])
    assert list(plot.describe(5)) == ["Point 6 at 0.5000", "2.450 ± 0.020"]
    assert list(plot.describe(99)) == []
