"""The welcome page and the small dialogs."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from solera.documents.document import Document
from solera.extend.registry import Registry
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.workbench.experiment import load_experiment
from solera_app.actions.table import ACTIONS
from solera_app.explore_dialog import ExploreDialog
from solera_app.theme import themes
from solera_app.welcome import Welcome, _Card, _Start

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def welcome(qtbot: Any) -> Welcome:
    made = Welcome()
    qtbot.addWidget(made)
    made.resize(1100, 640)
    made.show()
    return made


def test_start_lines_are_actions_of_the_table(welcome: Welcome, qtbot: Any) -> None:
    known = {row.id: row for row in ACTIONS}
    welcome.show_shortcuts(lambda id_: known[id_].shortcut)
    for line in welcome.findChildren(_Start):
        with qtbot.waitSignal(welcome.actionRequested) as told:
            QTest.mouseClick(line, LEFT)
        assert known[told.args[0]].shortcut == line.keys


def test_examples_are_cards_of_one_height_with_a_button(welcome: Welcome, qtbot: Any) -> None:
    long = "A much longer summary that needs several lines to be told, one after the other, and another. " * 2
    welcome.show_examples([("digits", "Digits", "Short.", "Here"), ("prose", "Prose and code", long, "Here")])
    qtbot.waitUntil(lambda: all(card.isVisible() for card in welcome.findChildren(_Card)))
    cards = welcome.findChildren(_Card)
    assert len({(card.y(), card.height()) for card in cards}) == 1
    with qtbot.waitSignal(welcome.exampleRequested) as told:
        QTest.mouseClick(cards[1].button, LEFT)
    assert told.args == ["prose"]
    welcome.show_examples([])
    assert welcome._cards.count() == 0


def test_recent_projects_open_and_those_gone_are_dim(welcome: Welcome, qtbot: Any, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "solera.toml").touch()
    welcome.show_recent([there, tmp_path / "gone"])
    rows = welcome.recent.rows_model.rows
    assert [(row.title, row.dim) for row in rows] == [("there", False), ("gone", True)]
    place = welcome.recent.visualRect(welcome.recent.rows_model.index(0)).center()
    with qtbot.waitSignal(welcome.projectRequested) as told:
        QTest.mouseClick(welcome.recent.viewport(), LEFT, pos=place)
    assert told.args == [str(there)]
    welcome.show_recent([])
    assert [row.title for row in welcome.recent.rows_model.rows] == ["Projects you open appear here"]
    with qtbot.assertNotEmitted(welcome.projectRequested):
        QTest.mouseClick(welcome.recent.viewport(), LEFT, pos=place)


def test_it_is_painted_in_both_themes(welcome: Welcome) -> None:
    welcome.show_examples([("a", "A", "x", ""), ("b", "B", "y", "")])
    light = welcome.grab().toImage().pixelColor(4, 4).lightness()
    themes().apply("dark")
    assert welcome.grab().toImage().pixelColor(4, 4).lightness() <= light


# --- dialogs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


# --- exploring ------------------------------------------------------------------------------------------------------


def document(*names: str, **params: Any) -> Document:
    nodes = tuple(CheckpointNode(name, f"library:{name}") for name in names)
    merged = (MethodNode("blend", "ties", names[1:], names[0], params),) if params else ()
    return Document(Recipe((*nodes, *merged), "blend" if params else "", name="mine"))


@pytest.fixture
def explorers() -> Any:
    shelf = Registry.discover(()).explorers
    return {name: shelf.describe(name) for name in shelf}


def test_a_line_is_an_experiment(parent: QWidget, explorers: Any) -> None:
    dialog = ExploreDialog(document("a", "b"), ["t", "u"], explorers, "", parent)
    assert dialog.form == "line"
    assert dialog.go.isEnabled()
    dialog.params._root.child("points").setValue(7)
    dialog.seed.setValue(5)
    dialog.tasks[1].setChecked(False)
    made = dialog.experiment()
    assert made["family"] == {"line": ["library:a", "library:b"]}
    assert made["explorer"] == {"name": "grid", "params": {"points": 7}}
    assert (made["tasks"], made["seed"], made["limit"], made["title"]) == (["t"], 5, 0, "Line a to b")
    assert load_experiment(made).to_plain()["tasks"] == ["t"]


def test_a_view_on_names_and_a_factory_go_into_the_experiment(parent: QWidget, explorers: Any) -> None:
    nodes = (CheckpointNode("my_net_pt", "my-net.pt", strip="module."), CheckpointNode("b", "b.pt"))
    dialog = ExploreDialog(Document(Recipe(nodes, "")), list("tuvwxyz"), explorers, "line", parent)
    assert dialog.corners[0].itemText(0) == "my-net.pt"
    dialog.factory.setText(" nets:make ")
    made = load_experiment(dialog.experiment())
    assert made.factory == "nets:make"
    stripped, plain = made.family["line"]
    assert plain == "b.pt"
    assert stripped["nodes"]["my_net_pt"] == {"checkpoint": "my-net.pt", "strip": "module."}


def test_tasks_that_do_not_fit_are_taken_away_until_a_network_is_named(parent: QWidget, explorers: Any) -> None:
    dialog = ExploreDialog(document("a", "b"), ["t", "u", "v", "w"], explorers, "", parent)
    dialog.leave_out({"t": "It takes text.", "u": "It takes text."})
    assert [box.isEnabled() for box in dialog.tasks] == [False, False, True, True]
    assert dialog.tasks[0].toolTip() == "It takes text."
    assert dialog.experiment()["tasks"] == ["v", "w"]
    dialog.factory.textEdited.emit("nets:make")
    assert all(box.isEnabled() for box in dialog.tasks)


def test_where_no_task_fits_all_stay(parent: QWidget, explorers: Any) -> None:
    dialog = ExploreDialog(document("a", "b"), ["t", "u"], explorers, "", parent)
    dialog.leave_out({"t": "There is no config.", "u": "There is no config."})
    assert dialog.experiment()["tasks"] == ["t", "u"]


def test_three_checkpoints_are_a_plane_variables_a_search(parent: QWidget, explorers: Any) -> None:
    assert ExploreDialog(document("a", "b", "c"), ["t"], explorers, "", parent).form == "plane"
    two = document("a", "b", density=Var("d", 0, 1), scale=Var("s", 0, 2))
    dialog = ExploreDialog(two, ["t", "u"], explorers, "", parent)
    assert (dialog.form, dialog.explorer.currentData()) == ("recipe", "pareto")
    assert dialog.family.variables.text() == "d from 0 to 1 · s from 0 to 2"
    assert dialog.experiment()["family"]["recipe"]["output"] == "blend"


@pytest.mark.parametrize(
    ("names", "tasks", "form", "words"),
    [
        (("a",), ["t"], "line", "needs 2 checkpoints"),
        (("a", "b"), ["t"], "plane", "needs 3 checkpoints"),
        (("a", "b"), ["t"], "recipe", "no free variable"),
        (("a", "b"), [], "line", "at least one task"),
    ],
)
def test_what_is_missing_is_said_before_it_can_be_pressed(
    parent: QWidget, explorers: Any, names: Any, tasks: Any, form: str, words: str
) -> None:
    dialog = ExploreDialog(document(*names), tasks, explorers, form, parent)
    assert not dialog.go.isEnabled()
    assert words in dialog._why.text()


def test_ends_must_differ_and_a_front_needs_two_tasks(parent: QWidget, explorers: Any) -> None:
    dialog = ExploreDialog(document("a", "b", "c"), ["t", "u"], explorers, "line", parent)
    dialog.corners[1].setCurrentIndex(dialog.corners[1].findData("a"))
    assert "different checkpoint" in dialog._why.text()
    dialog.corners[1].setCurrentIndex(dialog.corners[1].findData("c"))
    assert dialog.go.isEnabled()
    dialog.explorer.setCurrentIndex(dialog.explorer.findData("pareto"))
    dialog.tasks[0].setChecked(False)
    assert "two tasks" in dialog._why.text()
    assert not dialog.go.isEnabled()
