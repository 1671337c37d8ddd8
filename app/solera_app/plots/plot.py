"""What every plot has: header, legend, canvas, hover readout, selection, keyboard, export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from solera_app.plots import export
from solera_app.plots.canvas import Canvas
from solera_app.plots.header import Entry, Header, Legend
from solera_app.theme import font, theme, themes

HIT = 12.0  # px around a point that count as on it
_ALL = slice(None)


class Plot(QWidget):
    """The frame of a picture of points.

    A *point* has an index (the number it has in its run); a plot shows some of them at positions. Subclasses fill
    ``_index`` and ``_at`` (data units), override :meth:`paint`, :meth:`paint_below`, :meth:`describe`,
    :meth:`table`, and may override :meth:`order`. An index below -1 is something else that has a readout.

    Signals:
        pointSelected: Index of the point that was chosen; -1 for none.
        pointActivated: Index of the point that was double-clicked, or on which Enter was pressed.
        pointHovered: Index under the pointer; -1 for none.
    """

    pointSelected = Signal(int)
    pointActivated = Signal(int)
    pointHovered = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent)
        self.header, self.legend, self.canvas = Header(compact=compact), Legend(), Canvas()
        self.selected = self.hovered = -1
        self._index: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._at: NDArray[np.float64] = np.empty((0, 2))
        self._empty = ""
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 4 if compact else 12, 16, 8)
        box.setSpacing(2)
        for part in (self.header, self.legend):
            box.addWidget(part)
        box.addWidget(self.canvas, 1)
        self.canvas.under, self.canvas.over = self._paint_below, self._paint
        self.canvas.on_key = self._key
        self.canvas.clicked.connect(self._click)
        self.canvas.doubleClicked.connect(self._double_click)
        self.canvas.hovered.connect(self._hover)
        self.canvas.pointerLeft.connect(lambda: self._set_hovered(-1))
        self.setFocusProxy(self.canvas)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAutoFillBackground(True)
        themes().changed.connect(self._theme_changed)
        self._theme_changed()

    def minimumSizeHint(self) -> QSize:
        """Small enough for half of a small window."""
        return QSize(320, 160)

    # --- what it says ----------------------------------------------------------------------------------------------

    def set_title(self, title: str, subtitle: str = "") -> None:
        """Title and one line of facts: network · task · n · method or points · seed."""
        self.header.set_title(title, subtitle)
        self.setAccessibleName(title)
        self.canvas.setAccessibleName(title)

    def set_state(self, text: str, token: str = "text-3") -> None:
        """State at the right: ``"Running 66 %"`` in ``"accent"``."""
        self.header.set_state(text, token)

    def set_axes(self, x_title: str, y_title: str, *, x_percent: bool = False, y_percent: bool = False) -> None:
        """Axis titles in words with unit and direction."""
        self.canvas.x.title, self.canvas.y.title = x_title, y_title
        self.canvas.x.percent, self.canvas.y.percent = x_percent, y_percent
        self.canvas.arrange()

    def set_legend(self, entries: Iterable[Entry]) -> None:
        """The row under the subtitle."""
        self.legend.set_entries(tuple(entries))

    def set_summary(self, text: str) -> None:
        """One sentence for those who hear the picture rather than see it."""
        self.setAccessibleDescription(text)
        self.canvas.setAccessibleDescription(text)

    def set_empty(self, sentence: str) -> None:
        """What is said in the middle instead of a picture; nothing to show the picture."""
        self._empty = sentence
        if sentence:
            self.set_summary(sentence)
        self.refresh()

    # --- what subclasses say -------------------------------------------------------------------------------------

    def paint_below(self, painter: QPainter) -> None:
        """Paint under the data items, clipped to the window; px."""

    def paint(self, painter: QPainter) -> None:
        """Paint above the data items, not clipped; px."""

    def describe(self, index: int) -> Sequence[str]:
        """Lines of the hover readout for a point; the first is set in medium weight."""
        return ()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Column names and rows of the CSV."""
        return (), ()

    def order(self) -> NDArray[np.int64]:
        """Indices in the order that N and P walk; by position from left to right unless overridden."""
        return self._index[np.argsort(self._at[:, 0], kind="stable")] if self._index.size else self._index

    def where(self, rows: NDArray[np.int64] | slice = _ALL) -> NDArray[np.float64]:
        """Where points are, px, shape (n, 2); NaN where a point cannot be shown.

        Args:
            rows: Which of the points that the plot has; all if left out.
        """
        return self.canvas.to_px(self._at[rows, 0], self._at[rows, 1])

    # --- points ---------------------------------------------------------------------------------------------------

    def position(self, index: int) -> QPointF | None:
        """Where a point is, px; None if it is not shown."""
        found = np.nonzero(self._index == index)[0]
        if not found.size:
            return None
        at = self.where(found[:1])[0]
        return QPointF(*at.tolist()) if np.isfinite(at).all() else None

    def select(self, index: int, *, tell: bool = True) -> None:
        """Choose a point; -1 for none."""
        if index == self.selected:
            return
        self.selected = index
        lines = self.describe(index) if index >= 0 else ()
        if lines:
            self.set_summary("; ".join(lines))
        self.refresh()
        if tell:
            self.pointSelected.emit(index)

    def refresh(self) -> None:
        """Paint again soon."""
        self.canvas.repaint_layers()

    def hit(self, at: QPointF) -> int:
        """Index of the point under a pixel; -1 for none."""
        if not self._index.size or not self.canvas.window_rect.adjusted(-HIT, -HIT, HIT, HIT).contains(at):
            return -1
        where = self.where()
        distance = np.hypot(where[:, 0] - at.x(), where[:, 1] - at.y())
        distance = np.where(np.isfinite(distance), distance, np.inf)
        nearest = int(np.argmin(distance))
        return int(self._index[nearest]) if distance[nearest] <= HIT else -1

    def walk(self, step: int) -> None:
        """Choose the next (1) or previous (-1) point of :meth:`order`."""
        order = self.order()
        if not order.size:
            return
        found = np.nonzero(order == self.selected)[0]
        at = (0 if step > 0 else order.size - 1) if not found.size else int(found[0]) + step
        self.select(int(order[max(0, min(at, order.size - 1))]))

    def towards(self, dx: int, dy: int) -> None:
        """Choose the nearest point in a direction on the screen (dy up is -1)."""
        here = self.position(self.selected)
        if here is None:
            self.walk(1)
            return
        where = self.where()
        ahead = (where[:, 0] - here.x()) * dx + (where[:, 1] - here.y()) * dy
        aside = np.abs((where[:, 0] - here.x()) * dy) + np.abs((where[:, 1] - here.y()) * dx)
        cost = np.where(np.isfinite(ahead) & (ahead > 0.5), ahead + 2 * aside, np.inf)
        if cost.size and np.isfinite(cost.min()):
            self.select(int(self._index[int(np.argmin(cost))]))

    # --- pointer and keyboard --------------------------------------------------------------------------------------

    def _click(self, at: QPointF) -> None:
        self.select(self.hit(at))

    def _double_click(self, at: QPointF) -> None:
        index = self.hit(at)
        if index >= 0:
            self.select(index)
            self.pointActivated.emit(index)

    def _hover(self, at: QPointF) -> None:
        self._set_hovered(self.hit(at))

    def _set_hovered(self, index: int) -> None:
        if index != self.hovered:
            self.hovered = index
            self.canvas.viewport().setCursor(
                Qt.CursorShape.PointingHandCursor if index >= 0 else Qt.CursorShape.ArrowCursor
            )
            self.refresh()
            self.pointHovered.emit(max(index, -1))

    def _key(self, event: QKeyEvent) -> bool:
        key = event.key()
        arrows = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        if key in (Qt.Key.Key_N, Qt.Key.Key_P):
            self.walk(1 if key == Qt.Key.Key_N else -1)
        elif key in arrows:
            self.towards(*arrows[Qt.Key(key)])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.selected >= 0:
            self.pointActivated.emit(self.selected)
        elif key == Qt.Key.Key_Escape and self.selected >= 0:
            self.select(-1)
        else:
            return False
        return True

    # --- painting --------------------------------------------------------------------------------------------------

    def _paint_below(self, painter: QPainter) -> None:
        if not self._empty:
            self.paint_below(painter)

    def _paint(self, painter: QPainter) -> None:
        if self._empty:
            painter.setFont(font("body", "medium"))
            painter.setPen(theme().colour("text-2"))
            middle = self.canvas.window_rect.adjusted(16, 0, -16, 0)
            painter.drawText(middle, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)
            return
        self.paint(painter)
        here = self.position(self.selected)
        if here is not None and self.canvas.window_rect.adjusted(-1, -1, 1, 1).contains(here):
            self.canvas.focus_ring(painter, QRectF(here.x() - 11, here.y() - 11, 22, 22))
        else:
            self.canvas.focus_ring(painter, self.canvas.window_rect)
        self._paint_readout(painter)

    def _paint_readout(self, painter: QPainter) -> None:
        here = self.position(self.hovered)
        lines = self.describe(self.hovered) if here is not None else ()
        if here is None or not lines:
            return
        bold, plain = font("small", "medium"), font("small")
        fonts = [bold] + [plain] * (len(lines) - 1)
        width = max(QFontMetricsF(f).horizontalAdvance(line) for f, line in zip(fonts, lines, strict=True)) + 16
        row = QFontMetricsF(plain).height() + 2
        height = row * len(lines) + 10
        x, y = here.x() + 16, here.y() - height - 10
        if x + width > self.canvas.width() - 4:
            x = here.x() - 16 - width
        if y < 4:
            y = here.y() + 14
        box = QRectF(max(x, 4), min(y, self.canvas.height() - height - 4), width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("tooltip"))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme().colour("on-tooltip"))
        for number, (face, line) in enumerate(zip(fonts, lines, strict=True)):
            painter.setFont(face)
            painter.drawText(
                QRectF(box.left() + 8, box.top() + 5 + number * row, width, row), Qt.AlignmentFlag.AlignVCenter, line
            )

    def _theme_changed(self) -> None:
        self.setPalette(theme().palette())
        self.setBackgroundRole(self.palette().ColorRole.Base)
        self.canvas.set_ground(theme().colour("plot.background"))
        self.restyle()
        self.refresh()

    def restyle(self) -> None:
        """Take the colours of the theme in force into data items; overridden where there are some."""

    # --- files ------------------------------------------------------------------------------------------------------

    def export_png(self, path: Path, size: tuple[int, int] = export.DEFAULT_SIZE, scale: float = 2.0) -> Path:
        """The picture as PNG, ``size`` logical px at ``scale``.

        Raises:
            OutputError: The file cannot be written.
        """
        with Bare(self):
            return export.export_png(self, Path(path), size, scale)

    def export_svg(self, path: Path, size: tuple[int, int] = export.DEFAULT_SIZE) -> Path:
        """The picture as SVG.

        Raises:
            OutputError: The file cannot be written.
        """
        with Bare(self):
            return export.export_svg(self, Path(path), size, self.header.title)

    def export_csv(self, path: Path) -> Path:
        """The data behind the picture.

        Raises:
            OutputError: The file cannot be written.
        """
        names, rows = self.table()
        return export.export_csv(Path(path), names, rows)


class Bare:
    """A plot without pointer traces and controls, for the time of an export."""

    def __init__(self, plot: Plot) -> None:
        self._plot, self._hovered = plot, plot.hovered

    def __enter__(self) -> None:
        self._plot.hovered = -1
        self._plot.header.show_controls(False)

    def __exit__(self, *_: object) -> None:
        self._plot.hovered = self._hovered
        self._plot.header.show_controls(True)
