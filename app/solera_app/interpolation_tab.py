"""The interpolation canvas at work: true distances, live scores under the handle, the surface beneath it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer, Signal

from solera.checkpoints.adapters.adapter import is_adapter
from solera.documents.commands import AddNodes, Batch, Command, SetInterpolation
from solera.documents.document import Interpolation
from solera.errors import InputError
from solera.events import JobChanged, PointScored, RunStarted
from solera.recipes.nodes import AdapterNode, CheckpointNode, Recipe, SumNode, Term
from solera.tasks.means import mean_over_tasks
from solera.tasks.scores import METRICS, Score
from solera.workbench.fitting import unfit
from solera_app.bridge.background import in_background
from solera_app.bridge.slots import guarded, notices
from solera_app.canvases.blend import polygon
from solera_app.canvases.faces import title_of
from solera_app.canvases.interpolation import InterpolationCanvas, form_of
from solera_app.canvases.interpolation_panel import InterpolationPanel
from solera_app.canvases.scores_here import ScoreHere, headline, score_here
from solera_app.known_ground import known_ground
from solera_app.open_document import OpenDocument
from solera_app.preview import PreviewScorer
from solera_app.tabs import BlendTab

if TYPE_CHECKING:
    from solera.workbench import Workbench

Grid = NDArray[np.float64]

#: Samples a task is scored on while the handle is dragged.
PREVIEW_SAMPLES = 256
#: Points along each axis of the surface beneath a triangle, and along a line.
SURFACE_POINTS, LINE_POINTS = 25, 21
#: Most corners of a polygon.
MOST_CORNERS = 12


class InterpolationTab(BlendTab):
    """The interpolation canvas of a document.

    Signals:
        keepRequested: Recipe of the point under the handle, and a name for it.
        filesDropped: Paths dropped on the canvas.

    Args:
        opened: The document.
        bench: The workbench.
        anchored: Gives its recipe with absolute paths.
    """

    icon, kind = "interpolate", "interpolation"
    canvas: InterpolationCanvas
    panel: InterpolationPanel
    keepRequested = Signal(object, str)
    filesDropped = Signal(list)

    def __init__(self, opened: OpenDocument, bench: Workbench, anchored: Callable[[OpenDocument], Recipe]) -> None:
        super().__init__(opened)
        self._bench = bench
        self._anchored = anchored
        self.canvas = InterpolationCanvas()
        self.panel = InterpolationPanel()
        self.scorer = PreviewScorer(self)
        self._corners: tuple[str, ...] = ()
        self._shown: tuple[str, ...] = ()  # those the canvas shows: what is new is measured first
        self._scale: tuple[float, ...] = ()
        self._answers: dict[int, bool] = {}
        self._tasks: tuple[str, ...] = ()  # those of the project that these models can be scored on
        self._experts: dict[str, tuple[float, str]] = {}
        self._best: tuple[str, ScoreHere] | None = None
        self._ground_name = ""
        self._ground_job = ""
        self._ground_run = ""
        self._header: dict[str, Any] = {}
        self._grid: Grid | None = None
        self._errors: Grid | None = None
        self._redraw = QTimer(self, interval=120, singleShot=True)
        self._redraw.timeout.connect(guarded(self._show_ground))
        self.held(self.canvas)
        self._connect()
        self._follow()

    def _connect(self) -> None:
        canvas, panel = self.canvas, self.panel
        canvas.moved.connect(guarded(lambda weights: self._move(weights, exact=False)))
        canvas.released.connect(guarded(lambda weights: self._move(weights, exact=True)))
        canvas.message.connect(self.hinted)
        canvas.modelsDropped.connect(guarded(self.drop_entries))
        canvas.filesDropped.connect(self.filesDropped)
        canvas.formRequested.connect(guarded(self._change_form))
        canvas.pathChanged.connect(panel.set_path_length)
        panel.moved.connect(guarded(lambda weights: self._move(weights, exact=False)))
        panel.released.connect(guarded(lambda weights: self._move(weights, exact=True)))
        panel.recordToggled.connect(canvas.set_recording)
        panel.keepRequested.connect(guarded(self._keep))
        panel.saveRunRequested.connect(guarded(self._save_path))
        self.scorer.scored.connect(guarded(self._scored))
        self.scorer.failed.connect(guarded(self._failed))
        self.opened.changed.connect(guarded(self._follow))

    @property
    def title(self) -> str:  # noqa: D102
        return f"{self.opened.name} {form_of(len(self._corners)) if len(self._corners) > 1 else 'interpolation'}"

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return super().conditions | {"interpolation"}

    def fit(self) -> None:  # noqa: D102
        self.canvas.ground.canvas.fit()

    # --- corners ---------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """The document changed: new corners are measured, new weights put the handle."""
        state = self.opened.document.interpolation
        if state.corners != self._corners:
            self._corners, self._tasks = state.corners, ()
            self._experts.clear()
            self._best = None
            self._ground_run = self._ground_job = ""
            self._grid = None
            self._measure()
            self.retitled.emit()
        elif self._shown == state.corners and state.weights and self.canvas.weights != state.weights:
            self.canvas.set_weights(state.weights)
            self.panel.set_weights(state.weights)

    def _sources(self) -> list[str]:
        nodes = {node.id: node for node in self._anchored(self.opened).checkpoints}
        return [nodes[id_].source for id_ in self._corners]

    @property
    def _form(self) -> str:
        """The family through the corners; empty for a polygon, which is none with distances."""
        return {2: "line", 3: "plane"}.get(len(self._corners), "")

    def _measure(self) -> None:
        corners, form = self._corners, self._form
        self._shown = ()
        self._answers.clear()
        self.canvas.clear_path()
        self.panel.set_models(())  # nothing can be kept or set of corners that are not there yet
        if len(corners) < 2:
            self.canvas.set_models((), ())
            return
        sources, bench = self._sources(), self._bench
        tasks, first = bench.tasks(), self.recipe([1.0] + [0.0] * (len(corners) - 1))
        self.canvas.set_state("Measuring distances")
        in_background(
            lambda: (bench.inputs.family({form: sources}) if form else None, unfit(bench, first, tasks)),
            lambda found: self._measured(corners, tasks, *found),
            owner=self,
        )

    def _measured(self, corners: tuple[str, ...], tasks: Sequence[str], family: Any, reasons: dict[str, str]) -> None:
        if self.closed or corners != self._corners:
            return
        self._shown = corners
        self._tasks = tuple(task for task in tasks if task not in reasons)
        self._say_unfit(reasons)
        positions: Sequence[tuple[float, float]] = polygon(len(corners))
        if family is not None:
            geometry = family.geometry
            self._scale = geometry.scale
            places = [geometry.distances(at) for at in geometry.points.values()]
            positions = [(place[0], place[1] if len(place) > 1 else 0.0) for place in places]
        available = len(self.opened.document.recipe.checkpoints)
        names = self._names()
        self.canvas.set_models(names, positions, available=available)
        self.panel.set_models(names)
        kind = {2: "Line between", 3: "Triangle of"}.get(len(corners), "Polygon of")
        scored = f"{_listed(self._tasks)} · selection split · " if self._tasks else ""
        scale = "" if family is not None else "shares alone count, distances are not to scale · "
        whom = _listed(names) if len(names) < 4 else f"{len(names)} models"
        self.canvas.set_title(f"{kind} {whom}", f"{scored}{scale}drag the handle")
        self.canvas.set_state("")
        weights = self.opened.document.interpolation.weights
        self.canvas.set_weights(weights)
        self.panel.set_weights(weights)
        self._score_corners()
        self._score(weights, exact=True)
        if form := self._form:
            bench, line_of, tasks = self._bench, {form: self._sources()}, self._tasks
            in_background(
                lambda: known_ground(bench, line_of, tasks),
                lambda path: self._found_ground(corners, path),
                owner=self,
            )

    def _found_ground(self, corners: tuple[str, ...], path: Path | None) -> None:
        """A run has the surface (or the curve) between these corners already."""
        if self.closed or corners != self._corners or self._ground_job or self._grid is not None:
            return
        if path is not None:
            self._load_ground(str(path))

    def _say_unfit(self, reasons: dict[str, str]) -> None:
        """Tasks of other networks are left out, and said; if none is left, that is an error."""
        if reasons and not self._tasks:
            notices().say("error", next(iter(reasons.values())), "\n\n".join(reasons.values()))
        elif reasons:
            verb = "does" if len(reasons) == 1 else "do"
            self.hinted.emit(f"{_listed(list(reasons))} {verb} not fit these models and {verb} not count here.")

    def _names(self) -> tuple[str, ...]:
        """The corners as the canvas calls them."""
        nodes = {node.id: node for node in self.opened.document.recipe.checkpoints}
        return tuple(title_of(nodes[id_], {}) if id_ in nodes else id_ for id_ in self._corners)

    def _change_form(self, form: str) -> None:
        known = self.opened.document.recipe.checkpoints
        checkpoints = [node.id for node in known if not isinstance(node, AdapterNode)]
        wanted, most = {"line": (2, 2), "triangle": (3, 3)}.get(form, (4, MOST_CORNERS))
        corners = (*self._corners, *(id_ for id_ in checkpoints if id_ not in self._corners))[:most]
        if len(corners) < wanted:
            raise InputError(f"A {form} needs {wanted} checkpoints; drop one more on the plot.")
        self._set_corners(corners, ())

    def drop_entries(self, entries: Sequence[Any]) -> None:
        """Make library entries (anything with a ``name``) corners; those not in the recipe yet are added to it."""
        document = self.opened.document
        by_source = {node.source: node.id for node in document.recipe.checkpoints}
        corners, nodes = list(self._corners), []
        for entry in entries:
            if is_adapter(entry.path):
                continue  # a change, not a model
            source = f"library:{entry.name}"
            if source not in by_source:
                node = CheckpointNode(document.fresh_id(entry.name), source)
                nodes.append(node)
                by_source[source] = node.id
            if by_source[source] not in corners:
                corners.append(by_source[source])
        if corners:
            self._set_corners(tuple(corners[-MOST_CORNERS:]), tuple(nodes))

    def _set_corners(self, corners: tuple[str, ...], nodes: tuple[CheckpointNode, ...]) -> None:
        share = 1 / len(corners)
        weights = (1 - share * (len(corners) - 1), *([share] * (len(corners) - 1)))
        commands: list[Command] = []
        if nodes:
            top = 100.0 * len(self.opened.document.nodes)
            commands.append(AddNodes(nodes, {node.id: (0.0, top + 100 * i) for i, node in enumerate(nodes)}))
        commands.append(SetInterpolation(Interpolation(corners, weights)))
        self.opened.history.settle()
        self.opened.history.do(Batch(tuple(commands), label="Change corners"))

    # --- scores ----------------------------------------------------------------------------------------------------

    def _move(self, weights: tuple[float, ...], *, exact: bool) -> None:
        if self._shown != self._corners:
            return  # a drag between corners of before
        total = sum(weights)
        normal = tuple(weight / total for weight in weights) if total else weights
        self.canvas.set_weights(normal)
        self.panel.set_weights(normal)
        if exact:
            self.opened.history.do(SetInterpolation(Interpolation(self._corners, normal)))
            self.opened.history.settle()
        self._score(normal, exact=exact)

    def recipe(self, weights: Sequence[float]) -> Recipe:
        """The recipe of a point: the corners blended with these weights."""
        nodes = tuple(node for node in self._anchored(self.opened).checkpoints if node.id in self._corners)
        last = 1.0 - sum(round(float(w), 6) for w in weights[1:])
        shares = (last, *(round(float(w), 6) for w in weights[1:]))
        terms = tuple(Term(id_, share) for id_, share in zip(self._corners, shares, strict=True))
        name = " ".join(f"{name} {share:.2f}" for name, share in zip(self._names(), shares, strict=True))
        return Recipe((*nodes, SumNode("blend", terms)), "blend", name=name)

    def _score(self, weights: Sequence[float], *, exact: bool) -> None:
        tasks = self._tasks
        if not tasks or len(weights) < 2:
            return
        bench, recipe = self._bench, self.recipe(weights)
        limit = None if exact else PREVIEW_SAMPLES
        number = self.scorer.request(lambda: bench.score_point(recipe, tasks, limit))
        self._answers[number] = exact
        self._say_waiting()

    def _say_waiting(self) -> None:
        """Say what is still being scored here; until it is known, the figures are those of before."""
        exact = any(self._answers.values())
        self.canvas.set_state("Scoring all samples" if exact else "Preview" if self._answers else "", "accent")
        self.panel.set_busy(exact)

    def _scored(self, number: int, scores: Sequence[Score]) -> None:
        if number not in self._answers:
            return  # of corners of before
        exact = self._answers.pop(number)
        for late in [old for old in self._answers if old < number]:
            del self._answers[late]
        shown = headline(scores)
        here = [self._here(score, not exact) for score in shown]
        self.canvas.set_scores(here)
        self.panel.set_scores(here, mean=self._mean(shown, here), best=self._best, ground=self._ground_name)
        self._say_waiting()

    def _failed(self, number: int, error: Exception) -> None:
        if self._answers.pop(number, None) is None:
            return  # of corners of before
        self._say_waiting()
        notices().say("error", str(error))

    def _mean(self, scores: Sequence[Score], here: Sequence[ScoreHere]) -> ScoreHere | None:
        """The mean over tasks, with the error that knows which tasks share samples."""
        if len(scores) < 2 or len({score.column.metric for score in scores}) > 1:
            return None
        units = [self._bench.task(score.column.task).units for score in scores]
        mean = mean_over_tasks(scores, units)
        return dataclasses.replace(here[0], title="Mean", value=mean.value, stderr=mean.stderr, expert=None)

    def _here(self, score: Score, preview: bool) -> ScoreHere:
        return score_here(score, preview=preview, expert=self._experts.get(score.column.name, (None, "")))

    def _score_corners(self) -> None:
        """Score the corners once: the best of them on each task is the mark the handle is measured against."""
        tasks, bench, corners = self._tasks, self._bench, self._corners
        if not tasks:
            return
        ends = [tuple(1.0 if i == j else 0.0 for j in range(len(corners))) for i in range(len(corners))]
        recipes = [self.recipe(end) for end in ends]

        def look() -> list[list[Score]]:
            return [headline(bench.score_point(recipe, tasks, None)) for recipe in recipes]

        def show(found: list[list[Score]]) -> None:
            if not self.closed and corners == self._corners:
                self._take_corners(found)
                self._score(self.canvas.weights, exact=True)

        in_background(look, show, lambda _: None, owner=self)

    def _take_corners(self, found: Sequence[Sequence[Score]]) -> None:
        self._experts.clear()
        self._best = None
        means: list[ScoreHere | None] = []
        for name, scores in zip(self._names(), found, strict=True):
            sign = 1 if METRICS[scores[0].column.metric].better == "higher" else -1
            for score in scores:
                key = score.column.name
                if key not in self._experts or sign * score.value > sign * self._experts[key][0]:
                    self._experts[key] = (score.value, name)
            here = [self._here(score, preview=False) for score in scores]
            mean = self._mean(scores, here)
            means.append(mean or (here[0] if len(here) == 1 else None))
            if mean is not None and (self._best is None or sign * mean.value > sign * self._best[1].value):
                self._best = (name, mean)
        self.canvas.set_ends(means)

    def _keep(self) -> None:
        weights = self.canvas.weights
        name = "-".join(f"{name}-{weight:.2f}" for name, weight in zip(self._names(), weights, strict=True))
        self.keepRequested.emit(self.recipe(weights), name)

    def _save_path(self) -> None:
        """Score the recorded path as a run of its own."""
        from solera.recipes.plain import to_plain

        entries = [
            {"name": f"{number} {recipe.name}", "recipe": to_plain(recipe)}
            for number, recipe in enumerate(map(self.recipe, self.canvas.path), start=1)
        ]
        if not entries:
            raise InputError("Record a path first: press Record, then release the handle at a few places.")
        title = f"Path between {_listed(self._names())}"
        tasks = list(self._tasks)
        self._bench.submit_compare({"solera": 1, "kind": "compare", "title": title, "entries": entries, "tasks": tasks})

    # --- the ground ------------------------------------------------------------------------------------------------

    def explore_ground(self) -> None:
        """Score the surface beneath the triangle (or the curve of the line) as a job, recorded like any run."""
        if len(self._corners) < 2:
            raise InputError("Drop two checkpoints for a line, three for a triangle, first.")
        if not self._form:
            raise InputError("A surface lies beneath two or three models: press Line or Triangle first.")
        if not self._tasks:
            raise InputError("No task of this project fits these models; add one to solera.toml.")
        points = LINE_POINTS if self._form == "line" else SURFACE_POINTS
        job = self._bench.submit_explore(
            {
                "solera": 1,
                "kind": "explore",
                "title": self.title,
                "family": {self._form: self._sources()},
                "tasks": list(self._tasks),
                "report": "",
                "explorer": {"name": "grid", "params": {"points": points}},
            }
        )
        self._ground_job = job.id
        self.canvas.set_state("Scoring the surface" if self._form == "plane" else "Scoring the line", "accent")

    def awaits(self, job: str) -> bool:
        """Whether a job scores this tab's ground."""
        return bool(job) and job == self._ground_job

    def on_run_started(self, event: RunStarted) -> None:
        """A run began; it may be this tab's ground."""
        if self.awaits(event.job):
            self._ground_run = event.run
            self._begin_ground(event.header)

    def on_points(self, run: str, points: Sequence[PointScored]) -> None:
        """Points of a run arrived."""
        if run != self._ground_run or self._grid is None:
            return
        for point in points:
            self._put(point.cell, point.values, point.stderrs)
        if not self._redraw.isActive():
            self._redraw.start()

    def on_job(self, event: JobChanged) -> None:
        """A job changed; the ground's own may have been recorded before, or be done now."""
        if not self.awaits(event.job):
            return
        if event.state in {"done", "failed", "cancelled", "interrupted"}:
            self.canvas.set_state("")
            if event.state == "done" and event.result:
                self._load_ground(str(event.result["path"]))
            self._ground_job = ""

    def _load_ground(self, path: str) -> None:
        from solera.runs.reader import RunReader

        corners = self._corners

        def read() -> tuple[dict[str, Any], Any]:
            reader = RunReader(path)
            return reader.header.to_plain(), reader.points(0)

        def show(result: tuple[dict[str, Any], Any]) -> None:
            if self.closed or corners != self._corners:
                return
            header, points = result
            self._begin_ground(header)
            for cell, values, errors in zip(points.cells, points.values, points.stderrs, strict=True):
                self._put(tuple(int(c) for c in cell), values, errors)
            self._show_ground()

        in_background(read, show, owner=self)

    def _begin_ground(self, header: dict[str, Any]) -> None:
        self._header = header
        self._grid = np.full((*header["shape"], len(header["columns"])), np.nan)
        self._errors = self._grid.copy()

    def _put(self, cell: Sequence[int], values: Sequence[float], errors: Sequence[float]) -> None:
        if self._grid is None or self._errors is None:
            return
        if len(cell) == self._grid.ndim - 1 and min(cell, default=-1) >= 0:
            self._grid[tuple(cell)] = values
            self._errors[tuple(cell)] = errors

    def _show_ground(self) -> None:
        grid = self._grid
        if grid is None:
            return
        names = [METRICS[column["metric"]] for column in self._header["columns"]]
        losses = [place for place, metric in enumerate(names) if metric.better == "lower"] or list(range(len(names)))
        first = names[losses[0]]
        mean = grid[..., [place for place in losses if names[place] is first]].mean(axis=-1)
        title = f"Mean {first.title.lower()} of {len(self._tasks)} tasks ({first.unit})"
        self._ground_name = f"mean {first.title.lower()} ({first.unit})"
        ranges = [
            (coord["low"] * scale, coord["high"] * scale)
            for coord, scale in zip(self._header["coords"], self._scale, strict=True)
        ]
        if mean.ndim == 2:
            self.canvas.set_surface(mean.T, ranges[0], ranges[1], title=title)
        elif mean.ndim == 1:
            self._show_curve(grid, names)

    def _show_curve(self, values: Grid, names: Sequence[Any]) -> None:
        shown = [place for place, metric in enumerate(names) if metric.display == "percent"] or [0]
        mean = values[:, shown].mean(axis=-1)
        known = np.isfinite(mean)
        coord = self._header["coords"][0]
        shares = np.linspace(coord["low"], coord["high"], len(mean))
        # Tasks may share samples: the mean of their errors is what the error of the mean is at most.
        errors = self._errors[:, shown].mean(axis=-1) if self._errors is not None else np.full(len(mean), np.nan)
        self.canvas.set_curve(shares[known].tolist(), mean[known].tolist(), errors[known].tolist())


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
