"""Two runs side by side: the same view of each, on linked axes, with one colour scale and one camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from solera.errors import InputError
from solera_app.bridge.slots import guarded
from solera_app.plots import export
from solera_app.plots.header import Header
from solera_app.plots.plot import Bare, Plot
from solera_app.plots.space import SpacePlot
from solera_app.plots.surface import SurfacePlot
from solera_app.theme import font, icon, theme, themes
from solera_app.views.reading import ReaderFactory, RunWatch
from solera_app.views.snapshot import Snapshot
from solera_app.views.view import ExportKind, View


class BesideView(QWidget):
    """One view, twice.

    Axes are linked where they mean the same: both plots have the same titles. Then both show the same extent, zoom and
    pan together; maps share their colour limits, and boxes in space their camera.

    Args:
        cls: The view; both runs must be accepted by it.
        left: The first run.
        right: The second.
    """

    def __init__(self, cls: type[View], left: Snapshot, right: Snapshot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = (cls(), cls())
        self._linking = False
        self.note = QLabel("Axes are not linked: they do not mean the same.")
        self.note.setFont(font("small"))
        self.note.setContentsMargins(16, 4, 16, 4)
        self.note.setAutoFillBackground(True)
        self.note.hide()
        column, box = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addLayout(box, 1)
        column.addWidget(self.note)
        box.setSpacing(1)
        for view in self.views:
            box.addWidget(view, 1)
            view.drawn.connect(guarded(self._link))
        self._share_choices()
        for view, snapshot in zip(self.views, (left, right), strict=True):
            view.set_run(snapshot)
        self._share_cameras()
        self.setAutoFillBackground(True)
        themes().changed.connect(self._restyle)
        self._restyle()

    def update_run(self, side: int, snapshot: Snapshot) -> None:
        """One of the runs has grown: 0 is the left one."""
        self.views[side].update_run(snapshot)

    @property
    def linked(self) -> bool:
        """Whether the main plots' axes mean the same, so that they are linked."""
        pair = self._main()
        if pair is None:
            return False
        one, other = (plot.canvas for plot in pair)
        return one.axes and (one.x.title, one.y.title, one.y.powers) == (other.x.title, other.y.title, other.y.powers)

    def _main(self) -> tuple[Plot, Plot] | None:
        plots = [view.plots() for view in self.views]
        return (plots[0][0], plots[1][0]) if all(plots) else None

    def _link(self) -> None:
        pair = self._main()
        if pair is None or self._linking:
            return
        self._linking = True  # what follows may draw again
        try:
            one, other = pair
            if self.linked:
                one.canvas.link(other.canvas)
            else:
                one.canvas.unlink()
            self.note.setVisible(one.canvas.axes and not self.linked)
            if isinstance(one, SurfacePlot) and isinstance(other, SurfacePlot) and self._same_score(one, other):
                _share_colours(one, other)
        finally:
            self._linking = False

    def _same_score(self, one: SurfacePlot, other: SurfacePlot) -> bool:
        return one.value_title == other.value_title

    def _share_choices(self) -> None:
        """What is chosen on one side is chosen on the other, where it is offered there too."""
        for view, other in (self.views, self.views[::-1]):
            for chooser in view.findChildren(QWidget):
                word = getattr(chooser, "word", "")
                if word:
                    chooser.chosen.connect(  # type: ignore[attr-defined]
                        guarded(lambda key, word=word, other=other: self._choose(other, word, key))
                    )

    def _choose(self, other: View, word: str, key: str) -> None:
        chooser = other.choosers().get(word)
        if chooser is not None and chooser.key != key and key in dict(chooser.entries()):
            other.choose({word: key})

    def _share_cameras(self) -> None:
        pair = self._main()
        if pair is not None and isinstance(pair[0], SpacePlot) and isinstance(pair[1], SpacePlot):
            pair[0].turned.connect(pair[1].look_from)
            pair[1].turned.connect(pair[0].look_from)

    # --- files ------------------------------------------------------------------------------------------------------

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The rows of both, the run first; both views have the same columns where their runs have the same scores."""
        tables = [view.table() for view in self.views]
        names = [*tables[0][0], *(name for name in tables[1][0] if name not in tables[0][0])]

        def rows() -> Iterable[Sequence[object]]:
            for view, (titles, lines) in zip(self.views, tables, strict=True):
                run = view.snapshot.header.id if view.snapshot is not None else ""
                places = [list(titles).index(name) if name in titles else -1 for name in names]
                for line in lines:
                    yield (run, *("" if place < 0 else line[place] for place in places))

        return ("run", *names), rows()

    def export(
        self, kind: ExportKind, path: Path, *, size: tuple[int, int] = export.DEFAULT_SIZE, scale: float = 2.0
    ) -> Path:
        """Write both views as one picture, or their data as CSV; as :meth:`View.export`.

        Raises:
            OutputError: The file cannot be written.
        """
        for view in self.views:
            view.flush(hidden=True)
        if kind == "csv":
            return export.export_csv(Path(path), *self.table())
        titles = [view.snapshot.header.title for view in self.views if view.snapshot is not None]
        with ExitStack() as stack:
            for plot in self.findChildren(Plot):
                stack.enter_context(Bare(plot))
            for header in self.findChildren(Header):
                header.show_controls(False)
                stack.callback(header.show_controls, True)
            if kind == "png":
                return export.export_png(self, Path(path), size, scale)
            write = export.export_svg if kind == "svg" else export.export_pdf
            return write(self, Path(path), size, " beside ".join(titles))

    def _restyle(self) -> None:
        palette = theme().palette()
        palette.setColor(palette.ColorRole.Window, theme().colour("line"))  # the line between the two
        self.setPalette(palette)
        self.setBackgroundRole(palette.ColorRole.Window)
        quiet = theme().palette()
        quiet.setColor(quiet.ColorRole.WindowText, theme().colour("text-3"))
        quiet.setColor(quiet.ColorRole.Window, theme().colour("base"))
        self.note.setPalette(quiet)


def _share_colours(one: SurfacePlot, other: SurfacePlot) -> None:
    """One colour scale over both, from the lowest to the highest that either asks for."""
    ranges = np.array([plot.own_range for plot in (one, other)])
    if not np.isfinite(ranges).any():
        return
    limits = (float(np.nanmin(ranges[:, 0])), float(np.nanmax(ranges[:, 1])))
    for plot in (one, other):
        if plot.limits != limits:
            plot.set_range(limits)


class BesideRuns(QWidget):
    """Two runs that are followed while they grow, with a tab for every view that shows both.

    Args:
        factory: Opens a run, in a reading thread; one for each.
        views: Name -> view class, in the order of the tabs.

    Signals:
        opened: Both titles, when both were read.
        failed: The exception, when one cannot be read.
    """

    opened = Signal(str)
    failed = Signal(object)

    def __init__(self, factory: ReaderFactory, views: Mapping[str, type[View]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes, self._names = dict(views), list[str]()
        self._made: dict[str, BesideView] = {}
        self.snapshots: list[Snapshot | None] = [None, None]
        self.tabs, self.pages, self.message = QTabBar(), QStackedWidget(), QLabel("Reading the runs…")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName("Views of these runs")
        self.message.setFont(font("body", "medium"))
        self.message.setContentsMargins(24, 24, 24, 24)
        self.message.setWordWrap(True)
        self.pages.addWidget(self.message)
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 2, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.tabs)
        box.addWidget(self.pages, 1)
        self.tabs.currentChanged.connect(guarded(self._show_tab))
        self.watches = (RunWatch(factory, self), RunWatch(factory, self))
        for side, watch in enumerate(self.watches):
            watch.opened.connect(guarded(self._taker(side)))
            watch.grew.connect(guarded(self._taker(side)))
            watch.failed.connect(guarded(self._fail))
        themes().changed.connect(self._restyle)

    def open(self, left: object, right: object) -> None:
        """Show two runs, and follow them while they grow."""
        for watch, source in zip(self.watches, (left, right), strict=True):
            watch.open(source)

    def _taker(self, side: int) -> Callable[[Snapshot], None]:
        def take(snapshot: Snapshot) -> None:
            first = None in self.snapshots
            self.snapshots[side] = snapshot
            for view in self._made.values():
                view.update_run(side, snapshot)
            if first and None not in self.snapshots:
                self._begin()

        return take

    def _begin(self) -> None:
        left, right = self.snapshots
        assert left is not None
        assert right is not None
        self._names = [n for n, cls in self._classes.items() if cls.accepts(left.header) and cls.accepts(right.header)]
        if not self._names:
            self.message.setText(
                f"No view shows both '{left.header.title}' and '{right.header.title}'. Choose two runs of one kind."
            )
        self.tabs.blockSignals(True)
        for name in self._names:
            self.tabs.addTab(icon(self._classes[name].icon), self._classes[name].title)
        self.tabs.blockSignals(False)
        self._show_tab(0)
        self.opened.emit(f"{left.header.title} | {right.header.title}")

    def _show_tab(self, place: int) -> None:
        left, right = self.snapshots
        if left is None or right is None or not 0 <= place < len(self._names):
            return
        name = self._names[place]
        if name not in self._made:
            self._made[name] = BesideView(self._classes[name], left, right)
            self.pages.addWidget(self._made[name])
        self.pages.setCurrentWidget(self._made[name])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the views that show both runs."""
        return tuple(self._names)

    @property
    def current(self) -> BesideView | None:
        """The pair in front."""
        place = self.tabs.currentIndex()
        return self._made.get(self._names[place]) if 0 <= place < len(self._names) else None

    def export(self, kind: ExportKind, path: Path) -> Path:
        """Write the pair in front.

        Raises:
            InputError: No view is shown.
            OutputError: The file cannot be written.
        """
        if self.current is None:
            raise InputError("No view is shown; open two runs that one view can show.")
        return self.current.export(kind, path, size=(self.current.width(), self.current.height()))

    def fit(self) -> None:
        """Show all there is."""
        for plot in self.current.findChildren(Plot) if self.current is not None else ():
            plot.canvas.fit()

    def _fail(self, error: Exception) -> None:
        if None in self.snapshots:
            self.message.setText(str(error))
        self.failed.emit(error)

    def _restyle(self) -> None:
        for place, name in enumerate(self._names):
            self.tabs.setTabIcon(place, icon(self._classes[name].icon))

    def close_runs(self) -> None:
        """Stop reading; called before the widget is thrown away."""
        for watch in self.watches:
            watch.close()
