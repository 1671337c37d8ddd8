"""Keeps the session while one works, so that a crash loses neither tabs nor layout, and opens it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QDockWidget, QWidget

from solera_app.bridge.slots import guarded
from solera_app.tabs import BlendTab, Tab

if TYPE_CHECKING:
    from solera_app.desk import Desk

#: Milliseconds from a change to its being written down.
KEEP_MS = 600


class SessionKeeper(QObject):
    """Writes down what is open and how it is laid out, a little after it changes.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self._quiet = True  # while a project is opened or closed, tabs come and go by themselves
        self._later = QTimer(self, interval=KEEP_MS, singleShot=True)
        self._later.timeout.connect(guarded(self.keep))
        window = self._window
        window.tabChanged.connect(self._changed)
        window.tabs.tabBar().tabMoved.connect(self._changed)
        for dock in window.findChildren(QDockWidget):
            dock.visibilityChanged.connect(self._changed)
            dock.dockLocationChanged.connect(self._changed)

    def _changed(self, *_: object) -> None:
        if not self._quiet:
            self._later.start()

    def pause(self) -> None:
        """A project closes: what was open stays written down."""
        if not self._quiet:
            self.keep()
        self._quiet = True
        self._later.stop()

    def keep(self) -> None:
        """Write it down now."""
        project = self._desk.workbench.project if self._desk.workbench is not None else None
        if project is None:
            return
        session, tabs = self._desk.session, self._window.tabs
        keys = [key for place in range(tabs.count()) if (key := key_of(tabs.widget(place)))]
        session.keep_work(project.folder, keys, key_of(tabs.currentWidget()))
        session.keep_tabs(project.folder, self._desk.recipes.open_paths())
        session.keep_layout(*self._window.layout_state())

    def restore(self) -> None:
        """Open what else was open in the project: runs and interpolations, in their order; then keep watch."""
        bench = self._desk.workbench
        if bench is not None and bench.project is not None:
            folder = bench.project.folder
            front, keys = self._desk.session.front(folder), self._desk.session.work(folder)
            for key in keys:
                guarded(self._open)(key)
            self._order(keys)
            widget = self._find(front)
            if widget is not None:
                self._window.tabs.setCurrentWidget(widget)
        self._quiet = False

    def _open(self, key: str) -> None:
        from solera.runs.header import run_path

        kind, _, name = key.partition(":")
        bench = self._desk.workbench
        if kind == "run" and bench is not None and run_path(bench.runs_folder, name).is_file():
            self._desk.runs.open(name, front=False)
        for opened in self._desk.recipes.documents if kind in ("interpolation", "soup") else ():
            if opened.path != Path(name):
                continue
            if kind == "soup" and opened.document.soup.pool:
                self._desk.recipes.blends.open_soup(opened)
            elif kind == "interpolation" and len(opened.document.interpolation.corners) > 1:
                self._desk.recipes.blends.open_interpolation(opened)

    def _order(self, keys: list[str]) -> None:
        bar = self._window.tabs.tabBar()
        for place, key in enumerate(key for key in keys if self._find(key) is not None):
            widget = self._find(key)
            if widget is not None:
                bar.moveTab(self._window.tabs.indexOf(widget), place)

    def _find(self, key: str) -> QWidget | None:
        tabs = self._window.tabs
        widgets = (tabs.widget(place) for place in range(tabs.count()))
        return next((widget for widget in widgets if key and key_of(widget) == key), None)


def key_of(tab: object) -> str:
    """What a tab is known by between two starts; empty for what has no file yet."""
    if not isinstance(tab, Tab):
        return ""
    if run := tab.property("run"):
        return f"run:{run}"
    path = getattr(getattr(tab, "opened", None), "path", None)
    if path is None:
        return ""
    return f"{tab.kind if isinstance(tab, BlendTab) else 'recipe'}:{path}"
