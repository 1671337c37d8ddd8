"""Drives the real window through every canvas, dock, dialog and view, and takes its picture.

``python docs/pictures.py PROJECT [FOLDER]``: ``PROJECT`` is the digits' demo project (``solera demo``); a copy of it is
opened, and what views need beyond its runs is recorded in the project first. Every picture is taken at 1280x800 and
2560x1440, in light and dark: ``NAME_light.png``, ``NAME_dark_large.png``. Without a folder only those that the
documentation shows are kept, in ``docs/images``. ``--only`` names a part of the tour, ``--small`` leaves the large size
out. Without a display they are taken off screen.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
_HOME = tempfile.mkdtemp(prefix="solera-pictures-")
os.environ |= {
    "SOLERA_CONFIG": f"{_HOME}/settings.toml", "XDG_CONFIG_HOME": _HOME, "XDG_CACHE_HOME": _HOME, "HOME": _HOME,
}  # fmt: skip

from PySide6.QtCore import QCoreApplication, Qt, QTimer  # noqa: E402
from PySide6.QtGui import QImage, QImageWriter  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget  # noqa: E402

from solera_app.bridge.background import idle  # noqa: E402
from solera_app.main import Application  # noqa: E402
from solera_app.run_desk import RunTab  # noqa: E402
from solera_app.theme import themes  # noqa: E402

ThemeName = Literal["light", "dark"]
SMALL, LARGE = (1280, 800), (2560, 1440)
DOCS = Path(__file__).parent
EXPERTS = ("rotated", "inverted", "mirrored")
_FILES = {name: f"checkpoints/digits-{name}" for name in ("base", *EXPERTS, "transposed")}
_THREE = [_FILES[name] for name in EXPERTS]
_FIVE = ["rotated", "inverted", "mirrored", "transposed", "upright"]


def _probe(title: str, name: str, *models: str, **more: Any) -> dict[str, Any]:
    entries = [{"name": model, "checkpoint": _FILES[model]} for model in models]
    return {"kind": "probe", "title": title, "probe": {"name": name, "params": {}}, "entries": entries, **more}


def _explored(title: str, family: dict[str, Any], tasks: list[str], explorer: str, **params: Any) -> dict[str, Any]:
    chosen = {"name": explorer, "params": params}
    return {"kind": "explore", "title": title, "family": family, "tasks": tasks, "explorer": chosen, "report": ""}


#: Runs that views and canvases show beyond those of ``solera demo``.
RECORDED: tuple[dict[str, Any], ...] = (
    _explored("The plane of three experts", {"plane": _THREE}, _FIVE, "grid", points=21),
    _explored("Blends of three experts", {"simplex": _THREE}, _FIVE[:2], "grid", points=9),
    _explored("Greedy soup of five models", {"subset": [*_THREE, _FILES["transposed"], _FILES["base"]]}, _FIVE[:2],
              "greedy_soup"),
    _explored("Two scales, three tasks", {"recipe": "recipes/digits-two-scales.yaml"}, _FIVE[:3], "pareto", points=120),
    _probe("Cosines of four task vectors", "task_vectors", *EXPERTS, "transposed",
           base={"name": "base", "checkpoint": _FILES["base"]}),
    _probe("Norms of every layer", "norms", "base", *EXPERTS),
    _probe("Singular values of two experts", "singular_values", "rotated", "inverted"),
    _probe("Curvature of base and experts", "hessian_trace", "base", *EXPERTS, tasks=["upright"], limit=64),
)  # fmt: skip

#: Titles of the runs of ``solera demo``, in the order in which the tour shows them.
DEMO_RUNS = (
    "The plane through base, rotated and inverted", "Rotated against inverted, two scales",
    "From the rotated to the inverted expert", "Digits, base and experts against merges",
)  # fmt: skip

RECIPE = """\
solera: 1
name: blend of three experts
nodes:
  base: {checkpoint: ../checkpoints/digits-base}
  rotated: {checkpoint: ../checkpoints/digits-rotated}
  inverted: {checkpoint: ../checkpoints/digits-inverted}
  mirrored: {checkpoint: ../checkpoints/digits-mirrored}
  ties:
    method: ties
    base: base
    inputs: [rotated, inverted, mirrored]
    density: 0.3
    scale: {var: scale, low: 0.2, high: 1.4, init: 0.8}
    weight: [{curve: [0.2, 0.9, 1.0, 0.8, 0.3]}, 1.0, 0.8]
