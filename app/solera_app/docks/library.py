"""The library: checkpoints to drag onto canvases; files and folders may be dropped here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl, Signal
from PySide6.QtGui import QDrag, QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit, QMenu, QVBoxLayout, QWidget

from solera_app.docks.panel import Empty, Header, Stack
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row
from solera_app.theme import icon, pixmap, themes
from solera_app.words import count_short, size_short

#: What a drag out of the library carries: a JSON list of {"name", "path"}.
LIBRARY_MIME = "application/x-solera-library"


class Entry(Protocol):
    """What the dock needs of a library entry (``solera.projects`` has it)."""

    @property
    def id(self) -> str:
        """Stable."""
        ...

    @property
    def name(self) -> str:
        """Folder or file name, unique in the library."""
        ...

    @property
    def path(self) -> object:
        """Absolute path."""
        ...

    @property
    def numel(self) -> int:
        """Parameters."""
        ...

    @property
    def dtype(self) -> str:
        """Main dtype."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        ...

    @property
    def role(self) -> str:
        """``"checkpoint"``, ``"adapter"`` or ``"made"``."""
        ...

    @property
    def adapter(self) -> str:
        """What kind of adapter it is, with its rank; empty for a checkpoint."""
        ...

    @property
    def base(self) -> str:
        """What an adapter says it was trained on."""
        ...

    @property
    def format(self) -> str:
        """Name of its format."""
        ...

    @property
    def architecture(self) -> str:
        """What its config says it is."""
        ...

    @property
    def note(self) -> str:
        """A person's."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """A person's."""
        ...

    @property
    def missing(self) -> bool:
        """Whether its file is gone."""
        ...

    @property
    def trouble(self) -> str:
        """Why it cannot be opened; empty if it can."""
        ...


_ICONS = {"made": "merge", "adapter": "adapter"}
_SHORT_DTYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "float64": "f64"}


class _LibraryView(RowView):
    """The list; starts drags of its entries."""

    def __init__(self) -> None:
        super().__init__("Checkpoints")
        self.setDragEnabled(True)
        self.paths: dict[str, tuple[str, str]] = {}

    def startDrag(self, actions: Qt.DropAction) -> None:
        chosen = self.mime(self.selected_ids())
        if not chosen.urls():
            return
        drag = QDrag(self)
        drag.setMimeData(chosen)
        drag.setPixmap(pixmap("checkpoint", "accent", 20, self.devicePixelRatioF()))
        drag.exec(Qt.DropAction.CopyAction)

    def mime(self, ids: Sequence[str]) -> QMimeData:
        """What a drag of these entries carries: those that are missing are left out."""
        data = QMimeData()
        found = [self.paths[id_] for id_ in ids if id_ in self.paths]
        entries = [{"name": name, "path": path} for name, path in found]
        data.setData(LIBRARY_MIME, json.dumps(entries).encode())
        data.setUrls([QUrl.fromLocalFile(entry["path"]) for entry in entries])  # for a file manager, which copies them
        return data


