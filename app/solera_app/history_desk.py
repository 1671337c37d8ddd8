"""The history of runs at the desk: a run's page, its recipe, doing it again, comparing, deleting, what is stale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from solera.errors import InputError
from solera_app.bridge.slots import guarded, notices
from solera_app.dialogs import answered
from solera_app.docks.inspector import scrolled
from solera_app.docks.run_page import RunPage, recipes_of

if TYPE_CHECKING:
    from solera.workbench import Workbench
    from solera.workbench.beside import Beside
    from solera_app.desk import Desk

#: Of how many runs, the newest, it is found out whether they are stale: each file is opened for that.
_JUDGED = 300


class HistoryDesk(QObject):
    """Everything about the list of runs.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self._runs: dict[str, Any] = {}
        self._stale: dict[str, str] = {}
        self._headers: dict[str, Any] = {}
        self.page = RunPage()
        self.page.commanded.connect(guarded(self._command))
        self.page.remarks.remarked.connect(guarded(self._remark))
        self._area = scrolled()
        self._area.setWidget(self.page)
        dock = self._window.runs
        dock.chosen.connect(guarded(self._inspect))
        dock.commanded.connect(guarded(self._command_all))
        dock.view.clicked.connect(guarded(lambda _: self._inspect(next(iter(dock.view.selected_ids()), ""))))

    @property
    def _bench(self) -> Workbench:
        bench = self._desk.workbench
        if bench is None:
            raise InputError("Open or make a project first.")
        return bench

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions about runs do."""
        return {"tools.compare-runs": lambda: self.compare(self._window.runs.view.selected_ids())}

    def closing_project(self) -> None:
        """Nothing of the project is shown any more."""
        self._runs, self._stale, self._headers = {}, {}, {}
        self._window.runs.set_stale({})

    def show(self, runs: Sequence[Any]) -> None:
        """Other runs are listed."""
        self._runs = {run.id: run for run in runs}
        self._headers = {id_: header for id_, header in self._headers.items() if id_ in self._runs}
        self._window.runs.set_runs(runs)
        bench, newest = self._bench, sorted(runs, key=lambda run: -run.created)[:_JUDGED]
        self._desk.aside(lambda: bench.stale(newest), self._show_stale)
        if self.page.isVisible():
            self._inspect(self.page.run)

    def _show_stale(self, found: dict[str, str]) -> None:
        self._stale = found
        self._window.runs.set_stale(found)
        if self.page.isVisible():
            self._inspect(self.page.run)

    # --- one run ---------------------------------------------------------------------------------------------------

    def _inspect(self, run: str) -> None:
        """Show a run in the inspector; what its file says follows when it is read."""
        info = self._runs.get(run)
        if info is None:
            return
        header = self._headers.get(run)
        self.page.show_run(info, header, self._stale.get(run, ""))
        self._window.inspector.show_page("Run", self._area)
        if header is None and info.state != "damaged":
            self._read(run)

    def _read(self, run: str) -> None:
        from solera.workbench.standing import read_header

        path = self._runs[run].path

        def show(header: Any) -> None:
            if header is not None:
                self._headers[run] = header
                if self.page.run == run and run in self._runs:  # it may be in the trash by now
                    self.page.show_run(self._runs[run], header, self._stale.get(run, ""))

        self._desk.aside(lambda: read_header(path), show)

    def _remark(self, run: str, note: str, tags: str) -> None:
        catalogue = self._bench.runs

        def write() -> None:
            catalogue.set_note(run, note)
            catalogue.set_tags(run, tags.split(","))

        self._desk.aside(write, lambda _: self._desk.runs.refresh())

    # --- commands --------------------------------------------------------------------------------------------------

    def _command_all(self, runs: list[str], what: str) -> None:
        runs = [run for run in runs if run in self._runs]  # a menu may outlive what it was opened for
        if what == "compare":
            self.compare(runs)
        elif what == "seeds":
            self.over_seeds(runs)
        elif what == "linked":
            self._desk.runs.open_beside(*runs[:2])
        elif what == "trash":
            self.trash(runs)
        elif what == "restore":
            self.restore()
        else:
            for run in runs:
                self._command(run, what)

    def _command(self, run: str, what: str) -> None:
        match what:
            case "open":
                self._desk.runs.open(run)
            case "resume":
                self._desk.runs.resume(run)
            case "recipe":
                self._with_header(run, self._open_recipe)
            case "again":
                self._with_header(run, self._ask_again)
            case "trash":
                self.trash([run])

    def _with_header(self, run: str, then: Any) -> None:
        from solera.workbench.standing import read_header

        info = self._runs.get(run)
        if info is None:
            raise InputError(f"The run {run} is not in this project's list any more; it may be in the trash.", run=run)
        path = info.path

        def go(header: Any) -> None:
            if header is None:
                raise InputError(f"The run {run} cannot be read; 'solera runs check' says why.")
            then(header)

        self._desk.aside(lambda: read_header(path), go)

    def _open_recipe(self, header: Any) -> None:
        """Open what a run was made of: each recipe as a document of its own."""
        import dataclasses

        from solera.documents.document import Document
        from solera.recipes.yaml import parse_recipe

        found = recipes_of(header)
        if not found:
            raise InputError(f"The run '{header.title}' keeps no recipe.")
        for name, text in found.items():
            recipe, faults = parse_recipe(text, self._bench.registry.methods)
            self._desk.recipes.open_document(Document(dataclasses.replace(recipe, name=recipe.name or name)))
            if faults:
                sentence = f"Not all of the recipe '{name}' can be read now."
                notices().say("warning", sentence, "\n".join(map(str, faults)))

    def _ask_again(self, header: Any) -> None:
        from solera_app.run_again import RunAgain

        dialog = RunAgain(header.title, header.kind, header.experiment, self._window)
        if answered(dialog):
            job = self._bench.again(header.id, dialog.changes())
            self._desk.runs.await_run(job.id)
            self._window.bottom.setCurrentWidget(self._window.jobs)

    def compare(self, runs: Sequence[str]) -> None:
        """Put runs beside each other in a tab."""
        from solera.runs.reader import RunReader
        from solera.workbench.beside import beside

        if len(runs) < 2:
            raise InputError("Select two runs or more in the list first: Ctrl or Shift with a click or an arrow.")
        paths = [self._runs[run].path for run in runs]

        def show(found: Beside) -> None:
            from solera_app.beside_tab import BesideTab

            self._window.add_tab(BesideTab(found))

        self._desk.aside(lambda: beside([RunReader(path) for path in paths]), show)

    def over_seeds(self, runs: Sequence[str]) -> None:
        """Show the hypervolume of searches together: the median over the seeds of each experiment."""
        from solera.runs.reader import RunReader
        from solera_app.seeds_tab import SeedsTab
        from solera_app.views.reading import snapshot_of

        paths, cls = [self._runs[run].path for run in runs], self._bench.registry.views["hypervolume"]

        def show(found: list[Any]) -> None:
            self._window.add_tab(SeedsTab(cls, found), front=True)

        self._desk.aside(lambda: [snapshot_of(RunReader(path)) for path in paths], show)

    def trash(self, runs: Sequence[str]) -> None:
        """Move runs to the project's trash; their tabs close."""
        self._desk.runs.close_tabs(runs)
        catalogue = self._bench.runs

        def move() -> None:
            for run in runs:
                catalogue.trash(run)

        def tell(_: None) -> None:
            many = "The run is" if len(runs) == 1 else f"{len(runs)} runs are"
            notices().say("info", f"{many} in the project's trash; the list's menu brings back what is there.")
            self._desk.runs.refresh()

        self._desk.aside(move, tell)

    def restore(self) -> None:
        """Bring back every run that is in the trash."""
        catalogue = self._bench.runs

        def move() -> int:
            return len([catalogue.restore(run) for run in catalogue.trashed()])

        def tell(count: int) -> None:
            self._window.hint(f"Brought back {count} run{'' if count == 1 else 's'}")
            self._desk.runs.refresh()

        self._desk.aside(move, tell)