output: ties
"""
LAYOUT: dict[str, Any] = {
    "solera_layout": 1,
    "positions": {"base": [0, 0], "rotated": [0, 140], "inverted": [0, 224], "mirrored": [0, 308], "ties": [256, 52],
                  "save": [512, 0], "score": [512, 120], "score_2": [512, 220]},
    "sinks": [
        {"kind": "save", "id": "save", "source": "ties", "folder": "three-experts", "dtype": ""},
        {"kind": "task", "id": "score", "source": "ties", "task": "rotated", "split": "selection"},
        {"kind": "task", "id": "score_2", "source": "ties", "task": "inverted", "split": "selection"},
    ],
    "interpolation": {"corners": list(EXPERTS), "weights": [0.42, 0.21, 0.37]},
    "frames": [{"id": "frame_1", "title": "Experts", "members": list(EXPERTS), "collapsed": False}],
    "comments": [{"id": "comment_1", "text": "Early layers of the rotated expert count less: see its curve.",
                  "at": [512, 324]}],
    "soup": {"pool": [*EXPERTS, "base"], "pot": [], "shares": []},
}  # fmt: skip


class Camera:
    """Takes pictures of a window in the theme that is in force, at every size.

    Args:
        application: The window.
        folder: Where they go.
        theme: What the files are called after.
        sizes: Of the window, in logical pixels.
    """

    def __init__(
        self, application: Application, folder: Path, theme: ThemeName, sizes: tuple[tuple[int, int], ...]
    ) -> None:
        self.application, self.folder, self.theme, self.sizes = application, folder, theme, sizes
        self.window = application.window
        self.act = application.window.actions_by_id.by_id

    def take(self, name: str, fit: Callable[[], Any] | None = None) -> None:
        """Picture the window.

        Args:
            name: Of the file.
            fit: What shows everything after the window has another size.
        """
        for size in self.sizes:
            if self.window.size().toTuple() != size:
                self.window.resize(*size)
                self.window.set_default_layout()
                settle()
            if fit is not None:
                fit()
            settle()
            self._save(self.window, name, "_large" if size == LARGE else "")
        if self.window.size().toTuple() != SMALL:
            self.window.resize(*SMALL)
            self.window.set_default_layout()
            settle()

    def close_up(self, name: str, widget: QWidget) -> None:
        """Picture one widget: a dialog, a menu, a dock; its size is its own."""
        settle()
        self._save(widget, name, "")

    def _save(self, widget: QWidget, name: str, size: str) -> None:
        image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        writer = QImageWriter(str(self.folder / f"{name}_{self.theme}{size}.png"))
        writer.setCompression(100)
        if not writer.write(image):
            raise OSError(f"{writer.fileName()} cannot be written: {writer.errorString()}.")

    def take_dialog(self, name: str, opening: Callable[[], Any], then: Callable[[QDialog], Any] | None = None) -> None:
        """Picture the dialog that something opens, and may wait for."""
        seen: list[QDialog] = []

        def look() -> None:
            shown = [
                each for each in QApplication.topLevelWidgets()
                if isinstance(each, QDialog) and each.isVisible() and each is not self.window.palette_popup
            ]  # fmt: skip
            if shown and not seen:
                seen.append(shown[0])
                timer.stop()
                settle()
                if then is not None:
                    then(shown[0])
                self.close_up(name, shown[0])
                shown[0].reject()

        timer = QTimer(self.window, interval=20)
        timer.timeout.connect(look)
        timer.start()
        opening()
        until(lambda: seen)
        settle()


def settle(least: float = 0.08) -> None:
    """Let the window do what it has to do: until nothing was read aside for a moment."""
    quiet = time.monotonic() + least
    last = time.monotonic() + 20
    while time.monotonic() < min(quiet, last):
        QCoreApplication.processEvents()
        if not idle():
            quiet = time.monotonic() + least
        time.sleep(0.004)


def until(seen: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait for something.

    Raises:
        TimeoutError: It does not come.
    """
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            raise TimeoutError("The window does not come to rest.")
        QCoreApplication.processEvents()
        time.sleep(0.01)


