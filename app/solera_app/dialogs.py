"""Small dialogs: plugins, settings, shortcuts, about."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from solera.settings import Settings
from solera_app.actions.table import ACTIONS
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row
from solera_app.theme import font, mono
from solera_app.welcome import Logo


def _dialog(title: str, parent: QWidget, width: int, height: int) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.resize(width, height)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(16, 16, 16, 16)
    column.setSpacing(12)
    return dialog, column


def _close_button(dialog: QDialog, column: QVBoxLayout) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    column.addWidget(buttons)


_STATES = {"loaded": "success", "failed": "error", "incompatible": "warn", "disabled": "text-3", "discovered": "text-3"}


def show_plugins(parent: QWidget, plugins: Iterable[Any]) -> QDialog:
    """Every plugin with its state; the reason and traceback of the one in front."""
    dialog, column = _dialog("Plugins", parent, 720, 520)
    view = RowView("Plugins")
    details = QPlainTextEdit(readOnly=True)
    details.setFont(mono())
    found = {plugin.name: plugin for plugin in plugins}
    view.rows_model.set_rows(
        [
            Row(name, name, ", ".join(f"{c.kind} {c.name}" for c in plugin.contributions), "plugin",
                right=plugin.state.capitalize(), right_token=_STATES.get(plugin.state, "text-3"))
            for name, plugin in found.items()
        ]
    )  # fmt: skip

    def show(name: str) -> None:
        plugin = found.get(name)
        if plugin is not None:
            manifest = plugin.found.manifest
            about = f"{name} {manifest.version}\n{manifest.summary}" if manifest is not None else name
            details.setPlainText("\n\n".join(t for t in (about, plugin.reason, plugin.traceback) if t))

    view.chosen.connect(show)
    column.addWidget(view, 2)
    column.addWidget(details, 1)
    _close_button(dialog, column)
    if found:
        view.choose(next(iter(found)))
    dialog.show()
    return dialog


def show_shortcuts(parent: QWidget) -> QDialog:
    """Every action that has a shortcut."""
    dialog, column = _dialog("Keyboard shortcuts", parent, 460, 560)
    view = RowView("Shortcuts")
    rows: list[Row] = []
    menu = ""
    for action in ACTIONS:
        if action.shortcut:
            if action.menu != menu:
                menu = action.menu
                rows.append(Row(f"section:{menu}", menu, section=True))
            rows.append(
                Row(action.id, action.title.rstrip("…"), right=action.shortcut, right_token="text-2", tip=action.tip)
            )
    view.rows_model.set_rows(rows)
    column.addWidget(view)
    _close_button(dialog, column)
    dialog.show()
    return dialog


def show_about(parent: QWidget, version: str) -> QDialog:
    """Name, version, licence."""
    dialog, column = _dialog("About Solera", parent, 380, 200)
    row = QHBoxLayout()
    row.addWidget(Logo(56))
    words = QLabel(
        f"<b>Solera {version}</b><br>A workbench for weight space.<br><br>Apache License 2.0.", wordWrap=True
    )
    words.setFont(font("body"))
    row.addWidget(words, 1)
    column.addLayout(row)
    column.addStretch(1)
    _close_button(dialog, column)
    dialog.show()
    return dialog


class SettingsDialog(QDialog):
    """The settings a person changes at the window; the rest is in the file.

    Args:
        settings: As they are.
        devices: What may be chosen: ``("auto", "cpu", "cuda:0")``.
        file: Where they are kept, shown at the foot.
        parent: The window.
    """

    def __init__(self, settings: Settings, devices: Iterable[str], file: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setMinimumWidth(460)
        self._settings = settings
        self.theme = QComboBox()
        self.theme.addItems(["system", "light", "dark"])
        self.theme.setCurrentText(settings.theme)
        self.device = QComboBox()
        self.device.addItems(list(devices))
        self.device.setCurrentText(settings.device)
        self.threads = QSpinBox(minimum=0, maximum=1024)
        self.threads.setSpecialValueText("one per core")
        self.threads.setValue(settings.threads)
        self.memory = QSpinBox(minimum=0, maximum=1_000_000, suffix=" MB")
        self.memory.setSpecialValueText("three quarters of the machine's")
        self.memory.setValue(settings.memory // 1_000_000)
        self.folders = QLineEdit(", ".join(settings.plugin_folders), placeholderText="folders, parted by commas")
        form = QFormLayout(self)
        form.setContentsMargins(16, 16, 16, 16)
        form.setHorizontalSpacing(16)
        for title, widget in (
            ("Theme", self.theme),
            ("Device", self.device),
            ("Threads", self.threads),
            ("Memory of all jobs", self.memory),
            ("Plugin folders", self.folders),
        ):
            widget.setAccessibleName(title)
            form.addRow(title, widget)
        where = QLabel(
            f"Device, threads, memory and plugin folders hold from the next start.\nKept in {file}", wordWrap=True
        )
        where.setProperty("tone", "3")
        form.addRow(where)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel | QDialogButtonBox.StandardButton.Save)
        buttons.button(QDialogButtonBox.StandardButton.Save).setProperty("role", "main")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    def settings(self) -> Settings:
        """The settings as chosen."""
        folders = tuple(part.strip() for part in self.folders.text().split(",") if part.strip())
        chosen: Any = self.theme.currentText()
        return dataclasses.replace(
            self._settings,
            theme=chosen,
            device=self.device.currentText(),
            threads=self.threads.value(),
            memory=self.memory.value() * 1_000_000,
            plugin_folders=folders,
        )
