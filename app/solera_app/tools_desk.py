"""What the Tools and Help menus do: settings, plugins, shortcuts, the theme."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from solera.settings import load_settings, save_settings, settings_file
from solera_app.actions.shortcuts_dialog import ShortcutsDialog
from solera_app.bridge.slots import notices
from solera_app.dialogs import answered, show_about
from solera_app.theme import theme, themes

if TYPE_CHECKING:
    from solera.extend.registry import Registry
    from solera.settings import Settings
    from solera_app.desk import Desk
    from solera_app.plugin_manager import PluginManager


class ToolsDesk(QObject):
    """Settings, plugins and shortcuts.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self.manager: PluginManager | None = None  # the one that was opened last
        self._registry: Registry | None = None  # of a window without a project

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions do."""
        return {
            "view.theme": lambda: self._set_theme("light" if theme().name == "dark" else "dark"),
            "tools.plugins": self.show_plugins,
            "tools.settings": self.edit_settings,
            "help.shortcuts": self.edit_shortcuts,
            "help.about": self._about,
        }

    # --- settings --------------------------------------------------------------------------------------------------

    def keep(self, settings: Settings) -> None:
        """Put settings in force and write down what changed: not what the environment said for this session."""
        before = self._desk.settings
        self._desk.settings = settings
        changed = {
            item.name: getattr(settings, item.name)
            for item in dataclasses.fields(settings)
            if getattr(settings, item.name) != getattr(before, item.name)
        }
        if changed:
            save_settings(dataclasses.replace(load_settings({}), **changed))
        themes().apply(settings.theme)
        if self._desk.workbench is not None:
            self._desk.workbench.use(settings)
        if changed.keys() & {"plugin_folders", "disabled_plugins", "safe_mode"}:
            self.reload_plugins()

    def _set_theme(self, choice: Any) -> None:
        self.keep(dataclasses.replace(self._desk.settings, theme=choice))

    def edit_settings(self) -> None:
        """Show the settings and keep what is chosen."""
        from solera.jobs.lanes import detect_lanes
        from solera_app.settings_dialog import SettingsDialog

        bench = self._desk.workbench
        lanes = bench.jobs.lanes if bench is not None else detect_lanes()
        dialog = SettingsDialog(self._desk.settings, lanes, str(settings_file()), self._window)
        if answered(dialog):
            self.keep(dialog.settings())

    # --- plugins ---------------------------------------------------------------------------------------------------

    @property
    def registry(self) -> Registry:
        """What is registered now: the project's, or without one what would be."""
        from solera.extend.registry import Registry

        if self._desk.workbench is not None:
            return self._desk.workbench.registry
        if self._registry is None:
            settings = self._desk.settings
            self._registry = Registry.discover(
                settings.all_plugin_folders, disabled=settings.disabled_plugins, safe_mode=self._desk.safe_mode
            )
        return self._registry

    def show_plugins(self) -> None:
        """Open the plugin manager."""
        from solera_app.plugin_manager import PluginManager

        if self.manager is not None:
            self.manager.close()
            self.manager.deleteLater()
        manager = PluginManager(self.registry.plugins, self._desk.settings, self._window)
        manager.switched.connect(self._switch)
        manager.reloadRequested.connect(self.reload_plugins)
        self.manager = manager
        manager.show()

    def _switch(self, name: str, on: bool) -> None:
        off = [item for item in self._desk.settings.disabled_plugins if item != name]
        chosen = tuple(off if on else [*off, name])
        self.keep(dataclasses.replace(self._desk.settings, disabled_plugins=chosen))

    def reload_plugins(self) -> None:
        """Read the plugins' code anew; documents stay, results of what changed are marked stale."""
        settings, bench = self._desk.settings, self._desk.workbench
        if bench is not None:
            changed = bench.reload_plugins()
            self._desk.recipes.plugins_reloaded(changed)
            self._desk.runs.refresh()
        else:
            changed = self.registry.reload(
                settings.all_plugin_folders, disabled=settings.disabled_plugins, safe_mode=self._desk.safe_mode
            )
        if self.manager is not None:
            self.manager.show_plugins(self.registry.plugins, settings)
        failed = [plugin.name for plugin in self.registry.plugins if plugin.state == "failed"]
        words = f"Plugins read again; changed: {', '.join(changed) or 'none'}."
        notices().say(
            "warning" if failed else "info", words + (f" Not working: {', '.join(failed)}." if failed else "")
        )

    # --- the rest --------------------------------------------------------------------------------------------------

    def edit_shortcuts(self) -> None:
        """Open the dialog of shortcuts, or bring it to the front."""
        for opened in self._window.findChildren(ShortcutsDialog):
            if opened.isVisible():
                opened.raise_()
                opened.activateWindow()
                return
        dialog = ShortcutsDialog(self._window.shortcuts, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(self._window.show_shortcuts)
        dialog.show()

    def _about(self) -> None:
        from importlib.metadata import version

        show_about(self._window, version("solera"))