@contextmanager
def opened(project: Path | None, theme: ThemeName) -> Iterator[Application]:
    """The window, on a project or on the welcome page."""
    application = Application()
    application.open(project)
    application.window.resize(*SMALL)
    themes().apply(theme)
    if project is not None:
        until(lambda: application.desk.workbench is not None)
    settle(0.4)
    application.window.set_default_layout()
    try:
        yield application
    finally:
        for document in application.desk.recipes.documents:
            document.history.mark_saved()
        application.window.close()
        settle()


# --- the tour --------------------------------------------------------------------------------------------------------


def recipe(camera: Camera, project: Path) -> None:
    """The recipe canvas: drawn, checked, run; what opens over it."""
    desk, window, act = camera.application.desk, camera.window, camera.act
    (project / "recipes" / "blend-of-three-experts.yaml").write_text(RECIPE)
    (project / "recipes" / "blend-of-three-experts.layout.json").write_text(json.dumps(LAYOUT))
    for tab in [window.tabs.widget(place) for place in range(window.tabs.count())]:
        desk.close_tab(tab)
    desk.recipes.open_path(project / "recipes" / "blend-of-three-experts.yaml")
    settle(0.3)
    canvas: Any = desk.tab.canvas  # type: ignore[union-attr]
    canvas.fit()
    canvas.select(["ties"])
    settle(0.3)
    camera.take("recipe", canvas.fit)
    canvas.select(["rotated"])
    camera.take("recipe-checkpoint", canvas.fit)
    canvas.select([])
    act["run.run"].trigger()
    bench: Any = desk.workbench
    until(lambda: len(bench.jobs.jobs()) > 2 and all(job.final for job in bench.jobs.jobs()))
    settle(0.4)
    camera.take("recipe-done", canvas.fit)
    canvas.select(["ties"])
    camera.take_dialog("explore", act["run.explore"].trigger)
    act["view.palette"].trigger()
    camera.close_up("palette", window.palette_popup)
    QTest.keyClick(window.palette_popup, Qt.Key.Key_Escape)
    quick = canvas.open_quick_add()
    camera.close_up("quick-add", quick)
    quick.close()
    menu = canvas.menu_at(
        canvas.mapFromScene(canvas.picture.items_by_id["ties"].sceneBoundingRect().center()).toPointF()
    )
    if isinstance(menu, QMenu):
        menu.popup(window.mapToGlobal(window.rect().center()))
        camera.close_up("menu-node", menu)
        menu.close()


def soup(camera: Camera, project: Path) -> None:
    """The soup canvas after a greedy search."""
    window = camera.window
    camera.act["canvas.soup"].trigger()
    settle(0.3)
    tab: Any = camera.application.desk.tab
    until(lambda: tab.scores.tasks and all(tab._mean(id_) is not None for id_ in tab.soup.pool))
    camera.take("soup-pool")
    tab.panel.runRequested.emit()
    until(lambda: tab.search.job)
    until(lambda: not tab.search.job and tab.soup.pot)
    until(lambda: not tab._asked and not tab._alone)
    settle(0.4)
    camera.take("soup")
    window.tabs.setCurrentIndex(0)


def interpolation(camera: Camera, project: Path) -> None:
    """The interpolation canvas: a triangle with its surface and a path, then a line."""
    window = camera.window
    window.tabs.setCurrentIndex(0)
    canvas: Any = camera.application.desk.tab.canvas  # type: ignore[union-attr]
    canvas.select(list(EXPERTS))
    camera.act["canvas.interpolate"].trigger()
    settle(0.5)
    tab: Any = camera.application.desk.tab
    until(lambda: tab.canvas.names)
    settle(1.5)
    tab.canvas.set_recording(True)
    for weights in ((0.2, 0.3, 0.5), (0.25, 0.35, 0.4), (0.3, 0.38, 0.32), (0.36, 0.3, 0.34), (0.42, 0.21, 0.37)):
        tab.canvas.drop_at(weights)
        settle(0.1)
    tab.canvas.set_recording(False)
    until(lambda: not tab._answers)
    settle(0.3)
    camera.take("interpolation")
    window.tabs.setCurrentIndex(0)
    canvas.select(["rotated", "inverted"])
    camera.act["canvas.interpolate"].trigger()
    settle(0.6)
    camera.act["canvas.ground"].trigger()
    settle(0.5)
    until(lambda: not window.jobs.running)
    settle(0.6)
    camera.take("interpolation-line")
    window.tabs.setCurrentIndex(0)
    canvas.select([*EXPERTS, "base"])
    camera.act["canvas.interpolate"].trigger()
    settle(0.8)
    camera.take("interpolation-polygon")
    window.tabs.setCurrentIndex(0)


