"""The plugin manager: every plugin with its state, what it brings, what went wrong; switched on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from solera.settings import config_folder
from solera_app.bridge.slots import guarded
from solera_app.docks.row_view import RowView
from solera_app.docks.subject import Facts, Subject
from solera_app.models.rows import Row
from solera_app.theme import mono

if TYPE_CHECKING:
    from solera.extend.registry import Plugin
    from solera.settings import Settings

_STATES = {
    "loaded": ("In use", "success", "done"),
    "discovered": ("Ready", "text-3", "check"),
    "failed": ("Failed", "error", "error"),
    "incompatible": ("Does not fit", "warn", "warning"),
    "disabled": ("Off", "text-3", "pause"),
}
_ORIGINS = {
    "builtin": "part of Solera", "shipped": "comes with Solera", "installed": "installed as a package",
    "folder": "in a plugin folder",
}  # fmt: skip


class PluginManager(QDialog):
    """The list of plugins at the left, the chosen one at the right.

    Args:
        plugins: As the registry has them.
        settings: Which are switched off.
        parent: The window.

    Signals:
        switched: Name, and whether it is to be on.
        reloadRequested: Read all plugins again.
    """

    switched = Signal(str, bool)
    reloadRequested = Signal()

    def __init__(self, plugins: Sequence[Plugin], settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Plugins")
        self.resize(860, 560)
        self.setMinimumSize(640, 420)
        self._plugins: dict[str, Plugin] = {}
        self._off: frozenset[str] = frozenset()
        self._name = ""
        self.search = QLineEdit(placeholderText="Search plugins and what they bring", clearButtonEnabled=True)
        self.search.setAccessibleName("Search plugins")
        self.search.setToolTip("Words of a plugin's name, or of a method, view or format it brings")
        self.view = RowView("Plugins")
        self.subject, self.facts = Subject(), Facts()
        self.brings = RowView("What it brings")
        self.trouble = QPlainTextEdit(readOnly=True)
        self.trouble.setAccessibleName("What went wrong")
        self.trouble.setToolTip("What went wrong, in full")
        self.trouble.setFont(mono())
        self.switch = QPushButton("Switch off")
        self.folder = QPushButton("Open folder")
        self.copy = QPushButton("Copy the trouble")
        self._lay_out()
        self.search.textChanged.connect(lambda _: self._show())
        self.view.chosen.connect(self._choose)
        self.switch.clicked.connect(guarded(lambda _=False: self.switched.emit(self._name, self._name in self._off)))
        self.folder.clicked.connect(guarded(lambda _=False: self._open_folder()))
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.trouble.toPlainText()))
        self.show_plugins(plugins, settings)

    def _lay_out(self) -> None:
        left, right = QWidget(), QWidget()
        one, two = QVBoxLayout(left), QVBoxLayout(right)
        for column in (one, two):
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(8)
        one.addWidget(self.search)
        one.addWidget(self.view, 1)
        two.setContentsMargins(12, 0, 0, 0)
        two.addWidget(self.subject)
        two.addWidget(self.facts)
        two.addWidget(self.brings, 2)
        two.addWidget(self.trouble, 1)
        row = QHBoxLayout()
        for button, tip in (
            (self.switch, "A plugin that is off is not imported; its nodes keep their data"),
            (self.folder, "Show the plugin's files in the file manager"),
            (self.copy, "Put sentence and traceback on the clipboard"),
        ):
            button.setToolTip(tip)
            row.addWidget(button)
        row.addStretch(1)
        two.addLayout(row)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setSizes([340, 500])
        split.setChildrenCollapsible(False)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.reload = buttons.addButton("Reload plugins", QDialogButtonBox.ButtonRole.ActionRole)
        self.reload.setToolTip("Read every plugin's code again; documents stay, results of what changed turn stale")
        self.reload.clicked.connect(lambda: self.reloadRequested.emit())
        self.own = buttons.addButton("Open plugin folder", QDialogButtonBox.ButtonRole.ActionRole)
        self.own.setToolTip("Your own plugins go there; solera plugin new NAME makes one")
        self.own.clicked.connect(guarded(lambda _=False: self._open_own()))
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(split, 1)
        foot = QLabel(
            "A plugin's code may do whatever you may. Safe mode (Settings) loads only what comes with Solera."
        )
        foot.setProperty("tone", "3")
        foot.setWordWrap(True)
        column.addWidget(foot)
        column.addWidget(buttons)

    def show_plugins(self, plugins: Sequence[Plugin], settings: Settings) -> None:
        """Show these instead."""
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._off = frozenset(settings.disabled_plugins)
        self._show()
        self._choose(self._name if self._name in self._plugins else next(iter(self._plugins), ""))

    def _show(self) -> None:
        words = self.search.text().lower().split()
        rows = []
        for name, plugin in self._plugins.items():
            brings = " ".join(f"{item.kind} {item.name} {item.title}" for item in plugin.contributions)
            if not all(word in f"{name} {brings}".lower() for word in words):
                continue
            state, token, look = _STATES[plugin.state]
            rows.append(
                Row(name, name, _facts(plugin), "plugin", right=state, right_token=token, right_icon=look,
                    dim=plugin.state == "disabled", tip=plugin.reason or _facts(plugin))
            )  # fmt: skip
        self.view.rows_model.set_rows(
            rows or [Row("section:none", f"No match for '{self.search.text()}'", section=True)]
        )
        self.view.choose(self._name)

    def choose(self, name: str) -> None:
        """Show a plugin."""
        self.view.choose(name)

    def _choose(self, name: str) -> None:
        plugin = self._plugins.get(name)
        if plugin is None:
            return
        self._name = name
        self.view.choose(name)
        manifest = plugin.found.manifest
        about = manifest.summary if manifest is not None else "Its plugin.toml cannot be read."
        self.subject.show_subject("plugin", name, about, _STATES[plugin.state][0])
        folder = str(plugin.found.folder or "")
        facts = [
            ("Version", manifest.version if manifest is not None else ""),
            ("From", _ORIGINS[plugin.found.origin]),
            ("Folder", folder),
        ]
        self.facts.show_facts([(title, text) for title, text in facts if text])
        self.brings.rows_model.set_rows(_contributions(plugin))
        trouble = "\n\n".join(text for text in (plugin.reason, plugin.traceback) if text)
        self.trouble.setPlainText(trouble)
        self.trouble.setVisible(bool(trouble))
        self.copy.setVisible(bool(trouble))
        self.folder.setEnabled(bool(folder))
        self.switch.setText("Switch on" if name in self._off else "Switch off")
        self.switch.setEnabled(plugin.found.origin != "builtin")

    def _open_folder(self) -> None:
        plugin = self._plugins.get(self._name)
        if plugin is not None and plugin.found.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(plugin.found.folder)))

    @staticmethod
    def _open_own() -> None:
        folder = config_folder() / "plugins"
        folder.mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _facts(plugin: Plugin) -> str:
    """``"0.1.0 · 13 methods, 2 views"``."""
    manifest = plugin.found.manifest
    kinds: dict[str, int] = {}
    for item in plugin.contributions:
        kinds[item.kind] = kinds.get(item.kind, 0) + 1
    brings = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items())
    return " · ".join(part for part in (manifest.version if manifest else "", brings) if part) or "nothing"


def _contributions(plugin: Plugin) -> list[Row]:
    rows: list[Row] = []
    kind = ""
    for item in sorted(plugin.contributions, key=lambda item: (item.kind, item.title.lower())):
        if item.kind != kind:
            kind = item.kind
            count = sum(other.kind == kind for other in plugin.contributions)
            rows.append(Row(f"section:{kind}", f"{kind.capitalize()}s", section=True, right=str(count)))
        rows.append(Row(f"{kind}:{item.name}", item.title, tip=item.summary, right=item.name))
    return rows
