"""The base of all views: a widget that shows a run and follows it as it grows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QSizePolicy, QWidget

from solera.errors import InputError
from solera.runs.header import RunHeader
from solera.runs.points import Points
from solera_app.plots import export
from solera_app.plots.header import Header
from solera_app.plots.numerals import listed
from solera_app.plots.plot import Bare, Plot
from solera_app.theme import theme, themes
from solera_app.views.facts import ColumnFacts, columns
from solera_app.views.snapshot import Snapshot

ExportKind = Literal["png", "svg", "pdf", "csv"]
_REDRAW_MS = 40  # at most 25 redraws a second, however fast points come
_SLOWEST_MS = 250  # at least four, however dear


class View(QWidget):
    """A picture of a run.

    A view is made without arguments, given a run by :meth:`set_run`, and then told of its growth by :meth:`append`
    or :meth:`update_run`; it draws in :meth:`redraw`, which is called at most 25 times a second and only while the
    view is on screen. Everything happens in the window's thread; a view never opens a file.

    Attributes:
        title: What the tab says. icon: Name of an icon of the application.
        snapshot: The run as far as it is known; None before :meth:`set_run`.

    Signals:
        pointSelected: Index (in the run) of the point that was chosen; -1 for none.
        pointActivated: Index of the point that was double-clicked.
        drawn: It was drawn anew.
    """

    drawn = Signal()
    pointSelected = Signal(int)
    pointActivated = Signal(int)
    title: ClassVar[str] = "View"
    icon: ClassVar[str] = "surface"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.snapshot: Snapshot | None = None
        self.selected = -1
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._drew, self._pause = 0.0, _REDRAW_MS  # when, in seconds; ms from there to the next at least
        self._timer.timeout.connect(lambda: self.flush())
        self._stale = False
        self.setAutoFillBackground(True)
        themes().changed.connect(self._restyle)
        self._restyle()

    # --- what a view says -------------------------------------------------------------------------------------------

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Whether it can show such a run."""
        raise NotImplementedError

    def join(self, others: Sequence[Snapshot]) -> None:
        """Show further runs in the same picture, those of equal experiments but for the seed as one.

        Raises:
            InputError: It shows one run at a time, or these do not belong together.
        """
        raise InputError(f"The view '{self.title}' shows one run at a time; 'hypervolume' takes several seeds.")

    def restart(self) -> None:
        """Another run is shown: forget axes, choices, selection. The snapshot is already the new one."""

    def redraw(self) -> None:
        """Draw the snapshot."""
        raise NotImplementedError

    def show_selected(self, index: int) -> None:
        """Mark a point; -1 for none. Must not emit :attr:`pointSelected`."""

    def plots(self) -> Sequence[Plot]:
        """Its plots, the main one first."""
        return self.findChildren(Plot)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Column names and rows of the CSV; those of the main plot unless overridden."""
        return self.plots()[0].table()

    # --- the run ----------------------------------------------------------------------------------------------------

    def set_run(self, snapshot: Snapshot) -> None:
        """Show a run from its beginning."""
        self.snapshot = snapshot
        self.selected = -1
        self.restart()
        self._stale = True
        self.flush(hidden=True)

    def update_run(self, snapshot: Snapshot) -> None:
        """The same run has grown or changed its state: drawn at once, or a pause after the last drawing."""
        self.snapshot = snapshot
        self._stale = True
        if not self._timer.isActive():
            since = int((time.perf_counter() - self._drew) * 1e3)
            self._timer.start(max(self._pause - since, 0))

    def append(self, points: Points) -> None:
        """Points were added to the run."""
        if self.snapshot is not None:
            self.update_run(self.snapshot.with_points(points))

    def flush(self, *, hidden: bool = False) -> None:
        """Draw now what is waiting to be drawn, if the view can be seen (or ``hidden`` is allowed)."""
        if self._stale and self.snapshot is not None and (hidden or self.isVisible()):
            self._stale = False
            began = time.perf_counter()
            self.redraw()
            self.drawn.emit()
            self._drew = time.perf_counter()
            # A picture that is dear is drawn less often, so that live views leave the window free for the hand.
            self._pause = min(max(int(6e3 * (self._drew - began)), _REDRAW_MS), _SLOWEST_MS)

    def select(self, index: int) -> None:
        """Mark a point, without telling."""
        self.selected = index
        self.show_selected(index)

    def columns(self) -> tuple[ColumnFacts, ...]:
        """The run's score columns; none before there is a run."""
        return columns(self.snapshot.header) if self.snapshot is not None else ()

    def finite(self) -> int:
        """How many points have a finite score."""
        return 0 if self.snapshot is None else int(np.isfinite(self.snapshot.points.values).any(axis=1).sum())

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what changed while hidden."""
        super().showEvent(event)
        self.flush()

    def minimumSizeHint(self) -> QSize:
        """Small enough for half of a small window."""
        return QSize(360, 240)

    def connect_plot(self, plot: Plot) -> None:
        """Pass a plot's signals on and remember the selection."""
        plot.pointSelected.connect(self._selected)
        plot.pointActivated.connect(self.pointActivated)

    def _selected(self, index: int) -> None:
        self.selected = index
        for plot in self.plots():
            plot.select(index, tell=False)
        self.pointSelected.emit(index)

    # --- files ------------------------------------------------------------------------------------------------------

    def export(
        self, kind: ExportKind, path: Path, *, size: tuple[int, int] = export.DEFAULT_SIZE, scale: float = 2.0
    ) -> Path:
        """Write the view as a picture, without its controls, or its data as CSV.

        Args:
            kind: ``"png"``, ``"svg"``, ``"pdf"`` or ``"csv"``.
            path: Where; replaced if it exists.
            size: Logical pixels of a picture.
            scale: Image pixels per logical pixel of a PNG.

        Raises:
            OutputError: The file cannot be written.
        """
        self._timer.stop()
        self.flush(hidden=True)
        if kind == "csv":
            return export.export_csv(Path(path), *self.table())
        with ExitStack() as stack:
            for plot in self.plots():
                stack.enter_context(Bare(plot))
            for header in self.findChildren(Header):
                header.show_controls(False)
                stack.callback(header.show_controls, True)
            if kind != "png":
                write = export.export_svg if kind == "svg" else export.export_pdf
                return write(self, Path(path), size, self._heading())
            return export.export_png(self, Path(path), size, scale)

    def _heading(self) -> str:
        said = self.snapshot.header.title if self.snapshot is not None else ""
        return f"{said}: {self.title}" if said else self.title

    # --- choices ----------------------------------------------------------------------------------------------------

    def choosers(self) -> dict[str, Chooser]:
        """What can be chosen, by the word that scripts say: ``"score"``."""
        return {chooser.word: chooser for chooser in self.findChildren(Chooser) if chooser.count()}

    def choose(self, choices: Mapping[str, str]) -> None:
        """Choose as a person would.

        Args:
            choices: Word of the chooser -> an entry: its key, its text, or the name of a score column.

        Raises:
            InputError: There is no such chooser, or it has no such entry.
        """
        for word, wanted in choices.items():
            offered = self.choosers()
            if word not in offered:
                known = listed([*offered]) or "nothing"
                raise InputError(f"In the view '{self.title}' one chooses {known}, not '{word}'.", choice=word)
            chooser, names = offered[word], {column.name: str(column.place) for column in self.columns()}
            entries = chooser.entries()
            texts = {text: key for key, text in entries}
            key = next((key for key in (wanted, texts.get(wanted), names.get(wanted)) if key in dict(entries)), None)
            if key is None:
                said = {key: name for name, key in names.items()}
                raise InputError(
                    f"'{word}' is one of {listed([said.get(key, key) for key, _ in entries])}, not '{wanted}'.",
                    choice=word,
                )
            chooser.choose(key)
            chooser.chosen.emit(key)

    def _restyle(self) -> None:
        self.setPalette(theme().palette())
        self.setBackgroundRole(self.palette().ColorRole.Base)


