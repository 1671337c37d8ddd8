"""The quick-add menu: type to search over checkpoints, methods and results; Enter adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from solera_app.canvases.additions import Addition, AdditionKind
from solera_app.canvases.ink import draw_icon, draw_text, ink
from solera_app.theme import icon

_ROLE = Qt.ItemDataRole.UserRole
#: By kind of addition.
ICONS: dict[AdditionKind, str] = {
    "checkpoint": "checkpoint",
    "adapter": "adapter",
    "aligned": "compare",
    "method": "merge",
    "statistic": "probe",
    "sum": "add",
    "save": "save",
    "task": "task",
}
_ROW, _CAPTION = 28, 24
_SIZE = QSize(320, 336)


class _Rows(QStyledItemDelegate):
    """Paints a heading, or an icon, a name and a few quiet words."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, _ROW if isinstance(index.data(_ROLE), Addition) else _CAPTION)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(option.rect)
        addition = index.data(_ROLE)
        middle = box.center().y()
        if not isinstance(addition, Addition):
            text = str(index.data(Qt.ItemDataRole.DisplayRole))
            draw_text(painter, text, QPointF(box.left() + 8, middle), "text-3", size="small", width=box.width() - 16)
            painter.restore()
            return
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink("accent-soft"))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)
        token = "accent" if chosen else "text-2"
        draw_icon(painter, ICONS[addition.kind], token, QPointF(box.left() + 8, middle - 8), 16)
        left = box.left() + 34
        used = draw_text(
            painter, addition.title, QPointF(left, middle), "text", weight="medium", width=box.width() * 0.6
        )
        room = box.right() - 8 - left - used - 12
        if addition.detail and room > 40:
            at = QPointF(box.right() - 8, middle)
            draw_text(painter, addition.detail, at, "text-3", size="small", width=room, align="right")
        painter.restore()


class QuickAdd(QFrame):
    """A popup of additions.

    Args:
        offered: What can be added, in order.
        take: Called with what was chosen.
        hint: Placeholder of the search field.
        parent: Owner.
    """

    def __init__(
        self, offered: Sequence[Addition], take: Callable[[Addition], None], hint: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("quickAdd")
        self.setAccessibleName("Add a node")
        self._offered, self._take = list(offered), take
        self.search = QLineEdit(placeholderText=hint)
        self.search.setAccessibleName("Search what to add")
        self.search.addAction(icon("search", "text-3"), QLineEdit.ActionPosition.LeadingPosition)
        self.list = QListWidget()
        self.list.setAccessibleName("What can be added")
        self.list.setItemDelegate(_Rows(self.list))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setStyleSheet(f"background: {ink('raised').name()};")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.list)
        self.setFixedSize(_SIZE)
        self.search.textChanged.connect(self._show)
        self.search.installEventFilter(self)
        self.list.itemClicked.connect(self._clicked)
        self._show("")

    def open_at(self, at: QPoint) -> None:
        """Show it with its top left at a screen position, moved to stay on the screen."""
        screen = self.screen().availableGeometry()
        x = min(max(at.x(), screen.left()), screen.right() - self.width())
        y = min(max(at.y(), screen.top()), screen.bottom() - self.height())
        self.move(x, y)
        self.show()
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def shown(self) -> list[Addition]:
        """What the search leaves."""
        rows = (self.list.item(row).data(_ROLE) for row in range(self.list.count()))
        return [row for row in rows if isinstance(row, Addition)]

    def _show(self, words: str) -> None:
        self.list.clear()
        section = ""
        for addition in (one for one in self._offered if one.matches(words)):
            if addition.section != section:
                section = addition.section
                self._caption(section)
            item = QListWidgetItem(addition.title)
            item.setData(_ROLE, addition)
            item.setToolTip(addition.detail)
            self.list.addItem(item)
        if not self.shown:
            self._caption(f"No match for '{words}'." if words else "Nothing here fits that port.")
        self._step(1, -1)

    def _caption(self, text: str) -> None:
        item = QListWidgetItem(text)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.list.addItem(item)

    def _step(self, by: int, start: int | None = None) -> None:
        """Go to the next addition in a direction, over headings."""
        row = self.list.currentRow() if start is None else start
        while 0 <= (row := row + by) < self.list.count():
            if isinstance(self.list.item(row).data(_ROLE), Addition):
                self.list.setCurrentRow(row)
                return

    def _clicked(self, item: QListWidgetItem) -> None:
        addition = item.data(_ROLE)
        if isinstance(addition, Addition):
            self.close()
            self._take(addition)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The search field keeps the keyboard; arrows, Enter and Tab are the list's."""
        if watched is self.search and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            match event.key():
                case Qt.Key.Key_Down | Qt.Key.Key_Tab:
                    self._step(1)
                    return True
                case Qt.Key.Key_Up | Qt.Key.Key_Backtab:
                    self._step(-1)
                    return True
                case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                    if (item := self.list.currentItem()) is not None:
                        self._clicked(item)
                    return True
                case _:
                    pass
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QEvent) -> None:
        """A raised card."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), ink("raised"))
        painter.setPen(ink("line-strong"))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
