"""The recipe canvas: a node graph that renders a document and edits it through commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
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
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QToolTip, QWidget

from solera.documents.commands import Command
from solera.documents.document import Document, SaveNode
from solera.documents.history import History
from solera.errors import Fault, InputError
from solera_app.canvases.additions import Addition, addition_command, additions, fitting
from solera_app.canvases.anatomy import HEADER, ROW, WIDTH
from solera_app.canvases.arrange import snapped
from solera_app.canvases.camera import Camera
from solera_app.canvases.edits import Edits
from solera_app.canvases.faces import Catalogue, FieldFace
from solera_app.canvases.field_editor import FieldEditor, text_field
from solera_app.canvases.gestures.drop import LibraryEntry, add_checkpoints, entry_of
from solera_app.canvases.gestures.stage import LooseEnd
from solera_app.canvases.hands import Hands
from solera_app.canvases.hints import hint_for, tip_for
from solera_app.canvases.ink import ink
from solera_app.canvases.keys import action_for
from solera_app.canvases.menu import context_menu
from solera_app.canvases.node_item import NodeState
from solera_app.canvases.overlays import Minimap, PointerNote, ZoomBar
from solera_app.canvases.picture import save_picture
from solera_app.canvases.quick_add import QuickAdd
from solera_app.canvases.scene import RecipeScene
from solera_app.docks.panel import Empty
from solera_app.theme import themes, tokens

_WIDE = 200_000.0
_OVERLAY_ROOM = 44.0
_FLOW_MS = 50
_FLOWING_MOST = 50


class RecipeCanvas(QGraphicsView):
    """Shows the document of a history and edits it.

    Args:
        history: Holder of the document; the canvas listens to it and never changes an item without it.
        catalogue: Methods by name (specs or manifest entries).
        parent: Qt parent.
    """

    edits: Edits
    #: Ids of the chosen nodes.
    selectionChanged = Signal(list)
    #: Ctrl+Enter, or Run recipe in the menu.
    runRequested: Signal = Signal()
    #: A node was opened (double click, Enter): its id.
    openRequested = Signal(str)
    #: A hint for the status bar.
    message = Signal(str)
    #: Files from a file manager, and where in the scene; see :meth:`add_checkpoints`.
    filesDropped = Signal(list, QPointF)
    #: A link of a fault note was pressed: a :class:`~solera_app.canvases.note_item.Remedy`.
    remedyRequested = Signal(object)

    def __init__(self, history: History, catalogue: Catalogue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._picture = RecipeScene(catalogue, self)
        self.edits = Edits(self)
        self.camera = Camera(self)
        self._library: list[tuple[str, str]] = []
        self._tasks: list[str] = []
        self.hands = Hands(self)
        self._band: QRectF | None = None
        self._fitted = False
        self._phase = 0.0
        self._flow = QTimer(self, interval=_FLOW_MS)
        self._flow.timeout.connect(self._flow_on)
        self._prepare()
        self._build_overlays()
        self._picture.chosen_changed.connect(self._chosen_changed)
        self._picture.picture_changed.connect(self._picture_changed)
        themes().changed.connect(self._recolour)
        self._stop_listening = history.subscribe(self._document_changed)
        self.destroyed.connect(self._stop_listening)
        self._picture.render_document(history.document)

    def _prepare(self) -> None:
        self.setScene(self._picture)
        self.setSceneRect(-_WIDE / 2, -_WIDE / 2, _WIDE, _WIDE)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
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
        self._empty = Empty("recipe", "Drop a checkpoint, or press Tab to add a node.")
        self._empty.setParent(self)
        self._empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._note = PointerNote(self)

    # --- what the window calls -----------------------------------------------------------------------------------

    @property
    def picture(self) -> RecipeScene:
        """The scene."""
        return self._picture

    @property
    def selection(self) -> list[str]:
        """Ids of the chosen nodes."""
        return list(self._picture.chosen)

    def select(self, ids: Sequence[str]) -> None:
        """Choose nodes."""
        self._picture.choose(ids)

    def set_history(self, history: History) -> None:
        """Show another document."""
        self._stop_listening()
        self._history = history
        self._stop_listening = history.subscribe(self._document_changed)
        self._picture.render_document(history.document)
        self.fit()

    def set_library(self, entries: Iterable[Any]) -> None:
        """What the quick-add menu offers: anything with ``name`` and ``path`` (attributes or keys)."""
        self._library = [(found.name, found.path) for found in map(entry_of, entries)]

    def set_tasks(self, names: Iterable[str]) -> None:
        """Tasks the quick-add menu offers."""
        self._tasks = list(names)

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Methods by name, after a plugin was enabled or disabled."""
        self._picture.catalogue = catalogue
        self._picture.render_document(self._history.document)

    def set_node_state(self, id_: str, state: NodeState, progress: float | None = None, text: str = "") -> None:
        """Show what a job says of a node.

        Args:
            id_: The node; remembered if it is not there yet.
            state: One of the states of the look.
            progress: From 0 to 1 while running; None when unknown.
            text: A line under the preview (``"Scored at density 0.30"``).
        """
        self._picture.set_status(id_, state=state, progress=progress, text=text)

    def set_preview(self, id_: str, text: str) -> None:
        """Show lines under a node's ports: tensors, size, time; for a task ``"Accuracy<TAB>68.5 ± 1.3 %"`` first."""
        self._picture.set_status(id_, preview=text)

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Show these faults at their nodes, and no others."""
        self._picture.set_faults(faults)

    def fit(self) -> None:
        """Show everything."""
        bounds = self._picture.itemsBoundingRect()
        self.camera.fit(bounds, bottom=_OVERLAY_ROOM if bounds.height() > self.height() - 120 else 0.0)
        self._view_changed()

    def export(self, kind: str, path: Path) -> Path:
        """Write the whole recipe as a picture.

        Args:
            kind: ``"png"`` or ``"svg"``.
            path: Where.

        Raises:
            OutputError: The file cannot be written.
            InputError: The kind is not known, or there is nothing to show.
        """
        return save_picture(self._picture, kind, path)

    def add_checkpoints(self, entries: Iterable[Any], at: QPointF) -> None:
        """Add checkpoint nodes for library entries (see :meth:`set_library`) at a scene point."""
        found = [entry_of(entry) for entry in entries]
        if found:
            self.drop_entries(found, at)

    # --- the stage of gestures -----------------------------------------------------------------------------------

    def do(self, command: Command) -> bool:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        try:
            self._history.do(command)
        except InputError as error:
            self.say(str(error))
            return False
        return True

    def settle(self) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self._history.settle()

    def say(self, text: str) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self.message.emit(text)

    def refuse(self, text: str, view: QPointF) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self._note.say(text, view)

    def pan(self, dx: float, dy: float) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self.camera.pan(dx, dy)
        self._view_changed()

    def band(self, box: QRectF | None) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self._band = box
        self.viewport().update()

    def offer(self, at: QPointF, end: LooseEnd | None) -> None:
        """See :class:`~solera_app.canvases.gestures.stage.Stage`."""
        self.open_quick_add(at, end)

    # --- adding ----------------------------------------------------------------------------------------------------

    def open_quick_add(self, at: QPointF | None = None, end: LooseEnd | None = None) -> QuickAdd:
        """Open the quick-add menu for a place (the pointer's, or the middle), with what fits a loose end."""
        place = at if at is not None else self._pointer_place()
        offered = additions(self._picture.catalogue, self._library, self._tasks)
        loose = (end.node, end.port) if end is not None else None
        if loose is not None:
            offered = fitting(self._history.document, self._picture.catalogue, offered, loose)
        hint = "Add checkpoint, method or result" if end is None else f"Add and connect to {end.node}"
        backwards = end is not None and end.port != "out"

        def take(addition: Addition) -> None:
            corner = self._corner(place, loose, backwards=backwards)
            id_, command = addition_command(self._history.document, self._picture.catalogue, addition, corner, loose)
            if self.do(command):
                self._picture.choose([id_])
                self.setFocus(Qt.FocusReason.PopupFocusReason)

        menu = QuickAdd(offered, take, hint, self)
        menu.open_at(self.viewport().mapToGlobal(self.mapFromScene(place)))
        return menu

    def _corner(self, at: QPointF, end: tuple[str, str] | None, *, backwards: bool) -> tuple[float, float]:
        """Top left of a new node: its port under the place where a link was dropped."""
        if end is None:
            return snapped(at.x() - WIDTH / 2, at.y() - HEADER / 2)
        return snapped(at.x() - (WIDTH if backwards else 0), at.y() - HEADER - ROW / 2)

    def _pointer_place(self) -> QPointF:
        at = self.viewport().mapFromGlobal(self.cursor().pos())
        inside = self.viewport().rect().contains(at)
        return self.mapToScene(at if inside else self.viewport().rect().center())

    def drop_entries(self, entries: Sequence[LibraryEntry], at: QPointF) -> None:
        """Add checkpoint nodes, the first one's header at a scene point, and choose them."""
        command = add_checkpoints(self._history.document, entries, (at.x() - WIDTH / 2, at.y() - HEADER / 2))
        if self.do(command):
            self._picture.choose([node.id for node in command.nodes])

    # --- editing in place ------------------------------------------------------------------------------------------

    def edit_field(self, id_: str, field: FieldFace) -> FieldEditor | None:
        """Type over a parameter field; not while the node's job runs, and rules are the inspector's."""
        item = self._picture.items_by_id[id_]
        if item.state == "running":
            self.say(f"{field.label} is locked while the job of {item.face.title} runs.")
            return None
        if field.form == "rules" or item.face.missing:
            self.openRequested.emit(id_)
            return None
        box = item.anatomy.fields[field.name].translated(item.pos())
        return FieldEditor(field, lambda text: self.edits.set_field(id_, field, text), self._on_screen(box), self)

    def edit_title(self, id_: str) -> FieldEditor:
        """Type over a node's title (a save node's folder)."""
        item = self._picture.items_by_id[id_]
        node = self._history.document.node(id_)
        box = self._on_screen(item.anatomy.title.translated(item.pos()))
        if isinstance(node, SaveNode):
            return FieldEditor(text_field("folder", node.folder), lambda t: self.edits.set_folder(id_, t), box, self)
        name = text_field("name", item.face.title)
        return FieldEditor(name, lambda text: self.edits.rename(id_, text), box, self)

    def edit_note(self, id_: str) -> FieldEditor:
        """Type the note of a node, below it."""
        item = self._picture.items_by_id[id_]
        box = item.anatomy.rect.translated(item.pos() + QPointF(0, item.anatomy.height / 2 + 18))
        note = text_field("note", item.face.note)
        return FieldEditor(note, lambda text: self.edits.set_note(id_, text), self._on_screen(box), self)

    def _on_screen(self, box: QRectF) -> QRectF:
        return self.viewportTransform().mapRect(box)

    # --- what changes ----------------------------------------------------------------------------------------------

    def _document_changed(self, document: Document) -> None:
        self.hands.cancel()
        self._picture.render_document(document)

    def _chosen_changed(self, ids: list[str]) -> None:
        self.say(hint_for(self._picture))
        self.setAccessibleDescription(hint_for(self._picture))
        self.selectionChanged.emit(ids)

    def _picture_changed(self) -> None:
        there_are = bool(self._picture.items_by_id)
        self._empty.setVisible(not there_are)
        self.minimap.setVisible(there_are)
        self.minimap.update()
        running = any(item.state == "running" for item in self._picture.items_by_id.values())
        if running and self.isVisible() and len(self._picture.edges) < _FLOWING_MOST:
            self._flow.start()
        else:
            self._flow.stop()

    def _flow_on(self) -> None:
        self._phase = (self._phase + tokens()["motion"]["edge_flow_px_per_s"] * _FLOW_MS / 1000) % 11
        self._picture.flow(self._phase)

    def _recolour(self) -> None:
        self._picture.invalidate()
        self._picture.update()
        self.viewport().update()
        for overlay in (self.zoom_bar, self.minimap):
            overlay.update()

    def _view_changed(self) -> None:
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

    # --- events ----------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Keys of the canvas win over the window's shortcuts while it has the focus."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and action_for(event):
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
        action = action_for(event)
        if action is None:
            event.ignore()
            return
        action(self)

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
        context_menu(self, self.mapToScene(event.pos())).exec(event.globalPos())

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
