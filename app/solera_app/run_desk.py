"""Runs and jobs at the desk: the list, live views, the chosen point, resuming."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from solera.errors import InputError
from solera.events import FINAL_STATES, PointScored, RunEnded, RunStarted
from solera_app.bridge.background import in_background
from solera_app.bridge.bridge import Bridge
from solera_app.bridge.slots import guarded, notices
from solera_app.tabs import BlendTab, Tab

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera.workbench import Workbench
    from solera_app.desk import Desk
    from solera_app.views.facts import ColumnFacts
    from solera_app.views.host import RunView
    from solera_app.views.snapshot import Snapshot
from solera_app.words import when


class RunTab(Tab):
    """The views of one run.

    Args:
        view: The host of its views.
        title: Its title, until it is read.
    """

    icon = "contours"

    def __init__(self, view: RunView, title: str) -> None:
        super().__init__()
        self.view = view
        self._title = title
        view.opened.connect(self._opened)
        self.held(view)

    @property
    def title(self) -> str:  # noqa: D102
        snapshot = self.view.snapshot
        return snapshot.header.title or snapshot.header.id if snapshot is not None else self._title

    @property
    def conditions(self) -> frozenset[str]:  # noqa: D102
        return frozenset({"tab", "exportable", "canvas"})

    def _opened(self, _: str) -> None:
        current = self.view.current
        self.icon = current.icon if current is not None else "table"
        self.retitled.emit()

    def fit(self) -> None:  # noqa: D102
        self.view.fit_button.click()

    def export(self, kind: str, path: Path) -> Path:  # noqa: D102
        if kind not in ("png", "svg", "pdf", "csv"):
            raise InputError(f"A view is written as png, svg, pdf or csv, not '{kind}'.")
        return self.view.export(kind, path)  # type: ignore[arg-type]


class RunDesk(QObject):
    """Everything about runs.

    Args:
        desk: The desk.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._window = desk.window
        self._tab: RunTab | None = None
        self._awaited: set[str] = set()  # jobs whose run a person asked to see
        self._followed = ""  # the run that came to the front by itself
        self._listing = QTimer(self, interval=400, singleShot=True)
        self._listing.timeout.connect(guarded(self.refresh))
        window = desk.window
        window.jobs.opened.connect(guarded(self.open))
        window.jobs.busyChanged.connect(guarded(lambda _: desk.refresh_actions()))
        window.runs.opened.connect(guarded(self.open))
        window.inspector.recipeRequested.connect(guarded(self.open_recipe))
        window.inspector.keepRequested.connect(guarded(self.keep))

    @property
    def _bench(self) -> Workbench:
        bench = self._desk.workbench
        if bench is None:
            raise InputError("Open or make a project first.")
        return bench

    # --- the list --------------------------------------------------------------------------------------------------

    def opened_project(self) -> None:
        """A project was opened: list its runs."""
        self.refresh()

    def closing_project(self) -> None:
        """Readers end before the files close."""
        for place in range(self._window.tabs.count()):
            self.closing(self._window.tabs.widget(place))
        self._window.runs.set_runs([])
        self._tab = None

    def closing(self, tab: Any) -> None:
        """A tab closes."""
        from solera_app.linked_tab import LinkedTab

        if isinstance(tab, RunTab):
            tab.view.close_run()
        elif isinstance(tab, LinkedTab):
            tab.view.close_runs()

    def refresh(self) -> None:
        """List the runs again, off the window's thread."""
        bench = self._desk.workbench
        if bench is None:
            return
        catalogue = bench.runs

        def look() -> list[Any]:
            catalogue.refresh()
            return list(catalogue.list())

        def show(runs: list[Any]) -> None:
            self._desk.history.show(runs)
            self._desk.library.refresh_scores()

        self._desk.aside(look, show)

    def close_tabs(self, runs: Sequence[str]) -> None:
        """Close the tabs of these runs."""
        for tab in self._run_tabs():
            if tab.property("run") in runs:
                self._desk.close_tab(tab)

    def resume(self, run: str) -> None:
        """Go on with a run that was stopped."""
        self._bench.resume(run)
        self._window.bottom.setCurrentWidget(self._window.jobs)

    # --- live ------------------------------------------------------------------------------------------------------

    def listen(self, bridge: Bridge) -> None:
        """Views follow the events of jobs."""
        bridge.runStarted.connect(guarded(self._run_started))
        bridge.runEnded.connect(guarded(self._run_ended))
        bridge.pointsArrived.connect(guarded(self._points))

    def await_run(self, job: str) -> None:
        """Bring the run of this job to the front when it begins: a person asked for it just now."""
        self._awaited.add(job)

    def _run_started(self, event: RunStarted) -> None:
        if event.header.get("kind") in {"explore", "compare", "probe"} and not self._is_ground(event):
            self.open(event.run, path=Path(event.path), front=event.job in self._awaited or self._follows())
            if self._tab is not None and self._tab.property("run") == event.run:
                self._followed = event.run
            self._awaited.discard(event.job)
        self._listing.start()

    def _follows(self) -> bool:
        """Whether nobody has turned to anything since a run came to the front: then the next one may, too."""
        tab = self._tab
        return tab is not None and tab.property("run") == self._followed and tab.view.selected < 0

    def _is_ground(self, event: RunStarted) -> bool:
        """Whether it belongs to an interpolation or a soup canvas, which shows it itself."""
        widgets = (self._window.tabs.widget(place) for place in range(self._window.tabs.count()))
        return any(isinstance(widget, BlendTab) and widget.awaits(event.job) for widget in widgets)

    def _run_ended(self, event: RunEnded) -> None:
        if event.summary:
            self._window.hint(f"{event.state.capitalize()}: {event.summary.partition(';')[0]}")
        self._listing.start()

    def _points(self, run: str, points: list[PointScored]) -> None:
        for tab in self._run_tabs():
            if tab.view.run == run:
                tab.view.take(points)

    # --- views -----------------------------------------------------------------------------------------------------

    def _run_tabs(self) -> list[RunTab]:
        widgets = (self._window.tabs.widget(place) for place in range(self._window.tabs.count()))
        return [widget for widget in widgets if isinstance(widget, RunTab)]

    def open(self, run: str, path: Path | None = None, *, front: bool = True) -> None:
        """Show a run in a tab, or bring its tab to the front.

        Args:
            run: Its id.
            path: Its file; the project's by default.
            front: Whether a new tab comes to the front, or waits behind what a person is busy with.
        """
        from solera.runs.header import run_path
        from solera.runs.reader import RunReader
        from solera_app.views.host import RunView  # the plots come with it: not before the window's first paint

        file = path or run_path(self._bench.runs_folder, run)
        for tab in self._run_tabs():
            if tab.property("run") == run:
                if front:
                    self._window.tabs.setCurrentWidget(tab)
                    self._window.show_tabs()
                return
        view = RunView(RunReader, self._view_classes())
        tab = RunTab(view, run)
        tab.setProperty("run", run)
        view.pointSelected.connect(guarded(lambda _, index: self._show_point(tab, index)))
        view.recipeRequested.connect(guarded(self.open_recipe))
        view.opened.connect(guarded(lambda _: self._about_run(tab)))
        view.watch.grew.connect(guarded(lambda _: self._about_run(tab)))
        view.failed.connect(guarded(lambda error: notices().say("error", str(error))))
        self._window.add_tab(tab, front=front)
        view.open(file)

    def _view_classes(self) -> dict[str, Any]:
        shelf = self._bench.registry.views
        classes = {}
        for name in shelf:
            try:
                classes[name] = shelf[name]
            except ImportError as error:  # PluginError is one: a broken view leaves the others
                notices().say("error", str(error))
        return classes

    def open_beside(self, left: str, right: str) -> None:
        """Show two runs side by side, on linked axes."""
        from solera.runs.header import run_path
        from solera.runs.reader import RunReader
        from solera_app.linked_tab import LinkedTab
        from solera_app.views.beside import BesideRuns

        view = BesideRuns(RunReader, self._view_classes())
        view.failed.connect(guarded(lambda error: notices().say("error", str(error))))
        self._window.add_tab(LinkedTab(view), front=True)
        view.open(*(run_path(self._bench.runs_folder, run) for run in (left, right)))

    def front(self, tab: Tab | None) -> None:
        """Another tab is in front."""
        before, self._tab = self._tab, tab if isinstance(tab, RunTab) else None
        if self._tab is not None and self._tab is not before:
            self._show_point(self._tab, self._tab.view.selected)
        elif tab is None:
            self._window.inspector.show_nothing()

    def _about_run(self, tab: RunTab) -> None:
        """The run as a whole, while none of its points is chosen: its state and its count change."""
        if self._tab is tab and tab.view.selected < 0:
            self._show_point(tab, -1)

    def _show_point(self, tab: RunTab, index: int) -> None:
        snapshot = tab.view.snapshot
        if snapshot is None:
            self._window.inspector.show_nothing()
            return
        if not 0 <= index < len(snapshot.points):
            title = snapshot.header.title or snapshot.header.id
            self._window.inspector.show_point(snapshot.header.id, -1, title, "", _about(snapshot))
            return
        points = snapshot.points
        label = points.labels[index]
        searched = int(snapshot.search.sum())
        title = label or (f"Point {index + 1} of {searched}" if index < searched else f"Point {index + 1}")
        counts = {int(n) for n in points.counts[index] if n}
        facts = {
            f"Scores|n = {counts.pop():,}" if len(counts) == 1 else "Scores": score_lines(snapshot, index),
            "Coordinates": coordinate_lines(snapshot, index),
            "Run": _run_lines(snapshot),
        }
        tag = "report" if points.phase[index] == "report" else ""
        self._window.inspector.show_point(snapshot.header.id, index, title, tag, facts)
        recipe = " Double-click opens its recipe on a canvas." if snapshot.header.experiment.get("family") else ""
        self._window.hint(f"{title} selected.{recipe}")

    def _recipe_at(self, run: str, index: int, then: Callable[[Recipe, str], None]) -> None:
        snapshot = next((tab.view.snapshot for tab in self._run_tabs() if tab.view.run == run), None)
        if snapshot is None or not 0 <= index < len(snapshot.points):
            return
        bench, coords = self._bench, [float(c) for c in snapshot.points.coords[index]]
        plain = snapshot.header.experiment.get("family")
        if not plain and snapshot.header.kind == "probe":
            raise InputError("What a probe found is no point of a family, so it has no recipe to open.")
        if not plain:
            raise InputError("This run compares whole recipes; open them from the project's recipes folder.")
        name = snapshot.points.labels[index] or f"{snapshot.header.title} point {index + 1}"
        in_background(lambda: bench.inputs.family(plain).recipe_at(coords), lambda recipe: then(recipe, name))

    def open_recipe(self, run: str, index: int) -> None:
        """Open the recipe of a point as a document of its own."""
        import dataclasses

        from solera.documents.document import Document

        def show(recipe: Recipe, name: str) -> None:
            self._desk.recipes.open_document(Document(dataclasses.replace(recipe, name=name)))

        self._recipe_at(run, index, show)

    def keep(self, run: str, index: int) -> None:
        """Write the weights of a point into the library."""
        self._recipe_at(run, index, lambda recipe, name: self._desk.recipes.jobs.keep(recipe, _file_name(name)))


