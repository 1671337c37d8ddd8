"""The soup canvas: a pool of models, a pot to put them into, the score of what is in it, and the steps of a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from solera.errors import InputError
from solera_app.canvases.gestures.drop import DropLibrary
from solera_app.canvases.gestures.ingredient import MoveIngredient
from solera_app.canvases.soup_facts import Ingredient
from solera_app.canvases.soup_list import PoolList
from solera_app.canvases.soup_pot import PotView
from solera_app.canvases.soup_steps import StepsPlot
from solera_app.docks.panel import Empty, line
from solera_app.plots import export
from solera_app.plots.header import Header
from solera_app.theme import theme, themes


class _Carried(QWidget):
    """The chip under the pointer."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFixedSize(140, 26)
        self.chip: Ingredient | None = None
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The chip as the pot would show it."""
        if self.chip is not None:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            PotView.paint_chip(painter, QRectF(1, 1, 138, 24), self.chip)


class SoupCanvas(QWidget):
    """Shows a soup and its pool; it asks for edits and does none.

    Signals:
        placed: A model (id) is to be in the pot (True) or out of it.
        removed: A model is to leave the pool.
        modelsDropped: Library entries were dropped, over the pot (True) or beside it.
        filesDropped: Files were.
        message: A hint for the status bar.
    """

    placed = Signal(str, bool)
    removed = Signal(str)
    modelsDropped = Signal(list, bool)
    filesDropped = Signal(list, bool)
    message = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Soup canvas")
        self.setAcceptDrops(True)
        self._pool: tuple[Ingredient, ...] = ()
        self._gesture: MoveIngredient | None = None
        self.header = Header()
        self.pot, self.list, self.steps = PotView(), PoolList(), StepsPlot()
        self.pool = self.list.view
        self._empty = Empty(
            "soup", "Drop two or more models into the pot.", "From the library, or files from a file manager."
        )
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QVBoxLayout()
        head.setContentsMargins(16, 12, 16, 4)
        head.addWidget(self.header)
        column.addLayout(head)
        column.addWidget(self.pot)
        column.addWidget(line())
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.list)
        self.splitter.addWidget(self.steps)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([460, 300])
        column.addWidget(self.splitter, 1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(body)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        self._carried = _Carried(self)
        self._watch()
        themes().changed.connect(self._recolour)
        self._recolour()

    def _watch(self) -> None:
        for widget in (self.pot, self.pool.viewport()):
            widget.installEventFilter(self)
        self.pot.installEventFilter(self)
        self.pool.installEventFilter(self)
        self.pot.takenOut.connect(lambda id_: self.placed.emit(id_, False))
        self.pool.toggled.connect(self._toggle)
        self.pool.removed.connect(self.removed)

    def _recolour(self) -> None:
        palette = theme().palette()
        self.setPalette(palette)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(palette.ColorRole.Base)

    # --- what the tab calls ------------------------------------------------------------------------------------------

    def set_pool(self, pool: Sequence[Ingredient]) -> None:
        """Show these models; without any, what to do."""
        self._pool = tuple(pool)
        self.list.set_pool(pool)
        self._stack.setCurrentIndex(1 if pool else 0)

    def set_title(self, title: str, subtitle: str) -> None:
        """What is cooked, and one line of facts."""
        self.header.set_title(title, subtitle)

    def set_state(self, text: str, token: str = "text-3") -> None:
        """State at the right of the title."""
        self.header.set_state(text, token)

    # --- the stage of the gesture ------------------------------------------------------------------------------------

    def over_pot(self, px: QPointF) -> bool:
        """Whether a place on the canvas is over the pot."""
        return self.pot.body().adjusted(-14, -12, 14, 8).contains(self.pot.mapFrom(self, px))

    def name_of(self, id_: str) -> str:
        """What a model is called."""
        return next((one.name for one in self._pool if one.id == id_), id_)

    def carry(self, id_: str, px: QPointF | None) -> None:
        """Show a model under the pointer; None takes it away."""
        self._carried.chip = next((one for one in self._pool if one.id == id_), None)
        self._carried.setVisible(px is not None)
        self.pot.welcome(px is not None and self.over_pot(px))
        if px is not None:
            self._carried.move((px - QPointF(18, 13)).toPoint())
            self._carried.raise_()
            self._carried.update()

    def choose(self, id_: str) -> None:
        """Select a model in the pool."""
        self.pool.choose(id_)

    def put(self, id_: str, *, inside: bool) -> None:
        """Ask for a model to be in the pot, or out of it."""
        self.placed.emit(id_, inside)

    def say(self, text: str) -> None:
        """A hint in the status bar."""
        self.message.emit(text)

    def _toggle(self, id_: str) -> None:
        inside = any(one.id == id_ and one.state == "in" for one in self._pool)
        self.placed.emit(id_, not inside)

    # --- events ------------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Mouse and Escape of pot and pool; everything else is theirs."""
        if isinstance(event, QMouseEvent) and isinstance(watched, QWidget) and watched is not self.pool:
            return self._mouse(watched, event) or super().eventFilter(watched, event)
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if escape and event.type() == QEvent.Type.KeyPress and self._gesture is not None:
            gesture, self._gesture = self._gesture, None
            gesture.cancel()
            return True
        return super().eventFilter(watched, event)

    def _mouse(self, watched: QWidget, event: QMouseEvent) -> bool:
        local = event.position()
        px = QPointF(watched.mapTo(self, local))
        id_ = self.pot.chip_at(local) if watched is self.pot else self.pool.row_at(local)
        left = event.button() == Qt.MouseButton.LeftButton
        match event.type():
            case QEvent.Type.MouseButtonPress if left and id_:
                (self.pot if watched is self.pot else self.pool).setFocus(Qt.FocusReason.MouseFocusReason)
                inside = any(one.id == id_ and one.state == "in" for one in self._pool)
                self._gesture = MoveIngredient(self, id_, inside=inside, px=px)
                return True
            case QEvent.Type.MouseButtonDblClick if left and id_:
                self._toggle(id_)
                return True
            case QEvent.Type.MouseMove if self._gesture is not None:
                self._gesture.move(px)
                return True
            case QEvent.Type.MouseMove:
                shape = Qt.CursorShape.OpenHandCursor if id_ else Qt.CursorShape.ArrowCursor
                watched.setCursor(shape)
                watched.setToolTip(f"{self.name_of(id_)}: drag it into the pot or out of it" if id_ else "")
                return False
            case QEvent.Type.MouseButtonRelease if self._gesture is not None:
                gesture, self._gesture = self._gesture, None
                gesture.release(px)
                return True
            case _:
                return False

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take library entries and files."""
        if DropLibrary(event.mimeData()).welcome:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Say where it would go."""
        over = self._drop_in(QPointF(event.position()))
        self.pot.welcome(over)
        self.message.emit("Drop to put it into the pot." if over else "Drop to add it to the pool.")
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QEvent) -> None:
        """Gone again."""
        self.pot.welcome(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand models and files on."""
        drop, over = DropLibrary(event.mimeData()), self._drop_in(QPointF(event.position()))
        self.pot.welcome(False)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if drop.entries:
            self.modelsDropped.emit(list(drop.entries), over)
        elif drop.files:
            self.filesDropped.emit(drop.files, over)
        self.message.emit("Drag a model into the pot or out of it; Space does the same for the current row.")

    def _drop_in(self, px: QPointF) -> bool:
        return not self._pool or self.over_pot(px)

    # --- files -------------------------------------------------------------------------------------------------------

    def export(self, kind: str, path: Path) -> Path:
        """Write what is shown: the whole canvas as a picture, or the steps as a table.

        Raises:
            InputError: The kind is not known, or the pool is empty.
            OutputError: The file cannot be written.
        """
        if kind not in {"png", "svg", "csv"} or not self._pool:
            raise InputError("Nothing to export: choose png, svg or csv, and drop two models first.", kind=kind)
        if kind == "csv":
            return self.steps.export_csv(path)
        writer = export.export_png if kind == "png" else export.export_svg
        return writer(self, path)
