"""A new task of the project: any kind that is registered, its parameters from its schema."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from solera.errors import Fault, SoleraError
from solera.params import Value, decode_all, encode
from solera.projects.project_file import is_name
from solera_app.docks.form import Declared, Form
from solera_app.explore_family import field_label


class TaskDialog(QDialog):
    """Choose a kind, fill in its parameters, name it.

    Args:
        kinds: Registered kinds of task by name.
        taken: Names that the project's tasks have.
        add: Keeps the task: ``add(name, kind, params)``; what it raises is shown, and the dialog stays.
        parent: The window, or the dialog that wants a task.
    """

    def __init__(
        self,
        kinds: Mapping[str, Declared],
        taken: Collection[str],
        add: Callable[[str, str, dict[str, Any]], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("New task")
        self.setMinimumWidth(520)
        self._kinds, self._taken, self._add = kinds, taken, add
        self._given: dict[str, dict[str, Value]] = {name: _first(kinds[name]) for name in kinds}
        self.kind = QComboBox()
        self.kind.setAccessibleName("Kind")
        self.kind.setToolTip("What is measured on what")
        for name, row in kinds.items():
            self.kind.addItem(row.title, name)
            self.kind.setItemData(self.kind.count() - 1, row.summary, Qt.ItemDataRole.ToolTipRole)
        self.name = QLineEdit(placeholderText="such as quiz")
        self.name.setAccessibleName("Name")
        self.name.setToolTip("What scores of this task are called")
        self.summary = QLabel(wordWrap=True)
        self.summary.setProperty("tone", "3")
        self.params = Form(label_width=100)
        self._why = QLabel(wordWrap=True)
        self._why.setProperty("tone", "warn")
        rows = QFormLayout()
        rows.setHorizontalSpacing(16)
        for label, field in (("Kind", self.kind), ("", self.summary), ("Name", self.name)):
            rows.addRow(field_label(label), field)
        note = QLabel("Paths are relative to the project's folder. The task is written to solera.toml.", wordWrap=True)
        note.setProperty("tone", "3")
        buttons = QDialogButtonBox()
        buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole).setAutoDefault(False)
        self.go: QPushButton = buttons.addButton("Add", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setProperty("role", "main")
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addLayout(rows)
        for part in (self.params, note, self._why, buttons):
            column.addWidget(part)
        self.kind.currentIndexChanged.connect(lambda _: self._show())
        self.name.textChanged.connect(lambda _: self._refresh())
        self.params.changed.connect(self._param)
        self._show()

    def _show(self) -> None:
        row = self._kinds[self.kind.currentData()]
        self.summary.setText(row.summary)
        self.params.show_specs(row.params, self._given[self.kind.currentData()], variables=False)
        self._refresh()

    def _param(self, name: str, value: Value | None) -> None:
        given = self._given[self.kind.currentData()]
        given.pop(name, None)
        if value not in (None, ""):
            given[name] = value
        self._refresh()

    def _refresh(self) -> None:
        name, kind = self.name.text().strip(), self.kind.currentData()
        faults: list[Fault] = []
        decode_all(self.plain(), self._kinds[kind].params, "params", faults)
        why = ""
        if not is_name(name):
            why = "Give it a name of letters, digits, - and _." if name else "Give it a name."
        elif name in self._taken:
            why = f"There is a task '{name}' already; its entry in solera.toml changes it."
        elif faults:
            why = faults[0].message
        self._why.setText(why)
        self._why.setVisible(bool(why))
        self.go.setEnabled(not why)

    def plain(self) -> dict[str, Any]:
        """The parameters as an entry of solera.toml has them."""
        return {key: encode(value) for key, value in self._given[self.kind.currentData()].items()}

    def _accept(self) -> None:
        try:
            self._add(self.name.text().strip(), self.kind.currentData(), self.plain())
        except SoleraError as error:
            self._why.setText(str(error))
            self._why.show()
            return
        self.accept()


def _first(kind: Declared) -> dict[str, Value]:
    """What stands in the form of a kind at first: the first of required choices."""
    return {spec.name: spec.choices[0] for spec in kind.params if spec.required and spec.choices}
