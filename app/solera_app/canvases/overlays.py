"""What floats over a recipe canvas: the zoom control, the minimap, the empty state and the sentence of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from solera_app.bridge.weakly import Weakly
from solera_app.canvases.ink import ink
from solera_app.theme import font, icon, themes

if TYPE_CHECKING:
    from solera_app.canvases.scene import RecipeScene

_TILES = {"running": "accent", "stale": "warn", "failed": "error", "fault": "error"}


class _Card(QFrame):
    """A raised card with a hairline."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(ink("line"), 1))
        painter.setBrush(ink("raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)


class ZoomBar(_Card):
    """− 100 % + and fit.

    Signals:
        stepped: −1 or +1. reset: to 100 %. fitted: show everything.
    """

    stepped = Signal(int)
    reset = Signal()
    fitted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(120, 28)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 2, 2, 2)
        row.setSpacing(0)
        self._less = self._button("−", "Zoom out (Ctrl+−)", 24)
        self.figure = self._button("100 %", "Zoom to 100 % (Ctrl+0)", 44)
        self._more = self._button("+", "Zoom in (Ctrl++)", 24)
        self._fit = self._button("", "Show everything (F)", 24)
        for button in (self._less, self.figure, self._more, self._fit):
            row.addWidget(button)
        self._less.clicked.connect(lambda: self.stepped.emit(-1))
        self._more.clicked.connect(lambda: self.stepped.emit(1))
        self.figure.clicked.connect(self.reset)
        self._fit.clicked.connect(self.fitted)
        themes().changed.connect(self._recolour)
        self._recolour()

    def _button(self, text: str, tip: str, width: int) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFixedSize(width, 24)
        button.setAutoRaise(True)
        button.setFont(font("label"))
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setStyleSheet("padding: 0;")
        return button

    def _recolour(self) -> None:
        self._fit.setIcon(icon("fit", "text-2"))
        for button in (self._less, self.figure, self._more):
            palette = button.palette()
            palette.setColor(QPalette.ColorRole.ButtonText, ink("text-2"))
            button.setPalette(palette)

    def set_zoom(self, zoom: float) -> None:
        """Show the zoom (1 is 100 %)."""
        self.figure.setText(f"{round(100 * zoom)} %")


class Minimap(_Card):
    """All nodes in little, coloured by state, and what the view shows of them. Press or drag to go there.

    Signals:
        wanted: A scene point to put in the middle.
    """

    wanted = Signal(QPointF)
    _scene = Weakly["RecipeScene"]()

    def __init__(self, scene: RecipeScene, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(120, 53)
        self.setAccessibleName("Overview of the recipe")
        self.setToolTip("Overview: press or drag to go there")
        self._scene = scene
        self._view = QRectF()
        self._tiles = QPixmap()  # drawn once a picture: a pan draws the frame alone
        self._bounds = QRectF()

    def renew(self) -> None:
        """The picture changed."""
        self._tiles = QPixmap()
        self.update()

    def set_view(self, view: QRectF) -> None:
        """What the canvas shows of the scene."""
        if view != self._view:
            self._view = view
            self.update()

    def _mapping(self) -> tuple[float, QPointF]:
        """Scale and the scene point at the card's top left."""
        bounds = self._bounds
        room = QRectF(self.rect()).adjusted(8, 6, -8, -6)
        scale = min(room.width() / max(bounds.width(), 1), room.height() / max(bounds.height(), 1))
        middle = bounds.center()
        return scale, QPointF(middle.x() - self.width() / 2 / scale, middle.y() - self.height() / 2 / scale)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tiles, then the frame of the view where it shows less than everything."""
        super().paintEvent(event)
        if not self._scene.items_by_id:
            return
        if self._tiles.isNull() or self._tiles.devicePixelRatio() != self.devicePixelRatio():
            self._draw_tiles()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._tiles)
        if self._view.isValid() and not self._view.contains(self._bounds):
            scale, origin = self._mapping()
            view = self._view.translated(-origin)
            frame = QRectF(view.x() * scale, view.y() * scale, view.width() * scale, view.height() * scale)
            painter.setPen(QPen(ink("control-line"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(frame.intersected(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)))

    def _draw_tiles(self) -> None:
        ratio = self.devicePixelRatio()
        self._bounds = self._scene.nodes_rect()
        self._tiles = QPixmap(self.size() * ratio)
        self._tiles.setDevicePixelRatio(ratio)
        self._tiles.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._tiles)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        scale, origin = self._mapping()
        seen = [item for item in self._scene.items_by_id.values() if item.isVisible()]
        cards = [item for item in self._scene.around.frames.values() if item.frame.collapsed]
        tiles = [(item.scene_rect(), _TILES.get(item.state, ""), item.chosen) for item in seen]
        for rect, token, chosen in (*tiles, *((card.box, "", card.chosen) for card in cards)):
            box = rect.translated(-origin)
            tile = QRectF(box.x() * scale, box.y() * scale, box.width() * scale, box.height() * scale)
            painter.setBrush(ink(token or ("accent-line" if chosen else "line-strong")))
            painter.drawRoundedRect(tile, 1, 1)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there."""
        scale, origin = self._mapping()
        self.wanted.emit(QPointF(event.position().x() / scale, event.position().y() / scale) + origin)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """There already; the canvas below must not get it."""
        event.accept()


class PointerNote(QLabel):
    """A sentence beside the pointer."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setFont(font("label"))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setMargin(6)
        self.hide()

    def say(self, text: str, at: QPointF) -> None:
        """Show a sentence right below a point of the parent, or nothing."""
        if not text:
            self.hide()
            return
        self.setText(text)
        self.setStyleSheet(
            f"background: {ink('error-soft').name()}; color: {ink('text').name()};"
            f"border: 1px solid {ink('error').name()}; border-radius: 4px;"
        )
        width = min(260, self.fontMetrics().horizontalAdvance(text) + 24)
        self.resize(QSize(width, self.heightForWidth(width)))
        parent = self.parentWidget()
        room = parent.size() if parent is not None else QSize(10_000, 10_000)
        x = min(round(at.x()) + 16, room.width() - self.width() - 4)
        y = min(round(at.y()) + 12, room.height() - self.height() - 4)
        self.move(QPoint(x, y))
        self.show()
        self.raise_()
