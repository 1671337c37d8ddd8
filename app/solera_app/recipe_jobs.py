"""Jobs of open recipes: merges, evaluations and explorations, and how they stand at their nodes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from solera.documents.document import SaveNode, TaskNode
from solera.events import JobChanged, Progress
from solera.recipes.nodes import Recipe
from solera.workbench.fitting import unfit
from solera_app.bridge.background import in_background
from solera_app.bridge.bridge import Bridge
from solera_app.bridge.slots import guarded, notices
from solera_app.dialogs import answered
from solera_app.open_document import OpenDocument
from solera_app.recipe_checks import with_unread

if TYPE_CHECKING:
    from solera_app.desk import Desk
    from solera_app.explore_dialog import ExploreDialog
    from solera_app.recipe_desk import RecipeDesk


#: Bytes of a checkpoint that are read at most to find out which tasks it fits.
_TRIED = 500_000_000


class RecipeJobs(QObject):
    """Starts jobs of the document in front and shows them at the nodes they belong to.

    Args:
        desk: The desk.
        recipes: What holds the open documents.
    """

    def __init__(self, desk: Desk, recipes: RecipeDesk) -> None:
        super().__init__(recipes)
        self._desk, self._recipes = desk, recipes
        self._window = desk.window
        self._merging: dict[str, tuple[OpenDocument, str]] = {}

    def clear(self) -> None:
        """Forget the jobs: their documents closed."""
        self._merging.clear()

    def run(self) -> None:
        """Merge as a job: one for each save node, or one into outputs/ if there is none."""
        tab = self._recipes.tab
        if tab is None:
            return
        opened = tab.opened
        if with_unread(opened, self._recipes.bench.check(self._recipes.anchored(opened))):
            self._recipes.checks.check()
            return
        for saved, name, dtype in self._outputs(opened):
            recipe = self._recipes.anchored(opened, saved.source)
            job = self._recipes.bench.submit_merge(recipe, name, dtype=dtype)
            self._merging[job.id] = (opened, saved.id or recipe.output)
        for sink in opened.document.sinks:
            if isinstance(sink, TaskNode) and sink.source and sink.task:
                recipe = self._recipes.anchored(opened, sink.source)
                title = f"Evaluate {opened.name} on {sink.task}"
                job = self._recipes.bench.submit_evaluate(recipe, [sink.task], split=sink.split, title=title)
                self._merging[job.id] = (opened, sink.id)
        self._window.bottom.setCurrentWidget(self._window.jobs)

    def _outputs(self, opened: OpenDocument) -> list[tuple[SaveNode, Any, str]]:
        """Save nodes with the folder each writes into; asks before an existing folder is replaced."""
        sinks = [sink for sink in opened.document.sinks if isinstance(sink, SaveNode) and sink.source]
        if not sinks and not any(isinstance(sink, TaskNode) for sink in opened.document.sinks):
            sinks = [SaveNode("", opened.document.recipe.output, opened.name)]
        found = []
        for sink in sinks:
            wanted = self._output_folder(sink.folder or opened.name)
            folder = _unused(wanted)
            if folder != wanted:
                notices().say("info", f"'{wanted.name}' exists and is kept; writing to '{folder.name}'.")
            found.append((sink, folder, sink.dtype))
        return found

    def _output_folder(self, name: str) -> Path:
        project = self._recipes.bench.project
        safe = "-".join(name.split()).replace("/", "-")
        return (project.outputs if project is not None else Path.cwd()) / safe

    def listen(self, bridge: Bridge) -> None:
        """Jobs show at their nodes."""
        bridge.jobChanged.connect(guarded(self._job_changed))
        bridge.progressed.connect(guarded(self._progressed))

    def _job_changed(self, event: JobChanged) -> None:
        state = event.state
        text = ""
        if state == "failed":
            text = str((event.error or {}).get("message", "")).partition("\n")[0]
        elif state == "done" and event.result:
            text = "in the library" if event.kind == "merge" else ""
            self._show_score(event.job, event.result)
        self._at_node(event.job, state, None, text)

    def _show_score(self, job: str, result: dict[str, Any]) -> None:
        """The score of a task node, at the node."""
        from solera.tasks.scores import METRICS
        from solera_app.plots.numerals import measured

        rows = dict(result.get("comparison", {})).get("rows", ())
        if job not in self._merging or not rows:
            return
        opened, node = self._merging[job]
        for name, score in rows[0]["scores"].items():
            metric = METRICS[name.rpartition(".")[2]]
            factor, unit = (100.0, " %") if metric.display == "percent" else (1.0, f" {metric.unit}".rstrip())
            text = f"{measured(score['value'] * factor, score['stderr'] * factor)}{unit}"
            for tab in self._recipes.tabs_of(opened):
                tab.canvas.set_preview(node, f"{metric.title}\t{text}\nn = {score['count']:,}")
            if metric.display == "percent":
                break

    def _progressed(self, event: Progress) -> None:
        share = event.done / event.total if event.total else None
        self._at_node(event.job, "running", share, "")

    def _at_node(self, job: str, state: str, share: float | None, text: str) -> None:
        if job not in self._merging:
            return
        opened, node = self._merging[job]
        if node not in opened.document.ids:
            return
        shown: Any = state
        for tab in self._recipes.tabs_of(opened):
            tab.canvas.set_node_state(node, shown, share, text)

    def explore(self, form: str = "") -> None:
        """Ask what to explore and start it as a job."""
        tab = self._recipes.tab
        if tab is None:
            return
        from solera_app.explore_dialog import ExploreDialog

        bench = self._recipes.bench
        shelf = bench.registry.explorers
        explorers = {name: shelf.describe(name) for name in shelf}
        document = dataclasses.replace(tab.opened.document, recipe=self._recipes.anchored(tab.opened))
        entries = [self._recipes.entry(node.source) for node in document.recipe.checkpoints]
        small = all(entries) and sum(entry.nbytes for entry in entries if entry) <= _TRIED
        look = bench.foresee if small else None  # of large models it would read for long
        dialog = ExploreDialog(document, bench.tasks(), explorers, form, self._window, look)
        dialog.taskWanted.connect(lambda: self._new_task(dialog))
        self._leave_out(dialog, document.recipe)
        if answered(dialog):
            self._desk.runs.await_run(bench.submit_explore(dialog.experiment()).id)
            self._window.bottom.setCurrentWidget(self._window.jobs)

    def _new_task(self, dialog: ExploreDialog) -> None:
        """Have a task made, of any kind, and offer it where it was wanted."""
        from solera_app.task_dialog import TaskDialog

        bench = self._recipes.bench
        if bench.project is None:
            self._window.hint("Tasks belong to a project; open or make one first")
            return
        shelf, project = bench.registry.tasks, bench.project
        kinds = {name: shelf.describe(name) for name in shelf if shelf.plugin(name) is not None}
        if answered(TaskDialog(kinds, bench.tasks(), project.set_task, dialog)):
            dialog.show_tasks(bench.tasks())
            self._recipes.refresh_tasks()

    def _leave_out(self, dialog: ExploreDialog, recipe: Recipe) -> None:
        """Find out which tasks the first checkpoint of a recipe can be scored on, unless it is too big to be tried."""
        node = next(iter(recipe.checkpoints), None)
        entry = self._recipes.entry(node.source) if node is not None else None
        if node is None or entry is None or entry.nbytes > _TRIED:
            return
        bench, tasks, alone = self._recipes.bench, self._recipes.bench.tasks(), Recipe((node,), node.id)
        in_background(lambda: unfit(bench, alone, tasks), dialog.leave_out, lambda _: None, owner=dialog)

    def keep(self, recipe: Any, name: str) -> None:
        """Write the weights of a recipe as a checkpoint of the library."""
        folder = _unused(self._output_folder(name))
        self._recipes.bench.submit_merge(recipe, folder)
        self._window.hint(f"Keeping {folder.name} in the library")


def _unused(folder: Path) -> Path:
    number = 2
    made = folder
    while made.exists():
        made = folder.with_name(f"{folder.name}-{number}")
        number += 1
    return made