class Chooser(QComboBox):
    """A quiet combo box in a header, which keeps its choice by key while its entries change.

    Args:
        name: What is chosen, for tooltip and accessible name: ``"Score shown"``.

    Attributes:
        word: What scripts call it: ``"score"``.
    """

    chosen = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.word = name.removesuffix(" shown").lower().replace(" ", "_")
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(220)
        self.activated.connect(lambda index: self.chosen.emit(str(self.itemData(index))))

    def set_entries(self, entries: Sequence[tuple[str, str]], choice: str = "") -> None:
        """Offer (key, text) pairs; the choice stays if it is still there, else ``choice``, else the first."""
        before = self.key or choice
        if self.entries() == list(entries):
            return
        self.clear()
        for key, text in entries:
            self.addItem(text, key)
        found = self.findData(before)
        self.setCurrentIndex(max(found, 0))

    def entries(self) -> list[tuple[str, str]]:
        """The (key, text) pairs on offer."""
        return [(str(self.itemData(place)), self.itemText(place)) for place in range(self.count())]

    @property
    def key(self) -> str:
        """Key of the choice; empty without entries."""
        data = self.currentData()
        return "" if data is None else str(data)

    def choose(self, key: str) -> None:
        """Choose by key, without telling."""
        found = self.findData(key)
        if found >= 0:
            self.setCurrentIndex(found)
