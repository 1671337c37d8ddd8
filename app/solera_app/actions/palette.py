"""The command palette: every action by name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QVBoxLayout, QWidget

from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row


class Palette(QFrame):
    """A popup over the window: type, arrow keys, Enter.

    Signals:
        chosen: The action's id.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._window = parent
        self.setProperty("role", "card")
        self.setFixedSize(480, 380)
        self._actions: Sequence[tuple[str, str, QAction]] = ()
        self.search = QLineEdit(placeholderText="Search commands")
        self.search.setAccessibleName("Search commands")
        self.search.setToolTip("Words of a command in any order; arrows choose, Enter does it")
        self.view = RowView("Commands")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.search)
        column.addWidget(self.view)
        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self._take)
        self.search.installEventFilter(self)
        self.view.clicked.connect(lambda _: self._take())

    def open_with(self, actions: Sequence[tuple[str, str, QAction]]) -> None:
        """Show over the parent; ``actions`` are ``(id, menu, action)``."""
        self._actions = actions
        self.search.clear()
        self._show("")
        window = self._window
        place = window.mapToGlobal(window.rect().topLeft())
        self.move(place.x() + (window.width() - self.width()) // 2, place.y() + 64)
        self.show()
        self.search.setFocus()

    def _show(self, text: str) -> None:
        words = text.lower().split()
        rows = []
        for id_, menu, action in self._actions:
            title = action.text().replace("&", "")
            if action.isEnabled() and all(word in f"{menu} {title} {action.toolTip()}".lower() for word in words):
                rows.append(Row(id_, title, "", right=action.shortcut().toString(), tip=action.toolTip()))
        if not rows:
            rows = [Row("section:none", f"No match for '{text}'", section=True)]
        self.view.rows_model.set_rows(rows)
        self.view.setCurrentIndex(self.view.rows_model.index(0))

    def _take(self) -> None:
        chosen = self.view.selected_ids()
        self.hide()
        if chosen:
            self.chosen.emit(chosen[0])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None:
                row = self.view.currentIndex().row() + step
                if 0 <= row < self.view.rows_model.rowCount():
                    self.view.setCurrentIndex(self.view.rows_model.index(row))
                return True
        return super().eventFilter(watched, event)
