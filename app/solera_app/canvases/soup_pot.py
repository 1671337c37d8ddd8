"""The pot of a soup: what is in it as chips, the model on trial beside it, and the score at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEasingCurve, QPointF, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QStyle, QWidget

from solera_app.canvases.ink import draw_icon, draw_text, ink
from solera_app.canvases.soup_facts import Ingredient
from solera_app.canvases.soup_figures import Figures
from solera_app.plots.numerals import listed
from solera_app.theme import theme, themes, tokens

_HEIGHT = 186
_TOP, _DEEP, _ROUND = 12.0, 148.0, 38.0
_CHIP, _GAP = 24.0, 6.0
_ROWS, _COLUMNS = 3, 3
#: Models beyond these share one chip.
_SHOWN = _ROWS * _COLUMNS
_TRIAL = 140.0


class PotView(QWidget):
    """Paints the pot; the canvas around it owns the mouse.

    Signals:
        takenOut: Delete was pressed on a chip.
    """

    takenOut = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Soup pot")
        self.figures = Figures()
        self._chips: tuple[Ingredient, ...] = ()
        self._shares: tuple[float, ...] = ()
        self._facts = ""
        self._trial: Ingredient | None = None
        self._trial_words = ""
        self._trial_share: float | None = None
        self._current, self._welcome, self._keyboard = -1, False, False
        self._from: dict[str, QPointF] = {}
        self._leaving: Ingredient | None = None
        self._travel = QVariantAnimation(self)
        self._travel.setStartValue(0.0)
        self._travel.setEndValue(1.0)
        self._travel.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._travel.valueChanged.connect(lambda _: self.update())
        self._travel.finished.connect(self._arrived)
        themes().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Pot, trial and score side by side."""
        return QSize(640, _HEIGHT)

    # --- what is shown ---------------------------------------------------------------------------------------------

    def set_pot(self, chips: Sequence[Ingredient], shares: Sequence[float] = (), facts: str = "") -> None:
        """Show what is in the pot; who is new travels there from beside it.

        Args:
            chips: In the order they were taken.
            shares: One for each, up to a common factor; empty for equal ones.
            facts: A line under the chips, after the share.
        """
        before = {chip.id: self._slot(i).topLeft() for i, chip in enumerate(self._chips)}
        trial = self._trial
        was = tuple(chip.id for chip in self._chips)
        self._chips, self._shares, self._facts = tuple(chips), tuple(shares), facts
        self._current = min(self._current, len(chips) - 1)
        ids = tuple(chip.id for chip in chips)
        if ids != was and was:
            start = self._trial_box().topLeft()
            self._from = {id_: before.get(id_, start) for id_ in ids}
            self._go()
        if trial is not None and trial.id in ids:
            self._trial = None
        inside = listed([chip.name for chip in chips]) or "nothing"
        self.setAccessibleDescription(f"In the pot: {inside}. {self.figures.score} {self.figures.error}")
        self.update()

    def set_trial(self, trial: Ingredient | None, words: str = "", share: float | None = None) -> None:
        """Show who is tried now; whoever was tried before and is not in the pot goes away.

        Args:
            trial: The model; None if none is.
            words: Under its name.
            share: How far its score is; None if that is not known.
        """
        gone = self._trial
        if gone is not None and (trial is None or gone.id != trial.id) and all(c.id != gone.id for c in self._chips):
            self._leaving = gone
            self._go()
        self._trial, self._trial_words, self._trial_share = trial, words, share
        self.update()

    def set_figures(self, figures: Figures) -> None:
        """Show a score."""
        self.figures = figures
        self.update()

    def welcome(self, on: bool) -> None:
        """Whether something that fits is held over it."""
        if on != self._welcome:
            self._welcome = on
            self.update()

    @property
    def travelling(self) -> bool:
        """Whether a chip is on its way."""
        return self._travel.state() == QVariantAnimation.State.Running

    def _go(self) -> None:
        still = self.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration, None, self) == 0
        if still or not self.isVisible():
            self._arrived()
            return
        self._travel.setDuration(tokens()["motion"]["greedy_step_ms"])
        self._travel.stop()
        self._travel.start()

    def _arrived(self) -> None:
        self._from.clear()
        self._leaving = None
        self.update()

    # --- where things are --------------------------------------------------------------------------------------------

    def body(self) -> QRectF:
        """The pot."""
        width = min(max(self.width() * 0.42, 200.0), 330.0)
        return QRectF(40, _TOP, width, _DEEP)

    def _trial_box(self) -> QRectF:
        body = self.body()
        return QRectF(body.right() + 46, body.top() + 14, min(_TRIAL, self.width() - body.right() - 190), 26)

    def _slot(self, place: int) -> QRectF:
        body = self.body()
        columns = 2 if (len(self._chips) <= 2 * _ROWS and body.width() < 300) or len(self._chips) <= 4 else _COLUMNS
        width = (body.width() - 32 - _GAP * (columns - 1)) / columns
        row, column = divmod(min(place, _SHOWN - 1), columns)
        return QRectF(body.left() + 16 + column * (width + _GAP), body.top() + 28 + row * (_CHIP + _GAP), width, _CHIP)

    def chip_at(self, px: QPointF) -> str:
        """Id of the chip at a place; empty if none."""
        for i, chip in enumerate(self._chips[: self._drawn()]):
            if self._slot(i).contains(px):
                return chip.id
        return ""

    def slot_of(self, id_: str) -> QRectF:
        """Where a model's chip is; an empty rectangle if it has none."""
        for i, chip in enumerate(self._chips[: self._drawn()]):
            if chip.id == id_:
                return self._slot(i)
        return QRectF()

    def _drawn(self) -> int:
        return len(self._chips) if len(self._chips) <= _SHOWN else _SHOWN - 1

    # --- painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Pot, chips, trial, score."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), ink("base"))
        self._paint_pot(painter)
        self._paint_chips(painter)
        self._paint_trial(painter)
        self._paint_figures(painter)

    def _outline(self) -> QPainterPath:
        body = self.body()
        path = QPainterPath(body.topLeft())
        path.lineTo(body.left(), body.bottom() - _ROUND)
        path.quadTo(body.left(), body.bottom(), body.left() + _ROUND, body.bottom())
        path.lineTo(body.right() - _ROUND, body.bottom())
        path.quadTo(body.right(), body.bottom(), body.right(), body.bottom() - _ROUND)
        path.lineTo(body.topRight())
        return path

    def _paint_pot(self, painter: QPainter) -> None:
        body, outline = self.body(), self._outline()
        painter.save()
        painter.setClipPath(outline)
        painter.fillRect(body.adjusted(0, 16, 0, 0), ink("accent-soft"))
        painter.setPen(QPen(ink("accent-line"), 1.5))
        painter.drawLine(QPointF(body.left(), body.top() + 16), QPointF(body.right(), body.top() + 16))
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(ink("accent" if self._welcome else "control-line"), 2))
        painter.drawPath(outline)
        for x in (body.left(), body.right()):
            painter.drawLine(QPointF(x - 8, body.top()), QPointF(x + 8, body.top()))
        for x in (body.left() - 14, body.right()):
            painter.drawRoundedRect(QRectF(x, body.top() + 38, 14, 24), 2, 2)
        words = self._caption()
        if words:
            at = QPointF(body.center().x(), body.bottom() - 17)
            draw_text(painter, words, at, "text-2", size="small", width=body.width() - 2 * _ROUND, align="centre")

    def _caption(self) -> str:
        if not self._chips:
            return "Drop models here"
        if self._shares:
            share = "learned shares"
        else:
            share = f"{1 / len(self._chips):.2f} each" if len(self._chips) > 1 else "alone"
        return f"{share}, {self._facts}" if self._facts else share

    def _paint_chips(self, painter: QPainter) -> None:
        moved = float(self._travel.currentValue() or 0.0) if self.travelling else 1.0
        total = sum(self._shares) or 1.0
        for i, chip in enumerate(self._chips[: self._drawn()]):
            box = self._slot(i)
            start = self._from.get(chip.id)
            if start is not None:
                box.moveTopLeft(start + (box.topLeft() - start) * moved)
            share = f"{self._shares[i] / total:.2f}" if self._shares else ""
            self.paint_chip(painter, box, chip, share)
            if self._keyboard and self.hasFocus() and i == self._current:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(ink("accent"), 2))
                painter.drawRoundedRect(box.adjusted(-3, -3, 3, 3), 5, 5)
        if len(self._chips) > self._drawn():
            more = f"and {len(self._chips) - self._drawn()} more"
            draw_text(painter, more, self._slot(_SHOWN - 1).center(), "text-2", size="small", align="centre")

    @staticmethod
    def paint_chip(painter: QPainter, box: QRectF, chip: Ingredient, share: str = "") -> None:
        """One model: a swatch in its colour, its name, its share."""
        colour = theme().series(chip.number)
        painter.setPen(QPen(colour, 1.25))
        painter.setBrush(ink("base"))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(box.left() + 8, box.center().y() - 4, 8, 8), 1.5, 1.5)
        used = 0.0
        if share:
            at = QPointF(box.right() - 8, box.center().y())
            used = 6 + draw_text(painter, share, at, "text-2", size="small", align="right")
        at = QPointF(box.left() + 22, box.center().y())
        draw_text(painter, chip.name, at, "text", size="small", width=box.width() - 30 - used)

    def _paint_trial(self, painter: QPainter) -> None:
        box, body = self._trial_box(), self.body()
        if self._leaving is not None and self.travelling:
            moved = float(self._travel.currentValue() or 0.0)
            painter.save()
            painter.setOpacity(1 - moved)
            self.paint_chip(painter, box.translated(40 * moved, 0), self._leaving)
            painter.restore()
        if self._trial is None:
            return
        self.paint_chip(painter, box, self._trial)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        pen = QPen(ink("accent"), 1.5)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        start, end = QPointF(box.left() - 2, box.center().y()), QPointF(body.right() - 44, body.top() + 10)
        path = QPainterPath(start)
        path.cubicTo(QPointF(box.left() - 30, box.top() - 22), QPointF(end.x() + 20, body.top() - 16), end)
        painter.drawPath(path)
        painter.setPen(QPen(ink("accent"), 1.5))
        painter.drawLine(end, end + QPointF(-1, -7))
        painter.drawLine(end, end + QPointF(7, -3))
        draw_text(painter, self._trial_words, QPointF(box.left(), box.bottom() + 16), "accent", width=box.width() + 20)
        if self._trial_share is not None:
            bar = QRectF(box.left(), box.bottom() + 28, box.width(), 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink("line"))
            painter.drawRoundedRect(bar, 2, 2)
            painter.setBrush(ink("accent"))
            painter.drawRoundedRect(QRectF(bar.left(), bar.top(), bar.width() * self._trial_share, 4), 2, 2)

    def _paint_figures(self, painter: QPainter) -> None:
        shown, right = self.figures, float(self.width() - 16)
        width = max(self.width() - self._trial_box().left() - 8, 90.0) if self._trial is None else 130.0
        if not shown.score:
            return
        token = "text-3" if shown.stale else "text"
        draw_text(painter, shown.score, QPointF(right, 32), token, size="display", weight="medium", align="right")
        draw_text(painter, shown.error, QPointF(right, 60), "text-2", width=width, align="right")
        if shown.stale:
            used = draw_text(painter, "Stale, scoring again", QPointF(right, 82), "warn", align="right")
            draw_icon(painter, "stale", "warn", QPointF(right - used - 22, 74), 16)
            return
        if shown.gain:
            draw_text(painter, shown.gain, QPointF(right, 84), shown.gain_token, weight="medium", align="right")
            for row, line in enumerate(shown.gain_words.split("\n")):
                at = QPointF(right, 101 + 15 * row)
                draw_text(painter, line, at, "text-3", size="small", width=width, align="right")

    # --- keyboard ----------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows walk over the chips; Delete takes the current one out."""
        steps: Mapping[int, int] = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        step = steps.get(event.key())
        if step is not None and self._chips:
            self._keyboard = True
            self._current = max(0, min(self._current + step, self._drawn() - 1))
            chip = self._chips[self._current]
            self.setToolTip(f"{chip.name}; Delete takes it out")
            self.update()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and 0 <= self._current < len(self._chips):
            self.takenOut.emit(self._chips[self._current].id)
        else:
            super().keyPressEvent(event)