def score_lines(snapshot: Snapshot, index: int) -> list[tuple[str, str]]:
    """Each score of a point with its error, and its n where that differs between them, in words."""
    from solera_app.views.facts import columns

    lines = []
    same = len({int(n) for n in snapshot.points.counts[index] if n}) == 1
    for column in columns(snapshot.header):
        value = float(snapshot.points.values[index, column.place])
        error = float(snapshot.points.stderrs[index, column.place])
        count = int(snapshot.points.counts[index, column.place])
        if math.isnan(value) and not count:
            continue
        lines.append((column.short, _measured(column, value, error, 0 if same else count)))
    return lines


def _measured(column: ColumnFacts, value: float, error: float, count: int) -> str:
    from solera_app.plots.numerals import measured

    factor = 100.0 if column.percent else 1.0
    unit = f" {column.unit}" if column.unit else ""
    many = f", n = {count:,}" if count else ""
    return f"{measured(value * factor, error * factor)}{unit}{many}"


def coordinate_lines(snapshot: Snapshot, index: int) -> list[tuple[str, str]]:
    """Each coordinate of a point, by its label where it has one."""
    lines = []
    for coord, value in zip(snapshot.header.coords, snapshot.points.coords[index].tolist(), strict=True):
        if not math.isnan(value):
            labels = coord.get("labels")
            said = str(labels[int(value)]) if labels else f"{value:.4g}"
            lines.append((str(coord.get("title") or coord["name"]), said))
    return lines


