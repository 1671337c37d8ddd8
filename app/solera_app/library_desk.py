"""The library at the desk: what is added, removed, relocated; what a drop of files means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from solera.errors import InputError, SoleraError
from solera_app.bridge.slots import guarded, notices
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

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions about the library do."""
        return {"file.open-checkpoints": self.ask}

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
        self._window.library.set_entries(entries)
        self._desk.recipes.show_library(entries)

    def ask(self) -> None:
        """Ask for checkpoint files and add them."""
        kinds = "Checkpoints (*.safetensors *.pt *.pth *.bin *.ckpt *.json);;All files (*)"
        chosen, _ = QFileDialog.getOpenFileNames(self._window, "Open checkpoints", "", kinds)
        if chosen:
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
                self._open_recipe(path)
            else:
                checkpoints.append(path)
        if checkpoints:
            self.add(checkpoints)

    def _open_recipe(self, path: Path) -> None:
        """Open a recipe; where no project is open yet, the one it lies in is opened first."""
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
