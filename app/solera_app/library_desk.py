"""The library at the desk: what is added, removed, relocated; what a drop of files means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from solera.errors import InputError, SoleraError
from solera.events import JobChanged
from solera_app.bridge.slots import guarded, notices
from solera_app.docks.checkpoint_page import CheckpointPage
from solera_app.docks.inspector import scrolled
from solera_app.foreign_recipes import is_recipe

if TYPE_CHECKING:
    from solera.projects.library import Library
    from solera_app.desk import Desk


class LibraryDesk(QObject):
    """Everything about the library of the project that is open.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        dock = desk.window.library
        dock.filesDropped.connect(guarded(self.drop_files))
        dock.addRequested.connect(guarded(self.ask))
        dock.removeRequested.connect(guarded(self._remove))
        dock.relocateRequested.connect(guarded(self._relocate))
        dock.compareRequested.connect(guarded(self.compare))
        dock.equalsRequested.connect(guarded(self.find_equals))
        dock.chosen.connect(guarded(self._inspect))
        dock.view.clicked.connect(guarded(lambda _: self._inspect(next(iter(dock.view.selected_ids()), ""))))
        self._entries: list[Any] = []
        self._scores: dict[str, tuple[Any, ...]] = {}
        self._told: set[str] = set()  # jobs whose answer was asked for here
        self.page = CheckpointPage()
        self.page.remarked.connect(guarded(self._remark))
        self.page.recipeRequested.connect(guarded(self._open_recipe_of))
        self.page.addRequested.connect(guarded(desk.recipes.add_entry))
        self.page.relocateRequested.connect(guarded(self._relocate))
        self._area = scrolled()
        self._area.setWidget(self.page)

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions about the library do."""
        return {
            "file.open-checkpoints": self.ask,
            "tools.compare": lambda: self.compare(self._window.library.view.selected_ids()),
            "tools.equals": self.find_equals,
        }

    def closing_project(self) -> None:
        """Nothing of the project is shown any more."""
        self._entries, self._scores = [], {}
        self._told.clear()
        self._window.library.set_same(())
        self._window.library.set_entries(())

    @property
    def _library(self) -> Library | None:
        bench = self._desk.workbench
        return bench.project.library if bench is not None and bench.project is not None else None

    def refresh(self) -> None:
        """Read the library again, off the window's thread."""
        library = self._library
        if library is not None:
            self._desk.aside(library.entries, self._show)

    def _show(self, entries: list[Any]) -> None:
        from solera.projects.library import duplicates

        self._entries = entries
        self._window.library.set_entries(entries)
        self._window.library.set_same(duplicates(entries))
        self._desk.recipes.show_library(entries)
        if self.page.isVisible():
            self._inspect(self.page.shown)

    # --- one checkpoint --------------------------------------------------------------------------------------------

    def refresh_scores(self) -> None:
        """Read again what the runs say of checkpoints, off the window's thread."""
        bench = self._desk.workbench

        def show(found: dict[str, tuple[Any, ...]]) -> None:
            self._scores = found
            if self.page.isVisible():
                self._inspect(self.page.shown)

        if bench is not None:
            self._desk.aside(bench.standings, show)

    def _entry(self, name: str) -> Any:
        return next((entry for entry in self._entries if entry.name == name), None)

    def _inspect(self, name: str) -> None:
        """Show a checkpoint in the inspector."""
        entry = self._entry(name)
        if entry is None:
            return
        same = self._window.library.same(name)
        self.page.show_entry(entry, self._scores.get(entry.id, ()), same)
        self._window.inspector.show_page("Checkpoint", self._area)

    def _remark(self, name: str, note: str, tags: str) -> None:
        library = self._library
        if library is not None and self._entry(name) is not None:
            library.remark(name, note=note, tags=tags.split(","))
            self.refresh()

    def _open_recipe_of(self, name: str) -> None:
        """Open the recipe that made a checkpoint as a document of its own."""
        from solera.documents.document import Document
        from solera.recipes.yaml import parse_recipe

        entry, bench = self._entry(name), self._desk.workbench
        if entry is None or bench is None or "recipe" not in entry.lineage:
            return
        recipe, faults = parse_recipe(entry.lineage["recipe"], bench.registry.methods)
        self._desk.recipes.open_document(Document(recipe))
        if faults:
            notices().say("warning", f"Not all of the recipe of '{name}' can be read now.", "\n".join(map(str, faults)))

    # --- several ---------------------------------------------------------------------------------------------------

    def compare(self, names: list[str]) -> None:
        """Compare the weights of two checkpoints as a job; the result opens as a tab."""
        bench = self._desk.workbench
        if bench is None:
            return
        if len(names) != 2:
            raise InputError("Select two checkpoints in the library first: the second is compared with the first.")
        job = bench.submit_difference(*(self._source(name) for name in names))
        self._told.add(job.id)
        self._window.bottom.setCurrentWidget(self._window.jobs)

    def find_equals(self) -> None:
        """Read all checkpoints whose content hash is not known yet, as a job; then equal ones are told."""
        bench = self._desk.workbench
        if bench is None:
            return
        unknown = [entry for entry in self._entries if not entry.fingerprint and not entry.trouble]
        unknown = [entry for entry in unknown if entry.role != "adapter"]
        if unknown:
            self._told.add(bench.submit_fingerprints([self._source(entry.name) for entry in unknown]).id)
            self._window.bottom.setCurrentWidget(self._window.jobs)
        else:
            self._say_equals(self._entries)

    @staticmethod
    def _source(name: str) -> str:
        return f"library:{name}"

    def _say_equals(self, entries: list[Any]) -> None:
        from solera.projects.library import duplicates

        self._show(entries)
        groups = duplicates(entries)
        told = "; ".join(" = ".join(group) for group in groups)
        words = f"These hold the same weights: {told}." if groups else "No two checkpoints hold the same weights."
        notices().say("info", words)

    def on_job(self, event: JobChanged) -> None:
        """A comparison or a reading of checkpoints ended."""
        if event.state != "done" or event.job not in self._told or event.result is None:
            return
        self._told.discard(event.job)
        library = self._library
        if event.kind == "difference":
            from solera_app.difference_tab import DifferenceTab

            self._window.add_tab(DifferenceTab(event.result["difference"]))
        elif event.kind == "fingerprint" and library is not None:
            self._desk.aside(library.entries, self._say_equals)

    def ask(self) -> None:
        """Ask for checkpoint files and add them; without a project, ask where to make one for them."""
        kinds = "Checkpoints (*.safetensors *.pt *.pth *.bin *.ckpt *.json);;All files (*)"
        chosen, _ = QFileDialog.getOpenFileNames(self._window, "Open checkpoints", "", kinds)
        if chosen and self._desk.workbench is None:
            self._desk.new_project()
        if chosen and self._desk.workbench is not None:
            self.drop_files(chosen)

    def drop_files(self, paths: list[str]) -> None:
        """Files and folders from anywhere: projects and recipes are opened, the rest goes into the library."""
        checkpoints = []
        for path in map(Path, paths):
            if (path / "solera.toml").is_file():
                self._desk.open_project(path)
            elif path.name == "solera.toml":
                self._desk.open_project(path.parent)
            elif is_recipe(path):
                self.open_recipe(path)
            else:
                checkpoints.append(path)
        if checkpoints:
            self.add(checkpoints)

    def open_recipe(self, path: Path) -> None:
        """Open a recipe; where no project is open yet, the one it lies in is opened first.

        Raises:
            InputError: It lies in none.
        """
        from solera.projects.project import Project

        if self._desk.workbench is None:
            home = Project.find(path.parent)
            if home is None:
                raise InputError(
                    f"'{path.name}' lies in no project, and none is open. Open or make a project first, then drop it "
                    "again.",
                    path=str(path),
                )
            self._desk.open_project(home)
        if self._desk.workbench is not None:
            self._desk.recipes.open_path(path)

    def add(self, paths: list[Path], then: Callable[[list[Any]], None] | None = None) -> None:
        """Add checkpoints to the library; each that cannot be read is told, the others are added."""
        library = self._library
        if library is None:
            raise SoleraError("Open or make a project first; its library is where checkpoints go.")

        def work() -> tuple[list[Any], list[Exception]]:
            added: list[Any] = []
            failed: list[Exception] = []
            for path in paths:
                try:
                    added.append(library.add(path))
                except SoleraError as error:
                    failed.append(error)
            return added, failed

        def show(result: tuple[list[Any], list[Exception]]) -> None:
            failed = [str(error) for error in result[1]]
            if len(failed) == 1:
                notices().say("error", failed[0])
            elif failed:
                sentence = f"{len(failed)} of {len(paths)} could not be added. The first: {failed[0]}"
                notices().say("error", sentence, "\n\n".join(failed))
            self.refresh()
            if then is not None and result[0]:
                then(result[0])

        self._desk.aside(work, show)

    def _remove(self, names: list[str]) -> None:
        library = self._library
        if library is not None:
            for name in names:
                library.remove(name)
            self.refresh()

    def _relocate(self, name: str) -> None:
        library = self._library
        if library is None:
            return
        chosen = QFileDialog.getExistingDirectory(self._window, f"Where is {name} now?")
        if chosen:
            library.relocate(name, Path(chosen))
            self.refresh()