def _run_lines(snapshot: Snapshot) -> list[tuple[str, str]]:
    header = snapshot.header
    state = "running" if snapshot.state not in FINAL_STATES else snapshot.state
    seed = str(header.experiment.get("seed", 0))
    return [("Title", header.title), ("State", state), ("Seed", seed), ("File", f"{header.id}.h5")]


def _about(snapshot: Snapshot) -> dict[str, list[tuple[str, str]]]:
    """A run as a whole: what it found, how it was made, from what."""
    from solera_app.views.facts import points_done

    header, provenance = snapshot.header, snapshot.header.provenance
    state = "running" if snapshot.state not in FINAL_STATES else snapshot.state
    planned = f" of {header.planned:,}" if header.planned else ""
    reported = int(snapshot.report.sum()) if header.kind == "explore" else 0
    found = [line.strip() for line in snapshot.summary.split(";") if line.strip()]
    explorer = dict(header.experiment.get("explorer", {})).get("name", "")
    made = [
        ("State", state),
        ("Points", f"{points_done(snapshot):,}{planned}"),
        ("Scored again", f"{reported:,} on the report split" if reported else ""),
        ("Explorer", str(explorer)),
        ("Tasks", ", ".join(map(str, header.experiment.get("tasks", ())))),
        ("Seed", str(header.experiment.get("seed", 0))),
        ("Device", str(provenance.get("device", ""))),
        ("Started", when(header.created)),
        ("File", f"{header.id}.h5"),
    ]
    sections = {"Run": [(name, text) for name, text in made if text]}
    if found:
        sections = {"Found": [("", line) for line in found], **sections}
    return sections


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text).strip("-").lower() or "point"
