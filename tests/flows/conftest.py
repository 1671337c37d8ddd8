"""The window with a small real project: two tasks on scikit-learn's digits and the checkpoints that ship."""

import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

NAMES = ("base", "rotated", "inverted")


@pytest.fixture(autouse=True)
def _cycles_in_this_thread() -> Iterator[None]:
    """No thread of a test frees widgets of another (see solera_app.bridge.collector)."""
    gc.disable()
    gc.freeze()  # only what this test makes is looked at
    yield
    if (qt := sys.modules.get("PySide6.QtCore")) is not None:  # no event loop runs that would do it
        qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.Type.DeferredDelete)
    gc.collect()
    gc.enable()


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """A folder of checkpoints as a file manager would show it, outside any project."""
    folder = tmp_path / "incoming"
    for name in NAMES:
        with as_file(resources("solera_assets") / "examples" / "digits" / "checkpoints" / f"digits-{name}") as made:
            shutil.copytree(made, folder / name)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project with two tasks."""
    from solera.projects.project import Project

    folder = tmp_path / "project"
    with Project.create(folder, "small") as made:
        made.set_task("rotated", "digits", {"transform": "rotation"})
        made.set_task("inverted", "digits", {"transform": "inversion"})
    return folder


@pytest.fixture
def window(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Starts the application on a project; every one that was started is closed at the end."""
    from solera_app.main import Application
    from solera_app.theme import themes

    interval = sys.getswitchinterval()
    started: list[Application] = []

    def start(folder: Path | None = None) -> Application:
        application = Application()
        started.append(application)
        application.open(folder)
        application.window.resize(1400, 900)
        if folder is not None:
            qtbot.waitUntil(lambda: application.desk.workbench is not None, timeout=60_000)
        return application

    yield start
    monkeypatch.setattr("PySide6.QtWidgets.QMessageBox.exec", lambda box: 0)
    for application in started:
        for opened in application.desk.recipes.documents:
            opened.history.mark_saved()
            opened._recovered = False
        application.window.close()
        application.window.deleteLater()
    qtbot.waitUntil(lambda: all(app.desk.workbench is None for app in started), timeout=60_000)
    logger = logging.getLogger("solera")
    for handler in [handler for handler in logger.handlers if type(handler).__name__ == "LogHandler"]:
        logger.removeHandler(handler)
    themes().apply("light")
    if started:
        started[0].qt.setStyleSheet("")
    sys.setswitchinterval(interval)


@pytest.fixture
def person(window: Callable[..., Any], project: Path, qtbot: Any) -> Any:
    """Someone at a window on the project."""
    from tests.flows.person import Person

    return Person(window(project), qtbot)


@pytest.fixture
def furnished(person: Any, incoming: Path) -> Any:
    """Someone whose canvas has three checkpoints."""
    person.furnish(incoming)
    return person
