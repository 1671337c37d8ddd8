"""A run in the central area: its views as tabs, what is chosen in them, and export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from solera.errors import InputError
from solera.events import PointScored
from solera_app.bridge.slots import guarded
from solera_app.plots.export import DEFAULT_SIZE
from solera_app.theme import font, icon, themes
from solera_app.views.reading import ReaderFactory, RunWatch
from solera_app.views.snapshot import Snapshot, points_of
from solera_app.views.view import ExportKind, View

_EXPORTS: tuple[tuple[ExportKind, str, str], ...] = (
    ("png", "Picture (PNG)…", "Pictures (*.png)"),
    ("svg", "Vector picture (SVG)…", "Vector pictures (*.svg)"),
    ("pdf", "Page for print (PDF)…", "Pages (*.pdf)"),
    ("csv", "Data (CSV)…", "Tables (*.csv)"),
)


class RunView(QWidget):
    """Shows a run with every view that accepts it, and follows it while it grows.

    Args:
        factory: Opens a run from what :meth:`open` is given (a path); called in a reading thread.
        views: Name -> view class, in the order of the tabs.

    Signals:
        opened: Run id, when the run was read for the first time.
        failed: The exception, when it cannot be read.
        pointSelected: Run id and index of the point that was chosen; -1 for none.
        recipeRequested: Run id and index of the point whose recipe is to be opened.
    """

    opened = Signal(str)
    failed = Signal(object)
    pointSelected = Signal(str, int)
    recipeRequested = Signal(str, int)

    def __init__(self, factory: ReaderFactory, views: Mapping[str, type[View]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes = dict(views)
        self._names: list[str] = []
        self._made: dict[str, View] = {}
        self.snapshot: Snapshot | None = None
        self.selected = -1
        self.tabs, self.pages, self.message = QTabBar(), QStackedWidget(), QLabel()
        self.export_button, self.fit_button = QToolButton(), QToolButton()
        self._lay_out()
        self.tabs.currentChanged.connect(guarded(self._show_tab))
        self.watch = RunWatch(factory, self)
        self.watch.opened.connect(guarded(self._opened))
        self.watch.grew.connect(guarded(self._grew))
        self.watch.failed.connect(guarded(self._failed))
        themes().changed.connect(self._restyle)
        self._restyle()

    def _lay_out(self) -> None:
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName("Views of this run")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setFont(font("body", "medium"))
        self.message.setWordWrap(True)
        self.pages.addWidget(self.message)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for kind, text, _ in _EXPORTS:
            action = menu.addAction(text)
            action.triggered.connect(guarded(lambda _=False, kind=kind: self._ask_export(kind)))
        self.export_button.setMenu(menu)
        self.export_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.fit_button.clicked.connect(guarded(lambda _=False: self._fit()))
        for button, words in (
            (self.fit_button, "Show everything (0)"),
            (self.export_button, "Export this view as PNG, SVG, PDF or CSV"),
        ):
            button.setToolTip(words)
            button.setAccessibleName(words)
            button.setAutoRaise(True)
        self.fit_button.setShortcut(QKeySequence())
        top = QHBoxLayout()
        top.setContentsMargins(8, 2, 8, 0)
        top.setSpacing(4)
        top.addWidget(self.tabs)
        top.addStretch(1)
        top.addWidget(self.fit_button)
        top.addWidget(self.export_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(top)
        box.addWidget(self.pages, 1)

    # --- the run ----------------------------------------------------------------------------------------------------

    @property
    def run(self) -> str:
        """Id of the run shown; empty before it is read."""
        return self.snapshot.header.id if self.snapshot is not None else ""

    def open(self, source: object) -> None:
        """Show a run, and follow it while it grows."""
        self._say("Reading the run…")
        self.watch.open(source)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show a run that is already in memory."""
        self._opened(snapshot)

    def take(self, events: Sequence[PointScored]) -> None:
        """Show points of this run as they happen, ahead of their file."""
        if self.snapshot is None or not events or events[0].run != self.run:
            return
        grown = self.snapshot.with_points(points_of(events, self.snapshot.header))
        if grown is not self.snapshot:
            self._update(grown)

    def _opened(self, snapshot: Snapshot) -> None:
        self.snapshot, self.selected = snapshot, -1
        for view in self._made.values():
            self.pages.removeWidget(view)
            view.deleteLater()
        self._made.clear()
        self._names = [name for name, cls in self._classes.items() if cls.accepts(snapshot.header)]
        self.tabs.blockSignals(True)
        while self.tabs.count():
            self.tabs.removeTab(0)
        for name in self._names:
            self.tabs.addTab(icon(self._classes[name].icon), self._classes[name].title)
        self.tabs.blockSignals(False)
        if self._names:
            self._show_tab(0)
        else:
            self._say(f"No view shows runs of the kind '{snapshot.header.kind}'.")
        self.opened.emit(snapshot.header.id)

    def _grew(self, snapshot: Snapshot) -> None:
        if self.snapshot is None or snapshot.header.id != self.run:
            return
        if len(snapshot.points) < len(self.snapshot.points):  # events were ahead of the file
            snapshot = replace(snapshot, points=self.snapshot.points)
        self._update(snapshot)

    def _update(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        for view in self._made.values():
            view.update_run(snapshot)

    def _failed(self, error: Exception) -> None:
        if self.snapshot is None:
            self._say(str(error))
        self.failed.emit(error)

    # --- views --------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views that accept this run."""
        return tuple(self._names)

    @property
    def current(self) -> View | None:
        """The view in front."""
        place = self.tabs.currentIndex()
        return self._made.get(self._names[place]) if 0 <= place < len(self._names) else None

    def show_view(self, name: str) -> None:
        """Bring a view to the front.

        Raises:
            InputError: It is not one of :attr:`names`.
        """
        if name not in self._names:
            raise InputError(f"No view '{name}' shows this run; those that do: {', '.join(self._names) or 'none'}.")
        self.tabs.setCurrentIndex(self._names.index(name))
        self._show_tab(self._names.index(name))

    def _show_tab(self, place: int) -> None:
        if self.snapshot is None or not 0 <= place < len(self._names):
            return
        name = self._names[place]
        if name not in self._made:
            view = self._classes[name]()
            view.pointSelected.connect(guarded(self._select))
            view.pointActivated.connect(guarded(self._activate))
            self._made[name] = view
            self.pages.addWidget(view)
            view.set_run(self.snapshot)
        view = self._made[name]
        view.select(self.selected)
        self.pages.setCurrentWidget(view)

    def select(self, index: int) -> None:
        """Mark a point in every view, without telling."""
        self.selected = index
        for view in self._made.values():
            view.select(index)

    def _select(self, index: int) -> None:
        self.selected = index
        for view in self._made.values():
            if view is not self.sender():
                view.select(index)
        self.pointSelected.emit(self.run, index)

    def _activate(self, index: int) -> None:
        if index >= 0:
            self.recipeRequested.emit(self.run, index)

    def _fit(self) -> None:
        for plot in self.current.plots() if self.current is not None else ():
            plot.canvas.fit()

    # --- export -------------------------------------------------------------------------------------------------------

    def export(self, kind: ExportKind, path: Path, *, size: tuple[int, int] = DEFAULT_SIZE, scale: float = 2.0) -> Path:
        """Write the view in front as ``"png"``, ``"svg"``, ``"pdf"`` or ``"csv"``.

        Raises:
            InputError: No view is shown.
            OutputError: The file cannot be written.
        """
        if self.current is None:
            raise InputError("No view is shown; open a run first.")
        return self.current.export(kind, path, size=size, scale=scale)

    def _ask_export(self, kind: ExportKind) -> None:
        if self.snapshot is None or self.current is None:
            return
        words = next(words for name, _, words in _EXPORTS if name == kind)
        name = f"{self.snapshot.header.title or self.run}.{kind}".replace("/", "-")
        path, _ = QFileDialog.getSaveFileName(self, "Export view", name, words)
        if path:
            self.export(kind, Path(path), size=(self.current.width(), self.current.height()))

    # --- furniture -------------------------------------------------------------------------------------------------

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.pages.setCurrentWidget(self.message)

    def _restyle(self) -> None:
        self.fit_button.setIcon(icon("fit"))
        self.export_button.setIcon(icon("export"))
        for place, name in enumerate(self._names):
            self.tabs.setTabIcon(place, icon(self._classes[name].icon))

    def close_run(self) -> None:
        """Stop reading; called before the widget is thrown away."""
        self.watch.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop reading."""
        self.close_run()
        super().closeEvent(event)
