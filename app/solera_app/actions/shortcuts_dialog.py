"""The dialog of keyboard shortcuts: every command, its keys, and a field to give it others."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from solera.errors import InputError
from solera_app.actions.shortcuts import Shortcuts
from solera_app.actions.table import ACTIONS
from solera_app.bridge.slots import guarded
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row


class ShortcutsDialog(QDialog):
    """Every command with its keys; what is chosen can be given others.

    Args:
        shortcuts: What is in force; changed at once.
        parent: The window.

    Signals:
        changed: Some command has other keys now.
    """

    changed = Signal()

    def __init__(self, shortcuts: Shortcuts, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.resize(520, 620)
        self.setMinimumSize(420, 360)
        self.shortcuts = shortcuts
        self._id = ""
        self.search = QLineEdit(placeholderText="Search commands or keys", clearButtonEnabled=True)
        self.search.setAccessibleName("Search commands or keys")
        self.search.setToolTip("Words of a command, or keys such as Ctrl+S")
        self.view = RowView("Commands and their keys")
        self.keys = QKeySequenceEdit()
        self.keys.setMaximumSequenceLength(1)
        self.keys.setClearButtonEnabled(True)
        self.keys.setAccessibleName("New keys")
        self.keys.setToolTip("Click here and press the keys the command is to have; empty takes them away")
        self.give = QPushButton("Set keys")
        self.give.setProperty("role", "main")
        self.give.setToolTip("Give the chosen command these keys")
        self.back = QPushButton("Reset")
        self.back.setToolTip("Give the chosen command its own keys again")
        self.told = QLabel(wordWrap=True)
        self.told.setMinimumHeight(36)
        self.told.setProperty("tone", "3")
        self._lay_out()
        self.search.textChanged.connect(self._show)
        self.view.chosen.connect(self._choose)
        self.give.clicked.connect(guarded(lambda _=False: self._do(lambda: self._set())))
        self.back.clicked.connect(guarded(lambda _=False: self._do(lambda: self.shortcuts.reset(self._id))))
        self._show("")
        self.choose(next(row.id for row in ACTIONS))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.view, 1)
        row = QHBoxLayout()
        for widget, share in ((self.keys, 1), (self.give, 0), (self.back, 0)):
            row.addWidget(widget, share)
        column.addLayout(row)
        column.addWidget(self.told)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.all_back = buttons.addButton("Reset all", QDialogButtonBox.ButtonRole.ResetRole)
        self.all_back.setToolTip("Give every command its own keys again")
        self.all_back.clicked.connect(guarded(lambda _=False: self._do(self.shortcuts.reset)))
        buttons.rejected.connect(self.close)
        column.addWidget(buttons)

    def choose(self, id_: str) -> None:
        """Choose a command by its id."""
        self.view.choose(id_)

    def _set(self) -> None:
        self.shortcuts.set(self._id, self.keys.keySequence().toString(QKeySequence.SequenceFormat.PortableText))

    def _do(self, change: Callable[[], None]) -> None:
        try:
            change()
        except InputError as error:
            self._say(str(error), "error")
            return
        self._say("Kept.", "3")
        self._show(self.search.text())
        self._choose(self._id)
        self.changed.emit()

    def _say(self, sentence: str, tone: str) -> None:
        self.told.setProperty("tone", tone)
        self.told.setText(sentence)
        self.told.style().polish(self.told)

    def _choose(self, id_: str) -> None:
        known = any(row.id == id_ for row in ACTIONS)
        for widget in (self.keys, self.give, self.back):
            widget.setEnabled(known)
        if not known:
            return
        if id_ != self._id:
            self._say("", "3")
        self._id = id_
        self.keys.setKeySequence(QKeySequence(self.shortcuts.of(id_)))
        self.back.setEnabled(self.shortcuts.is_own(id_))

    def _show(self, text: str) -> None:
        words = text.lower().split()
        rows: list[Row] = []
        menu = ""
        for action in ACTIONS:
            keys = self.shortcuts.of(action.id)
            if not all(word in f"{action.menu} {action.title} {action.tip} {keys}".lower() for word in words):
                continue
            if action.menu != menu:
                menu = action.menu
                rows.append(Row(f"section:{menu}", menu, section=True))
            own = self.shortcuts.is_own(action.id)
            rows.append(
                Row(action.id, action.title.rstrip("…"), right=keys or "none", tip=action.tip,
                    right_token="accent" if own else "text-2" if keys else "text-3")
            )  # fmt: skip
        if not rows:
            rows = [Row("section:none", f"No match for '{text}'", section=True)]
        self.view.rows_model.set_rows(rows)
        if self._id:
            self.view.choose(self._id)
