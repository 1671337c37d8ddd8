"""The plugin manager: states, contributions and tracebacks; switching and reloading with the document kept."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from solera.documents.commands import AddNodes, SetRecipe
from solera.errors import PluginError
from solera.extend.registry import Registry
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, MethodNode
from solera.settings import Settings, config_folder, load_settings
from solera_app.main import Application
from solera_app.plugin_manager import PluginManager

LEFT = Qt.MouseButton.LeftButton

_METHOD = """
from torch import Tensor
from solera.api import method


@method("plain_half", takes="weights", granularity="element", inputs=(1, 1))
def half(weights: list[Tensor]) -> Tensor:
    \"\"\"Half of it.

    Args:
        weights: One.
    \"\"\"
    return weights[0] * {factor}
"""
_MANIFEST = """
name = "{name}"
version = "1.2"
api = "0"
summary = "Halves."

[[contributions]]
kind = "method"
name = "plain_half"
title = "Half"
summary = "Half of it."
object = "{name}.half:half"
"""


def write(folder: Path, factor: str = "0.5", name: str = "halving") -> Path:
    made = folder / name
    made.mkdir(parents=True, exist_ok=True)
    (made / "__init__.py").write_text("")
    (made / "half.py").write_text(_METHOD.format(factor=factor))
    (made / "plugin.toml").write_text(_MANIFEST.format(name=name))
    return made


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def test_states_contributions_and_trouble(parent: QWidget, tmp_path: Path, qtbot: Any) -> None:
    write(tmp_path, "0.5 if True else (", "crashing")
    unread = tmp_path / "unread"
    unread.mkdir()
    (unread / "plugin.toml").write_text("name = 3\n")
    registry = Registry.discover((tmp_path,), disabled=("pictures",))
    with pytest.raises(PluginError):
        registry.methods["plain_half"]
    manager = PluginManager(registry.plugins, Settings(disabled_plugins=("pictures",)), parent)
    manager.show()
    rows = {row.id: row for row in manager.view.rows_model.rows}
    assert (rows["crashing"].right, rows["unread"].right, rows["pictures"].right) == ("Failed", "Failed", "Off")
    assert rows["crashing"].facts == "1.2 · 1 method"
    place = manager.view.visualRect(manager.view.rows_model.find("crashing")).center()
    QTest.mouseClick(manager.view.viewport(), LEFT, pos=place)
    assert "SyntaxError" in manager.trouble.toPlainText()
    assert "Traceback" in manager.trouble.toPlainText()
    assert [row.title for row in manager.brings.rows_model.rows] == ["Methods", "Half"]
    manager.choose("pictures")
    assert manager.switch.text() == "Switch on"
    with qtbot.waitSignal(manager.switched) as told:
        QTest.mouseClick(manager.switch, LEFT)
    assert told.args == ["pictures", True]
    QTest.keyClicks(manager.search, "ties")
    assert [row.id for row in manager.view.rows_model.rows] == ["merging"]
    manager.close()


def test_the_folder_is_opened(parent: QWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr("PySide6.QtGui.QDesktopServices.openUrl", lambda url: opened.append(url.toLocalFile()))
    manager = PluginManager(Registry.discover((tmp_path,)).plugins, Settings(), parent)
    manager.show()
    manager.choose("halving")
    QTest.mouseClick(manager.folder, LEFT)
    QTest.mouseClick(manager.own, LEFT)
    assert opened == [str(folder), str(config_folder() / "plugins")]
    manager.close()


@pytest.fixture
def application(qtbot: Any, tmp_path: Path) -> Iterator[Callable[[], Application]]:
    Project.create(tmp_path / "project", "p").close()
    started: list[Application] = []

    def start() -> Application:
        made = Application()
        started.append(made)
        made.open(tmp_path / "project")
        qtbot.waitUntil(lambda: made.desk.workbench is not None and made.window.welcome._cards.count() > 0)
        return made

    yield start
    for made in started:
        for opened in made.desk.recipes.documents:
            opened.history.mark_saved()
        made.window.close()
        made.window.deleteLater()


def test_reload_keeps_the_document_and_marks_old_results_stale(
    application: Callable[[], Application], qtbot: Any
) -> None:
    folder = config_folder() / "plugins"
    write(folder)
    app = application()
    desk, bench = app.desk, app.desk.workbench
    assert bench is not None
    tab: Any = app.window.tabs.currentWidget()
    nodes = (
        CheckpointNode("a", "library:a"),
        MethodNode("half", "plain_half", ("a",)),
        MethodNode("mean", "linear", ("a",)),
    )
    tab.opened.history.do(AddNodes(nodes))
    tab.opened.history.do(SetRecipe(output="half"))
    old = bench.registry.methods["plain_half"]
    for id_ in ("half", "mean"):
        tab.canvas.set_node_state(id_, "done")
    before = tab.opened.document
    write(folder, "0.25")
    desk.tools.show_plugins()
    QTest.mouseClick(desk.tools.manager.reload, LEFT)
    new = bench.registry.methods["plain_half"]
    assert old.source != new.source
    states = {id_: item.state for id_, item in tab.canvas.picture.items_by_id.items()}
    assert (states["half"], states["mean"]) == ("stale", "done")
    assert tab.opened.document == before
    assert any("changed: halving" in toast.sentence for toast in app.window.toasts.showing())
    desk.tools.manager.choose("halving")
    QTest.mouseClick(desk.tools.manager.switch, LEFT)
    assert load_settings({}).disabled_plugins == ("halving",)
    assert "plain_half" not in bench.registry.methods
    assert tab.opened.document == before, "its node is a placeholder that keeps its data"
    QTest.mouseClick(desk.tools.manager.switch, LEFT)
    assert "plain_half" in bench.registry.methods
    desk.tools.manager.close()


def test_settings_are_in_force_at_once_and_the_environment_is_not_written_down(
    application: Callable[[], Application], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLERA_LOG_LEVEL", "debug")
    app = application()
    bench = app.desk.workbench
    assert bench is not None
    app.desk.tools.keep(dataclasses.replace(app.desk.settings, memory=3_000_000_000, threads=2, safe_mode=True))
    assert bench.jobs.ledger.budget == 3_000_000_000
    assert bench.jobs.threads.total == 2
    assert bench.safe_mode
    kept = load_settings({})
    assert (kept.memory, kept.threads, kept.safe_mode, kept.log_level) == (3_000_000_000, 2, True, "info")
