"""The dialog that does a run again with one setting changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from solera_app.theme import font

#: Settings that are offered even where an experiment leaves them at their default.
_OFTEN: dict[str, Any] = {"seed": 0, "budget": 0, "limit": 0, "title": "", "split": "selection", "dtype": ""}
_OF_MERGES: dict[str, Any] = {"dtype": "", "memory_budget": 0}
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", list: "a list"}
_NEVER = frozenset({"solera", "kind", "family", "entries", "base", "recipe", "out", "numbers"})


class RunAgain(QDialog):
    """Choose a setting and give it another value.

    Args:
        title: Of the run.
        kind: Of the run.
        experiment: As it was.
        parent: The window.
    """

    def __init__(self, title: str, kind: str, experiment: Mapping[str, Any], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Run again")
        self.setMinimumWidth(460)
        self._settings = settings(kind, experiment)
        head = QLabel(title, wordWrap=True)
        head.setFont(font("body", "semibold"))
        self.setting = QComboBox()
        self.setting.addItems(list(self._settings))
        self.setting.setAccessibleName("Setting")
        self.setting.setToolTip("What is to be different this time")
        self.value = QLineEdit()
        self.value.setAccessibleName("New value")
        self.value.setToolTip("A number, true or false, or text; lists are written [a, b]")
        self.told = QLabel(wordWrap=True)
        self.told.setProperty("tone", "3")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.go = buttons.addButton("Run", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go.setProperty("role", "main")
        self.go.setToolTip("Queue it as a job; the run there is stays")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow("Setting", self.setting)
        form.addRow("New value", self.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(head)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addWidget(buttons)
        self.setting.currentTextChanged.connect(self._choose)
        self.value.textChanged.connect(lambda _: self._judge())
        self._choose(self.setting.currentText())

    def _choose(self, name: str) -> None:
        value = self._settings[name]
        self.value.setText(value if isinstance(value, str) else json.dumps(value))
        self._judge()

    def _judge(self) -> None:
        was, now = self._settings[self.setting.currentText()], self.typed()
        fits = type(was) is type(now) or (isinstance(was, float) and isinstance(now, int)) or was is None
        same = "The value is as it was; this repeats the run." if now == was else f"It was {json.dumps(was)}."
        wanted = {int: "a whole number", float: "a number", bool: "true or false", list: "a list"}.get(
            type(was), "text"
        )
        self.told.setText(same if fits else f"'{self.setting.currentText()}' takes {wanted}, not {json.dumps(now)}.")
        self.go.setEnabled(fits)

    def typed(self) -> Any:
        """The value in the field, in the form of the one it replaces."""
        text = self.value.text().strip()
        if isinstance(self._settings[self.setting.currentText()], str):
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def changes(self) -> dict[str, Any]:
        """What is to be different, by dotted name."""
        return {self.setting.currentText(): self.typed()}


def settings(kind: str, experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that can be changed, by dotted name, with their values; those of the explorer first."""
    found = dict(_flat({key: value for key, value in experiment.items() if key not in _NEVER}))
    params = {name: value for name, value in found.items() if name.startswith(("explorer.params", "probe.params"))}
    common = _OF_MERGES if kind == "merge" else _OFTEN
    offered = {name: found.get(name, default) for name, default in common.items()}
    return {**params, **offered, **found}


def _flat(plain: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in plain.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", list(value) if isinstance(value, tuple) else value))
    return rows
