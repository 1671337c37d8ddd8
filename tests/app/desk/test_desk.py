"""Window and desk together, without a project and with an empty one."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import QEvent, QPointF, QTimer
from PySide6.QtWidgets import QApplication, QDialog

from solera.documents.commands import AddNodes
from solera.events import JobChanged, RunStarted
from solera.execution.writer import write_checkpoint
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, MethodNode, StatisticNode
from solera_app.actions.table import ACTIONS
from solera_app.desk import _plugin_words
from solera_app.docks.log import LogHandler
from solera_app.main import Application
from solera_app.tabs import RecipeTab
from solera_app.theme import theme


@pytest.fixture
def start(qtbot: Any, tmp_path: Path) -> Iterator[Callable[..., Application]]:
    started: list[Application] = []

    def begin(folder: Path | None = None) -> Application:
        application = Application()
        started.append(application)
        application.open(folder)
        qtbot.waitUntil(lambda: application.window.welcome._cards.count() > 0, timeout=10_000)
        return application

    yield begin
    for application in started:
        for opened in application.desk.recipes.documents:
            opened.history.mark_saved()
            opened._recovered = False  # else closing asks about it
        application.window.close()
        application.window.deleteLater()
    logger = logging.getLogger("solera")
    for handler in [handler for handler in logger.handlers if isinstance(handler, LogHandler)]:
        logger.removeHandler(handler)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Project.create(tmp_path / "project", "empty").close()
    return tmp_path / "project"


def enabled(application: Application) -> set[str]:
    return {id_ for id_, action in application.window.actions_by_id.by_id.items() if action.isEnabled()}


def test_every_action_of_the_table_has_a_handler(start: Any) -> None:
    application = start()
    assert set(application.window.actions_by_id.by_id) == {row.id for row in ACTIONS}


def test_without_a_project_only_what_needs_none_is_enabled(start: Any) -> None:
    application = start()
    assert application.window.on_welcome
    assert enabled(application) == {row.id for row in ACTIONS if not row.when}
    assert not application.window.run_button.isEnabled()


def test_conditions_follow_the_document(start: Any, folder: Path, qtbot: Any) -> None:
    application = start(folder)
    assert {"file.save", "canvas.add", "file.close", "file.export"} <= enabled(application)
    assert not {"edit.undo", "edit.redo", "run.run", "edit.copy", "canvas.ground", "run.stop"} & enabled(application)
    tab = application.window.tabs.currentWidget()
    history = tab.opened.history
    history.do(AddNodes((CheckpointNode("a", "library:a"),)))
    assert {"edit.undo", "run.run"} <= enabled(application)
    assert application.window.run_button.isEnabled()
    tab.canvas.select(["a"])
    assert "edit.copy" in enabled(application)
    history.undo()
    assert "edit.redo" in enabled(application)
    assert not {"edit.undo", "run.run"} & enabled(application)
    application.window.show_welcome()
    assert "file.save" not in enabled(application)


def test_closing_with_unsaved_edits_asks_and_cancel_stays(
    start: Any, folder: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = start(folder)
    tab = application.window.tabs.currentWidget()
    tab.opened.history.do(AddNodes((CheckpointNode("a", "library:a"),)))
    asked: list[str] = []
    monkeypatch.setattr("PySide6.QtWidgets.QMessageBox.exec", lambda box: asked.append(box.text()) or 0)
    assert not application.window.close()
    assert application.window.isVisible()
    assert len(asked) == 1
    assert "untitled" in asked[0]
    application.desk.close_tab(tab)
    assert application.window.tabs.count() == 1
    tab.opened.history.undo()
    assert application.window.close()
    assert len(asked) == 2


@pytest.mark.parametrize("blend", ["interpolate_entries", "soup_entries"])
def test_a_document_is_open_until_its_last_canvas_closes(
    start: Any, folder: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch, blend: str
) -> None:
    """Nothing is lost without a question, and a crash still finds the journal."""
    application = start(folder)
    desk = application.desk
    getattr(desk.recipes.blends, blend)(["a", "b"])
    (opened,) = [opened for opened in desk.recipes.documents if opened.document.nodes]
    (recipe,) = desk.recipes.tabs_of(opened)
    opened.autosave()
    desk.close_tab(recipe)
    assert opened in desk.recipes.documents
    assert opened.journal.exists()
    asked: list[str] = []
    monkeypatch.setattr("PySide6.QtWidgets.QMessageBox.exec", lambda box: asked.append(box.text()) or 0)
    assert not desk.close_project()
    assert len(asked) == 1
    desk.recipes.show_document(opened)
    assert desk.recipes.documents.count(opened) == 1
    opened.history.mark_saved()
    for tab in [application.window.tabs.widget(place) for place in range(application.window.tabs.count())]:
        if getattr(tab, "opened", None) is opened:
            desk.close_tab(tab)
    assert opened not in desk.recipes.documents
    assert not opened.journal.exists()


def test_the_theme_is_switched_and_remembered(start: Any, folder: Path) -> None:
    application = start(folder)
    before = theme().name
    application.window.actions_by_id.by_id["view.theme"].trigger()
    assert theme().name != before
    assert application.desk.settings.theme == theme().name
    again = start()
    assert again.desk.settings.theme == theme().name


def test_the_layout_comes_back(start: Any, folder: Path, qtbot: Any) -> None:
    first = start(folder)
    first.window.actions_by_id.by_id["view.inspector"].trigger()
    assert not first.window.inspector_dock.isVisible()
    first.window.close()
    second = start(folder)
    assert not second.window.inspector_dock.isVisible()
    assert second.window.library_dock.isVisible()
    assert second.session.recent == [folder]


def test_another_project_replaces_the_first(start: Any, folder: Path, tmp_path: Path, qtbot: Any) -> None:
    application = start(folder)
    other = tmp_path / "other"
    Project.create(other, "other").close()
    application.desk.drop_files([str(other)])
    assert application.window.project_name.text() == "other"
    assert application.window.tabs.count() == 1
    Project.open(folder).close()  # the first is free again
    application.desk.drop_files([str(other / "solera.toml")])
    assert application.window.project_name.text() == "other"


def test_the_welcome_page_stands_alone_and_gives_the_docks_back(start: Any, folder: Path, qtbot: Any) -> None:
    application = start(folder)
    window = application.window
    window.actions_by_id.by_id["view.library"].trigger()
    window.actions_by_id.by_id["help.welcome"].trigger()
    assert window.on_welcome
    docks = (window.library_dock, window.inspector_dock, window.bottom_dock)
    assert not any(dock.isVisible() for dock in docks)
    window.close()
    again = start(folder).window
    assert not again.on_welcome
    assert [dock.isVisible() for dock in (again.library_dock, again.inspector_dock, again.bottom_dock)] == [
        False, True, True,
    ]  # fmt: skip


def test_a_first_start_shows_every_dock_once_a_project_is_open(start: Any, folder: Path) -> None:
    application = start()
    assert not application.window.library_dock.isVisible()
    application.desk.open_project(folder)
    window = application.window
    assert all(part.isVisible() for part in (window.library_dock, window.inspector_dock, window.bottom_dock))
    assert window.toolbar.isVisible()


def test_a_run_comes_to_the_front_only_for_those_who_wait_for_it(
    start: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = start(folder).desk.runs
    opened: list[bool] = []
    monkeypatch.setattr(runs, "open", lambda run, path=None, *, front=True: opened.append(front))
    runs.await_run("asked")
    for job in ("stranger", "asked", "asked"):
        header = {"kind": "explore", "id": job}
        runs._run_started(RunStarted(job=job, run=job, path=str(folder / "x.h5"), header=header))
    assert opened == [False, True, False]


def test_examples_are_made_one_after_the_other_each_with_its_experiments(
    start: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = start(folder).desk
    bench = desk.workbench
    asked: list[str] = []
    unfinished: list[Any] = []

    def submit_demo(name: str) -> None:
        asked.append(name)
        unfinished.append(type("J", (), {"spec": type("S", (), {"kind": "demo"}), "final": False}))

    def submit(path: Path) -> Any:
        asked.append(path.name)
        return type("J", (), {"id": path.name})

    monkeypatch.setattr(bench, "submit_demo", submit_demo)
    monkeypatch.setattr(bench, "submit", submit)
    monkeypatch.setattr(bench.jobs, "jobs", lambda: tuple(unfinished))
    desk.start_example("digits")
    desk.start_example("prose_code")
    assert asked == ["digits"]
    unfinished.clear()
    result = {"recipes": [], "experiments": ["experiments/line.yaml"]}
    desk._job_changed(JobChanged(job="j", kind="demo", title="digits", state="done", result=result))
    assert asked == ["digits", "line.yaml", "prose_code"]


def test_a_recipe_that_cannot_be_read_does_not_keep_the_project_shut(start: Any, folder: Path) -> None:
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "recipes" / "a.yaml").write_bytes(b"\xff\xfe\x00bad")
    (folder / "recipes" / "b.yaml").write_text("solera: 1\nname: b\nnodes: {x: {checkpoint: x}}\noutput: x\n")
    application = start(folder)
    tabs = application.window.tabs
    assert "b" in [tabs.tabText(place) for place in range(tabs.count())]
    assert any("a.yaml" in toast.sentence for toast in application.window.toasts.showing())


def test_plugins_that_do_not_work_are_counted() -> None:
    plugins = [type("P", (), {"state": state}) for state in ("loaded", "discovered", "failed", "incompatible")]
    assert _plugin_words(plugins) == "4 plugins, 2 failed"
    assert _plugin_words(plugins[:2]) == "2 plugins"


def test_the_projects_file_is_followed_while_it_is_open(start: Any, folder: Path, qtbot: Any) -> None:
    application = start(folder)
    file = folder / "solera.toml"
    file.write_text(file.read_text() + '\n[tasks.upright]\ntask = "digits"\n')
    qtbot.waitUntil(lambda: application.desk.workbench.tasks() == ("upright",), timeout=5000)
    file.write_text(file.read_text() + "\n[broken\n")
    qtbot.waitUntil(lambda: len(application.window.toasts.showing()) == 1, timeout=5000)
    assert "solera.toml" in application.window.toasts.showing()[0].sentence
    assert application.desk.workbench.tasks() == ("upright",)


def test_empty_sheets_are_closed_when_an_example_brings_recipes(start: Any, folder: Path) -> None:
    application = start(folder)
    tabs = application.window.tabs
    assert [tabs.tabText(place) for place in range(tabs.count())] == ["untitled"]
    file = folder / "recipes" / "b.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("solera: 1\nname: b\nnodes: {x: {checkpoint: x}}\noutput: x\n")
    application.desk._example_made({"recipes": ["recipes/b.yaml"], "experiments": []})
    assert [tabs.tabText(place) for place in range(tabs.count())] == ["b"]


def test_a_statistic_has_no_file_to_tell_of(start: Any, folder: Path, qtbot: Any) -> None:
    application = start(folder)
    tab = application.window.tabs.currentWidget()
    nodes = (CheckpointNode("a", "elsewhere"), StatisticNode("info", "", model="a", statistic="fisher", task="t"))
    tab.opened.history.do(AddNodes(nodes))
    page = application.window.inspector._node
    tab.canvas.select(["a"])
    assert not page.facts.isHidden()
    tab.canvas.select(["info"])
    assert page.facts.isHidden()


MERGEKIT = """\
models:
  - model: a
    parameters: {weight: 0.25, density: 0.5}  # mergekit's linear takes no density
  - model: b
    parameters: {weight: 0.75}
