"""Over everything one can open: names for who cannot see, help on every control, the keyboard reaches all, nothing is
clipped at the smallest size, in both themes."""

from collections.abc import Callable, Iterator
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import (
    QApplication,
    QWidget,
)
from tests.app.access.problems import clipped, helpless, out_of_reach, unnamed
from tests.app.views.conftest import RUNS

from solera.documents.commands import AddNodes, SetInterpolation
from solera.documents.document import Interpolation, SaveNode, TaskNode
from solera.events import JobChanged, Logged
from solera.jobs.job import Job
from solera.jobs.spec import JobSpec
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, MethodNode
from solera.runs.catalogue import RunInfo
from solera_app.main import Application
from solera_app.theme import themes

pytestmark = pytest.mark.heavy  # a window, thrice dressed anew for each thing

NAMES = ("base", "rotated", "inverted")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def app(home: Path, qapp: Any) -> Iterator[Application]:
    """One window for all: a project with three checkpoints and a recipe."""
    import os
    import shutil

    from PySide6.QtCore import QEventLoop, QTimer

    patch = pytest.MonkeyPatch()
    patch.setenv("SOLERA_CONFIG", str(home / "config" / "settings.toml"))
    assert os.environ["SOLERA_CONFIG"]
    with Project.create(home / "project", "p") as project:
        for name in NAMES:
            with as_file(resources("solera_assets") / "examples" / "digits" / "checkpoints" / f"digits-{name}") as at:
                shutil.copytree(at, home / name)
            project.library.add(home / name)
        project.set_task("rotated", "digits", {"transform": "rotation"})
    made = Application()
    made.open(home / "project")
    made.window.resize(1280, 800)
    for _ in range(200):
        loop = QEventLoop()
        QTimer.singleShot(50, loop.quit)
        loop.exec()
        if len(made.window.library.view.rows_model.rows) == 4 and made.window.welcome._cards.count():
            break
    tab: Any = made.window.tabs.currentWidget()
    nodes: Any = (
        *(CheckpointNode(name, f"library:{name}") for name in NAMES),
        MethodNode("ties", "ties", ("rotated", "inverted"), "base"),
        MethodNode("dare", "dare", ("rotated", "inverted"), "base"),
        SaveNode("save", "ties", "blend"), TaskNode("score", "ties", "rotated"),
    )  # fmt: skip
    tab.opened.history.do(AddNodes(nodes))
    tab.opened.history.do(SetInterpolation(Interpolation(("rotated", "inverted"), (0.5, 0.5))))
    yield made
    for opened in made.desk.recipes.documents:
        opened.history.mark_saved()
    made.window.close()
    made.window.deleteLater()
    patch.undo()


def inspector(app: Application, *ids: str) -> QWidget:
    tab: Any = next(
        app.window.tabs.widget(i)
        for i in range(app.window.tabs.count())
        if hasattr(app.window.tabs.widget(i), "opened")
    )
    app.window.tabs.setCurrentWidget(tab)
    tab.canvas.select(list(ids))
    return app.window.inspector


def checkpoint(app: Application) -> QWidget:
    app.desk.library._inspect("rotated")
    return app.window.inspector


def run_page(app: Application) -> QWidget:
    info = RunInfo("r", "explore", "A line", "failed", 1e9, 4, 9, "best 0.9; more", ("t",), "note", Path("r.h5"))
    app.desk.history.page.show_run(info, RUNS["line"]()[0], "'base' holds other weights now.")
    app.window.inspector.show_page("Run", app.desk.history._area)
    return app.window.inspector


def point(app: Application) -> QWidget:
    app.window.inspector.show_point("r", 0, "Point 1 of 9", "report", {"Scores": [("rotated", "0.9 ± 0.1")]})
    return app.window.inspector


def jobs(app: Application) -> QWidget:
    dock = app.window.jobs
    for place, state in enumerate(("running", "queued", "failed", "done")):
        dock.on_job(JobChanged(job=f"j{place}", kind="merge", title=f"Merge {place}", state=state))  # type: ignore[arg-type]
    app.window.bottom.setCurrentWidget(dock)
    return dock


def runs(app: Application) -> QWidget:
    app.window.bottom.setCurrentWidget(app.window.runs)
    return app.window.runs


def log(app: Application) -> QWidget:
    app.window.bottom.setCurrentWidget(app.window.log)
    return app.window.log


def settings(app: Application) -> QWidget:
    from solera_app.settings_dialog import SettingsDialog

    return SettingsDialog(app.desk.settings, ("cpu", "cuda:0"), "/x/settings.toml", app.window)


def plugins(app: Application) -> QWidget:
    app.desk.tools.show_plugins()
    assert app.desk.tools.manager is not None
    return app.desk.tools.manager


def shortcuts(app: Application) -> QWidget:
    from solera_app.actions.shortcuts_dialog import ShortcutsDialog

    return ShortcutsDialog(app.window.shortcuts, app.window)


def documentation(app: Application) -> QWidget:
    app.desk.help.open_page("reference/window.md")
    assert app.desk.help.documentation is not None
    return app.desk.help.documentation


