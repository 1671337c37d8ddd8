"""The desk: a project opened in the window, and what every action does with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog, QMessageBox

from solera.errors import LockedError, OutputError
from solera.events import ArtifactMade, JobChanged
from solera.settings import load_settings
from solera_app.bridge.background import in_background
from solera_app.bridge.bridge import Bridge
from solera_app.bridge.slots import guarded, notices, report
from solera_app.dialogs import answered
from solera_app.help_desk import HelpDesk
from solera_app.history_desk import HistoryDesk
from solera_app.job_desk import JobDesk
from solera_app.library_desk import LibraryDesk
from solera_app.recipe_desk import RecipeDesk
from solera_app.run_desk import RunDesk
from solera_app.session.keeper import SessionKeeper
from solera_app.session.store import SessionStore
from solera_app.tabs import DocumentTab, Tab
from solera_app.tools_desk import ToolsDesk
from solera_app.window import Window
from solera_app.words import size_short

if TYPE_CHECKING:
    from solera.workbench import Workbench


class Desk(QObject):
    """Joins a window and a workbench.

    Args:
        window: The window.
        safe_mode: Whether only plugins that came with Solera are loaded.
        session: What is remembered between starts.
    """

    def __init__(self, window: Window, *, safe_mode: bool = False, session: SessionStore | None = None) -> None:
        super().__init__(window)
        self.window = window
        self.session = session or SessionStore()
        self.settings = load_settings()
        self._safe_mode = safe_mode
        self.workbench: Workbench | None = None
        self.bridge: Bridge | None = None
        self.recipes = RecipeDesk(self)
        self.runs = RunDesk(self)
        self.jobs = JobDesk(self)
        self.library = LibraryDesk(self)
        self.history = HistoryDesk(self)
        self.tools = ToolsDesk(self)
        self.help = HelpDesk(self)
        self._stamp = 0  # when the project's file was written, ns
        self._examples: list[str] = []  # what is made when the one before and its experiments are through
        window.build_actions(self._handlers())
        self._connect()
        self.keeper = SessionKeeper(self)
        self._front(None)
        self._show_recent()
        self._figures = QTimer(self, interval=1000)
        self._figures.timeout.connect(guarded(self._show_figures))
        self._figures.timeout.connect(guarded(self._follow_file))
        self._figures.start()

    # --- wiring ----------------------------------------------------------------------------------------------------

    def _handlers(self) -> dict[str, Callable[[], None]]:
        return {
            "file.new-project": self.new_project,
            "file.open-project": self.ask_project,
            "file.export": self.export,
            "file.close": lambda: self._with_tab(self.close_tab),
            "canvas.fit": lambda: self._with_tab(lambda tab: tab.fit()),
            "help.welcome": self.show_welcome,
            **self.library.handlers(),
            **self.history.handlers(),
            **self.tools.handlers(),
            **self.help.handlers(),
            **self.recipes.handlers(),
            **self.jobs.handlers(),
        }

    def _connect(self) -> None:
        window = self.window
        window.tabChanged.connect(guarded(self._front))
        window.tabClosing.connect(guarded(self.close_tab))
        window.closing.connect(guarded(self._closing))
        window.filesDropped.connect(guarded(self.drop_files))
        library = window.library
        library.opened.connect(guarded(self.recipes.add_entry))
        library.interpolateRequested.connect(guarded(self.recipes.blends.interpolate_entries))
        library.soupRequested.connect(guarded(self.recipes.blends.soup_entries))
        library.mergeRequested.connect(guarded(self.recipes.blends.merge_entries))
        window.welcome.actionRequested.connect(lambda id_: window.actions_by_id.by_id[id_].trigger())
        window.welcome.exampleRequested.connect(guarded(self.make_example))
        window.welcome.cleared.connect(guarded(self._clear_recent))
        window.inspector.edited.connect(guarded(self.recipes.do))
        window.faults.clicked.connect(guarded(self.recipes.checks.check))

    @property
    def safe_mode(self) -> bool:
        """Whether only the plugins that came with Solera are loaded."""
        return self._safe_mode or self.settings.safe_mode

    @property
    def tab(self) -> Tab | None:
        """The tab in front; None on the welcome page."""
        widget = self.window.tabs.currentWidget()
        return widget if isinstance(widget, Tab) and not self.window.on_welcome else None

    def _with_tab(self, act: Callable[[Tab], None]) -> None:
        if self.tab is not None:
            act(self.tab)

    def _front(self, tab: Tab | None) -> None:
        """Another tab is in front, or what can be done with it changed."""
        holds = set(tab.conditions) if tab is not None else set()
        if self.workbench is not None:
            holds.add("project")
        if self.window.jobs.running:
            holds.add("busy")
        self.window.actions_by_id.enable(frozenset(holds))
        self.window.show_main(recipe="document" in holds, busy="busy" in holds)
        self.recipes.front(tab if isinstance(tab, DocumentTab) else None)
        self.runs.front(tab)

    def refresh_actions(self) -> None:
        """Enable and disable actions anew."""
        self._front(self.tab)

    # --- projects --------------------------------------------------------------------------------------------------

    def new_project(self) -> None:
        """Ask for a folder and make a project in it."""
        from solera.projects.project import Project

        chosen, _ = QFileDialog.getSaveFileName(self.window, "New project", str(Path.home() / "solera-project"))
        if chosen:
            Project.create(Path(chosen)).close()
            self.open_project(Path(chosen))

    def ask_project(self) -> None:
        """Ask for a project folder and open it."""
        chosen = QFileDialog.getExistingDirectory(self.window, "Open project")
        if chosen:
            self.open_project(Path(chosen))

    def open_project(self, folder: Path) -> None:
        """Open a project; one that another window holds is opened read-only.

        Raises:
            SoleraError: It is no project, or cannot be read; the project now open stays.
        """
        from solera.projects.project import Project
        from solera.workbench import Workbench

        folder = folder.resolve()
        if (
            self.workbench is not None
            and self.workbench.project is not None
            and self.workbench.project.folder == folder
        ):
            self.window.show_tabs()
            return
        try:
            project = Project.open(folder)
        except (LockedError, OutputError) as error:
            notices().say("warning", f"{error} It is open read-only here.")
            project = Project.open(folder, read_only=True)
        if not self.close_project():
            project.close()
            return
        self.workbench = Workbench(project, settings=self.settings, safe_mode=self._safe_mode)
        self._stamp = _written(project.folder)
        self.bridge = Bridge(self.workbench.jobs.subscribe(), self)
        self._listen(self.bridge)
        self.bridge.start()
        self.session.remember_project(folder)
        self.window.show_project(project.name + (", read-only" if project.read_only else ""))
        self.window.show_tabs()
        self.refresh_library()
        self.recipes.opened_project(self.workbench)
        self.jobs.opened_project(self.workbench)
        self.runs.opened_project()
        self.keeper.restore()
        self.refresh_actions()

    def _listen(self, bridge: Bridge) -> None:
        self.jobs.listen(bridge)
        bridge.logged.connect(self.window.log.on_logged)
        bridge.jobChanged.connect(guarded(self._job_changed))
        bridge.jobChanged.connect(guarded(self.library.on_job))
        bridge.artifactMade.connect(guarded(self._artifact))
        self.recipes.jobs.listen(bridge)
        self.runs.listen(bridge)

    def close_project(self) -> bool:
        """Close what is open, asking about unsaved recipes; False if the person would rather stay."""
        if self.workbench is None:
            return True
        if not self.recipes.may_close_all():
            return False
        self.keeper.pause()
        if self.bridge is not None:  # first: what it still had to tell is of this project
            self.bridge.stop()
            self.bridge.deleteLater()
            self.bridge = None
        self.runs.closing_project()
        self.recipes.closing_project()
        self.library.closing_project()
        self.history.closing_project()
        self.jobs.closing_project()
        while self.window.tabs.count():
            widget = self.window.tabs.widget(0)
            self.window.tabs.removeTab(0)
            if widget is not None:
                widget.deleteLater()
        self._examples.clear()
        self.workbench.close()
        if self.workbench.project is not None:
            self.workbench.project.close()
        self.workbench = None
        return True

    def make_example(self, name: str) -> None:
        """Make a demo project (in the documents folder unless it is there) and open it; training is a job."""
        from solera.projects.project import Project

        folder = self.example_folder(name)
        if not (folder / "solera.toml").exists():
            Project.create(folder, f"{name} demo").close()
        self.open_project(folder)
        self.start_example(name)

    def start_example(self, name: str) -> None:
        """Make an example in the project that is open, as a job; one at a time, each with its experiments."""
        if self.workbench is None:
            return
        self.window.bottom.setCurrentWidget(self.window.jobs)
        if any(job.spec.kind == "demo" and not job.final for job in self.workbench.jobs.jobs()):
            self._examples.append(name)
        else:
            self.workbench.submit_demo(name)

    def show_examples(self) -> None:
        """Put the registered examples on the welcome page."""
        registry = self.tools.registry
        shelf = registry.examples
        cards = [(name, shelf.describe(name).title, shelf.describe(name).summary, "Made here") for name in shelf]
        self.window.welcome.show_examples(cards)
        self.window.status.plugins.show_words(_plugin_words(registry.plugins))

    def example_folder(self, name: str) -> Path:
        """Where a demo project goes."""
        return Path.home() / "solera-demos" / name

    def show_welcome(self) -> None:
        """Show the welcome page."""
        self._show_recent()
        self.window.show_welcome()

    def _show_recent(self) -> None:
        self.window.welcome.show_recent(self.session.recent)

    def _clear_recent(self) -> None:
        self.session.clear_recent()
        self._show_recent()

    def _closing(self) -> None:
        self.session.keep_layout(*self.window.layout_state())
        self.window.may_close = self.close_project()

    # --- library ---------------------------------------------------------------------------------------------------

    def refresh_library(self) -> None:
        """Read the library again, off the window's thread."""
        self.library.refresh()

    def drop_files(self, paths: list[str]) -> None:
        """Files and folders from anywhere; see :meth:`LibraryDesk.drop_files`."""
        self.library.drop_files(paths)

    def add_checkpoints(self, paths: list[Path], then: Callable[[list[Any]], None] | None = None) -> None:
        """Add checkpoints to the library; see :meth:`LibraryDesk.add`."""
        self.library.add(paths, then)

    def aside(self, function: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Read something of the open project off the window's thread; nobody hears of it if it closes meanwhile."""
        bench = self.workbench

        def tell(result: Any) -> None:
            if self.workbench is bench:
                done(result)

        def fail(error: Exception) -> None:
            if self.workbench is bench:
                report(error)

        in_background(function, tell, fail)

    # --- jobs ------------------------------------------------------------------------------------------------------

    def _job_changed(self, event: JobChanged) -> None:
        if event.state == "failed":
            message = str((event.error or {}).get("message", "The job failed."))
            notices().say("error", message, str((event.error or {}).get("traceback", "")))
        if event.state in {"done", "failed", "cancelled", "interrupted"}:
            self.refresh_library()
        if event.kind == "demo" and event.state == "done" and event.result:
            self._example_made(event.result)
        if event.kind == "demo" and event.state in {"done", "failed", "cancelled"} and self._examples:
            self.start_example(self._examples.pop(0))
        self.refresh_actions()

    def _example_made(self, result: dict[str, Any]) -> None:
        """An example's checkpoints are there: run its experiments, live; those recorded before are only opened."""
        bench = self.workbench
        if bench is None or bench.project is None:
            return
        self.recipes.refresh_tasks()
        for path in result["recipes"][:1]:
            self.recipes.open_path(bench.project.folder / path)
            self.recipes.close_blank()
        jobs = [bench.submit(bench.project.folder / path) for path in result["experiments"]]
        if jobs:
            self.runs.await_run(jobs[0].id)

    def _artifact(self, event: ArtifactMade) -> None:
        self.window.hint(f"Made {event.title or event.path}")
        self.refresh_library()

    def _show_figures(self) -> None:
        status, bench = self.window.status, self.workbench
        if bench is None:
            for figure in (status.lanes, status.memory, status.saved):
                figure.show_words("")
            return
        running = sum(1 for job in bench.jobs.jobs() if job.state == "running")
        status.lanes.show_words(f"{running} running" if running else "idle")
        ledger = bench.jobs.ledger
        status.memory.show_words(f"{size_short(ledger.held)} of {size_short(ledger.budget)}")
        status.plugins.show_words(_plugin_words(bench.registry.plugins))

    def _follow_file(self) -> None:
        """A person edits ``solera.toml`` beside the window: what it says now holds here, too."""
        project = self.workbench.project if self.workbench is not None else None
        if project is None or (stamp := _written(project.folder)) in (0, self._stamp):
            return
        self._stamp = stamp
        before = dict(project.tasks)
        project.refresh()
        self.refresh_library()
        if project.tasks != before:
            self.recipes.refresh_tasks()
            self.window.hint("The project's tasks were read again from solera.toml")

    # --- the rest --------------------------------------------------------------------------------------------------

    def close_tab(self, tab: Tab) -> None:
        """Close a tab; the last one over an unsaved recipe asks."""
        if isinstance(tab, DocumentTab) and not self.recipes.may_close(tab):
            return
        self.runs.closing(tab)
        self.recipes.closing(tab)
        self.window.close_tab(tab)

    def export(self) -> None:
        """Ask for a file and write what is in front."""
        tab = self.tab
        if tab is None:
            return
        kinds = "PNG image (*.png);;SVG drawing (*.svg);;CSV table (*.csv)"
        name = tab.title.rstrip(" •").replace(" ", "-")
        chosen, kind = QFileDialog.getSaveFileName(self.window, "Export picture", f"{name}.png", kinds)
        if chosen:
            path = Path(chosen)
            suffix = path.suffix.lower().lstrip(".") or kind.rpartition("*.")[2].rstrip(")")
            written = tab.export(suffix, path.with_suffix(f".{suffix}"))
            notices().say("info", f"Written to {written}.")

    def confirm(self, question: str, detail: str) -> bool:
        """Ask before something that cannot be taken back."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Solera", question, parent=self.window)
        box.setInformativeText(detail)
        yes = box.addButton("Continue", QMessageBox.ButtonRole.AcceptRole)
        box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        answered(box)
        return box.clickedButton() is yes


def _written(folder: Path) -> int:
    """When a project's file was written, ns; 0 if it is not there just now."""
    from solera.projects.project_file import FILE

    try:
        return (folder / FILE).stat().st_mtime_ns
    except OSError:
        return 0


def _plugin_words(plugins: Sequence[Any]) -> str:
    """How many there are, and how many do not work."""
    broken = sum(plugin.state in {"failed", "incompatible"} for plugin in plugins)
    return f"{len(plugins)} plugins{f', {broken} failed' if broken else ''}"