merge_method: linear
dtype: bfloat16
"""


@pytest.fixture
def foreign(folder: Path) -> Path:
    """A file of mergekit's beside its two models."""
    for i, name in enumerate("ab"):
        write_checkpoint({"w": torch.full((2, 2), float(i))}, folder / name, config={"architectures": ["Toy"]})
    (folder / "blend.yml").write_text(MERGEKIT)
    return folder / "blend.yml"


def on_canvas(application: Application, path: Path) -> None:
    tab = application.window.tabs.currentWidget()
    assert isinstance(tab, RecipeTab)
    tab.canvas.filesDropped.emit([str(path)], QPointF(10, 10))


@pytest.mark.parametrize(
    "bring",
    [
        lambda application, path: application.desk.recipes.open_path(path),
        lambda application, path: application.window.filesDropped.emit([str(path)]),
        on_canvas,
    ],
    ids=["open", "window", "canvas"],
)
def test_a_file_of_mergekit_becomes_a_new_document_and_stays(
    bring: Any, start: Any, folder: Path, foreign: Path, qtbot: Any
) -> None:
    application = start(folder)
    desk, toasts = application.desk, application.window.toasts
    bring(application, foreign)
    qtbot.waitUntil(lambda: any(opened.document.nodes for opened in desk.recipes.documents), timeout=10_000)
    opened = desk.recipes.documents[-1]
    assert (opened.path, opened.modified, opened.name) == (None, True, "blend")
    recipe = opened.document.recipe
    method = recipe.node(recipe.output)
    assert isinstance(method, MethodNode)
    assert (method.method, len(recipe.checkpoints), recipe.dtype) == ("linear", 2, "bfloat16")
    assert application.window.tabs.currentWidget().opened is opened
    assert "density" in recipe.note
    (toast,) = [toast for toast in toasts.showing() if "blend.yml" in toast.sentence]
    assert "done otherwise" in toast.sentence
    assert "density" in toast.details
    assert foreign.read_text() == MERGEKIT
    assert not list(folder.glob("blend*.layout.json"))


