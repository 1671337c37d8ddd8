"""The main window: furniture only. What happens in it is the desk's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QTabBar,
    QTabWidget,
    QToolBar,
    QToolButton,
    QWidget,
)

from solera_app.actions.build import Actions
from solera_app.actions.palette import Palette
from solera_app.actions.shortcuts import Shortcuts
from solera_app.actions.table import ACTIONS
from solera_app.bridge.slots import notices
from solera_app.docks.inspector import Inspector
from solera_app.docks.jobs import JobsDock
from solera_app.docks.library import LIBRARY_MIME, LibraryDock
from solera_app.docks.log import LogDock
from solera_app.docks.runs import RunsDock
from solera_app.status import StatusBar
from solera_app.theme import dress, font, icon, themes, tokens
from solera_app.toasts import Toasts
from solera_app.welcome import Logo, Welcome

if TYPE_CHECKING:
    from solera_app.tabs import Tab


_TAB_LETTERS = 24


class Window(QMainWindow):
    """Menus, toolbar, docks, tabs, status bar.

    Signals:
        tabChanged: Another tab is in front (the Tab, or None).
        tabClosing: A tab's close button was pressed.
        filesDropped: Paths dropped anywhere that no dock or canvas took.
        closing: The window is about to close; whoever objects clears ``may_close``.
    """

    tabChanged = Signal(object)
    tabClosing = Signal(object)
    filesDropped = Signal(list)
    closing = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Solera")
        self.setObjectName("solera")
        self.setAcceptDrops(True)
        self.setMinimumSize(*tokens()["dock"]["window_min"])
        self.resize(1280, 800)
        self.may_close = True
        self._hidden: list[QWidget] = []
        self._alone, self._state = False, b""  # whether the welcome page hides the docks, and how they stood
        self.library, self.inspector = LibraryDock(), Inspector()
        self.jobs, self.runs, self.log = JobsDock(), RunsDock(), LogDock()
        self.welcome = Welcome()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setTabsClosable(True)
        self.tabs.setMovable(True)
        self.tabs.setElideMode(Qt.TextElideMode.ElideNone)
        self.tabs.setUsesScrollButtons(True)
        self.tabs.setAccessibleName("Canvases and views")
        self.tabs.currentChanged.connect(self._tab_changed)
        self.tabs.tabCloseRequested.connect(lambda place: self.tabClosing.emit(self.tabs.widget(place)))
        self._center = QStackedWidget()
        self._center.addWidget(self.welcome)
        self._center.addWidget(self.tabs)
        self.setCentralWidget(self._center)
        self.status = StatusBar()
        self.setStatusBar(self.status)
        self._build_docks()
        self.toasts = Toasts(self, self.bottom)
        notices().raised.connect(self.log.on_notice)
        themes().changed.connect(self._recolour)

    # --- building --------------------------------------------------------------------------------------------------

    def _build_docks(self) -> None:
        sizes = tokens()["dock"]
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.library_dock = self._dock("library", self.library, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.inspector_dock = self._dock("inspector", self.inspector, Qt.DockWidgetArea.RightDockWidgetArea)
        self.library.setMinimumWidth(sizes["library"]["min"])
        self.inspector.setMinimumWidth(sizes["inspector"]["min"])
        self.bottom = QTabWidget()
        self.bottom.setDocumentMode(True)
        for title, widget in (("Jobs", self.jobs), ("Runs", self.runs), ("Log", self.log)):
            self.bottom.addTab(widget, title)
        self.bottom.setMinimumHeight(sizes["jobs"]["min_height"])
        self.bottom_dock = self._dock("bottom", self.bottom, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.set_default_layout()

    def _dock(self, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(name.capitalize(), self)
        dock.setObjectName(name)
        dock.setTitleBarWidget(QWidget())
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def set_default_layout(self) -> None:
        """Docks at the sizes of the tokens."""
        sizes = tokens()["dock"]
        across = [self.library_dock, self.inspector_dock]
        wide = [sizes["library"]["default"], sizes["inspector"]["default"]]
        self.resizeDocks(across, wide, Qt.Orientation.Horizontal)
        self.resizeDocks([self.bottom_dock], [sizes["jobs"]["default_height"]], Qt.Orientation.Vertical)

    def build_actions(self, handlers: Mapping[str, Callable[[], None]]) -> None:
        """Make menus, toolbar and palette from the table; the window adds its own handlers."""
        own: dict[str, Callable[[], None]] = {
            "view.library": lambda: self._toggle(self.library_dock),
            "view.inspector": lambda: self._toggle(self.inspector_dock),
            "view.bottom": lambda: self._toggle(self.bottom_dock),
            "view.palette": self.open_palette,
            "file.quit": self._quit,
        }
        self.shortcuts = Shortcuts()
        self.actions_by_id = Actions({**handlers, **own}, self, self.shortcuts)
        self.actions_by_id.confine(self.tabs)
        bar = self.menuBar()
        self._logo = logo = QWidget()
        row = QHBoxLayout(logo)
        row.setContentsMargins(10, 0, 2, 0)
        row.addWidget(Logo(22))
        bar.setCornerWidget(logo, Qt.Corner.TopLeftCorner)
        self.actions_by_id.fill_menus(bar)
        self._menu_corner()
        tools = QToolBar("Tools", self)
        tools.setObjectName("tools")
        tools.setMovable(False)
        tools.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addToolBar(tools)
        self.toolbar = tools
        self.actions_by_id.fill_toolbar(tools)
        self._main_buttons(tools)
        self.palette_popup = Palette(self)
        self.palette_popup.chosen.connect(lambda id_: self.actions_by_id.by_id[id_].trigger())
        for dock, id_ in (
            (self.library_dock, "view.library"),
            (self.inspector_dock, "view.inspector"),
            (self.bottom_dock, "view.bottom"),
        ):
            action = self.actions_by_id.by_id[id_]
            dock.visibilityChanged.connect(lambda shown, action=action: action.setChecked(shown))

    def _menu_corner(self) -> None:
        self._corner = corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 3, 12, 3)
        row.setSpacing(10)
        self.project_name = QLabel()
        self.project_name.setProperty("tone", "2")
        self.search = QPushButton("Search commands")
        self.search.setFixedWidth(244)
        self.search.setStyleSheet("text-align: left; font-weight: 400; padding: 2px 10px;")
        self.search.clicked.connect(self.open_palette)
        self._keys = QLabel()
        self._keys.setProperty("tone", "3")
        self._keys.setFont(font("small"))
        self._keys.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        inside = QHBoxLayout(self.search)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._keys, alignment=Qt.AlignmentFlag.AlignRight)
        row.addWidget(self.project_name)
        row.addWidget(self.search)
        self.menuBar().setCornerWidget(corner, Qt.Corner.TopRightCorner)

    def _main_buttons(self, tools: QToolBar) -> None:
        spring = QWidget()
        spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        tools.addWidget(spring)
        self.faults = QToolButton()
        self.faults.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.faults.setIconSize(QSize(16, 16))
        self.faults_shown = tools.addWidget(self.faults)
        self.check_button = QPushButton("Check")
        self.run_button = QPushButton("Run recipe")
        self.run_button.setProperty("role", "main")
        self.stop_button = QPushButton("Stop")
        self._main: dict[str, QAction] = {}
        for button, id_ in (
            (self.stop_button, "run.stop"), (self.check_button, "run.check"), (self.run_button, "run.run"),
        ):  # fmt: skip
            action = self.actions_by_id.by_id[id_]
            button.clicked.connect(action.trigger)
            action.enabledChanged.connect(button.setEnabled)
            holder = QWidget()
            row = QHBoxLayout(holder)
            row.setContentsMargins(4, 0, 0, 0)
            row.addWidget(button)
            self._main[id_] = tools.addWidget(holder)
        self.show_main(recipe=False, busy=False)
        self._recolour()
        self.show_shortcuts()

    def show_shortcuts(self) -> None:
        """Give commands the keys they have now, and everything that tells of them."""
        self.actions_by_id.show_shortcuts()
        for button, id_ in (
            (self.search, "view.palette"), (self.check_button, "run.check"), (self.run_button, "run.run"),
            (self.stop_button, "run.stop"),
        ):  # fmt: skip
            button.setToolTip(self.actions_by_id.by_id[id_].toolTip())
        self._keys.setText(self.shortcuts.of("view.palette"))
        self.welcome.show_shortcuts(self.shortcuts.of)

    def show_main(self, *, recipe: bool, busy: bool) -> None:
        """Show the main buttons of what is in front: a recipe is checked and run, a job is stopped."""
        for id_, shown in (("run.check", recipe), ("run.run", recipe), ("run.stop", busy and not recipe)):
            self._main[id_].setVisible(shown)

    def show_project(self, name: str) -> None:
        """Say which project is open."""
        self.project_name.setText(name)
        self.setWindowTitle(f"{name} - Solera" if name else "Solera")
        self._corner.adjustSize()
        self.menuBar().setCornerWidget(self._corner, Qt.Corner.TopRightCorner)  # a menu bar measures it only then

    def show_faults(self, count: int) -> None:
        """Say how many faults the document in front has."""
        self.faults.setText(f"{count} fault{'' if count == 1 else 's'}")
        self.faults_shown.setVisible(count > 0)

    def _toggle(self, dock: QDockWidget) -> None:
        dock.setVisible(not dock.isVisible())

    def _quit(self) -> None:
        self.close()

    def _recolour(self) -> None:
        dress(self.search, "search", "text-3")
        dress(self.check_button, "check")
        dress(self.run_button, "run", "on-accent")
        dress(self.stop_button, "stop")
        self.faults.setIcon(icon("error", "error"))
        for place in range(self.tabs.count()):
            self._dress(place)

    # --- tabs ------------------------------------------------------------------------------------------------------

    def add_tab(self, tab: Tab, *, front: bool = True) -> None:
        """Add a tab: in front with the focus, or behind what is shown now."""
        place = self.tabs.addTab(tab, _tab_text(tab.title))
        tab.retitled.connect(lambda: self._retitle(tab))
        tab.hinted.connect(self.hint)
        self._dress(place)
        if not front:
            return
        self.tabs.setCurrentIndex(place)
        self._leave_welcome()
        self._center.setCurrentWidget(self.tabs)
        tab.setFocus()

    def close_tab(self, tab: Tab) -> None:
        """Take a tab away."""
        place = self.tabs.indexOf(tab)
        if place >= 0:
            self.tabs.removeTab(place)
            tab.deleteLater()

    def show_welcome(self) -> None:
        """Show the welcome page alone: docks and toolbar come back with the tabs."""
        if not self._alone:
            self._alone = True
            self._state = bytes(self.saveState().data())
            self._hidden = [part for part in self._furniture() if not _taken_away(part)]
            for part in self._furniture():
                part.hide()
        self._center.setCurrentWidget(self.welcome)
        self.tabChanged.emit(None)

    def _furniture(self) -> tuple[QWidget, ...]:
        return (self.library_dock, self.inspector_dock, self.bottom_dock, self.toolbar)

    def show_tabs(self) -> None:
        """Show the tabs, with the docks that were there before the welcome page."""
        self._leave_welcome()
        self._center.setCurrentWidget(self.tabs)
        self._tab_changed(self.tabs.currentIndex())

    def _leave_welcome(self) -> None:
        if self._alone:
            self._alone = False
            for part in self._hidden:
                part.show()

    @property
    def on_welcome(self) -> bool:
        """Whether the welcome page is in front."""
        return self._center.currentWidget() is self.welcome

    def _retitle(self, tab: Tab) -> None:
        place = self.tabs.indexOf(tab)
        if place >= 0:
            self.tabs.setTabText(place, _tab_text(tab.title))
            self.tabs.setTabToolTip(place, tab.title)
            self._dress(place)  # a run's icon is known when it is read
            if self.tabs.currentIndex() == place:
                self.tabChanged.emit(tab)

    def _dress(self, place: int) -> None:
        tab = self.tabs.widget(place)
        front = place == self.tabs.currentIndex()
        self.tabs.setTabIcon(place, icon(getattr(tab, "icon", "table"), "accent" if front else "text-2"))
        button = self.tabs.tabBar().tabButton(place, QTabBar.ButtonPosition.RightSide)
        if button is not None:
            button.setAccessibleName("Close tab")

    def _tab_changed(self, _: int) -> None:
        for place in range(self.tabs.count()):
            self._dress(place)
        self.hint("")  # what was said of the tab before
        self.tabChanged.emit(self.tabs.currentWidget())

    # --- the rest --------------------------------------------------------------------------------------------------

    def hint(self, text: str) -> None:
        """A hint at the left of the status bar."""
        self.status.showMessage(text)

    def open_palette(self) -> None:
        """Show the command palette."""
        menus = {row.id: row.menu for row in ACTIONS}
        rows = [(id_, menus[id_], action) for id_, action in self.actions_by_id.by_id.items()]
        self.palette_popup.open_with([row for row in rows if row[0] != "view.palette"])

    def restore_layout(self, geometry: bytes, state: bytes) -> None:
        """Put window and docks where they were."""
        self.restoreGeometry(QByteArray(geometry))
        self.restoreState(QByteArray(state))

    def layout_state(self) -> tuple[bytes, bytes]:
        """Window geometry and dock state."""
        state = self._state if self._alone else bytes(self.saveState().data())
        return bytes(self.saveGeometry().data()), state

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: D102 - Qt's name
        if event.mimeData().hasUrls() and not event.mimeData().hasFormat(LIBRARY_MIME):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: D102 - Qt's name
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            QTimer.singleShot(0, lambda: self.filesDropped.emit(paths))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: D102 - Qt's name
        self.may_close = True
        self.closing.emit()
        event.setAccepted(self.may_close)


def _tab_text(title: str) -> str:
    """A title as a tab shows it: at most 24 letters, the middle left out, no mnemonics."""
    shown = title if len(title) <= _TAB_LETTERS else f"{title[:14].rstrip()}…{title[-9:].lstrip()}"
    return shown.replace("&", "&&")


def _taken_away(part: QWidget) -> bool:
    """Whether a person hid it; what was never shown yet does not count."""
    return part.isHidden() and part.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
