"""What the window's benchmark draws, in a process of its own: growing views, a surface that is panned, a large canvas.

Each case shows a real widget on the display and paints it whole, again and again; a paint is timed from the change to
the end of the paint, in wall time and in CPU time of the process: Qt scales an image in threads of its own. The floor
of a paint is a widget of the same size that fills its rectangle.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from solera.documents.document import Document
    from solera.events import PointScored
    from solera.runs.header import RunHeader
    from solera_app.canvases.recipe import RecipeCanvas

#: Points in the views that grow, and how many come with each update.
POINTS, MORE = 10_000, 50
#: Lines of the surface that is panned.
SIDE = 501
#: Nodes of the canvas.
NODES = 1_000
#: Paints that are timed of each picture.
PAINTS = 60
_SIZE = (1280, 800)


def drawing() -> dict[str, Any]:
    """Draw all: case -> ``{"wall": [ms per paint], "cpu": [ms per paint]}``; ``"open"`` has one of each."""
    from PySide6.QtWidgets import QApplication

    from solera.extend.registry import Registry
    from solera_app.theme import themes

    qt = QApplication.instance() or QApplication([])
    themes().apply("light")
    registry = Registry.discover(safe_mode=True)
    found = {"floor": _floor()}
    for view in ("pareto", "parallel", "table"):
        found[f"grow {view}"] = _growing(view, registry.views)
    found["pan"] = _panned()
    found |= _canvas(registry.methods)
    del qt
    return found


class _Timed:
    """Times what is done to a widget, with the paint that follows."""

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def paint(self, change: Callable[[], object]) -> None:
        from PySide6.QtWidgets import QApplication

        wall, cpu = time.perf_counter(), time.process_time()
        change()
        self._widget.repaint()
        QApplication.processEvents()
        self.wall.append((time.perf_counter() - wall) * 1e3)
        self.cpu.append((time.process_time() - cpu) * 1e3)

    @property
    def figures(self) -> dict[str, list[float]]:
        return {"wall": self.wall, "cpu": self.cpu}


def _shown(widget: QWidget) -> QWidget:
    from PySide6.QtWidgets import QApplication

    widget.resize(*_SIZE)
    widget.show()
    for _ in range(5):
        QApplication.processEvents()
        time.sleep(0.02)
    return widget


def _floor() -> dict[str, list[float]]:
    """A widget that fills its rectangle."""
    from PySide6.QtGui import QColor, QPainter, QPaintEvent
    from PySide6.QtWidgets import QWidget

    class Plain(QWidget):
        def paintEvent(self, event: QPaintEvent) -> None:
            QPainter(self).fillRect(self.rect(), QColor("white"))

    plain = _shown(Plain())
    timed = _Timed(plain)
    for _ in range(PAINTS):
        timed.paint(lambda: None)
    plain.close()
    return timed.figures


# --- views that grow -----------------------------------------------------------------------------------------------


def _header() -> RunHeader:
    from solera.runs.header import RunHeader

    columns = tuple(
        {"task": task, "metric": metric, "split": "selection", "count": 300}
        for task in ("rotated", "inverted") for metric in ("cross_entropy", "accuracy")
    )  # fmt: skip
    coords = tuple({"name": f"w{axis}", "low": 0.0, "high": 1.0} for axis in range(3))
    experiment = {"family": {"kind": "recipe"}, "explorer": {"name": "pareto"}, "seed": 0}
    return RunHeader(
        id="bench", kind="explore", title="Rotated against inverted", columns=columns, planned=2 * POINTS,
        coords=coords, experiment=experiment,
    )  # fmt: skip


def _scored(start: int, stop: int) -> list[PointScored]:
    import random

    from solera.events import PointScored

    found = []
    for index in range(start, stop):
        dice = random.Random(index)
        share = dice.random()
        losses = (0.3 + share**2 + dice.random() / 2, 0.3 + (1 - share) ** 2 + dice.random() / 2)
        values = tuple(value for loss in losses for value in (loss, math.exp(-loss)))
        coords = (dice.random(), dice.random(), dice.random())
        found.append(
            PointScored(run="bench", index=index, coords=coords, values=values, stderrs=(0.02,) * 4, counts=(300,) * 4)
        )
    return found


def _growing(name: str, views: Any) -> dict[str, list[float]]:
    """A view of :data:`POINTS` points to which :data:`MORE` come at a time; it does not wait to gather more."""
    from solera.runs.reader import RunReader
    from solera_app.views.host import RunView
    from solera_app.views.snapshot import Snapshot, points_of

    header = _header()
    host = RunView(RunReader, {name: views[name]})
    host.show_snapshot(Snapshot(header, points_of(_scored(0, POINTS), header)))
    host.show_view(name)
    timed, view = _Timed(_shown(host)), host.current
    assert view is not None
    for place in range(PAINTS):
        first = POINTS + place * MORE
        events = _scored(first, first + MORE)

        def grow(events: list[PointScored] = events) -> None:
            host.take(events)
            view.flush()

        timed.paint(grow)
    host.close()
    return timed.figures


# --- a surface that is panned ----------------------------------------------------------------------------------------


def _panned() -> dict[str, list[float]]:
    """A surface of :data:`SIDE` by :data:`SIDE` cells, zoomed in, under a hand that drags it."""
    import numpy as np
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtTest import QTest

    from solera_app.plots.surface import SurfacePlot

    lines = np.linspace(-1, 1, SIDE)
    x, y = np.meshgrid(lines, lines)
    values = np.hypot(x, y) + 0.1 * np.sin(9 * x) * np.cos(7 * y)
    plot = SurfacePlot()
    plot.set_grid(lines, lines)
    plot.set_values(values, np.ones_like(values, dtype=bool), stderrs=np.full_like(values, 0.01))
    plot.set_title("A surface", f"{SIDE} x {SIDE} cells")
    _shown(plot)
    canvas = plot.canvas
    canvas.zoom(0.5, QPointF(canvas.window_rect.center()))
    timed, view = _Timed(plot), canvas.viewport()
    at = QPoint(view.width() // 2, view.height() // 2)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    for place in range(PAINTS):
        to = at + QPoint(round(90 * math.sin(place / 6)), round(60 * math.cos(place / 9)))
        timed.paint(partial(QTest.mouseMove, view, to))
    plot.close()
    return timed.figures


# --- a large canvas --------------------------------------------------------------------------------------------------


def large_document(nodes: int, *, placed: bool = False) -> Document:
    """As many nodes, half of them checkpoints, each of the others a merge of two of those.

    Args:
        nodes: How many.
        placed: Twenty checkpoints to a row, each with its merge beside it; else the canvas finds places.
    """
    from solera.documents.document import Document
    from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe

    half = nodes // 2
    checkpoints = [CheckpointNode(f"c{i}", f"/models/c{i}") for i in range(half)]
    merges = [MethodNode(f"m{i}", "ties", (f"c{i}",), f"c{(i + 1) % half}") for i in range(half)]
    layout = {
        f"{kind}{i}": (520.0 * (i % 20) + across, 300.0 * (i // 20))
        for i in range(half if placed else 0)
        for kind, across in (("c", 0.0), ("m", 256.0))
    }
    return Document(Recipe((*checkpoints, *merges), name="large"), layout=layout)


def _canvas(methods: Any) -> dict[str, dict[str, list[float]]]:
    """Opening a canvas of :data:`NODES` nodes to its first paint; then moving it at its full size, and all of one."""
    from PySide6.QtWidgets import QApplication

    from solera.documents.history import History
    from solera_app.canvases.recipe import RecipeCanvas

    catalogue = {name: methods.describe(name) for name in methods}
    first = RecipeCanvas(History(large_document(8)), catalogue)  # what a first canvas brings along comes once
    _shown(first).close()
    history = History(large_document(NODES))
    wall, cpu = time.perf_counter(), time.process_time()
    canvas = RecipeCanvas(history, catalogue)
    canvas.resize(*_SIZE)
    canvas.show()
    canvas.fit()
    canvas.repaint()
    QApplication.processEvents()
    opened = {"wall": [(time.perf_counter() - wall) * 1e3], "cpu": [(time.process_time() - cpu) * 1e3]}
    canvas.zoom_to(1.0)
    near = _moved(canvas)
    placed = RecipeCanvas(History(large_document(NODES, placed=True)), catalogue)
    _shown(placed)
    placed.fit()
    return {"open": opened, "paint whole": _moved(placed), "paint near": near}


def _moved(canvas: RecipeCanvas) -> dict[str, list[float]]:
    timed = _Timed(canvas.viewport())
    for place in range(PAINTS):
        timed.paint(partial(canvas.camera.pan, 8 * math.sin(place / 5), 8 * math.cos(place / 7)))
    canvas.close()
    return timed.figures