def gallery(app: Application) -> QWidget:
    app.desk.help.open_gallery()
    assert app.desk.help.gallery is not None
    return app.desk.help.gallery


def tour(app: Application) -> QWidget:
    app.desk.help.start_tour()
    assert app.desk.help.tour is not None
    return app.desk.help.tour


def again(app: Application) -> QWidget:
    from solera_app.run_again import RunAgain

    return RunAgain("A line", "explore", {"explorer": {"params": {"points": 5}}}, app.window)


def job_log(app: Application) -> QWidget:
    from solera_app.job_log import JobLog

    job = Job(JobSpec("merge", "Merge a to b", {}, ("cpu",)))
    job.log.append(Logged(text="said"))
    return JobLog(job, app.window)


def explore(app: Application) -> QWidget:
    from solera_app.explore_dialog import ExploreDialog

    bench = app.desk.workbench
    assert bench is not None
    shelf = bench.registry.explorers
    document = app.desk.recipes.documents[0].document
    return ExploreDialog(document, bench.tasks(), {name: shelf.describe(name) for name in shelf}, "line", app.window)


def about(app: Application) -> QWidget:
    from solera_app.dialogs import show_about

    return show_about(app.window, "0.1")


def palette(app: Application) -> QWidget:
    app.window.open_palette()
    return app.window.palette_popup


def difference(app: Application) -> QWidget:
    from solera_app.difference_tab import DifferenceTab

    row = {"name": "w", "shape": [2], "numel": 2, "norm_a": 1.0, "norm_b": 1.0, "distance": 0.5, "largest": 0.4,
           "cosine": 0.9, "signs": 1.0, "equal": 0}  # fmt: skip
    plain = {"a": "a", "b": "b", "tensors": [row], "total": row, "histogram": [2, 0], "edges": [0.1, 1.0, 10.0],
             "only_a": ["x"], "only_b": [], "unlike": [], "skipped": []}  # fmt: skip
    return DifferenceTab(plain)


def beside(app: Application) -> QWidget:
    from solera.workbench.beside import Beside, Found, Line
    from solera_app.beside_tab import BesideTab

    lines = (
        Line("seed", "setting", ("0", "1")),
        Line("t.accuracy", "score", (), (Found(0.9, 0.1, 9),) * 2, "higher", True),
    )
    return BesideTab(Beside(("a", "b"), ("A", "B"), lines, 3))


DOCKS: dict[str, Callable[[Application], QWidget]] = {
    "library": lambda app: app.window.library, "recipe page": lambda app: inspector(app),
    "method page": lambda app: inspector(app, "ties"), "checkpoint node page": lambda app: inspector(app, "base"),
    "save page": lambda app: inspector(app, "save"), "task page": lambda app: inspector(app, "score"),
    "several nodes page": lambda app: inspector(app, "ties", "dare"), "checkpoint page": checkpoint,
    "run page": run_page, "point page": point, "jobs": jobs, "runs": runs, "log": log,
}  # fmt: skip
DIALOGS: dict[str, Callable[[Application], QWidget]] = {
    "settings": settings, "plugins": plugins, "shortcuts": shortcuts, "documentation": documentation,
    "gallery": gallery, "run again": again, "job log": job_log, "explore": explore, "about": about,
}  # fmt: skip
PIECES: dict[str, Callable[[Application], QWidget]] = {
    "welcome": lambda app: app.window.welcome, "palette": palette, "tour": tour, "difference": difference,
    "beside": beside,
}  # fmt: skip
EVERYTHING = {**DOCKS, **DIALOGS, **PIECES}


@pytest.fixture
def shown(app: Application, qtbot: Any) -> Iterator[Callable[[str], QWidget]]:
    """Opens a thing by its name; closed again at the end."""
    opened: list[tuple[str, QWidget]] = []

    def show(name: str) -> QWidget:
        made = EVERYTHING[name](app)
        opened.append((name, made))
        if name == "welcome":
            app.window.show_welcome()
        made.show()
        QApplication.processEvents()
        return made

    yield show
    for name, made in opened:
        if name == "welcome":
            app.window.show_tabs()
        elif name == "tour" and app.desk.help.tour is not None:
            app.desk.help.tour.end()
        elif name not in DOCKS:
            made.close()
            if name not in {"palette", "documentation", "plugins", "gallery", "about", "tour"}:
                made.deleteLater()


@pytest.mark.parametrize("name", [*DOCKS, *DIALOGS, *PIECES])
def test_one_can_do_without_eyes_mouse_and_a_large_screen(shown: Any, app: Application, name: str) -> None:
    root = shown(name)
    problems = [*unnamed(root), *helpless(root), *out_of_reach(root)]
    if name in DIALOGS:
        root.resize(root.minimumSizeHint().expandedTo(root.minimumSize()))
    elif name not in DOCKS and name not in {"tour", "palette", "welcome"}:
        root.resize(QSize(520, 420))
    for theme in ("light", "dark"):
        themes().apply(theme)  # type: ignore[arg-type]
        QApplication.processEvents()
        assert not root.grab().isNull()
        problems += [f"{theme}: {problem}" for problem in clipped(root)]
    assert problems == []
