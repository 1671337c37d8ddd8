"""The library at the desk: a checkpoint's page, comparing two, equal ones, what is missing."""

import shutil
from collections.abc import Iterator
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from solera.projects.project import Project
from solera.projects.project_file import read_project_file
from solera_app.difference_tab import DifferenceTab
from solera_app.docks.checkpoint_page import CheckpointPage
from solera_app.main import Application
from solera_app.models.differences import COLUMNS

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
NAMES = ("base", "rotated", "copy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    with Project.create(made, "p") as project:
        for name in NAMES:
            source = "base" if name == "copy" else name
            with as_file(resources("solera_assets") / "examples" / "digits" / "checkpoints" / f"digits-{source}") as at:
                shutil.copytree(at, tmp_path / name)
            project.library.add(tmp_path / name)
    return made


@pytest.fixture
def app(folder: Path, qtbot: Any) -> Iterator[Application]:
    made = Application()
    made.open(folder)
    made.window.resize(1280, 800)
    qtbot.waitUntil(lambda: len(made.window.library.view.rows_model.rows) == 4, timeout=10_000)
    yield made
    for opened in made.desk.recipes.documents:
        opened.history.mark_saved()
    made.window.close()
    made.window.deleteLater()


def press(app: Application, *names: str) -> None:
    """Click entries of the library, the later ones with Ctrl."""
    view = app.window.library.view
    for name in names:
        place = view.visualRect(view.rows_model.find(name)).center()
        keys = PLAIN if name == names[0] else Qt.KeyboardModifier.ControlModifier
        QTest.mouseClick(view.viewport(), LEFT, keys, place)


def test_a_checkpoints_page_tells_and_keeps_tags_and_note(app: Application, folder: Path, qtbot: Any) -> None:
    press(app, "base")
    page: CheckpointPage = app.desk.library.page
    assert page.isVisible()
    assert page.subject.name.text() == "base"
    assert page.subject.about.text() == "digits-cnn"
    page.remarks.tags.setFocus()
    QTest.keyClicks(page.remarks.tags, "start, paper")
    QTest.keyClick(page.remarks.tags, Qt.Key.Key_Return)
    page.remarks.note.setFocus()
    QTest.keyClicks(page.remarks.note, "trained twice")
    press(app, "rotated")
    qtbot.waitUntil(lambda: read_project_file(folder).library["base"].note == "trained twice", timeout=5000)
    assert read_project_file(folder).library["base"].tags == ("paper", "start")
    qtbot.waitUntil(lambda: app.window.library.row_of("base").right == "paper", timeout=5000)
    assert page.subject.name.text() == "rotated"
    assert page.remarks.note.toPlainText() == ""
    QTest.keyClicks(app.window.library.search, "twice")
    rows = app.window.library.view.rows_model
    qtbot.waitUntil(lambda: [row.id for row in rows.rows if not row.section] == ["base"], timeout=5000)


def test_two_are_compared_and_the_table_sorts_filters_and_exports(app: Application, qtbot: Any, tmp_path: Path) -> None:
    press(app, "base", "rotated")
    app.window.actions_by_id.by_id["tools.compare"].trigger()
    qtbot.waitUntil(lambda: isinstance(app.window.tabs.currentWidget(), DifferenceTab), timeout=60_000)
    tab: Any = app.window.tabs.currentWidget()
    assert tab.title == "base | rotated"
    assert "cosine 0." in tab.line.text()
    place = next(i for i, column in enumerate(COLUMNS) if column[2] == "cosine")
    tab.table.sortByColumn(place, Qt.SortOrder.AscendingOrder)
    cosines = [row["cosine"] for row in tab.model.rows]
    assert cosines == sorted(cosines)
    name = tab.model.rows[0]["name"]
    QTest.keyClicks(tab.search, name)
    assert [i for i in range(tab.model.rowCount()) if not tab.table.isRowHidden(i)] == [0]
    text = tab.export("csv", tmp_path / "t.csv").read_text().splitlines()
    assert len(text) == tab.model.rowCount() + 2
    assert text[0].startswith("name,numel,norm_a")
    assert tab.export("png", tmp_path / "t.png").stat().st_size > 1000
    total = tab.found["total"]
    assert sum(tab.histogram.counts) == total["numel"] - total["equal"]


def test_one_alone_is_not_compared_but_told(app: Application, qtbot: Any) -> None:
    press(app, "base")
    app.window.actions_by_id.by_id["tools.compare"].trigger()
    assert "Select two checkpoints" in app.window.toasts.showing()[0].sentence


def test_equal_ones_are_found_and_marked(app: Application, qtbot: Any) -> None:
    app.window.actions_by_id.by_id["tools.equals"].trigger()
    said = "These hold the same weights: base = copy."
    qtbot.waitUntil(lambda: said in [t.sentence for t in app.window.toasts.showing()], timeout=60_000)
    assert app.window.library.row_of("copy").right == "copy"
    press(app, "base")
    assert app.desk.library.page.same.text() == "Holds the same weights as copy."


def test_one_that_was_moved_is_shown_and_relocated(
    app: Application, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rotated").rename(tmp_path / "elsewhere")
    app.desk.refresh_library()
    qtbot.waitUntil(lambda: app.window.library.row_of("rotated").facts == "moved or deleted", timeout=5000)
    press(app, "rotated")
    page = app.desk.library.page
    assert page.subject.state.text() == "Not found"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getExistingDirectory", lambda *a: str(tmp_path / "elsewhere"))
    QTest.mouseClick(page.relocate, LEFT)
    qtbot.waitUntil(lambda: app.window.library.row_of("rotated").facts != "moved or deleted", timeout=5000)
    assert page.relocate.isHidden()


def chosen(app: Application, words: str) -> None:
    """Press an entry of the library's menu for all that is selected."""
    menu = app.window.library.menu_of(app.window.library.view.selected_ids())
    next(action for action in menu.actions() if action.text() == words).trigger()


def test_several_become_a_soup_a_merge_or_an_interpolation(app: Application, qtbot: Any) -> None:
    press(app, "base")
    menu = app.window.library.menu_of(app.window.library.view.selected_ids())
    assert not next(action for action in menu.actions() if action.text() == "Make a soup of these").isEnabled()
    press(app, "base", "rotated", "copy")
    chosen(app, "Make a soup of these")
    tab: Any = app.desk.tab
    assert tab.kind == "soup"
    assert set(tab.soup.pool) == set(NAMES)
    assert tab.soup.pot == ()
    chosen(app, "Merge these")
    tab = app.desk.tab
    merged = tab.opened.document.node("merged")
    assert (merged.method, set(merged.inputs)) == ("linear", set(NAMES))
    assert tab.opened.document.recipe.output == "merged"
    chosen(app, "Interpolate between these")
    tab = app.desk.tab
    assert set(tab.opened.document.interpolation.corners) == set(NAMES)
