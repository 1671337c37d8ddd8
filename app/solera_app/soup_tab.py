"""The soup canvas at work: models scored alone, the pot's average scored as it changes, searches shown as they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal

from solera.checkpoints.adapters.adapter import is_adapter
from solera.documents.commands import SetSoup
from solera.documents.document import Soup
from solera.errors import InputError
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.workbench.fitting import unfit
from solera_app.bridge.background import in_background
from solera_app.bridge.slots import guarded, notices
from solera_app.canvases.faces import title_of
from solera_app.canvases.gestures.drop import entry_of
from solera_app.canvases.soup import SoupCanvas
from solera_app.canvases.soup_edits import add_models, use_in_recipe
from solera_app.canvases.soup_facts import Ingredient, State
from solera_app.canvases.soup_figures import Figures, figures_of, plain_figures
from solera_app.canvases.soup_panel import SoupPanel
from solera_app.canvases.soup_run import TITLES, Figure, SoupRun
from solera_app.open_document import OpenDocument
from solera_app.plots.numerals import measured
from solera_app.preview import PreviewScorer
from solera_app.soup_experiment import experiment
from solera_app.soup_scores import Key, SoupScores, key_of
from solera_app.soup_search import SoupSearch
from solera_app.tabs import BlendTab

if TYPE_CHECKING:
    from solera.workbench import Workbench


class SoupTab(BlendTab):
    """The soup canvas of a document.

    Signals:
        filesDropped: Paths dropped on the canvas, over the pot (True) or beside it.
        used: Id of the node that a soup became.

    Args:
        opened: The document.
        bench: The workbench.
        anchored: Gives its recipe with absolute paths.
    """

    icon = kind = "soup"
    canvas: SoupCanvas
    panel: SoupPanel
    filesDropped = Signal(list, bool)
    used = Signal(str)

    def __init__(self, opened: OpenDocument, bench: Workbench, anchored: Callable[[OpenDocument], Recipe]) -> None:
        super().__init__(opened)
        self._bench, self._anchored = bench, anchored
        self.canvas, self.panel = SoupCanvas(), SoupPanel()
        self.scores = SoupScores(lambda task: bench.task(task).units)
        self.scorer = PreviewScorer(self)
        self._asked: dict[int, Key] = {}
        self._fitted = ""  # the model that tasks were tried on
        self._alone = False  # whether a model is being scored alone
        self._shown: Key | None = None  # whose score stands at the right
        self.search = SoupSearch(bench, self.scores.units, self)
        self._reports: list[tuple[str, str]] = []
        self._redraw = QTimer(self, interval=40, singleShot=True)
        self._redraw.timeout.connect(guarded(self._show))
        self.held(self.canvas)
        self._connect()
        self._follow()

    def _connect(self) -> None:
        canvas, panel = self.canvas, self.panel
        canvas.placed.connect(guarded(self._place))
        canvas.removed.connect(guarded(self._take_off))
        canvas.modelsDropped.connect(guarded(self.drop_entries))
        canvas.filesDropped.connect(self.filesDropped)
        canvas.message.connect(self.hinted)
        panel.runRequested.connect(guarded(self.make))
        panel.stopRequested.connect(guarded(self.search.stop))
        panel.useRequested.connect(guarded(self.use))
        panel.tasksChanged.connect(guarded(self._count_tasks))
        panel.cleared.connect(guarded(lambda: self._set_pot((), "Empty the pot")))
        panel.filled.connect(guarded(lambda: self._set_pot(self.soup.pool, "Put all in")))
        self.search.grew.connect(self._redraw.start)
        self.search.ended.connect(guarded(self._end))
        self.scorer.scored.connect(guarded(self._scored))
        self.scorer.failed.connect(guarded(self._failed))
        self.opened.changed.connect(guarded(self._follow))

    # --- what a tab is ---------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:  # noqa: D102
        return f"{self.opened.name} soup"

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return super().conditions | {"soup"}

    def fit(self) -> None:  # noqa: D102
        self.canvas.steps.canvas.fit()

    # --- the document ------------------------------------------------------------------------------------------------

    @property
    def soup(self) -> Soup:
        """What the document says."""
        return self.opened.document.soup

    def _nodes(self) -> dict[str, CheckpointNode]:
        return {node.id: node for node in self._anchored(self.opened).checkpoints}

    def _names(self) -> dict[str, str]:
        nodes = {node.id: node for node in self.opened.document.recipe.checkpoints}
        return {id_: title_of(nodes[id_], {}) for id_ in self.soup.pool}

    def _key(self, ids: Sequence[str], shares: Sequence[float] = ()) -> Key:
        nodes = self._nodes()
        return key_of([f"{nodes[id_].source} {nodes[id_].strip}" for id_ in ids], shares if len(ids) > 1 else ())

    def recipe(self, ids: Sequence[str], shares: Sequence[float] = ()) -> Recipe:
        """The recipe of a soup of these models; a model alone is itself."""
        nodes = self._nodes()
        picked = tuple(nodes[id_] for id_ in ids)
        if len(ids) == 1:
            return Recipe(picked, ids[0], name=ids[0])
        params = {"weight": PerModel(tuple(shares))} if shares else {}
        node = MethodNode(self.opened.document.fresh_id("soup"), "linear", tuple(ids), params=params)
        return Recipe((*picked, node), node.id, name="soup")

    def _do(self, soup: Soup, label: str) -> None:
        self.opened.history.settle()
        self.opened.history.do(SetSoup(soup, label=label))

    def _set_pot(self, pot: tuple[str, ...], label: str) -> None:
        self.search.followed = False
        self._do(Soup(self.soup.pool, pot), label)

    def _place(self, id_: str, inside: bool) -> None:
        pot = self._pot()[0]
        name = self._names().get(id_, id_)
        if inside and id_ not in pot:
            self._set_pot((*pot, id_), f"Put {name} in")
        elif not inside and id_ in pot:
            self._set_pot(tuple(other for other in pot if other != id_), f"Take {name} out")

    def _take_off(self, id_: str) -> None:
        name = self._names().get(id_, id_)
        if self.search.job:
            raise InputError("The pool stays as it is while a search runs on it; stop the search first.")
        self._do(self.soup.without({id_}), f"Take {name} off the pool")

    def drop_entries(self, entries: Sequence[Any], over: bool) -> None:
        """Add library entries (anything with ``name`` and ``path``) to the pool, and to the pot if dropped over it."""
        models = [entry_of(entry) for entry in entries if not is_adapter(entry.path)]
        if len(models) < len(entries):
            name = next(entry.name for entry in entries if is_adapter(entry.path))
            notices().say("info", f"{name} is an adapter: a change, not a model. Merge it into its base first.")
        if models and self.search.job:
            raise InputError("The pool stays as it is while a search runs on it; stop the search first.")
        if models:
            self.opened.history.settle()
            self.opened.history.do(add_models(self.opened.document, models, into_pot=over))

    def use(self) -> None:
        """Make the soup a node of the recipe."""
        pot, shares = self._pot()
        if len(pot) < 2:
            raise InputError("A soup of one model is that model; put a second one into the pot.")
        id_, edit = use_in_recipe(self.opened.document, pot, shares)
        self.opened.history.settle()
        self.opened.history.do(edit)
        self.used.emit(id_)

    # --- scores ------------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """The document changed: models without a score are scored, and the pot if it is another."""
        if self.closed:
            return
        self._fit_tasks()
        self._score_next()
        self._score_pot()
        self._show()

    def _fit_tasks(self) -> None:
        """Find out which tasks the first model can be scored on."""
        pool = self.soup.pool
        if not pool:
            return
        bench, first, tasks = self._bench, self.recipe(pool[:1]), self._bench.tasks()
        mark = f"{self._nodes()[pool[0]].source} {tasks}"
        if mark == self._fitted:
            return
        self._fitted = mark
        self.canvas.set_state("Finding out which tasks fit")

        def show(reasons: dict[str, str]) -> None:
            if self.closed or mark != self._fitted:
                return
            self.canvas.set_state("")
            self.panel.set_tasks(tasks, reasons)
            if reasons and len(reasons) == len(tasks):
                notices().say("error", next(iter(reasons.values())), "\n\n".join(reasons.values()))
            self._count_tasks()

        in_background(lambda: unfit(bench, first, tasks), show, self._give_up, owner=self)

    def _count_tasks(self) -> None:
        self.scores.tasks = self.panel.tasks
        self._shown = None
        self._follow()

    def _give_up(self, error: Exception) -> None:
        if not self.closed:
            self.canvas.set_state("")
            notices().say("error", str(error))

    def _score_next(self) -> None:
        """Score the next model alone, one at a time, so that each shows as soon as it is known."""
        if self._alone or self.closed or not self.scores.tasks or self.search.job:
            return
        for id_ in self.soup.pool:
            key = self._key((id_,))
            if self.scores.lacking(key):
                self._score_alone(id_, key)
                return

    def _score_alone(self, id_: str, key: Key) -> None:
        bench, recipe, tasks = self._bench, self.recipe((id_,)), self.scores.tasks
        self._alone = True

        def end() -> None:
            self._alone = False
            if not self.closed:
                self._score_next()
                self._redraw.start()

        def done(scores: Any) -> None:
            self.scores.take(key, scores)
            end()

        def failed(error: Exception) -> None:
            self.scores.refuse(key, str(error))
            if not self.closed:
                notices().say("error", str(error))
            end()

        in_background(lambda: bench.score_point(recipe, tasks, None), done, failed, owner=self)

    def _pot(self) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """What is in the pot now and in which shares: the run's soup while it is followed, else the document's."""
        if self.search.live is not None:
            return self.search.live.pot, self.search.live.shares
        return self.soup.pot, self.soup.shares

    def _score_pot(self) -> None:
        """Ask for the score of what is in the pot, unless it is known or the run says it."""
        pot, shares = self.soup.pot, self.soup.shares
        if self.search.followed or not pot or not self.scores.tasks:
            return
        key = self._key(pot, shares)
        if not self.scores.lacking(key) or key in self._asked.values():
            return
        if len(pot) == 1:
            return  # it is scored alone
        bench, recipe, tasks = self._bench, self.recipe(pot, shares), self.scores.tasks
        self._asked.clear()
        self._asked[self.scorer.request(lambda: bench.score_point(recipe, tasks, None))] = key

    def _scored(self, number: int, scores: Any) -> None:
        key = self._asked.pop(number, None)
        if key is not None:
            self.scores.take(key, scores)
        self._show()

    def _failed(self, number: int, error: Exception) -> None:
        key = self._asked.pop(number, None)
        if key is not None:
            self.scores.refuse(key, str(error))
            notices().say("error", str(error))
        self._show()

    # --- searching ---------------------------------------------------------------------------------------------------

    def make(self) -> None:
        """Make a soup by the chosen explorer, as a job that is recorded like any run."""
        pool = self.soup.pool
        if len(pool) < 2:
            raise InputError("A soup is made of two models or more; drop them here first.")
        if not self.scores.tasks:
            raise InputError("No task counts: tick one, or add a task that fits these models to solera.toml.")
        panel, nodes = self.panel, self._nodes()
        metrics = {task: self._bench.task(task).metrics for task in self.scores.tasks}
        models = [nodes[id_] for id_ in pool]
        plain = experiment(models, self.scores.tasks, panel.kind, panel.params, panel.seed.value(), metrics)
        self.search.start(plain, self._names())
        self.panel.set_running(True)
        self._show()

    def awaits(self, job: str) -> bool:  # noqa: D102
        return bool(job) and job == self.search.job

    def _end(self, complete: bool) -> None:
        """The search is over: its soup is an edit of the document, unless a hand was in the pot meanwhile."""
        if self.closed:
            return
        run, live = self.search.run, self.search.followed
        self.search.followed = False
        self.panel.set_running(False)
        if run is not None and complete:
            self._note(run)
        if run is not None and live and run.pot and set(run.pot) <= set(self.soup.pool):
            self._do(Soup(self.soup.pool, run.pot, run.shares), TITLES[run.explorer])
        self._follow()

    def _note(self, run: SoupRun) -> None:
        """Keep what a search came to, for comparison."""
        figure, report = run.figure(), run.report()
        name = TITLES[run.explorer].split()[0]
        rows = [(f"{name} of {len(run.pot)}", self._written(figure))] if figure is not None else []
        if report is not None:
            rows.append((f"{name}, report split", self._written(report)))
        self._reports = [row for row in self._reports if not row[0].startswith(name)] + rows

    # --- showing -----------------------------------------------------------------------------------------------------

    def _written(self, figure: Figure) -> str:
        sample = self._sample()
        percent = sample is not None and sample.percent
        return measured(figure.value, figure.stderr, percent=percent)

    def _sample(self) -> Any:
        """Any model's mean: how scores are written."""
        return next((mean for id_ in self.soup.pool if (mean := self._mean(id_)) is not None), None)

    def _mean(self, id_: str) -> Any:
        return self.scores.mean(self._key((id_,)))

    def _show(self) -> None:
        if self.closed:
            return
        pool = self._ingredients()
        pot, shares = self._pot()
        by_id = {one.id: one for one in pool}
        self.canvas.list.set_columns(self.scores.metric, self.scores.tasks)
        self.canvas.set_pool(pool)
        self._show_trial(by_id)
        self._show_score(pot, shares)
        self.canvas.pot.set_pot([by_id[id_] for id_ in pot if id_ in by_id], shares if len(pot) > 1 else ())
        self._show_steps()
        self._show_title(len(pool), len(pot))
        self._show_compare()
        self.panel.enable(pool=len(pool), pot=len(pot))

    def _ingredients(self) -> list[Ingredient]:
        pot, names = self._pot()[0], self._names()
        found = []
        for number, (id_, name) in enumerate(names.items()):
            key = self._key((id_,))
            found.append(Ingredient(id_, name, number, self.scores.here(key), self.scores.mean(key), "out"))
        return [self._dressed(one, pot) for one in found]

    def _dressed(self, one: Ingredient, pot: Sequence[str]) -> Ingredient:
        """With its state, and while a run is followed with the run's score where no other is known."""
        state: State = "in" if one.id in pot else "out"
        run = self.search.run
        if self.search.live is not None and run is not None and state == "out":
            left = one.id in run.left
            state = "trying" if one.id == run.trial else "left" if left else "waiting"
        elif run is not None and state == "out" and one.id in run.left:
            state = "left"
        return replace(one, state=state)

    def _show_trial(self, by_id: dict[str, Ingredient]) -> None:
        run = self.search.live
        trial = by_id.get(run.trial) if run is not None else None
        if run is not None and trial is not None:
            self.canvas.pot.set_trial(trial, f"Trying, step {len(run.steps) + 1}", run.done / max(run.planned, 1))
        else:
            self.canvas.pot.set_trial(None)

    def _show_score(self, pot: Sequence[str], shares: Sequence[float]) -> None:
        if self.search.live is not None:
            self.panel.set_scores((), hint="The search decides what is in the pot until it ends, or until you do.")
            self._show_live(self.search.live)
            return
        key = self._key(pot, shares) if pot else None
        mean = self.scores.mean(key) if key is not None else None
        stale = mean is None and key is not None and not self.scores.why_not(key)
        if mean is not None or key is None:
            self._shown = key
        shown = self._shown
        mean = self.scores.mean(shown) if shown is not None else None
        singles = [self._key((id_,)) for id_ in self.soup.pool]
        best = self.scores.best(singles)
        marks = {score.column.task: (score.value, "the best single model") for score in self.scores.of(best or ())}
        self.panel.set_scores(self.scores.here(shown, marks) if shown is not None else (), stale=stale)
        if mean is None or shown is None:
            self.canvas.pot.set_figures(Figures(error="Scoring" if stale else "", stale=stale))
            return
        gap = self.scores.gain(shown, best) if best is not None and best != shown else None
        self.canvas.pot.set_figures(figures_of(mean, gap, stale=stale))

    def _show_live(self, run: SoupRun) -> None:
        figure = run.figure()
        if figure is None:
            self.canvas.pot.set_figures(Figures(error=""))
            return
        self.canvas.pot.set_figures(plain_figures(self._written(figure)))

    def _show_steps(self) -> None:
        plot, run, sample = self.canvas.steps, self.search.run, self._sample()
        if sample is not None:
            unit = "%" if sample.percent else sample.unit
            plot.limit(sample.low, sample.high)
            title = f"Held-out {self.scores.metric}{f' ({unit})' if unit else ''}"
            greedy = run is None or run.explorer == "greedy_soup"
            plot.set_axes("Greedy step" if greedy else "Step", title, y_percent=sample.percent)
        better = sample.better if sample is not None else "higher"
        greedy = run is not None and run.explorer == "greedy_soup"
        steps = run.steps if run is not None else []
        planned = len(self.soup.pool) if greedy else 0
        plot.set_steps(steps, better=better, greedy=greedy, planned=planned)

    def _show_title(self, pool: int, pot: int) -> None:
        run = self.search.run
        kind = TITLES[run.explorer] if run is not None and self.search.job else "Soup"
        self.canvas.set_title(f"{kind} of {pot} from a pool of {pool}", self._subtitle())
        if self.search.job:
            share = f" {run.done / run.planned:.0%}".replace("%", " %") if run is not None and run.planned else ""
            self.canvas.set_state(f"Running{share}", "accent")
        elif self._alone:
            known = sum(self._mean(id_) is not None for id_ in self.soup.pool)
            self.canvas.set_state(f"Scoring models, {known} of {pool}", "accent")
        elif self._asked:
            self.canvas.set_state("Scoring the pot", "accent")
        else:
            self.canvas.set_state("")

    def _subtitle(self) -> str:
        sample, tasks = self._sample(), self.scores.tasks
        if sample is None:
            return "Drag a model in or out of the pot at any time"
        what = f"mean of {len(tasks)} tasks" if len(tasks) > 1 else tasks[0]
        facts = [what, f"held-out {self.scores.metric}", f"n = {sample.count:,}", "selection split"]
        if self.search.run is not None:
            facts.append(f"step {len(self.search.run.steps)}")
        return " · ".join(facts)

    def _show_compare(self) -> None:
        rows = list(self._reports)
        best = self.scores.best([self._key((id_,)) for id_ in self.soup.pool])
        mean = self.scores.mean(best) if best is not None else None
        if mean is not None:
            rows.append(("Best single model", measured(mean.value, mean.stderr, percent=mean.percent, unit=mean.unit)))
        even = self.scores.mean(self._key(self.soup.pool)) if len(self.soup.pool) > 1 else None
        if even is not None and not any(name.startswith("Uniform") for name, _ in rows):
            rows.append((f"All {len(self.soup.pool)}", measured(even.value, even.stderr, percent=even.percent)))
        hint = "Searches choose on the selection split; the report split is untouched until the end." if rows else ""
        self.panel.set_compare(rows, hint)
