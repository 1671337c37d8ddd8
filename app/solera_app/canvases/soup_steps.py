"""The score of a soup after each step, with standard errors: what was taken, what was left out, what is tried."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from solera_app.canvases.soup_facts import Step
from solera_app.plots import marks
from solera_app.plots._pg import dashed
from solera_app.plots.header import Entry
from solera_app.plots.numerals import measured
from solera_app.plots.plot import Plot
from solera_app.plots.ticks import GrowingRange
from solera_app.theme import theme

_LEGEND = (Entry("dot", "Taken"), Entry("ring", "Left out", "text-3"))
#: Above so many steps whiskers would hide the line.
_FEW = 60
_SHOWN = 6


class StepsPlot(Plot):
    """Steps from left to right; the level of the soup is a line that only a step that was taken moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, compact=True)
        self._steps: tuple[Step, ...] = ()
        self._range = GrowingRange()
        self._words = {"taken": "taken", "left": "left out", "waiting": "being tried"}
        self.set_title("Score after each step")

    def set_steps(self, steps: Sequence[Step], *, better: str, greedy: bool, planned: int = 0) -> None:
        """Show these steps.

        Args:
            steps: In order.
            better: Which way is good; decides nothing but the words.
            greedy: Whether steps are taken or left out; else they are steps of learning.
            planned: How many steps there will be.
        """
        if not steps or (self._steps and steps[0] != self._steps[0]):
            self._range.reset()
        self._steps = tuple(steps)
        self._index = np.arange(len(steps), dtype=np.int64)
        self._at = np.array([(step.number, step.value) for step in steps], dtype=np.float64).reshape(-1, 2)
        self.set_legend(_LEGEND if greedy and steps else ())
        for step in steps:
            error = step.stderr if math.isfinite(step.stderr) else 0.0
            self._range.cover(step.value - error, step.value + error, 9)
        low, high = self._range.cover(np.nan, np.nan)
        self.canvas.set_range((0.5, max(len(steps), planned, _SHOWN) + 0.5, low, high))
        if steps:
            last = steps[-1]
            self.set_summary(f"Step {last.number}, {last.name}: {self._figure(last)}, {better} is better.")

    def limit(self, low: float | None, high: float | None) -> None:
        """Do not grow the axis past these (a fraction ends at 0 and 1)."""
        self._range.floor, self._range.ceiling = low, high

    def paint(self, painter: QPainter) -> None:
        """The level, then each step's mark and error."""
        painter.save()
        painter.setClipRect(self.canvas.window_rect.adjusted(-7, -7, 7, 7))
        self._paint_level(painter)
        accent, quiet = theme().colour("accent"), theme().colour("text-3")
        for step in self._steps:
            at = self.canvas.point(step.number, step.value)
            if not math.isfinite(step.value):
                continue
            colour = quiet if step.verdict == "left" else accent
            if math.isfinite(step.stderr) and len(self._steps) <= _FEW:
                low = self.canvas.point(step.number, step.value - step.stderr)
                high = self.canvas.point(step.number, step.value + step.stderr)
                marks.whisker(painter, QPointF(at.x(), low.y()), QPointF(at.x(), high.y()), colour)
            if step.verdict == "taken":
                marks.disc(painter, at, accent)
            else:
                marks.ring(painter, at, colour)
        here = self.position(self.selected)
        if here is not None:
            marks.selection(painter, here)
        painter.restore()

    def _paint_level(self, painter: QPainter) -> None:
        taken = [step for step in self._steps if step.verdict == "taken" and math.isfinite(step.value)]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if not taken:
            return
        pen = QPen(theme().colour("accent-line"), 1.5)
        painter.setPen(pen)
        for here, following in pairwise(taken):
            corner = self.canvas.point(following.number, here.value)
            painter.drawLine(self.canvas.point(here.number, here.value), corner)
            painter.drawLine(corner, self.canvas.point(following.number, following.value))
        last = taken[-1]
        painter.setPen(dashed(QPen(pen), (4, 3)))
        end = self.canvas.point(self.canvas.shown[1], last.value)
        painter.drawLine(self.canvas.point(last.number, last.value), end)

    def _figure(self, step: Step) -> str:
        return measured(step.value, step.stderr, percent=self.canvas.y.percent)

    def describe(self, index: int) -> Sequence[str]:
        """Which model, whether it was taken, and the score with it."""
        if not 0 <= index < len(self._steps):
            return ()
        step = self._steps[index]
        return (f"{step.number}. {step.name}", self._figure(step), self._words[step.verdict])

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """One row per step."""
        rows = ((s.number, s.name, s.value, s.stderr, s.verdict) for s in self._steps)
        return ("step", "model", "score", "standard error", "verdict"), rows
