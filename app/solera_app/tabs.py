"""The tabs of the central area: each a widget with an icon, a title, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera_app.open_document import OpenDocument

if TYPE_CHECKING:
    from solera_app.preview import PreviewScorer


class Tab(QWidget):
    """The root of all tabs.

    Signals:
        retitled: Its title, icon or conditions changed.
        hinted: A hint for the status bar.
    """

    retitled = Signal()
    hinted = Signal(str)

    icon = "table"

    @property
    def title(self) -> str:
        """What the tab says."""
        return ""

    @property
    def conditions(self) -> frozenset[str]:
        """Conditions of the action table that hold while it is in front."""
        return frozenset()

    def fit(self) -> None:
        """Show all there is."""

    def export(self, kind: str, path: Path) -> Path:
        """Write what is shown; ``kind`` is ``"png"``, ``"svg"`` or ``"csv"``.

        Raises:
            OutputError: It cannot be written.
            InputError: This tab has no such form.
        """
        raise NotImplementedError

    def held(self, widget: QWidget) -> None:
        """Fill the tab with one widget."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(widget)


class DocumentTab(Tab):
    """A tab over an open document.

    Args:
        opened: The document; several tabs may share it.
    """

    def __init__(self, opened: OpenDocument) -> None:
        super().__init__()
        self.opened = opened
        opened.changed.connect(self.retitled)

    @property
    def title(self) -> str:  # noqa: D102
        return f"{self.opened.name} •" if self.opened.modified else self.opened.name

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        history = self.opened.history
        found = {"document", "tab", "canvas", "exportable"}
        if history.can_undo:
            found.add("undo")
        if history.can_redo:
            found.add("redo")
        if self.opened.document.recipe.nodes:
            found.add("runnable")
        return frozenset(found)


class BlendTab(DocumentTab):
    """A canvas that blends checkpoints of a document: it scores in a thread of its own and brings an inspector page."""

    #: ``"interpolation"`` or ``"soup"``: what the session knows it by, and the inspector calls it.
    kind = ""
    #: Whether it was closed: jobs that still run have nothing to show here.
    closed = False
    canvas: Any
    panel: QWidget
    scorer: PreviewScorer

    @property
    def page(self) -> QWidget:
        """What the inspector shows while this tab is in front."""
        return self.panel

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        written: Path = self.canvas.export(kind, path)
        return written

    def awaits(self, job: str) -> bool:
        """Whether a job is this tab's own: its run is shown here, not in a tab of its own."""
        return False

    def close_tab(self) -> None:
        """End the scoring thread; the page leaves the inspector."""
        self.closed = True
        self.scorer.stop()
        self.panel.deleteLater()


class RecipeTab(DocumentTab):
    """The recipe canvas of a document.

    Args:
        opened: The document.
        methods: Methods by name, as manifests tell them.
    """

    icon = "recipe"

    def __init__(self, opened: OpenDocument, methods: Mapping[str, Any]) -> None:
        from solera_app.canvases.recipe import RecipeCanvas  # not before the window's first paint

        super().__init__(opened)
        self.canvas = RecipeCanvas(opened.history, methods)
        self.canvas.message.connect(self.hinted)
        self.canvas.selectionChanged.connect(lambda _: self.retitled.emit())
        self.held(self.canvas)

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return super().conditions | ({"selection"} if self.canvas.selection else frozenset())

    def fit(self) -> None:  # noqa: D102
        self.canvas.fit()

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        return self.canvas.export(kind, path)
