"""Help at the desk: the documentation offline, the gallery of examples, the tour, help on what is selected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from solera.recipes.nodes import MethodNode, StatisticNode
from solera_app.bridge.slots import guarded
from solera_app.documentation import Documentation
from solera_app.gallery import Example, Gallery
from solera_app.tabs import RecipeTab
from solera_app.tour import Step, Tour

if TYPE_CHECKING:
    from solera_app.desk import Desk

#: The page that tells of a tab, by the icon it has (each kind has its own).
_OF_TABS = {
    "recipe": "tutorials/first-merge.md", "interpolate": "tutorials/soup-triangle.md", "soup": "how-to/cook-a-soup.md",
}  # fmt: skip


class HelpDesk(QObject):
    """Everything that explains.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self.documentation: Documentation | None = None
        self.tour: Tour | None = None
        self.gallery: Gallery | None = None
        welcome = desk.window.welcome
        welcome.tourRequested.connect(guarded(self.start_tour))
        welcome.galleryRequested.connect(guarded(self.open_gallery))
        welcome.projectRequested.connect(guarded(lambda path: self.open_recent(Path(path))))

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions do."""
        return {
            "help.documentation": lambda: self.open_page("tutorials/first-merge.md"),
            "help.selected": self.explain,
            "help.examples": self.open_gallery,
            "help.tour": self.start_tour,
        }

    # --- pages -----------------------------------------------------------------------------------------------------

    def open_page(self, id_: str) -> None:
        """Show a page of the documentation."""
        if self.documentation is None:
            self.documentation = Documentation(self._window)
        self.documentation.open_page(id_)
        self.documentation.show()
        self.documentation.raise_()

    def explain(self) -> None:
        """Show the page of the method that is selected, else that of the tab in front."""
        tab = self._desk.tab
        page = "reference/window.md"
        if isinstance(tab, RecipeTab):
            ids = [id_ for id_ in tab.canvas.selection if id_ in tab.opened.document.ids]
            node = tab.opened.document.node(ids[0]) if ids else None
            page = _OF_TABS["recipe"]
            if isinstance(node, MethodNode):
                page = f"reference/methods/{node.method}.md"
            elif isinstance(node, StatisticNode):
                page = "how-to/merge-with-data.md"
        elif tab is not None:
            page = "how-to/read-a-run.md" if tab.property("run") else _OF_TABS.get(tab.icon, page)
        self.open_page(page)

    # --- examples --------------------------------------------------------------------------------------------------

    def open_gallery(self) -> None:
        """Show every example."""
        shelf = self._desk.tools.registry.examples
        examples = []
        for name in shelf:
            item, plugin = shelf.describe(name), shelf.plugin(name)
            made = self._desk.example_folder(name)
            params = tuple((spec.title, spec.param.help) for spec in item.params)
            place = str(made) if (made / "solera.toml").exists() else ""
            examples.append(Example(name, item.title, item.summary, plugin.name if plugin else "", params, place))
        if self.gallery is not None:
            self.gallery.close()
            self.gallery.deleteLater()
        self.gallery = Gallery(examples, self._desk.workbench is not None, self._window)
        self.gallery.opened.connect(guarded(self._desk.make_example))
        self.gallery.made.connect(guarded(self._make_here))
        self.gallery.show()

    def _make_here(self, name: str) -> None:
        self._window.show_tabs()
        self._desk.start_example(name)

    def open_recent(self, folder: Path) -> None:
        """Open a recent project; where it is gone, ask where it is now."""
        if (folder / "solera.toml").exists():
            self._desk.open_project(folder)
            return
        chosen = QFileDialog.getExistingDirectory(self._window, f"Where is {folder.name} now?")
        if chosen:
            self._desk.open_project(Path(chosen))
            self._desk.session.forget_project(folder)

    # --- the tour --------------------------------------------------------------------------------------------------

    def start_tour(self) -> None:
        """Three steps over the window; without a project the first example is made for it."""
        if self._desk.workbench is None:
            name = next(iter(self._desk.tools.registry.examples), "")
            if name:
                self._desk.make_example(name)
        if self._desk.workbench is None:
            return
        self._window.show_tabs()
        for dock in (self._window.library_dock, self._window.inspector_dock, self._window.bottom_dock):
            dock.show()
        if self.tour is not None:
            self.tour.end()
        self.tour = Tour(self._steps(), self._window)
        self.tour.ended.connect(self._ended)
        self.tour.start()

    def _ended(self) -> None:
        self.tour = None

    def _steps(self) -> tuple[Step, ...]:
        window = self._window
        keys = window.shortcuts.of
        bar = window.toolbar

        def explore() -> QWidget | None:
            return bar.widgetForAction(window.actions_by_id.by_id["run.explore"])

        return (
            Step("Drop checkpoints",
                 "Files or folders, from the file manager to the library. Drag them from here onto the canvas; a click "
                 "shows what is in one.", lambda: window.library),
            Step("Connect them to a method",
                 f"Press {keys('canvas.add')} on the canvas to add one, drag from port to port, and set it in the "
                 f"inspector. Run recipe ({keys('run.run')}) writes the result as a job.", lambda: window.tabs),
            Step("Explore what is between",
                 f"{keys('run.explore')} scores a line, a plane or a recipe's variables. The picture fills in while it "
                 "runs, and every run stays in the list below.", explore),
        )  # fmt: skip
