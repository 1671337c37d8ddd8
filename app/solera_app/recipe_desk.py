"""Recipes at the desk: which are open, what is dropped and edited, what the inspector shows of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QPointF, QTimer
from PySide6.QtWidgets import QFileDialog

from solera.documents.commands import Command, SetRecipe
from solera.documents.document import Document
from solera.documents.journal import left_behind
from solera.errors import InputError
from solera.recipes.nodes import CheckpointNode, Recipe, StatisticNode
from solera_app.blend_desk import BlendDesk
from solera_app.bridge.slots import guarded, notices
from solera_app.foreign_recipes import is_foreign, is_picture, is_recipe, open_foreign, open_picture
from solera_app.group_desk import GroupDesk
from solera_app.open_document import OpenDocument
from solera_app.recipe_checks import RecipeChecks
from solera_app.recipe_files import RecipeFiles
from solera_app.recipe_jobs import RecipeJobs
from solera_app.staleness import touched
from solera_app.tabs import BlendTab, DocumentTab, RecipeTab
from solera_app.words import count_short, size_short

if TYPE_CHECKING:
    from solera.workbench import Workbench
    from solera_app.desk import Desk
    from solera_app.window import Window


#: Bytes of a checkpoint that are read at most to find out which tasks it fits.
_TRIED = 500_000_000


class RecipeDesk(QObject):
    """Everything about open recipes.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self.documents: list[OpenDocument] = []
        self._tab: DocumentTab | None = None
        self._methods: dict[str, Any] = {}
        self._entries: list[Any] = []
        self.files, self.checks, self.jobs = RecipeFiles(self), RecipeChecks(desk, self), RecipeJobs(desk, self)
        self.blends, self.groups = BlendDesk(desk, self), GroupDesk(self)

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions about recipes do."""
        return {
            "file.new-recipe": self.new_recipe,
            "file.open-recipe": self.ask_recipe,
            "file.save": lambda: self.with_front(self.files.save),
            "file.save-as": lambda: self.with_front(self.files.save_as),
            "edit.undo": lambda: self.with_front(lambda o: self._said("Undone", o.history.undo())),
            "edit.redo": lambda: self.with_front(lambda o: self._said("Done again", o.history.redo())),
            "edit.copy": lambda: self._on_canvas(lambda tab: tab.canvas.edits.copy()),
            "edit.paste": lambda: self._on_canvas(lambda tab: tab.canvas.edits.paste()),
            "edit.delete": lambda: self._on_canvas(lambda tab: tab.canvas.edits.delete()),
            "edit.select-all": lambda: self._on_canvas(
                lambda tab: tab.canvas.select([node.id for node in tab.opened.document.nodes])
            ),
            "canvas.add": lambda: self._on_canvas(lambda tab: tab.canvas.open_quick_add()),
            **self.blends.handlers(),
            "canvas.frame": lambda: self._on_canvas(lambda tab: tab.canvas.new_frame()),
            "canvas.comment": lambda: self._on_canvas(lambda tab: tab.canvas.new_comment()),
            "canvas.layout": lambda: self._on_canvas(lambda tab: tab.canvas.grouping.lay_out()),
            "canvas.output": lambda: self._on_canvas(lambda tab: tab.canvas.edits.make_output()),
            "canvas.copy-yaml": lambda: self.files.copy_as("yaml"),
            "canvas.copy-python": lambda: self.files.copy_as("python"),
            "canvas.copy-cli": lambda: self.files.copy_as("cli"),
            "run.check": self.checks.check,
            "run.run": self.jobs.run,
            "run.explore": lambda: self.jobs.explore(),
        }

    def anchored(self, opened: OpenDocument, output: str = "") -> Recipe:
        """The recipe of a document with its paths made absolute, as jobs need it.

        Args:
            opened: The document.
            output: Another node than the recipe's own output.
        """
        document = opened.document
        if output and output != document.recipe.output:
            document = SetRecipe(output=output).apply(document)
        return self._bench.inputs.anchored(document.recipe, self.folder_of(opened))

    @property
    def window(self) -> Window:
        """The window."""
        return self._window

    @property
    def tab(self) -> DocumentTab | None:
        """The document's tab in front."""
        return self._tab

    @property
    def entries(self) -> list[Any]:
        """What is in the library."""
        return self._entries

    @property
    def recipes_folder(self) -> Path:
        """Where the project keeps its recipes."""
        project = self._bench.project
        return project.recipes_folder if project is not None else Path.cwd()

    def folder_of(self, opened: OpenDocument) -> Path:
        """What a document's relative paths are relative to."""
        return opened.path.parent if opened.path is not None else self._project_folder()

    @property
    def bench(self) -> Workbench:
        """The workbench.

        Raises:
            InputError: No project is open.
        """
        return self._bench

    # --- what is open ----------------------------------------------------------------------------------------------

    @property
    def _bench(self) -> Workbench:
        bench = self._desk.workbench
        if bench is None:
            raise InputError("Open or make a project first.")
        return bench

    def with_front(self, act: Callable[[OpenDocument], Any]) -> None:
        """Do something with the document in front, if there is one."""
        if self._tab is not None:
            act(self._tab.opened)

    def _on_canvas(self, act: Callable[[RecipeTab], Any]) -> None:
        if isinstance(self._tab, RecipeTab):
            act(self._tab)

    def _said(self, what: str, label: str) -> None:
        if label:
            self._window.hint(f"{what}: {label}")

    def opened_project(self, bench: Workbench) -> None:
        """A project was opened: its methods, its recipes, what a crash left behind."""
        shelf = bench.registry.methods
        self._methods = {name: shelf.describe(name) for name in shelf}
        project = bench.project
        if project is None:
            return
        paths = [Path(path) for path in self._desk.session.tabs(project.folder)] or list(project.recipes())[:3]
        folders = dict.fromkeys((project.folder, project.recipes_folder, *(path.parent for path in paths)))
        recoveries = () if project.read_only else left_behind(tuple(filter(Path.is_dir, folders)), self._methods)
        for recovery in recoveries:
            opened = OpenDocument(recovery.document, recovery.path, project.folder, modified=True)
            self._show(opened)
            opened.autosave()
            if recovery.journal != opened.journal:
                recovery.journal.unlink(missing_ok=True)
            changed = " The file on disk changed since." if recovery.changed_since else ""
            notices().say("warning", f"Recovered unsaved edits of '{opened.name}' from {_ago(recovery.time)}.{changed}")
        recovered = {recovery.path.resolve() for recovery in recoveries if recovery.path is not None}
        for path in paths:
            if path.exists() and path.resolve() not in recovered:
                guarded(self.open_path)(path)  # one that cannot be read must not keep the project shut
        if not self.documents:
            self._new()
        elif self._window.tabs.count():
            self._window.tabs.setCurrentIndex(0)

    def closing_project(self) -> None:
        """Every document closes; unsaved ones were asked about."""
        self.blends.closing_project()
        for opened in self.documents:
            opened.discard()
        self.documents.clear()
        self.jobs.clear()
        self._tab = None

    def open_paths(self) -> list[str]:
        """Files of the open documents."""
        return [str(opened.path) for opened in self.documents if opened.path is not None]

    def _new(self, document: Document | None = None) -> OpenDocument:
        project = self._bench.project
        opened = OpenDocument(
            document or Document(), None, self._project_folder(),
            read_only=project is not None and project.read_only, modified=document is not None,
        )  # fmt: skip
        self._show(opened)
        return opened

    def open_document(self, document: Document) -> OpenDocument:
        """Show a document that was made (from a point of a run, say) as a new tab."""
        return self._new(document)

    def show_document(self, opened: OpenDocument) -> None:
        """Bring the recipe canvas of a document to the front; it is opened again if it was closed."""
        if self.tabs_of(opened):
            self._raise(opened)
        else:
            self._show(opened)

    def new_recipe(self) -> None:
        """Open an empty recipe."""
        self._new()

    def ask_recipe(self) -> None:
        """Ask for a recipe file and open it, with its project if none is open; one in no project needs one made."""
        from solera.projects.project import Project

        bench = self._desk.workbench
        start = str(bench.project.recipes_folder) if bench is not None and bench.project is not None else ""
        chosen, _ = QFileDialog.getOpenFileName(self._window, "Open recipe", start, "Recipes (*.yaml *.yml)")
        if not chosen:
            return
        if bench is None and Project.find(Path(chosen).parent) is None:
            self._desk.new_project()
            if self._desk.workbench is None:
                return
        self._desk.library.open_recipe(Path(chosen))

    def open_path(self, path: Path) -> None:
        """Open a recipe file, or bring its tab to the front; one of mergekit's is translated into a new document."""
        for opened in self.documents:
            if opened.path is not None and opened.path.resolve() == path.resolve():
                self.show_document(opened)
                return
        project = self._bench.project
        if is_picture(path):
            open_picture(self._desk, path)
            return
        if is_foreign(path):
            open_foreign(self._desk, path)
            return
        opened = OpenDocument.load(path, self._methods, read_only=project is not None and project.read_only)
        self._show(opened)
        if opened.unread:
            some = "Something" if len(opened.unread) == 1 else f"{len(opened.unread)} things"
            sentence = f"{some} in '{path.name}' could not be read and is not shown; Save will ask for another name."
            notices().say("warning", sentence, "\n".join(map(str, opened.unread)))

    def close_blank(self) -> None:
        """Close the empty sheets that nobody wrote on."""
        for tab in [tab for opened in self.documents if _blank(opened) for tab in self.tabs_of(opened)]:
            self._desk.close_tab(tab)

    def _raise(self, opened: OpenDocument) -> None:
        for place in range(self._window.tabs.count()):
            tab = self._window.tabs.widget(place)
            if isinstance(tab, RecipeTab) and tab.opened is opened:
                self._window.tabs.setCurrentIndex(place)

    def _show(self, opened: OpenDocument) -> None:
        if opened not in self.documents:  # else another canvas is open over it
            self.documents.append(opened)
            opened.changed.connect(guarded(self._changed))
        project = self._bench.project
        if project is not None and opened.path is not None:  # so that a crash finds its journal, wherever it lies
            self._desk.session.keep_tabs(project.folder, self.open_paths())
        tab = RecipeTab(opened, self._methods)
        canvas = tab.canvas
        canvas.set_library([entry for entry in self._entries if not entry.missing])
        canvas.set_tasks(self._bench.tasks())
        canvas.filesDropped.connect(guarded(lambda paths, at: self._drop(tab, paths, at)))
        canvas.openRequested.connect(guarded(lambda id_: self._window.inspector_dock.show()))
        canvas.runRequested.connect(guarded(self.jobs.run))
        canvas.remedyRequested.connect(guarded(lambda remedy: self.checks.mend(tab, remedy)))
        canvas.saveFrameRequested.connect(guarded(lambda frame: self.groups.save(tab, frame)))
        canvas.insertRequested.connect(guarded(lambda at: self.groups.insert(tab, at)))
        canvas.selectionChanged.connect(guarded(lambda _: self.inspect()))
        self._window.add_tab(tab)
        canvas.set_faults(opened.faults)
        if opened.document.nodes:
            QTimer.singleShot(0, canvas, canvas.fit)
        self.checks.start()

    def may_close(self, tab: DocumentTab) -> bool:
        """Whether a tab may close: the last one over an unsaved document asks."""
        return not self._last_over(tab) or self.files.ask(tab.opened)

    def _last_over(self, tab: DocumentTab) -> bool:
        """Whether no other tab is open over its document."""
        tabs = (self._window.tabs.widget(place) for place in range(self._window.tabs.count()))
        return not any(
            isinstance(other, DocumentTab) and other is not tab and other.opened is tab.opened for other in tabs
        )

    def may_close_all(self) -> bool:
        """Ask about every unsaved document."""
        return all(self.files.ask(opened) for opened in self.documents)

    def closing(self, tab: Any) -> None:
        """A tab closes; a document without a tab is done with."""
        if isinstance(tab, BlendTab):
            tab.close_tab()
        if isinstance(tab, DocumentTab) and tab.opened in self.documents and self._last_over(tab):
            tab.opened.discard()
            self.documents.remove(tab.opened)

    # --- editing ---------------------------------------------------------------------------------------------------

    def do(self, command: Command) -> None:
        """An edit from the inspector."""
        self.with_front(lambda opened: opened.history.do(command))

    def add_entry(self, name: str) -> None:
        """Put a library entry on the canvas in front."""
        entry = next((entry for entry in self._entries if entry.id == name), None)
        if entry is None or entry.missing:
            return
        if not isinstance(self._tab, RecipeTab):
            self._new()
        self._on_canvas(
            lambda tab: tab.canvas.add_checkpoints(
                [{"name": entry.name, "path": str(entry.path)}],
                tab.canvas.mapToScene(tab.canvas.viewport().rect().center()),
            )
        )

    def show_library(self, entries: list[Any]) -> None:
        """The library changed: canvases offer it."""
        self._entries = entries
        for place in range(self._window.tabs.count()):
            tab = self._window.tabs.widget(place)
            if isinstance(tab, RecipeTab):
                tab.canvas.set_library([entry for entry in entries if not entry.missing])
        self._roles()
        self._previews()

    def plugins_reloaded(self, changed: Sequence[str]) -> None:
        """Methods may be others now: canvases offer them, and what plugins that changed had made is marked stale."""
        shelf = self._bench.registry.methods
        self._methods.clear()
        self._methods.update({name: shelf.describe(name) for name in shelf})
        for opened in self.documents:
            stale = touched(opened.document, shelf, changed)
            for tab in self.tabs_of(opened):
                tab.canvas.set_catalogue(self._methods)
                for id_, item in tab.canvas.picture.items_by_id.items():
                    if id_ in stale and item.state == "done":
                        tab.canvas.set_node_state(id_, "stale", None, "made before its plugin changed")
        self.inspect()
        self.checks.start()

    def refresh_tasks(self) -> None:
        """The project has other tasks: canvases offer them."""
        for place in range(self._window.tabs.count()):
            tab = self._window.tabs.widget(place)
            if isinstance(tab, RecipeTab):
                tab.canvas.set_tasks(self._bench.tasks())

    def _drop(self, tab: RecipeTab, paths: list[str], at: QPointF) -> None:
        def place(entries: list[Any]) -> None:
            tab.canvas.add_checkpoints([{"name": e.name, "path": str(e.path)} for e in entries], at)

        checkpoints = [Path(path) for path in paths if not is_recipe(Path(path))]
        if len(checkpoints) < len(paths):
            self._desk.drop_files([path for path in paths if is_recipe(Path(path))])
        if checkpoints:
            self._desk.add_checkpoints(checkpoints, place)

    # --- checking and inspecting -----------------------------------------------------------------------------------

    def front(self, tab: DocumentTab | None) -> None:
        """Another tab is in front."""
        changed = tab is not self._tab
        self._tab = tab
        if changed:
            self.inspect()
            self.checks.start()
            self._roles()
            self._previews()
        if tab is None:
            self._window.show_faults(0)
            self._window.status.saved.show_words("")
        else:
            self._window.status.saved.show_words("Unsaved, journalled" if tab.opened.modified else "Saved")

    def _roles(self) -> None:
        if self._tab is None:
            self._window.library.set_roles({})
            return
        document = self._tab.opened.document
        bases = {getattr(node, "base", "") for node in document.recipe.nodes}
        roles = {}
        for node in document.recipe.checkpoints:
            entry = self.entry(node.source)
            if entry is None:
                continue
            name = entry.name
            if node.id in bases:
                roles[name] = "base"
            if node.id in document.interpolation.corners:
                roles[name] = f"corner {document.interpolation.corners.index(node.id) + 1}"
        self._window.library.set_roles(roles)

    def _previews(self) -> None:
        """What is known of a checkpoint, at its node."""
        tab = self._tab
        if isinstance(tab, RecipeTab):
            for node in tab.opened.document.recipe.checkpoints:
                entry = self.entry(node.source)
                if entry is not None and not entry.missing:
                    known = [entry.adapter] if entry.adapter else [count_short(entry.numel), entry.dtype]
                    text = " · ".join((*known, size_short(entry.nbytes)))
                    tab.canvas.set_preview(node.id, text)

    def _changed(self) -> None:
        self.checks.start()
        self._previews()
        self.inspect()
        self._roles()
        self._desk.refresh_actions()

    def inspect(self) -> None:
        """Show in the inspector what is selected on the tab in front."""
        tab = self._tab
        if tab is None:
            return
        if isinstance(tab, BlendTab):
            self._window.inspector.show_page(tab.kind.capitalize(), tab.page)
            return
        document = tab.opened.document
        chosen = tab.canvas.selection if isinstance(tab, RecipeTab) else []
        known = [id_ for id_ in chosen if id_ in document.ids]
        inspector = self._window.inspector
        if len(known) == 1:
            inspector.show_node(document, known[0], self._methods, self._bench.tasks(), self._facts(document, known[0]))
        elif known:
            inspector.show_nodes(document, known, self._methods)
        elif isinstance(tab, RecipeTab):
            inspector.show_recipe(document, self.checks.plan_facts(tab.opened), tab.opened.name)

    def _facts(self, document: Document, id_: str) -> list[tuple[str, str]]:
        node = document.node(id_)
        if isinstance(node, StatisticNode):
            return self.checks.statistic_facts(self._tab.opened, id_) if self._tab is not None else []
        if not isinstance(node, CheckpointNode):
            return []
        entry = self.entry(node.source)
        if entry is None:
            return [("Source", node.source)] if node.source else []  # a statistic has no file yet
        facts = [
            ("Adapter", entry.adapter),
            ("Trained on", entry.base),
            ("Format", entry.format),
            ("Parameters", f"{entry.numel:,}"),
            ("Dtype", entry.dtype),
        ]
        facts += [("Size", size_short(entry.nbytes)), ("Network", entry.architecture), ("Path", str(entry.path))]
        return [(title, text) for title, text in facts if text]

    def entry(self, source: str) -> Any:
        """The library entry a checkpoint node of the document in front means; None if it is not in the library."""
        if source.startswith("library:"):
            name = source.removeprefix("library:")
            return next((entry for entry in self._entries if entry.name == name), None)
        opened = self._tab.opened if self._tab is not None else None
        folder = opened.path.parent if opened is not None and opened.path is not None else self._project_folder()
        path = (folder / source).resolve()
        return next((entry for entry in self._entries if Path(entry.path).resolve() == path), None)

    def _project_folder(self) -> Path:
        project = self._bench.project
        return project.folder if project is not None else Path.cwd()

    def tabs_of(self, opened: OpenDocument) -> list[RecipeTab]:
        """The recipe canvases over a document."""
        widgets = (self._window.tabs.widget(place) for place in range(self._window.tabs.count()))
        return [widget for widget in widgets if isinstance(widget, RecipeTab) and widget.opened is opened]


def _blank(opened: OpenDocument) -> bool:
    """Whether it is a new recipe without anything on it, and nothing to take back."""
    return opened.path is None and not opened.document.nodes and not opened.modified


def _ago(seconds: float) -> str:
    from solera_app.words import when

    return when(seconds)
