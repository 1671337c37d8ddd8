"""The inspector: what is selected, its parameters as a form, what it will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from solera.documents.document import Document
from solera_app.docks.panel import Empty, Header
from solera_app.docks.point_page import PointPage

if TYPE_CHECKING:
    from solera_app.docks.form import DeclaredMethod, Form
    from solera_app.docks.node_page import NodePage
    from solera_app.docks.several_page import SeveralPage


class Inspector(QWidget):
    """What is selected on the canvas in front.

    Signals:
        edited: A command for the document in front.
        keepRequested, recipeRequested: A point of a run (run id, index) is to be kept, or opened on the canvas.
    """

    edited = Signal(object)
    keepRequested = Signal(str, int)
    recipeRequested = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = Header("Inspector")
        column.addWidget(self.header)
        self._pages = QStackedWidget()
        column.addWidget(self._pages, 1)
        self._empty = Empty("settings", "Select something to see what it is made of.")
        self.point = PointPage()
        self.point.keepRequested.connect(self.keepRequested)
        self.point.recipeRequested.connect(self.recipeRequested)
        self._node_area, self._point_area, self._several_area = scrolled(), scrolled(), scrolled()
        self._point_area.setWidget(self.point)
        for page in (self._empty, self._node_area, self._point_area, self._several_area):
            self._pages.addWidget(page)

    @cached_property
    def _node(self) -> NodePage:
        """Made when first shown: its forms bring pyqtgraph along, for which the window's first paint does not wait."""
        from solera_app.docks.node_page import NodePage

        page = NodePage()
        page.edited.connect(self.edited)
        self._node_area.setWidget(page)
        return page

    @property
    def form(self) -> Form:
        """The form of the node shown; for tests."""
        return self._node.form

    def show_nothing(self) -> None:
        """Nothing is selected."""
        self.header.title.setText("Inspector")
        self._pages.setCurrentWidget(self._empty)

    @property
    def on_recipe(self) -> bool:
        """Whether a recipe as a whole is shown."""
        return self._pages.currentWidget() is self._node_area and self._node.id == ""

    def show_recipe(self, document: Document, facts: Sequence[tuple[str, str]] = (), name: str = "") -> None:
        """No node is selected: show the recipe as a whole, by its own name or that of its file."""
        self.header.title.setText("Recipe")
        self._node.show_recipe(document, facts, name)
        self._pages.setCurrentWidget(self._node_area)

    def show_node(
        self,
        document: Document,
        id_: str,
        methods: Mapping[str, DeclaredMethod],
        tasks: Sequence[str] = (),
        facts: Sequence[tuple[str, str]] = (),
        state: str = "",
    ) -> None:
        """Show a node of a document."""
        self.header.title.setText("Inspector")
        self._node.show_node(document, document.node(id_), methods, tasks, facts, state)
        self._pages.setCurrentWidget(self._node_area)

    @cached_property
    def _several(self) -> SeveralPage:
        """Made when first shown, as the page of one node is."""
        from solera_app.docks.several_page import SeveralPage

        page = SeveralPage()
        page.edited.connect(self.edited)
        self._several_area.setWidget(page)
        return page

    @property
    def several(self) -> SeveralPage:
        """The page of several nodes; for tests."""
        return self._several

    def show_nodes(self, document: Document, ids: Sequence[str], methods: Mapping[str, DeclaredMethod]) -> None:
        """Show several nodes of a document: what they have in common."""
        self.header.title.setText("Inspector")
        self._several.show_nodes(document, ids, methods)
        self._pages.setCurrentWidget(self._several_area)

    def show_point(
        self, run: str, index: int, title: str, tag: str, facts: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None:
        """Show a scored point of a run, or with index -1 the run as a whole: sections of facts by title."""
        self.header.title.setText("Selected point" if index >= 0 else "Run")
        self.point.show_point(run, index, title, tag, facts)
        self._pages.setCurrentWidget(self._point_area)

    def show_page(self, title: str, page: QWidget) -> None:
        """Show a page that a tab brings along."""
        self.header.title.setText(title)
        if self._pages.indexOf(page) < 0:
            self._pages.addWidget(page)
        self._pages.setCurrentWidget(page)


def scrolled() -> QScrollArea:
    """A scroll area as wide as the dock."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
