"""The view of a recipe: camera, overlays and events. What an edit is, the canvas above it decides."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmapCache,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QMenu, QToolTip, QWidget

from solera_app.canvases.camera import Camera
from solera_app.canvases.dots import Dots
from solera_app.canvases.hands import Hands
from solera_app.canvases.hints import tip_for
from solera_app.canvases.ink import ink
from solera_app.canvases.node_item import BLOCK_ZOOM
from solera_app.canvases.overlays import Minimap, PointerNote, ZoomBar
from solera_app.canvases.scene import RecipeScene
from solera_app.docks.panel import Empty
from solera_app.theme import themes, tokens

_WIDE = 200_000.0
_OVERLAY_ROOM = 44.0
#: Room for the pictures that nodes keep of themselves: a large sharp screen shows 40 of 0.7 MB.
_KEPT_KB = 65_536
_FLOW_MS = 50
_FLOWING_MOST = 50


class RecipeView(QGraphicsView):
    """Shows a scene and turns its events into gestures, keys and tooltips.

    Args:
        scene: What is shown.
        parent: Qt parent.
    """

    #: The mouse; the subclass that knows the edits sets it.
    hands: Hands

    def __init__(self, scene: RecipeScene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = scene
        self.camera = Camera(self)
        self._band: QRectF | None = None
        self._fitted = False
        self._dots = Dots()
        self._phase = 0.0
        self._flow = QTimer(self, interval=_FLOW_MS)
        self._flow.timeout.connect(self._flow_on)
        self._prepare()
        self._build_overlays()
        self._picture.picture_changed.connect(self._picture_changed)
        themes().changed.connect(self._recolour)

    # --- what the canvas above decides ---------------------------------------------------------------------------

    def knows(self, event: QKeyEvent) -> bool:
        """Whether a key is the canvas's own, so that no shortcut of the window takes it."""
        return False

    def act(self, event: QKeyEvent) -> bool:
        """Do what a key says; returns whether it was used."""
        return False

    def menu_at(self, at: QPointF) -> QMenu | None:
        """The context menu for a place in the scene."""
        return None

    # --- parts -----------------------------------------------------------------------------------------------------

    @property
    def picture(self) -> RecipeScene:
        """The scene."""
        return self._picture

    def _prepare(self) -> None:
        self.setScene(self._picture)
        QPixmapCache.setCacheLimit(max(QPixmapCache.cacheLimit(), _KEPT_KB))
        self.setSceneRect(-_WIDE / 2, -_WIDE / 2, _WIDE, _WIDE)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.AnchorViewCenter)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.SmartViewportUpdate)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setMinimumSize(240, 160)
        self.setAccessibleName("Recipe canvas")
        self.setAccessibleDescription("Nodes of the recipe. Tab adds one, Alt and arrows go from node to node.")
        self.camera.centre(QPointF(0, 0))

    def _build_overlays(self) -> None:
        self.zoom_bar = ZoomBar(self)
        self.zoom_bar.stepped.connect(self.zoom_step)
        self.zoom_bar.reset.connect(lambda: self.zoom_to(1.0))
        self.zoom_bar.fitted.connect(self.fit)
        self.minimap = Minimap(self._picture, self)
        self.minimap.wanted.connect(self._go_to)
        self._picture.chosen_changed.connect(self.minimap.renew)
        self._empty = Empty("recipe", "Drop a checkpoint, or press Tab to add a node.")
        self._empty.setParent(self)
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._note = PointerNote(self)

    # --- camera -------------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Show everything."""
        bounds = self._picture.itemsBoundingRect()
        self.camera.fit(bounds, bottom=_OVERLAY_ROOM if bounds.height() > self.height() - 120 else 0.0)
        self._view_changed()

    def pan(self, dx: float, dy: float) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self.camera.pan(dx, dy)
        self._view_changed()

    def _view_changed(self) -> None:
        self._picture.far = self.camera.zoom < BLOCK_ZOOM
        self.zoom_bar.set_zoom(self.camera.zoom)
        self.minimap.set_view(self.camera.seen())

    def zoom_step(self, direction: int) -> None:
        """Zoom in (+1) or out (−1) by a step."""
        self.camera.step(direction)
        self._view_changed()

    def zoom_to(self, zoom: float, about: QPointF | None = None) -> None:
        """Zoom (1 is 100 %), keeping a viewport point where it is."""
        self.camera.zoom_to(zoom, about)
        self._view_changed()

    def _go_to(self, at: QPointF) -> None:
        self.camera.centre(at)
        self._view_changed()

    def pointer_place(self) -> QPointF:
        """The scene point under the pointer, or the middle of what is shown."""
        at = self.viewport().mapFromGlobal(self.cursor().pos())
        inside = self.viewport().rect().contains(at)
        return self.mapToScene(at if inside else self.viewport().rect().center())

    def on_screen(self, box: QRectF) -> QRectF:
        """A box of the scene in viewport px."""
        return self.viewportTransform().mapRect(box)

    # --- picture ------------------------------------------------------------------------------------------------------

    def refuse(self, text: str, view: QPointF) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self._note.say(text, view)

    def band(self, box: QRectF | None) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self._band = box
        self.viewport().update()

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Paper and dots."""
        origin = self.viewportTransform().map(QPointF(0, 0))
        self._dots.paint(painter, self.viewport().size(), self.devicePixelRatio(), self.camera.zoom, origin)

    def _picture_changed(self) -> None:
        there_are = bool(self._picture.items_by_id)
        self._empty.setVisible(not there_are)
        self.minimap.setVisible(there_are)
        self.minimap.renew()
        running = any(item.state == "running" for item in self._picture.items_by_id.values())
        if running and self.isVisible() and len(self._picture.edges) < _FLOWING_MOST:
            self._flow.start()
        else:
            self._flow.stop()

    def _flow_on(self) -> None:
        self._phase = (self._phase + tokens()["motion"]["edge_flow_px_per_s"] * _FLOW_MS / 1000) % 11
        self._picture.flow(self._phase)

    def _recolour(self) -> None:
        for item in self._picture.items():  # each may keep how it looks
            item.update()
        self.viewport().update()
        self.zoom_bar.update()
        self.minimap.renew()

    # --- events ----------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Keys of the canvas win over the window's shortcuts while it has the focus."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self.knows(event):
            event.accept()
            return True
        return super().event(event)

    def focusNextPrevChild(self, following: bool) -> bool:
        """Tab opens the quick-add menu; Shift+Tab leaves the canvas."""
        return False if following else super().focusNextPrevChild(following)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """One of the table of keys, or Space for panning."""
        if self.hands.key(event, pressed=True):
            return
        if not self.act(event):
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space ends panning."""
        if not self.hands.key(event, pressed=False):
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a gesture."""
        self.hands.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with it, or hover."""
        self.hands.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End it."""
        self.hands.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Edit what is there, or open the node."""
        self.hands.double(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is hovered any more."""
        self.hands.hover(None)
        super().leaveEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A gesture without the window is over."""
        if event.reason() == Qt.FocusReason.ActiveWindowFocusReason:
            self.hands.cancel()
        super().focusOutEvent(event)
        self.viewport().update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring when the keyboard brought the focus."""
        super().focusInEvent(event)
        self.viewport().update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu of what is under the pointer."""
        at = QPointF(event.pos())
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            self.hands.point_out(at)
        menu = self.menu_at(self.mapToScene(event.pos()))
        if menu is not None:
            menu.exec(event.globalPos())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Ctrl zooms about the pointer; else scroll."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_to(self.camera.zoom * 1.2 ** (event.angleDelta().y() / 120), event.position())
        else:
            turn = event.angleDelta() if event.pixelDelta().isNull() else event.pixelDelta() * 2
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not turn.x():
                turn = QPoint(turn.y(), 0)
            self.pan(-turn.x() / 2, -turn.y() / 2)
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take library entries and files."""
        self.hands.drag_enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """As it entered."""
        self.hands.drag_move(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Forget it."""
        self.hands.drag_leave()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add what was dropped."""
        self.hands.drop(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """Tooltips of ports, fields, states and shortened names."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            hit = self._picture.hit(self.mapToScene(event.pos()), self.camera.zoom)
            QToolTip.showText(event.globalPos(), tip_for(hit, self._picture), self)
            return True
        return super().viewportEvent(event)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """The rubber band, and the ring of keyboard focus."""
        if self._band is not None:
            fill = QColor(ink("accent"))
            fill.setAlphaF(0.08)
            painter.fillRect(self._band, fill)
            painter.setPen(QPen(ink("accent"), 0))
            painter.drawRect(self._band)
        if self.hasFocus() and self.hands.by_keyboard and not self._picture.chosen:
            painter.resetTransform()
            painter.setPen(QPen(ink("accent"), 2))
            painter.drawRect(QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the overlays in their corners."""
        super().resizeEvent(event)
        self.zoom_bar.move(12, self.height() - self.zoom_bar.height() - 12)
        self.minimap.move(self.width() - self.minimap.width() - 24, self.height() - self.minimap.height() - 12)
        self._empty.setGeometry(self.rect())
        for overlay in (self.zoom_bar, self.minimap):
            overlay.raise_()
        self._view_changed()

    def showEvent(self, event: QShowEvent) -> None:
        """Show everything the first time."""
        super().showEvent(event)
        if not self._fitted:
            self._fitted = True
            self.fit()
        self._picture_changed()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing moves unseen."""
        self._flow.stop()
        super().hideEvent(event)
