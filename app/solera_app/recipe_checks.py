"""Checks of open recipes: faults at their nodes, what a run would cost, and what mends a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog

from solera.documents.commands import SetCheckpoint
from solera.errors import CapacityError, Fault
from solera_app.bridge.background import in_background
from solera_app.bridge.slots import guarded, notices
from solera_app.open_document import OpenDocument
from solera_app.statistic_words import statistic_facts, statistic_short
from solera_app.tabs import RecipeTab
from solera_app.words import duration, size_short

if TYPE_CHECKING:
    from solera_app.desk import Desk
    from solera_app.recipe_desk import RecipeDesk

#: Milliseconds from an edit to its check.
_WAIT_MS = 250


class RecipeChecks(QObject):
    """Checks the document in front after every edit, off the window's thread.

    Args:
        desk: The desk.
        recipes: What holds the open documents.
    """

    def __init__(self, desk: Desk, recipes: RecipeDesk) -> None:
        super().__init__(recipes)
        self._desk, self._recipes = desk, recipes
        self._window = desk.window
        self._plan: dict[int, dict[str, Any]] = {}
        self._timer = QTimer(self, interval=_WAIT_MS, singleShot=True)
        self._timer.timeout.connect(guarded(self._check_quietly))

    def start(self) -> None:
        """Check soon."""
        self._timer.start()

    def statistic_facts(self, opened: OpenDocument, id_: str) -> list[tuple[str, str]]:
        """What computing a statistic would cost."""
        costs = self._plan.get(id(opened), {}).get("statistics", ())
        return [fact for cost in costs if cost["node"] == id_ for fact in statistic_facts(cost)]

    def plan_facts(self, opened: OpenDocument) -> list[tuple[str, str]]:
        """What a run of a document would cost, as far as that is known."""
        plan = self._plan.get(id(opened))
        if plan and plan.get("refusal"):
            return [("", plan["refusal"])]
        if not plan or "reads" not in plan:
            return []
        facts = [("Reads", size_short(plan["reads"])), ("Holds", size_short(plan["holds"])),
                 ("Writes", size_short(plan["writes"])), ("Tensors", f"{plan['tensors']:,}")]  # fmt: skip
        if plan.get("seconds"):
            facts.append(("Time", f"about {duration(plan['seconds'])}"))
        return facts

    def _check_quietly(self) -> None:
        tab = self._recipes.tab
        if tab is None or self._desk.workbench is None:
            return
        opened, bench = tab.opened, self._recipes.bench
        if not opened.document.recipe.nodes:
            self._show_check(opened, opened.unread, {})
            return
        recipe = self._recipes.anchored(opened)

        def work() -> tuple[tuple[Fault, ...], dict[str, Any]]:
            faults = with_unread(opened, bench.check(recipe))
            if faults:
                return faults, {}
            begin = {var.name: var.init if var.init is not None else var.low or 0.0 for var in recipe.variables}
            try:
                plan = bench.plan(recipe, numbers=begin).summary()
            except CapacityError as error:
                plan = {"refusal": str(error)}
            return faults, {**plan, "statistics": bench.statistics(recipe)}

        in_background(work, lambda result: self._show_check(opened, *result), lambda _: None)

    def _show_check(self, opened: OpenDocument, faults: tuple[Fault, ...], plan: dict[str, Any]) -> None:
        if opened not in self._recipes.documents:
            return
        opened.faults = faults
        self._plan[id(opened)] = plan
        for tab in self._recipes.tabs_of(opened):
            tab.canvas.set_faults(faults)
            for cost in plan.get("statistics", ()):
                tab.canvas.set_preview(cost["node"], statistic_short(cost))
        front = self._recipes.tab
        if front is not None and front.opened is opened:
            self._window.show_faults(len(faults))
            if self._window.inspector.on_recipe:  # else it is on something that a person turned to meanwhile
                self._recipes.inspect()

    def mend(self, tab: RecipeTab, remedy: Any) -> None:
        """A link in a fault note was pressed: a checkpoint that is not found is looked for; others are told in full."""
        fault: Fault = remedy.fault
        id_ = fault.place.removeprefix("nodes.").partition(".")[0]
        node = next((node for node in tab.opened.document.recipe.checkpoints if node.id == id_), None)
        if node is None:
            notices().say("warning", f"{fault.message} {'; '.join(fault.remedies)}")
            return
        chosen = QFileDialog.getExistingDirectory(self._window, f"Where is {node.id} now?")
        if chosen:
            tab.opened.history.do(SetCheckpoint(node.id, chosen, label=f"Relocate {node.id}"))

    def check(self) -> None:
        """Check now, and say what was found."""

        def tell(opened: OpenDocument) -> None:
            faults = with_unread(opened, self._recipes.bench.check(self._recipes.anchored(opened)))
            self._show_check(opened, faults, self._plan.get(id(opened), {}))
            if faults:
                more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
                notices().say("warning", f"{faults[0].message}{more}", "\n".join(map(str, faults)))
            else:
                notices().say("info", f"'{opened.name}' has no faults.")

        self._recipes.with_front(tell)


def with_unread(opened: OpenDocument, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Faults of a recipe together with those of its file, each once."""
    known = {fault.message for fault in faults}
    return (*(fault for fault in opened.unread if fault.message not in known), *faults)
