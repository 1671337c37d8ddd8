"""The pool of a soup as a list: each model's held-out score on one axis with its error, and whether it is in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame

from solera_app.canvases.ink import draw_icon, draw_text, ink, text_width
from solera_app.canvases.scores_here import ScoreHere
from solera_app.canvases.soup_facts import STATES, Ingredient
from solera_app.plots import marks
from solera_app.plots.numerals import error_decimals, measured, number
from solera_app.plots.ticks import tick_labels, tick_step, ticks
from solera_app.theme import theme, themes

ROW = 30
_HEAD = 26
_NUMBER, _STATE = 34.0, 86.0
_FIGURE = 84.0


class PoolView(QAbstractScrollArea):
    """Paints the rows that are looked at; the canvas around it owns the mouse.

    Signals:
        toggled: Space or Enter was pressed on a model, or it was double-clicked.
        removed: Delete was pressed on a model.
        currentChanged: Id of the row that is current now.
    """

    toggled = Signal(str)
    removed = Signal(str)
    currentChanged = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Pool of models")
        self.setMinimumSize(300, 120)
        self._rows: tuple[Ingredient, ...] = ()
        self._column = ""
        self._current = ""
        self._low, self._high = 0.0, 1.0
        themes().changed.connect(self.viewport().update)

    def sizeHint(self) -> QSize:
        """A dozen rows."""
        return QSize(440, _HEAD + 12 * ROW)

    # --- what is shown ---------------------------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[Ingredient, ...]:
        """What is shown, in order."""
        return self._rows

    @property
    def current(self) -> str:
        """Id of the current row; empty if none."""
        return self._current

    def set_rows(self, rows: Sequence[Ingredient], column: str = "") -> None:
        """Show these models with their score on a task (the mean for an empty name)."""
        self._rows, self._column = tuple(rows), column
        if self._current not in {row.id for row in rows}:
            self._current = ""
        self._fit()
        self._measure()
        self.viewport().update()

    def choose(self, id_: str) -> None:
        """Make a row the current one, and let it be seen."""
        self._current = id_
        place = next((i for i, row in enumerate(self._rows) if row.id == id_), -1)
        bar = self.verticalScrollBar()
        if place >= 0:
            top, room = place * ROW, self.viewport().height() - _HEAD
            bar.setValue(min(max(bar.value(), top + ROW - room), top))
            row = self._rows[place]
            self.setAccessibleDescription(f"{row.name}, {STATES[row.state][0].lower()}, {self._figure(row)}")
        self.viewport().update()
        self.currentChanged.emit(id_)

    def row_at(self, px: QPointF) -> str:
        """Id of the model at a place of the viewport; empty if none."""
        place = int((px.y() - _HEAD + self.verticalScrollBar().value()) // ROW)
        return self._rows[place].id if px.y() >= _HEAD and 0 <= place < len(self._rows) else ""

    def box_of(self, id_: str) -> QRectF:
        """Where a model's row is in the viewport."""
        place = next((i for i, row in enumerate(self._rows) if row.id == id_), 0)
        top = _HEAD + place * ROW - self.verticalScrollBar().value()
        return QRectF(0, top, self.viewport().width(), ROW)

    def _measure(self) -> None:
        """The axis: from the lowest score less its error to the highest, in whole ticks."""
        spans = [
            (score.value - error, score.value + error)
            for row in self._rows
            if (score := row.score(self._column)) is not None and math.isfinite(score.value)
            for error in (score.stderr if math.isfinite(score.stderr) else 0.0,)
        ]
        if not spans:
            self._low, self._high = 0.0, 1.0
            return
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        if high - low < 1e-12:
            low, high = low - 0.05, high + 0.05
        step = tick_step(low, high, 5)
        self._low, self._high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step

    def _fit(self) -> None:
        bar = self.verticalScrollBar()
        room = max(self.viewport().height() - _HEAD, ROW)
        bar.setRange(0, max(len(self._rows) * ROW - room, 0))
        bar.setPageStep(room)
        bar.setSingleStep(ROW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """More or fewer rows fit."""
        super().resizeEvent(event)
        self._fit()

    # --- painting ----------------------------------------------------------------------------------------------------

    def _axis(self) -> tuple[float, float]:
        """Left and right end of the scores' axis, px."""
        width = self.viewport().width()
        right = width - _STATE - _FIGURE
        left = min(max(_NUMBER + 0.28 * (width - _NUMBER), _NUMBER + 96), right - 40)
        return left, right - 8

    def _x(self, value: float) -> float:
        left, right = self._axis()
        return left + (value - self._low) / (self._high - self._low) * (right - left)

    def _shown_score(self) -> ScoreHere | None:
        return next((score for row in self._rows if (score := row.score(self._column)) is not None), None)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Head, then the rows in view."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.viewport().rect(), ink("base"))
        first = self.verticalScrollBar().value() // ROW
        last = first + self.viewport().height() // ROW + 1
        for place, row in enumerate(self._rows[first : last + 1], start=first):
            self._paint_row(painter, place, row)
        self._paint_head(painter)

    def _paint_head(self, painter: QPainter) -> None:
        painter.fillRect(QRectF(0, 0, self.viewport().width(), _HEAD), ink("base"))
        y = _HEAD / 2
        draw_text(painter, "Model", QPointF(_NUMBER, y), "text-3", size="small")
        score = self._shown_score()
        if score is None:
            return
        left, right = self._axis()
        values = ticks(self._low, self._high, 5 if right - left > 150 else 3)
        labels = tick_labels(values, percent=score.percent)
        taken = -math.inf
        for value, label in zip(values, labels, strict=True):
            half = text_width(label, "small") / 2
            if self._x(value) - half > taken:
                draw_text(painter, label, QPointF(self._x(value), y), "text-3", size="small", align="centre")
                taken = self._x(value) + half + 6
        unit = "%" if score.percent else score.unit
        draw_text(painter, unit, QPointF(right + _FIGURE, y), "text-3", size="small", align="right")

    def _paint_row(self, painter: QPainter, place: int, row: Ingredient) -> None:
        box = self.box_of(row.id)
        if row.id == self._current:
            painter.fillRect(box, ink("accent-soft"))
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(ink("accent"), 2))
                painter.drawRoundedRect(box.adjusted(2, 1, -2, -1), 4, 4)
        y, strong = box.center().y(), row.state in ("in", "trying")
        left, right = self._axis()
        draw_text(painter, str(place + 1), QPointF(_NUMBER - 10, y), "text-3", align="right")
        weight, token = ("medium", "text") if strong else ("regular", "text-2")
        draw_text(painter, row.name, QPointF(_NUMBER, y), token, weight=weight, width=left - _NUMBER - 12)
        painter.setPen(QPen(ink("line"), 1))
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        score = row.score(self._column)
        if score is not None and math.isfinite(score.value):
            self._paint_score(painter, row, score, y, strong)
        else:
            draw_text(painter, "not scored", QPointF(right + _FIGURE, y), "text-3", size="small", align="right")
        self._paint_state(painter, row, y)

    def _paint_score(self, painter: QPainter, row: Ingredient, score: ScoreHere, y: float, strong: bool) -> None:
        at = QPointF(self._x(score.value), y)
        colour = theme().series(row.number) if row.state == "in" else ink("accent" if strong else "control-line")
        if math.isfinite(score.stderr):
            low, high = self._x(score.value - score.stderr), self._x(score.value + score.stderr)
            painter.setPen(QPen(colour, 1.25))
            painter.drawLine(QPointF(low, y), QPointF(high, y))
            for x in (low, high):
                painter.drawLine(QPointF(x, y - marks.CAP), QPointF(x, y + marks.CAP))
        if row.state == "in":
            marks.disc(painter, at, colour)
        else:
            marks.ring(painter, at, colour)
        text = self._written(score)
        draw_text(painter, text, QPointF(self._axis()[1] + _FIGURE, y), "text" if strong else "text-2", align="right")

    @staticmethod
    def _written(score: ScoreHere) -> str:
        """Value and error without the unit, which stands in the head."""
        scale = 100.0 if score.percent else 1.0
        error = score.stderr * scale
        if not (math.isfinite(error) and error > 0):
            return number(score.value * scale, 1 if score.percent else None)
        digits = error_decimals(error)
        return f"{number(score.value * scale, digits)} ± {number(error, digits)}"

    def _paint_state(self, painter: QPainter, row: Ingredient, y: float) -> None:
        word, picture, token = STATES[row.state]
        x = self.viewport().width() - _STATE + 14
        if picture:
            draw_icon(painter, picture, token, QPointF(x, y - 7), 14)
        draw_text(painter, word, QPointF(x + 20, y), token, width=_STATE - 36)

    def _figure(self, row: Ingredient) -> str:
        score = row.score(self._column)
        if score is None:
            return "not scored"
        unit = "" if score.percent else score.unit
        return f"{score.metric.lower()} {measured(score.value, score.stderr, percent=score.percent, unit=unit)}"

    # --- keyboard ----------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows walk, Space puts in or takes out, Delete takes off the pool."""
        ids = [row.id for row in self._rows]
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Home: -len(ids), Qt.Key.Key_End: len(ids)}
        step = steps.get(Qt.Key(event.key()))
        if step is not None and ids:
            place = ids.index(self._current) + step if self._current in ids else 0
            self.choose(ids[max(0, min(place, len(ids) - 1))])
        elif event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current:
            self.toggled.emit(self._current)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._current:
            self.removed.emit(self._current)
        else:
            super().keyPressEvent(event)
