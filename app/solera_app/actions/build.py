"""From the table of actions to QActions, menus and the toolbar."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar, QToolBar, QWidget

from solera_app.actions.shortcuts import Shortcuts
from solera_app.actions.table import ACTIONS, MENUS
from solera_app.bridge.slots import guarded
from solera_app.theme import icon, themes


class Actions(QObject):
    """Every QAction by id, enabled by conditions.

    Args:
        handlers: What each action does, by id; an action without one is left out.
        parent: The window.
        shortcuts: Which keys they have; those of the table if None.
    """

    def __init__(
        self, handlers: Mapping[str, Callable[[], None]], parent: QObject, shortcuts: Shortcuts | None = None
    ) -> None:
        super().__init__(parent)
        self.shortcuts = shortcuts
        self.by_id: dict[str, QAction] = {}
        self._when = {row.id: row.when for row in ACTIONS}
        for row in ACTIONS:
            if row.id not in handlers:
                continue
            action = QAction(row.title, self)
            action.setStatusTip(row.tip)
            action.setCheckable(row.checkable)
            action.triggered.connect(_plain(handlers[row.id]))
            self.by_id[row.id] = action
        self.show_shortcuts()
        themes().changed.connect(self._recolour)
        self._recolour()

    def show_shortcuts(self) -> None:
        """Give every action the keys it has now, and say so in its tooltip."""
        for row in ACTIONS:
            if row.id in self.by_id:
                keys = self.shortcuts.of(row.id) if self.shortcuts is not None else row.shortcut
                self.by_id[row.id].setShortcut(QKeySequence(keys))
                self.by_id[row.id].setShortcutContext(_IN_TABS if is_bare(keys) else Qt.ShortcutContext.WindowShortcut)
                told = f" ({keys})" if keys else ""
                self.by_id[row.id].setToolTip(f"{row.title.rstrip('…')}{told}\n{row.tip}")

    def confine(self, widget: QWidget) -> None:
        """Let keys without Ctrl or Alt (Tab, Del, F) do something only while the focus is in this widget.

        Everywhere else Tab goes to the next control, and letters are typed.
        """
        for action in self.by_id.values():
            widget.addAction(action)

    def fill_menus(self, bar: QMenuBar) -> None:
        """Make the menus."""
        menus = {name: bar.addMenu(f"&{name}") for name in MENUS}
        for row in ACTIONS:
            if row.menu and row.id in self.by_id:
                if row.separator:
                    menus[row.menu].addSeparator()
                menus[row.menu].addAction(self.by_id[row.id])

    def fill_toolbar(self, bar: QToolBar) -> None:
        """Make the toolbar: groups by number, a separator between."""
        bar.setIconSize(QSize(18, 18))
        rows = sorted((row for row in ACTIONS if row.toolbar and row.id in self.by_id), key=lambda row: row.toolbar)
        for before, row in zip([None, *rows], rows, strict=False):
            if before is not None and before.toolbar != row.toolbar:
                bar.addSeparator()
            bar.addAction(self.by_id[row.id])
            button = bar.widgetForAction(self.by_id[row.id])
            button.setAccessibleName(row.title)

    def enable(self, holds: frozenset[str]) -> None:
        """Enable each action whose condition is empty or in ``holds``."""
        for id_, action in self.by_id.items():
            when = self._when[id_]
            action.setEnabled(not when or when in holds)

    def _recolour(self) -> None:
        for row in ACTIONS:
            if row.icon and row.id in self.by_id:
                self.by_id[row.id].setIcon(icon(row.icon, "text-2", 18))


_IN_TABS = Qt.ShortcutContext.WidgetWithChildrenShortcut


def is_bare(keys: str) -> bool:
    """Whether keys are one without Ctrl, Alt or Meta, and no function key."""
    last = keys.rpartition("+")[2]
    held = keys.lower().replace("shift+", "")
    return bool(keys) and "+" not in held and not (last[:1] in "Ff" and last[1:].isdigit())


def _plain(handler: Callable[[], None]) -> Callable[..., None]:
    safe = guarded(handler)
    return lambda *_: safe()