def test_faults_of_a_file_of_mergekit_are_told_with_their_lines(
    start: Any, folder: Path, foreign: Path, qtbot: Any
) -> None:
    foreign.write_text(MERGEKIT.replace("merge_method: linear", "merge_method: linaer"))
    application = start(folder)
    application.desk.recipes.open_path(foreign)
    toasts = application.window.toasts
    qtbot.waitUntil(lambda: bool(toasts.showing()), timeout=10_000)
    said = toasts.showing()[0]
    assert "linaer" in said.sentence + said.details
    assert "linear" in said.sentence + said.details
    assert not any(opened.document.nodes for opened in application.desk.recipes.documents)


def test_a_picture_of_a_recipe_brings_it_back(start: Any, folder: Path, tmp_path: Path) -> None:
    app = start(folder)
    path = folder / "recipes" / "two.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("solera: 1\nname: two\nnodes:\n  a: {checkpoint: ../one}\noutput: a\n")
    app.desk.recipes.open_path(path)
    app.desk.tab.export("png", tmp_path / "two.png")
    (folder / "one").mkdir(exist_ok=True)
    app.desk.drop_files([str(tmp_path / "two.png")])
    opened = app.desk.recipes.documents[-1]
    assert opened.path is None
    assert opened.document.recipe.name == "two"
    assert opened.document.node("a").source == "one"


@pytest.mark.parametrize("action", ["tools.settings", "run.explore", "help.examples", "help.shortcuts", "file.close"])
def test_a_dialog_is_gone_once_it_is_answered(start: Any, folder: Path, qtbot: Any, action: str) -> None:
    """Its parent, the window, stays: what hangs there unseen is never freed."""
    application = start(folder)
    window = application.window
    application.desk.recipes.documents[0].history.do(AddNodes((CheckpointNode("a", "library:a"),)))
    before = len(window.findChildren(QDialog))

    def reject() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            dialog.reject()

    timer = QTimer(interval=20)
    timer.timeout.connect(reject)
    timer.start()
    for _ in range(3):
        window.actions_by_id.by_id[action].trigger()
    timer.stop()
    for dialog in window.findChildren(QDialog):
        dialog.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    kept = 1 if action == "help.examples" else 0  # the one that was opened last
    assert len(window.findChildren(QDialog)) == before + kept
