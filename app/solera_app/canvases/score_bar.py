"""Scores at the handle: a task's name, figure, and a bar from zero with its standard error and the expert's mark."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from solera_app.canvases.ink import draw_text, ink
from solera_app.canvases.scores_here import ScoreHere
from solera_app.plots.numerals import counted, measured
from solera_app.theme import themes

_HEIGHT, _BAR, _TOP = 46, 8, 25
_MARK, _CAP = 14, 3


def written(score: ScoreHere) -> str:
    """``"91.4 ± 1.8 %"``."""
    return measured(score.value, score.stderr, percent=score.percent, unit="" if score.percent else score.unit)


class ScoreBar(QWidget):
    """Paints a score.

    Args:
        score: What is shown first.
        end: Value at the bar's right end when the metric has no upper limit.
    """

    def __init__(self, score: ScoreHere, end: float) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        themes().changed.connect(self.update)
        self.show_score(score, end)

    def show_score(self, score: ScoreHere, end: float) -> None:
        """Show another score of the same task."""
        self.score = score
        self._end = score.high if score.high is not None else end
        on = f"{'preview on ' if score.preview else ''}{counted(score.count, 'sample')}, {score.split} split"
        text = f"{score.title}: {score.metric.lower()} {written(score)}, {on}"
        if score.expert is not None:
            name = score.expert_name or "the expert"
            expert = measured(score.expert, percent=score.percent, unit="" if score.percent else score.unit)
            text += f". Mark: {name}, {expert}"
        self.setToolTip(text)
        self.setAccessibleName(text)
        self.update()

    def sizeHint(self) -> QSize:
        """Two lines."""
        return QSize(180, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Name and figure elide."""
        return QSize(140, _HEIGHT)

    def _x(self, value: float) -> float:
        share = value / self._end if self._end > 0 else 0.0
        return min(max(share, 0.0), 1.0) * self.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Name and figure over the bar."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        at = QPointF(self.width(), 10)
        used = draw_text(
            painter, written(self.score), at, "text", weight="medium", width=self.width() * 0.7, align="right"
        )
        draw_text(painter, self.score.title, QPointF(0, 10), "text-2", width=max(self.width() - used - 8, 30))
        bar = QRectF(0, _TOP, self.width(), _BAR)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink("line"))
        painter.drawRoundedRect(bar, 1.5, 1.5)
        value = self.score.value
        if math.isfinite(value):
            painter.setBrush(ink("accent-line"))
            painter.drawRoundedRect(QRectF(0, _TOP, self._x(value), _BAR), 1.5, 1.5)
            self._paint_error(painter)
        if self.score.expert is not None:
            x = min(max(self._x(self.score.expert), 1.0), self.width() - 1.0)
            painter.fillRect(QRectF(x - 1, bar.center().y() - _MARK / 2, 2, _MARK), ink("text"))

    def _paint_error(self, painter: QPainter) -> None:
        error = self.score.stderr
        if not math.isfinite(error):
            return
        y = _TOP + _BAR / 2
        low, high = self._x(self.score.value - error), self._x(self.score.value + error)
        painter.setPen(QPen(ink("text"), 1.25))
        painter.drawLine(QPointF(low, y), QPointF(high, y))
        for x in (low, high):
            painter.drawLine(QPointF(x, y - _CAP), QPointF(x, y + _CAP))


class ScoreColumn(QWidget):
    """A bar for each task, one below the other, on one scale.

    Attributes:
        bars: Those that are shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bars: list[ScoreBar] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def show_scores(self, scores: Sequence[ScoreHere]) -> None:
        """Show these, in the bars that are there as far as they go."""
        end = 1.05 * max((max(score.value, score.expert or 0.0) for score in scores), default=1.0)
        for bar, score in zip(self.bars, scores, strict=False):
            bar.show_score(score, end)
        for score in scores[len(self.bars) :]:
            self.bars.append(ScoreBar(score, end))
            self._column.addWidget(self.bars[-1])
        for bar in self.bars[len(scores) :]:
            bar.hide()
            bar.deleteLater()
        del self.bars[len(scores) :]
