"""What was open comes back: recipes, runs and interpolations in their order, also after kill -9."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solera.documents.commands import SetInterpolation, SetSoup
from solera.documents.document import Interpolation, Soup
from solera.errors import InputError
from solera.events import PointScored
from solera.projects.project import Project
from solera.runs.header import RunHeader, run_path
from solera.runs.writer import RunWriter
from solera.settings import config_folder
from solera_app.bridge.slots import notices
from solera_app.main import Application
from solera_app.session.keeper import key_of

RECIPE = (
    "solera: 1\nname: {name}\nnodes:\n  a: {{checkpoint: 'library:a'}}\n  b: {{checkpoint: 'library:b'}}\noutput: a\n"
)


def record(folder: Path, run: str, title: str) -> None:
    header = RunHeader(
        id=run, kind="explore", title=title, columns=({"task": "t", "metric": "accuracy", "split": "s", "count": 9},),
        coords=({"name": "x", "low": 0.0, "high": 1.0},), planned=1, shape=(1,),
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    with RunWriter.create(run_path(folder, run), header) as writer:
        writer.append(
            PointScored(run=run, index=0, coords=(0.0,), values=(0.5,), stderrs=(0.1,), counts=(9,), cell=(0,))
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    Project.create(made, "p").close()
    for name in ("first", "second"):
        (made / "recipes" / f"{name}.yaml").write_text(RECIPE.format(name=name))
    record(made / "runs", "20260101-000000-aaaaaa", "A line")
    record(made / "runs", "20260101-000001-bbbbbb", "Another")
    return made


@pytest.fixture
def start(qtbot: Any) -> Iterator[Callable[..., Application]]:
    started: list[Application] = []

    def begin(folder: Path | None = None) -> Application:
        made = Application()
        started.append(made)
        made.open(folder)
        qtbot.waitUntil(lambda: made.window.welcome._cards.count() > 0, timeout=10_000)
        return made

    yield begin
    for made in started:
        for opened in made.desk.recipes.documents:
            opened.history.mark_saved()
            opened._recovered = False
        made.window.close()
        made.window.deleteLater()


def keys(application: Application) -> list[str]:
    tabs = application.window.tabs
    return [key_of(tabs.widget(place)) for place in range(tabs.count())]


def test_tabs_of_every_kind_come_back_in_order_with_the_front_one(start: Any, folder: Path, qtbot: Any) -> None:
    first = start(folder)
    first.desk.runs.open("20260101-000000-aaaaaa")
    opened = first.desk.recipes.documents[1]
    opened.history.do(SetInterpolation(Interpolation(("a", "b"), (0.5, 0.5))))
    opened.history.do(SetSoup(Soup(("a", "b"))))
    opened.save()
    first.desk.recipes.blends.open_interpolation(opened)
    first.desk.recipes.blends.open_soup(opened)
    first.window.tabs.tabBar().moveTab(2, 0)
    first.window.tabs.setCurrentIndex(0)
    before = keys(first)
    assert [key.partition(":")[0] for key in before] == ["run", "recipe", "recipe", "interpolation", "soup"]
    first.window.close()
    second = start(folder)
    assert keys(second) == before
    assert key_of(second.window.tabs.currentWidget()) == "run:20260101-000000-aaaaaa"
    qtbot.waitUntil(lambda: second.window.tabs.currentWidget().title == "A line")


def test_what_is_gone_is_left_out(start: Any, folder: Path) -> None:
    first = start(folder)
    for run in ("20260101-000000-aaaaaa", "20260101-000001-bbbbbb"):
        first.desk.runs.open(run)
    first.window.close()
    run_path(folder / "runs", "20260101-000001-bbbbbb").unlink()
    (folder / "recipes" / "first.yaml").unlink()
    second = start(folder)
    assert keys(second) == [f"recipe:{folder / 'recipes' / 'second.yaml'}", "run:20260101-000000-aaaaaa"]


_CRASH = """
import os, signal, sys
from pathlib import Path
from PySide6.QtCore import QTimer
from solera.documents.commands import AddNodes
from solera.recipes.nodes import CheckpointNode
from solera_app.main import Application

folder = Path(sys.argv[1])
application = Application()
application.open(folder)

def edit():
    documents = application.desk.recipes.documents
    if len(documents) != 2:
        return
    timer.stop()
    application.desk.runs.open("20260101-000001-bbbbbb")
    application.window.inspector_dock.hide()
    for step in range(12):
        name = f"n{step}"
        documents[0].history.do(AddNodes((CheckpointNode(name, f"library:{name}"),)))
    QTimer.singleShot(1000, lambda: os.kill(os.getpid(), signal.SIGKILL))

timer = QTimer()
timer.timeout.connect(edit)
timer.start(20)
application.qt.exec()
"""


def test_after_kill_9_a_second_later_edits_tabs_and_layout_are_there(start: Any, folder: Path, qtbot: Any) -> None:
    recipe = folder / "recipes" / "first.yaml"
    text = recipe.read_bytes()
    died = subprocess.run([sys.executable, "-c", _CRASH, str(folder)], env={**os.environ}, timeout=120, check=False)
    assert died.returncode == -signal.SIGKILL
    assert recipe.read_bytes() == text, "the user's own file is not touched"
    again = start(folder)
    opened = next(opened for opened in again.desk.recipes.documents if opened.name == "first")
    assert {f"n{step}" for step in range(12)} <= opened.document.ids
    assert opened.modified
    assert recipe.read_bytes() == text
    assert "run:20260101-000001-bbbbbb" in keys(again)
    assert not again.window.inspector_dock.isVisible()
    kept = json.loads((config_folder() / "session.json").read_text())
    assert kept["front"][str(folder)] == "run:20260101-000001-bbbbbb"


def test_a_dropped_recipe_opens_its_project_first(start: Any, folder: Path, tmp_path: Path, qtbot: Any) -> None:
    application = start()
    application.window.filesDropped.emit([str(folder / "recipes" / "second.yaml")])
    assert application.desk.workbench.project.folder == folder
    assert not application.window.on_welcome
    assert application.window.tabs.currentWidget().opened.name == "second"


def test_a_dropped_recipe_without_a_project_is_a_sentence(start: Any, tmp_path: Path, qtbot: Any) -> None:
    application = start()
    stray = tmp_path / "stray.yaml"
    stray.write_text(RECIPE.format(name="stray"))
    with pytest.raises(InputError, match=r"'stray.yaml' lies in no project"):
        application.desk.drop_files([str(stray)])
    with qtbot.waitSignal(notices().raised):
        application.window.filesDropped.emit([str(stray)])
