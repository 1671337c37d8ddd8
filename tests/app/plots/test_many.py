"""Very many marks: what is kept from one paint to the next, or copied, looks as if it were drawn anew."""

import numpy as np
import pytest
from PySide6.QtCore import QBuffer, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from pytestqt.qtbot import QtBot

from solera_app.plots import marks
from solera_app.plots._pg import stamp
from solera_app.plots.kept import Kept
from solera_app.plots.parallel import ParallelPlot, Rail

RAILS = [Rail("Loss", lower=True), Rail("Accuracy", percent=True), Rail("Size")]
POINTS = 900


def values() -> np.ndarray:
    found = np.random.default_rng(0).uniform(0.1, 0.9, (POINTS, 3))
    found[:2] = [[0.0] * 3, [1.0] * 3]  # the axes hold all from the start
    return found


def lines(qtbot: QtBot, *, kept: int = 0) -> ParallelPlot:
    """A plot of all points; of the first ``kept`` it was painted before."""
    plot = ParallelPlot()
    qtbot.addWidget(plot)
    plot.resize(500, 320)
    plot.show()
    for count in (kept, POINTS):
        if count:
            add(plot, count)
            plot.grab()
    return plot


def add(plot: ParallelPlot, count: int) -> None:
    found = values()[:count]
    front = np.zeros(count, dtype=bool)
    front[0] = True
    plot.set_points(RAILS, found, np.full_like(found, np.nan), np.arange(count), front)


def picture(plot: ParallelPlot) -> QImage:
    return plot.grab().toImage()


def test_lines_that_came_later_are_drawn_over_those_that_are_kept(qtbot: QtBot) -> None:
    whole, grown = lines(qtbot), lines(qtbot, kept=600)
    assert picture(grown) == picture(whole)
    add(grown, 600)
    assert picture(grown) != picture(whole)


def test_a_brush_is_seen_at_once_and_leaves_nothing_behind(qtbot: QtBot) -> None:
    plot = lines(qtbot)
    before = picture(plot)
    plot.brush(0, (0.1, 0.4))
    assert picture(plot) != before
    plot.brush(0, None)
    plot._axis = -1
    assert picture(plot) == before


def test_axes_that_grow_and_windows_that_change_move_every_line(qtbot: QtBot) -> None:
    grown, fresh = lines(qtbot, kept=600), ParallelPlot()
    qtbot.addWidget(fresh)
    found = np.vstack((values(), [[3.0, 3.0, 3.0]]))
    for plot in (grown, fresh):
        plot.resize(440, 300)
        plot.show()
        front = np.zeros(len(found), dtype=bool)
        plot.set_points(RAILS, found, np.full_like(found, np.nan), np.arange(len(found)), front)
    assert picture(grown) == picture(fresh)


def test_only_what_is_new_is_drawn() -> None:
    kept, image = Kept(), QImage(40, 30, QImage.Format.Format_ARGB32_Premultiplied)
    drawn: list[int] = []

    def paint(wanted: list[bool], look: object) -> list[int]:
        drawn.clear()
        painter = QPainter(image)
        kept.paint(painter, QSize(40, 30), np.array(wanted), look, lambda _, rows: drawn.extend(rows.tolist()))
        painter.end()
        return drawn.copy()

    assert paint([True, False, True], "a") == [0, 2]
    assert paint([True, False, True], "a") == []
    assert paint([True, False, True, True], "a") == [3]
    assert paint([True, True, True, True], "a") == [1]
    assert paint([False, True, True, True], "a") == [1, 2, 3]  # one went: nothing can be taken out of a picture
    assert paint([False, True, True, True], "b") == [1, 2, 3]
    assert paint([False, True], "b") == [1]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_stamped_discs_are_where_drawn_ones_are(scale: float) -> None:
    at = np.array([[10.0, 12.0], [30.0, 12.0], [20.0, 25.0]])
    images = []
    for stamped in (True, False):
        image = QImage(round(50 * scale), round(40 * scale), QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(scale)
        image.fill(Qt.GlobalColor.white)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        red = QColor("red")
        if stamped:
            marks.discs(painter, at, red)
        else:
            for x, y in at.tolist():
                marks.disc(painter, QPointF(x, y), red, 3.0, QColor(0, 0, 0, 0))
        painter.end()
        images.append(image)
    assert images[0] == images[1]


def test_on_paper_every_mark_is_a_shape() -> None:
    written = QBuffer()
    paper = QSvgGenerator()
    paper.setOutputDevice(written)
    painter = QPainter(paper)
    at = np.array([[10.0, 12.0], [30.0, 12.0]])
    stamp(painter, at, lambda one, middle: marks.ring(one, middle, QColor("red")), 5.0)
    painter.end()
    assert bytes(written.data().data()).count(b"<circle") + bytes(written.data().data()).count(b"<ellipse") == 2