class LibraryDock(QWidget):
    """Checkpoints of the project, searchable, in sections.

    Signals:
        filesDropped: Paths dropped from the file manager.
        addRequested: The add button (or the empty state's).
        chosen: Id of the entry in front; empty for none.
        opened: Id, on double click: put it on the canvas.
        removeRequested, relocateRequested, interpolateRequested, soupRequested, mergeRequested, compareRequested: Ids.
        equalsRequested: Which ones hold the same weights is to be found out.
    """

    filesDropped = Signal(list)
    addRequested = Signal()
    demoRequested = Signal()
    chosen = Signal(str)
    opened = Signal(str)
    removeRequested = Signal(list)
    relocateRequested = Signal(str)
    interpolateRequested = Signal(list)
    soupRequested = Signal(list)
    mergeRequested = Signal(list)
    compareRequested = Signal(list)
    equalsRequested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self.setAcceptDrops(True)
        self._entries: Sequence[Entry] = ()
        self._roles: dict[str, str] = {}
        self._same: dict[str, tuple[str, ...]] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = Header("Library")
        equals = header.add_button("compare", "Find checkpoints that hold the same weights")
        equals.clicked.connect(self.equalsRequested)
        header.add_button("add", "Open checkpoints…").clicked.connect(self.addRequested)
        column.addWidget(header)
        self.search = QLineEdit(placeholderText="Search checkpoints", clearButtonEnabled=True)
        self.search.setAccessibleName("Search checkpoints")
        self.search.setToolTip("Words of a name, a path, a format, a network, a tag or a note")
        self._glass = self.search.addAction(icon("search", "text-3"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._show)
        holder = QWidget()
        inner = QVBoxLayout(holder)
        inner.setContentsMargins(12, 0, 12, 6)
        inner.addWidget(self.search)
        column.addWidget(holder)
        self.view = _LibraryView()
        empty = Empty(
            "checkpoint",
            "No checkpoints yet.",
            "Drop files or folders here, or open the demo project.",
            "Open checkpoints…",
        )
        empty.button.clicked.connect(self.addRequested)
        self._stack = Stack(self.view, empty)
        column.addWidget(self._stack, 1)
        self.view.chosen.connect(self.chosen)
        self.view.activatedRow.connect(self.opened)
        self.view.customContextMenuRequested.connect(self._menu)
        themes().changed.connect(self._recolour)

    def _recolour(self) -> None:
        self._glass.setIcon(icon("search", "text-3"))

    def set_entries(self, entries: Sequence[Entry], roles: dict[str, str] | None = None) -> None:
        """Show these entries; ``roles`` tags some by name ("base", "corner 1")."""
        self._entries = entries
        self._roles = dict(roles or {})
        self.view.paths = {entry.id: (entry.name, str(entry.path)) for entry in entries if not entry.missing}
        self._show()

    def set_roles(self, roles: dict[str, str]) -> None:
        """Change the tags only."""
        if roles != self._roles:
            self._roles = dict(roles)
            self._show()

    def same(self, name: str) -> tuple[str, ...]:
        """Names of the others that hold the same weights as this one."""
        return self._same.get(name, ())

    def set_same(self, groups: Sequence[Sequence[str]]) -> None:
        """Say which entries hold the same weights: names in groups."""
        same = {name: tuple(other for other in group if other != name) for group in groups for name in group}
        if same != self._same:
            self._same = same
            self._show()

    def _show(self) -> None:
        words = self.search.text().lower().split()
        found = [entry for entry in self._entries if all(word in _told(entry) for word in words)]
        rows: list[Row] = []
        for title in ("Checkpoints", "Adapters", "Made here", "Not found"):
            members = [entry for entry in found if _section(entry) == title]
            if members:
                rows.append(Row(f"section:{title}", title, section=True, right=str(len(members))))
                rows.extend(self._row(entry) for entry in members)
        if words and not found:
            rows = [Row("section:none", f"No match for '{self.search.text()}'", section=True)]
        self.view.rows_model.set_rows(rows)
        self._stack.show_content(bool(self._entries))

    def _row(self, entry: Entry) -> Row:
        if entry.missing:
            return Row(
                entry.id, entry.name, "moved or deleted", "broken-link", "text-3", "Relocate…", "accent", dim=True,
                tip=f"{entry.path}\nRight-click to relocate or remove it.",
            )  # fmt: skip
        if entry.trouble:
            return Row(entry.id, entry.name, "cannot be read", "error", "error", tip=f"{entry.path}\n{entry.trouble}")
        dtype = _SHORT_DTYPES.get(entry.dtype, entry.dtype)
        facts = " · ".join(filter(None, (entry.adapter, count_short(entry.numel), dtype, size_short(entry.nbytes))))
        role, same = self._roles.get(entry.name, ""), self._same.get(entry.name, ())
        right = role or ("copy" if same else entry.tags[0] if entry.tags else "")
        tip = [entry.name, facts, f"Trained on {entry.base}" if entry.base else ""]
        tip += [f"Holds the same weights as {', '.join(same)}" if same else "", ", ".join(entry.tags), entry.note]
        return Row(
            entry.id, entry.name, facts, _ICONS.get(entry.role, "checkpoint"), right=right,
            right_token="warn" if right == "copy" else "text-3",
            boxed=bool(right) and right in ("base", *entry.tags[:1]),
            tip="\n".join(part for part in (*tip, str(entry.path)) if part),
        )  # fmt: skip

    def _open(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self.opened.emit(id_)

    def _menu(self, place: QPoint) -> None:
        ids = self.view.selected_ids()
        if not ids:
            return
        self.menu_of(ids).exec(self.view.viewport().mapToGlobal(place))

    def menu_of(self, ids: list[str]) -> QMenu:
        """What can be done with some entries."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        missing = [entry for entry in self._entries if entry.id in ids and entry.missing]
        add = menu.addAction("Add to canvas", lambda: self._open(ids))
        add.setEnabled(not missing)
        add.setToolTip("Put them on the recipe canvas in front.")
        adapters = any(entry.role == "adapter" for entry in self._entries if entry.id in ids)
        several = len(ids) > 1 and not missing and not adapters
        for words, signal, tip in (
            ("Merge these", self.mergeRequested, "A new recipe with a method that has them all as inputs."),
            ("Make a soup of these", self.soupRequested, "The soup canvas of a new recipe, with them as its pool."),
            ("Interpolate between these", self.interpolateRequested,
             "Two make a line, three a triangle, more a polygon."),
        ):  # fmt: skip
            made = menu.addAction(words, lambda signal=signal: signal.emit(ids))
            made.setEnabled(several)
            made.setToolTip(tip if several else "Select two checkpoints or more; an adapter is a change and no model.")
        menu.addSeparator()
        compare = menu.addAction("Compare their weights", lambda: self.compareRequested.emit(ids))
        compare.setEnabled(len(ids) == 2 and not missing)
        compare.setToolTip("Select two checkpoints: the first is what the second is compared with.")
        if len(missing) == 1:
            menu.addAction("Relocate…", lambda: self.relocateRequested.emit(missing[0].id))
        menu.addSeparator()
        menu.addAction("Remove from library", lambda: self.removeRequested.emit(ids))
        return menu

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: D102 - Qt's name
        if event.mimeData().hasUrls() and not event.mimeData().hasFormat(LIBRARY_MIME):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: D102 - Qt's name
        if event.mimeData().hasUrls() and not event.mimeData().hasFormat(LIBRARY_MIME):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: D102 - Qt's name
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.filesDropped.emit(paths)

    def row_of(self, name: str) -> Row | None:
        """The row of an entry by name; for tests and tours."""
        for row in self.view.rows_model.rows:
            if row.title == name and not row.section:
                return row
        return None


def _told(entry: Entry) -> str:
    """What a search looks in."""
    said = (
        entry.name,
        entry.path,
        entry.format,
        entry.architecture,
        entry.dtype,
        entry.adapter,
        *entry.tags,
        entry.note,
    )
    return " ".join(map(str, said)).lower()


def _section(entry: Entry) -> str:
    if entry.missing:
        return "Not found"
    return {"made": "Made here", "adapter": "Adapters"}.get(entry.role, "Checkpoints")
