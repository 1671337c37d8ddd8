"""A list of rows as LOOK draws them: 44 px in two lines, 32 px in one, sections between."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSignalBlocker,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from solera_app.models.rows import ROW_ROLE, Index, Row, RowsModel
from solera_app.theme import font, pixmap, theme, themes

_ONE, _TWO, _SECTION = 32, 44, 30
_BUTTON = 28
#: Rows wider than this have columns: title, bar, middle text, right, buttons.
_WIDE = 560


class RowDelegate(QStyledItemDelegate):
    """Paints one row."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: D102 - Qt's name
        row: Row = index.data(ROW_ROLE)
        if row.section:
            return QSize(120, _SECTION)
        return QSize(120, _TWO if row.facts else _ONE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: D102 - Qt's name
        row: Row = index.data(ROW_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRect(option.rect)
        if row.section:
            self._section(painter, rect, row)
        else:
            self._ground(painter, rect, option)
            self._item(painter, rect, row, bool(option.state & QStyle.StateFlag.State_Selected))
        painter.restore()

    @staticmethod
    def _section(painter: QPainter, rect: QRect, row: Row) -> None:
        painter.setFont(font("label", "medium"))
        painter.setPen(theme().colour("text-2"))
        painter.drawText(rect.adjusted(12, 0, -12, 0), _LEFT, row.title)
        painter.setFont(font("small"))
        painter.setPen(theme().colour("text-3"))
        painter.drawText(rect.adjusted(12, 0, -12, 0), _RIGHT, row.right)

    @staticmethod
    def _ground(painter: QPainter, rect: QRect, option: QStyleOptionViewItem) -> None:
        selected = option.state & QStyle.StateFlag.State_Selected
        hover = option.state & QStyle.StateFlag.State_MouseOver
        token = "accent-soft" if selected else "hover" if hover else ""
        box = QRectF(rect.adjusted(6, 1, -6, -1))
        if token:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().colour(token))
            painter.drawRoundedRect(box, 4, 4)
        if option.state & QStyle.StateFlag.State_HasFocus and option.state & QStyle.StateFlag.State_KeyboardFocusChange:
            painter.setPen(QPen(theme().colour("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)

    def _item(self, painter: QPainter, rect: QRect, row: Row, selected: bool) -> None:
        left = rect.left() + 12
        if row.icon:
            token = "accent" if selected and row.icon_token == "text-2" else row.icon_token
            painter.drawPixmap(left, rect.center().y() - 8, pixmap(row.icon, token, 18, _ratio(painter)))
            left += 28
        right = self._right(painter, rect, row)
        if rect.width() >= _WIDE and (row.progress is not None or row.middle):
            right = self._columns(painter, rect, row, right)
        elif row.progress is not None:
            _bar(painter, QRect(left, rect.bottom() - 6, right - left, 4), row.progress)
        self._texts(painter, QRect(left, rect.top(), max(right - left - 8, 20), rect.height()), row)

    @staticmethod
    def _texts(painter: QPainter, rect: QRect, row: Row) -> None:
        painter.setFont(font("label", "medium"))
        painter.setPen(theme().colour("text-3" if row.dim else "text"))
        metrics = painter.fontMetrics()
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideMiddle, rect.width())
        if not row.facts:
            painter.drawText(rect, _LEFT, title)
            return
        painter.drawText(QRect(rect.left(), rect.top() + 5, rect.width(), 17), _LEFT, title)
        painter.setFont(font("small"))
        painter.setPen(theme().colour("text-3"))
        facts = painter.fontMetrics().elidedText(row.facts, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(QRect(rect.left(), rect.top() + 22, rect.width(), 16), _LEFT, facts)

    @staticmethod
    def _right(painter: QPainter, rect: QRect, row: Row) -> int:
        """Draw what stands at the right; returns where it begins."""
        edge = rect.right() - 12
        for button in reversed(row.buttons):
            edge -= _BUTTON
            painter.drawPixmap(edge + 6, rect.center().y() - 7, pixmap(button.icon, "text-2", 16, _ratio(painter)))
        if not row.right:
            return edge
        painter.setFont(font("small", "medium" if row.right_token != "text-3" else "regular"))
        width = painter.fontMetrics().horizontalAdvance(row.right) + 1
        box = QRect(edge - width, rect.top(), width, rect.height())
        if row.boxed:
            box.translate(-6, 0)
            frame = QRectF(box.left() - 6, rect.center().y() - 9, width + 12, 19)
            painter.setPen(QPen(theme().colour("line-strong"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setPen(theme().colour(row.right_token))
        painter.drawText(box, _LEFT, row.right)
        edge = box.left() - (8 if row.boxed else 2)
        if row.right_icon:
            edge -= 18
            painter.drawPixmap(
                edge, rect.center().y() - 7, pixmap(row.right_icon, row.right_token, 16, _ratio(painter))
            )
        return edge

    @staticmethod
    def _columns(painter: QPainter, rect: QRect, row: Row, right: int) -> int:
        """Bar and middle text in columns of their own; returns where they begin."""
        start = rect.left() + max(260, rect.width() * 38 // 100)
        if row.progress is not None:
            _bar(painter, QRect(start, rect.center().y() - 1, 140, 4), row.progress)
        painter.setFont(font("label"))
        painter.setPen(theme().colour("text-2"))
        left = start + (156 if row.progress is not None else 0)
        middle = QRect(left, rect.top(), max(right - left - 14, 20), rect.height())
        text = painter.fontMetrics().elidedText(row.middle, Qt.TextElideMode.ElideRight, middle.width())
        painter.drawText(middle, _LEFT, text)
        return start


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def _ratio(painter: QPainter) -> float:
    return painter.device().devicePixelRatioF()


def _bar(painter: QPainter, rect: QRect, share: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme().colour("line")))
    painter.drawRoundedRect(QRectF(rect), 2, 2)
    done = QRectF(rect)
    done.setWidth(rect.width() * min(max(share, 0.0), 1.0))
    painter.setBrush(theme().colour("accent"))
    painter.drawRoundedRect(done, 2, 2)


class RowView(QListView):
    """A list of rows.

    Signals:
        chosen: Id of the current row; empty when none is.
        activatedRow: Id, on double click or Enter.
        buttonPressed: Row id and the button's action.
    """

    chosen = Signal(str)
    activatedRow = Signal(str)
    buttonPressed = Signal(str, str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.rows_model = RowsModel(self)
        self.setModel(self.rows_model)
        self.setItemDelegate(RowDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.claims: frozenset[Qt.Key] = frozenset()  # keys that whoever owns the list acts on
        self.selectionModel().currentChanged.connect(self._current)
        self._kept: tuple[list[str], str, int] = ([], "", 0)
        self.rows_model.modelAboutToBeReset.connect(self._keep)
        self.rows_model.modelReset.connect(self._restore)
        self.activated.connect(lambda index: self.activatedRow.emit(_id(index)))
        themes().changed.connect(self.viewport().update)

    def selected_ids(self) -> list[str]:
        """Ids of the selected rows, top to bottom."""
        return [_id(index) for index in sorted(self.selectedIndexes(), key=lambda index: index.row())]

    def _keep(self) -> None:
        """Remember by id what is selected: other rows are about to come."""
        self._kept = (self.selected_ids(), _id(self.currentIndex()), self.verticalScrollBar().value())

    def _restore(self) -> None:
        selected, current, scroll = self._kept
        model = self.selectionModel()
        quiet = QSignalBlocker(model) if self.rows_model.find(current).isValid() else None
        model.setCurrentIndex(self.rows_model.find(current), QItemSelectionModel.SelectionFlag.NoUpdate)
        if quiet is not None:
            quiet.unblock()
        for id_ in selected:
            index = self.rows_model.find(id_)
            if index.isValid():
                model.select(index, QItemSelectionModel.SelectionFlag.Select)
        self.verticalScrollBar().setValue(scroll)

    def choose(self, id_: str) -> None:
        """Make a row the current one."""
        index = self.rows_model.find(id_)
        if index.isValid():
            self.setCurrentIndex(index)

    def event(self, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in self.claims:
            event.accept()  # the key is meant for the list, not for the command that has it elsewhere
            return True
        return super().event(event)

    def _current(self, index: QModelIndex) -> None:
        self.chosen.emit(_id(index))

    def _button_at(self, place: QPoint) -> tuple[str, str, str] | None:
        index = self.indexAt(place)
        if not index.isValid():
            return None
        row: Row = index.data(ROW_ROLE)
        rect = self.visualRect(index)
        number = (rect.right() - 12 - place.x()) // _BUTTON
        if 0 <= number < len(row.buttons) and place.x() <= rect.right() - 12:
            button = row.buttons[len(row.buttons) - 1 - number]
            return row.id, button.action, button.tip
        return None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: D102 - Qt's name
        hit = self._button_at(event.position().toPoint())
        if hit is not None and event.button() is Qt.MouseButton.LeftButton:
            self.buttonPressed.emit(hit[0], hit[1])
            event.accept()
            return
        super().mouseReleaseEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if isinstance(event, QHelpEvent):
            hit = self._button_at(event.pos())
            if hit is not None:
                QToolTip.showText(event.globalPos(), hit[2], self)
                return True
        return super().viewportEvent(event)


def _id(index: Index) -> str:
    row = index.data(ROW_ROLE) if index.isValid() else None
    return row.id if isinstance(row, Row) else ""
