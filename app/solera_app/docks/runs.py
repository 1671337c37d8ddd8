"""Runs: everything the project recorded, searchable, by day."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListView, QMenu, QVBoxLayout, QWidget

from solera_app.bridge.slots import guarded
from solera_app.docks.panel import Empty, Stack
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row
from solera_app.theme import icon, themes, tokens
from solera_app.words import when


class Info(Protocol):
    """What the dock needs of a run (``solera.runs.catalogue.RunInfo`` has it)."""

    @property
    def id(self) -> str:
        """Stable."""
        ...

    @property
    def kind(self) -> str:
        """``"explore"``, ``"merge"``, ``"evaluate"``, ``"compare"``, ``"probe"``."""
        ...

    @property
    def title(self) -> str:
        """A line."""
        ...

    @property
    def state(self) -> str:
        """As a job's."""
        ...

    @property
    def created(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def count(self) -> int:
        """Points so far."""
        ...

    @property
    def planned(self) -> int | None:
        """Points in all."""
        ...

    @property
    def summary(self) -> str:
        """``"hypervolume 0.170"``."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """A person's."""
        ...

    @property
    def note(self) -> str:
        """A person's."""
        ...


#: How many runs are made into rows in one turn of the event loop.
_AT_ONCE = 400

_ICONS = {"explore": "contours", "merge": "merge", "evaluate": "task", "compare": "compare", "probe": "probe"}


class RunsDock(QWidget):
    """The list of runs.

    Signals:
        opened: Run id, on double click.
        commanded: Ids, and ``"recipe"``, ``"again"``, ``"compare"``, ``"seeds"``, ``"linked"``, ``"resume"``,
            ``"trash"`` or ``"restore"``.
        chosen: Run id in front.
    """

    opened = Signal(str)
    commanded = Signal(list, str)
    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._runs: Sequence[Info] = ()
        self._stale: dict[str, str] = {}
        self._rest: deque[Info] = deque()
        self._made: list[Row] = []
        self._last_day = ""
        self._later = QTimer(self, interval=0)
        self._later.timeout.connect(guarded(self._more))
        self.search = QLineEdit(placeholderText="Search runs", clearButtonEnabled=True)
        self.search.setAccessibleName("Search runs")
        self.search.setToolTip("Words of a title, a kind, a state, what was found, a tag or a note")
        self._glass = self.search.addAction(icon("search", "text-3"), QLineEdit.ActionPosition.LeadingPosition)
        themes().changed.connect(self._recolour)
        self.search.textChanged.connect(self._show)
        self.search.setMaximumWidth(360)
        self.view = RowView("Runs")
        self.view.setLayoutMode(QListView.LayoutMode.Batched)  # ten thousand rows are not measured in one go
        self.view.setBatchSize(500)
        self._stack = Stack(self.view, Empty("history", "Runs appear here as soon as a job starts."))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        holder = QWidget()
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(12, 0, 12, 0)
        inner.addWidget(self.search)
        column.addWidget(holder)
        column.addWidget(self._stack, 1)
        self.view.activatedRow.connect(self.opened)
        self.view.chosen.connect(self.chosen)
        self.view.customContextMenuRequested.connect(self._menu)
        self.view.claims = frozenset({Qt.Key.Key_Delete})
        self.view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102 - Qt's name
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Delete:
            if ids := self.view.selected_ids():
                self.commanded.emit(ids, "trash")
            return True
        return super().eventFilter(watched, event)

    def set_stale(self, stale: dict[str, str]) -> None:
        """Mark runs that would come out otherwise now: why, by id."""
        if stale != self._stale:
            self._stale = dict(stale)
            self._show()

    def _recolour(self) -> None:
        self._glass.setIcon(icon("search", "text-3"))

    def set_runs(self, runs: Sequence[Info]) -> None:
        """Show these runs, newest first."""
        self._runs = sorted(runs, key=lambda run: -run.created)
        self._show()

    def _show(self) -> None:
        words = self.search.text().lower().split()
        found = [run for run in self._runs if not words or all(word in self._told(run) for word in words)]
        self._later.stop()
        self._rest, self._made, self._last_day = deque(found), [], ""
        chosen = set(self.view.selected_ids())
        rows = self._build(_AT_ONCE)
        while chosen and self._rest and not chosen <= {row.id for row in rows}:
            rows += self._build(_AT_ONCE)  # what is selected stays selected
        if words and not rows:
            rows = [Row("section:none", f"No match for '{self.search.text()}'", section=True)]
        self.view.rows_model.set_rows(rows)
        self._stack.show_content(bool(self._runs))
        if self._rest:
            self._later.start()

    def _build(self, count: int) -> list[Row]:
        """Rows of the next runs, with the days between them."""
        rows: list[Row] = []
        for _ in range(min(count, len(self._rest))):
            run = self._rest.popleft()
            day = _day(run.created)
            if day != self._last_day:
                self._last_day = day
                rows.append(Row(f"section:{day}", day, section=True))
            rows.append(_row(run, self._stale.get(run.id, "")))
        return rows

    def _more(self) -> None:
        """Make further rows, a few milliseconds at a time; they are shown together at the end."""
        self._made += self._build(_AT_ONCE)
        if not self._rest:
            self._later.stop()
            self.view.rows_model.add_rows(self._made)
            self._made = []

    def _told(self, run: Info) -> str:
        """What a search looks in."""
        stale = "stale" if run.id in self._stale else ""
        return " ".join((run.title, run.kind, run.state, stale, run.summary, *run.tags, run.note)).lower()

    def _open(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self.opened.emit(id_)

    def _menu(self, place: QPoint) -> None:
        ids = self.view.selected_ids()
        if not ids:
            return
        menu = QMenu(self)
        menu.addAction("Open", lambda: self._open(ids))
        states = {run.id: run.state for run in self._runs}
        if len(ids) == 1 and states.get(ids[0]) in {"interrupted", "cancelled", "failed"}:
            menu.addAction("Resume", lambda: self.commanded.emit(ids, "resume"))
        if len(ids) == 1:
            menu.addAction("Open its recipe", lambda: self.commanded.emit(ids, "recipe"))
            menu.addAction("Run again…", lambda: self.commanded.emit(ids, "again"))
        else:
            menu.addAction(f"Compare {len(ids)} runs", lambda: self.commanded.emit(ids, "compare"))
            menu.addAction("Hypervolume over seeds", lambda: self.commanded.emit(ids, "seeds"))
        if len(ids) == 2:
            menu.addAction("Show on linked axes", lambda: self.commanded.emit(ids, "linked"))
        menu.addSeparator()
        menu.addAction("Move to trash (Del)", lambda: self.commanded.emit(ids, "trash"))
        menu.addAction("Bring back what is in the trash", lambda: self.commanded.emit([], "restore"))
        menu.exec(self.view.viewport().mapToGlobal(place))


def _row(run: Info, stale: str) -> Row:
    shown = "stale" if stale else run.state
    look = tokens()["states"].get(shown, {"icon": "", "color": "text-3"})
    found = run.summary.partition(";")[0]
    facts = " · ".join(part for part in (when(run.created), _points(run), found) if part)
    state = "" if shown == "done" else shown.capitalize()
    middle = " · ".join(run.tags)
    tip = [run.title, facts, f"Stale: {stale}" if stale else "", middle, run.note]
    return Row(run.id, run.title, facts, _ICONS.get(run.kind, "history"), right=state, right_token=look["color"],
               right_icon=look["icon"] or "", middle=middle, tip="\n".join(part for part in tip if part))  # fmt: skip


def _points(run: Info) -> str:
    """How many were scored of those planned; what was scored again on the report split does not count."""
    done = min(run.count, run.planned or run.count)
    if run.planned and done < run.planned:
        return f"{done:,} of {run.planned:,} points"
    return f"{done:,} point{'' if done == 1 else 's'}" if done else ""


def _day(seconds: float) -> str:
    then, now = time.localtime(seconds), time.localtime()
    if then[:3] == now[:3]:
        return "Today"
    if time.localtime(time.time() - 86400)[:3] == then[:3]:
        return "Yesterday"
    return time.strftime("%d %B %Y", then).lstrip("0")