def views(camera: Camera, project: Path) -> None:
    """Every view, on the first run that it shows: the demo's own, then what was recorded for it."""
    from solera.runs.reader import RunReader

    seen: set[str] = set()
    desk = camera.application.desk
    camera.window.bottom_dock.hide()
    titles = {path.stem: RunReader(path).header.title for path in sorted((project / "runs").glob("*.h5"))}
    order = [*DEMO_RUNS, *(plain["title"] for plain in RECORDED)]
    for name in sorted(titles, key=lambda run: order.index(titles[run]) if titles[run] in order else len(order)):
        before = desk.tab
        desk.runs.open(name)
        until(lambda before=before: isinstance(desk.tab, RunTab) and desk.tab is not before)
        tab: Any = desk.tab
        until(lambda tab=tab: tab.view.snapshot is not None)
        for kind in tab.view.names:
            if kind not in seen:
                seen.add(kind)
                tab.view.show_view(kind)
                settle(0.3)
                _choose_point(tab)
                camera.take(f"view-{kind}", tab.fit)
        desk.close_tab(tab)
        settle()
    camera.window.bottom_dock.show()


def _choose_point(tab: Any) -> None:
    """Select a point of a search, so that the inspector tells of it."""
    snapshot = tab.view.snapshot
    if snapshot.header.kind == "explore" and len(snapshot.points) > 4 and tab.view.current.selected < 0:
        tab.view.current.pointSelected.emit(len(snapshot.points) // 3)


def docks(camera: Camera, project: Path) -> None:
    """The library with its page, the docks at the bottom while something runs, comparisons."""
    desk, window = camera.application.desk, camera.window
    fronts = [info.id for info in desk.workbench.runs.list() if "two scales" in info.title.lower()]  # type: ignore[union-attr]
    window.tabs.setCurrentIndex(0)
    window.library.view.choose("digits-rotated")
    settle(0.3)
    camera.take("library")
    window.bottom.setCurrentWidget(window.runs)
    settle(0.3)
    camera.take("dock-runs")
    window.bottom.setCurrentWidget(window.log)
    camera.take("dock-log")
    desk.library.compare(["digits-base", "digits-rotated"])
    settle(1.0)
    until(lambda: not window.jobs.running)
    settle(0.5)
    camera.take("compare-checkpoints")
    desk.history.compare(fronts[:2])
    settle(0.8)
    camera.take("compare-runs")
    desk.runs.open_beside(*fronts[:2])
    until(lambda: desk.tab.view.names)  # type: ignore[union-attr]
    settle(0.8)
    camera.take("beside")
    for tab in [window.tabs.widget(place) for place in range(1, window.tabs.count())]:
        desk.close_tab(tab)


def jobs(camera: Camera, project: Path) -> None:
    """A run that grows while another waits."""
    desk, window = camera.application.desk, camera.window
    before = desk.tab
    bench: Any = desk.workbench
    window.bottom.setCurrentWidget(window.jobs)
    experiment = project / "experiments" / "digits-plane.yaml"
    text = experiment.read_text().replace("points: 31", "points: 33")  # else it is recorded already
    for number, title in enumerate(("A finer plane", "The plane, another seed")):
        path = experiment.with_name(f"fine-{number}.yaml")
        path.write_text(
            text.replace("The plane through base, rotated and inverted", title).replace("seed: 0", f"seed: {number}")
        )
        job = bench.submit(path)
        if number == 0:
            desk.runs.await_run(job.id)
    until(lambda: isinstance(desk.tab, RunTab) and desk.tab is not before and desk.tab.view.snapshot is not None)
    tab: Any = desk.tab
    until(lambda: len(tab.view.snapshot.points) > 240, 300)
    camera.take("jobs-running", tab.fit)
    for job in bench.jobs.jobs():
        if not job.final:
            bench.jobs.cancel(job.id)
    until(lambda: not window.jobs.running)
    settle(0.5)


def dialogs(camera: Camera, project: Path) -> None:
    """Every dialog, each at its own size, and the tour."""
    act, desk = camera.act, camera.application.desk
    camera.take_dialog("settings", act["tools.settings"].trigger)
    camera.take_dialog("plugins", act["tools.plugins"].trigger)
    camera.take_dialog("shortcuts", act["help.shortcuts"].trigger)
    camera.take_dialog("examples", act["help.examples"].trigger)
    camera.take_dialog("about", act["help.about"].trigger)
    desk.help.open_page("tutorials/first-merge.md")
    assert desk.help.documentation is not None
    camera.close_up("documentation", desk.help.documentation)
    desk.help.documentation.close()
    desk.help.start_tour()
    camera.take("tour")
    assert desk.help.tour is not None
    desk.help.tour.end()


TOUR: dict[str, Callable[[Camera, Path], None]] = {
    "recipe": recipe, "soup": soup, "interpolation": interpolation, "views": views, "docks": docks, "dialogs": dialogs,
    "jobs": jobs,
}  # fmt: skip


# --- taking them all -------------------------------------------------------------------------------------------------


def record(project: Path) -> None:
    """Record the runs that the tour needs beyond those of ``solera demo``: only what is not there yet."""
    from solera.projects.project import Project
    from solera.runs.reader import RunReader
    from solera.workbench import Workbench

    there = {RunReader(path).header.title for path in (project / "runs").glob("*.h5")}
    missing = [plain for plain in RECORDED if plain["title"] not in there]
    if not missing:
        return
    held = Project.open(project)
    bench = Workbench(held)
    for plain in missing:
        print(f"recording: {plain['title']}", flush=True)  # noqa: T201
        job = bench.submit({"solera": 1, **plain})
        until(lambda job=job: job.final, 1200)
        if job.state != "done":
            raise RuntimeError(f"'{plain['title']}' was not recorded: {job.error}")
    bench.close()
    held.close()


def used() -> set[str]:
    """The names of the pictures that the documentation shows."""
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    return {name for page in pages for name in re.findall(r"images/([\w-]+\.png)", page.read_text(encoding="utf-8"))}


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, help="the digits' demo project")
    parser.add_argument("folder", type=Path, nargs="?", help="where all go; without it those in use, to docs/images")
    parser.add_argument(
        "--only", action="append", choices=["welcome", *TOUR], help="a part of the tour; may be repeated"
    )
    parser.add_argument("--theme", action="append", choices=["light", "dark"], help="one theme; both by default")
    parser.add_argument("--small", action="store_true", help="leave out 2560x1440")
    given = parser.parse_args()
    folder = given.folder or Path(_HOME) / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = (SMALL,) if given.small else (SMALL, LARGE)
    record(given.project.resolve())
    parts = given.only or ["welcome", *TOUR]
    for theme in given.theme or ("light", "dark"):
        copy = Path(_HOME) / "work" / "digits"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(given.project, copy, ignore=shutil.ignore_patterns(".lock", "*.journal"))
        if "welcome" in parts:
            with opened(None, theme) as application:
                application.session.remember_project(copy)
                application.desk.show_welcome()
                Camera(application, folder, theme, sizes).take("welcome")
        if set(parts) & set(TOUR):
            with opened(copy, theme) as application:
                camera = Camera(application, folder, theme, sizes)
                for part in TOUR:
                    if part in parts or (part == "recipe" and set(parts) & {"soup", "interpolation", "docks"}):
                        began = time.monotonic()
                        TOUR[part](camera, copy)
                        print(f"{theme}, {part}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    if given.folder is None:
        for name in sorted(used()):
            shutil.copy(folder / name, DOCS / "images" / name)
    shutil.rmtree(_HOME, ignore_errors=True)


if __name__ == "__main__":
    main()
