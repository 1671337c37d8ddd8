"""The dialog of settings: devices, memory, threads, the theme, plugin folders, safe mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from solera.settings import Settings
from solera_app.bridge.slots import guarded
from solera_app.docks.panel import line

_THEMES = {"system": "as the system", "light": "light", "dark": "dark"}


class SettingsDialog(QDialog):
    """The settings a person changes at the window; the rest is in the file.

    Args:
        settings: As they are.
        lanes: What the machine has: ``("cpu", "cuda:0")``.
        file: Where they are kept, shown at the foot.
        parent: The window.
    """

    def __init__(self, settings: Settings, lanes: Iterable[str], file: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setMinimumWidth(520)
        self._settings = settings
        self.theme = _choices(_THEMES, settings.theme)
        self.device = _choices(devices_of(lanes, settings.device), settings.device)
        self.threads = QSpinBox(minimum=0, maximum=1024)
        self.threads.setSpecialValueText("one per core")
        self.threads.setValue(settings.threads)
        self.memory = QSpinBox(minimum=0, maximum=100_000_000, suffix=" MB", singleStep=1000)
        self.memory.setGroupSeparatorShown(True)
        self.memory.setSpecialValueText("three quarters of what is free")
        self.memory.setValue(settings.memory // 1_000_000)
        self.folders = QListWidget()
        self.folders.addItems(list(settings.plugin_folders))
        self.folders.setFixedHeight(84)
        self.folders.setProperty("role", "field")
        self.safe = QCheckBox("Load only the plugins that come with Solera")
        self.safe.setChecked(settings.safe_mode)
        self._lay_out(file)

    def _lay_out(self, file: str) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        rows: tuple[tuple[str, QWidget, str], ...] = (
            ("Theme", self.theme, "Light or dark, or as the system has it"),
            ("Device", self.device, "Where jobs run that name no device of their own"),
            ("Threads", self.threads, "CPU threads for tensor work, shared by the jobs that run"),
            ("Memory of all jobs", self.memory, "What they may hold together; a job that cannot fit is refused"),
            ("Plugin folders", self._folder_box(), "Folders whose subfolders are plugins"),
            ("Safe mode", self.safe, "For when a plugin makes trouble; nothing of the others is imported"),
        )
        for title, widget, tip in rows:
            label = QLabel(title)
            label.setProperty("tone", "2")
            label.setToolTip(tip)
            target = self.folders if title == "Plugin folders" else widget
            target.setAccessibleName(title)
            target.setToolTip(tip)
            form.addRow(label, widget)
        where = QLabel(
            f"Devices, threads and memory hold for jobs that start from now on; plugins are read again at once.\n"
            f"Kept in {file}",
            wordWrap=True,
        )
        where.setProperty("tone", "3")
        where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel | QDialogButtonBox.StandardButton.Save)
        buttons.button(QDialogButtonBox.StandardButton.Save).setProperty("role", "main")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(line())
        column.addWidget(where)
        column.addStretch(1)
        column.addWidget(buttons)

    def _folder_box(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.folders, 1)
        column = QVBoxLayout()
        self.add = QPushButton("Add…")
        self.add.setToolTip("Choose a folder whose subfolders are plugins")
        self.add.clicked.connect(guarded(lambda _=False: self._ask_folder()))
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the chosen folder off the list; its files stay")
        self.remove.clicked.connect(guarded(lambda _=False: self._remove_folder()))
        column.addWidget(self.add)
        column.addWidget(self.remove)
        column.addStretch(1)
        row.addLayout(column)
        self.folders.currentRowChanged.connect(lambda place: self.remove.setEnabled(place >= 0))
        self.remove.setEnabled(False)
        return box

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Plugin folder", str(Path.home()))
        if chosen and not self.folders.findItems(chosen, Qt.MatchFlag.MatchExactly):
            self.folders.addItem(chosen)

    def _remove_folder(self) -> None:
        self.folders.takeItem(self.folders.currentRow())

    def settings(self) -> Settings:
        """The settings as chosen."""
        theme: Any = self.theme.currentData()
        memory = self.memory.value() * 1_000_000
        return dataclasses.replace(
            self._settings,
            theme=theme,
            device=self.device.currentData(),
            threads=self.threads.value(),
            memory=self._settings.memory if memory == self._settings.memory // 1_000_000 * 1_000_000 else memory,
            plugin_folders=tuple(self.folders.item(place).text() for place in range(self.folders.count())),
            safe_mode=self.safe.isChecked(),
        )


def devices_of(lanes: Iterable[str], now: str) -> dict[str, str]:
    """What may be chosen as device, with what it means; what is set now is among it, whatever it is."""
    accelerators = [lane for lane in lanes if lane != "cpu"]
    found = {"auto": f"automatic ({accelerators[0] if accelerators else 'cpu'})", "cpu": "cpu"}
    found |= {lane: lane for lane in accelerators}
    if len(accelerators) > 1:
        found["all"] = f"all {len(accelerators)} accelerators"
    return found if now in found else found | {now: f"{now} (not there)"}


def _choices(told: dict[str, str], chosen: str) -> QComboBox:
    box = QComboBox()
    for value, words in told.items():
        box.addItem(words, value)
    box.setCurrentIndex(max(0, box.findData(chosen)))
    return box
