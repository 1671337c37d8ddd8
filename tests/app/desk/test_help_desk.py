"""Help at the desk: pages offline with links and search, the gallery, the tour, recents that moved."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from solera.documents.commands import AddNodes
from solera.errors import NotFoundError
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, MethodNode
from solera_app.documentation import SECTIONS, Documentation, folder, pages
from solera_app.gallery import Example, Gallery
from solera_app.main import Application
from solera_app.theme import mono, themes
from solera_app.typeset import typeset

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def test_every_page_is_listed_and_opens(parent: QWidget) -> None:
    found = pages()
    assert {page.section for page in found} == set(SECTIONS)
    assert len(found) == sum(1 for section in SECTIONS for _ in (folder() / section).glob("*.md"))
    docs = Documentation(parent)
    for page in found:
        docs.open_page(page.id)
        assert docs.text.toPlainText().strip().startswith(page.title.split(":")[0][:12])
        assert "<!--" not in docs.text.toPlainText()
    docs.close()


def test_search_links_and_the_way_back(parent: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Documentation(parent)
    docs.show()
    docs.open_page("reference/methods.md")
    docs.text.anchorClicked.emit(QUrl("methods/ties.md"))
    assert docs.shown == "reference/methods/ties.md"
    QTest.mouseClick(docs.back, LEFT)
    assert docs.shown == "reference/methods.md"
    opened: list[str] = []
    monkeypatch.setattr("PySide6.QtGui.QDesktopServices.openUrl", lambda url: opened.append(url.toString()))
    docs.text.anchorClicked.emit(QUrl("https://arxiv.org/abs/2306.01708"))
    assert opened == ["https://arxiv.org/abs/2306.01708"]
    QTest.keyClicks(docs.search, "kill -9")
    ids = [row.id for row in docs.view.rows_model.rows if not row.section]
    assert "reference/window.md" in ids
    assert len(ids) < len(pages())
    with pytest.raises(NotFoundError, match=r"no page 'nowhere\.md'"):
        docs.open_page("nowhere.md")
    docs.close()


def test_the_gallery_tells_and_makes(parent: QWidget, qtbot: Any) -> None:
    shown = [
        Example("digits", "Digits", "Four experts.", "digits", (("Seed", "Of the training."),)),
        Example("prose", "Prose and code", "A Llama.", "prose_code", made="/home/x/prose"),
    ]
    gallery = Gallery(shown, False, parent)
    gallery.show()
    assert gallery.go.text() == "Make and open"
    assert not gallery.here.isEnabled()
    QTest.keyClicks(gallery.search, "llama")
    assert [row.id for row in gallery.view.rows_model.rows] == ["prose"]
    place = gallery.view.visualRect(gallery.view.rows_model.index(0)).center()
    QTest.mouseClick(gallery.view.viewport(), LEFT, pos=place)
    assert gallery.go.text() == "Open"
    with qtbot.waitSignal(gallery.opened) as told:
        QTest.mouseClick(gallery.go, LEFT)
    assert told.args == ["prose"]


@pytest.fixture
def start(qtbot: Any, tmp_path: Path) -> Iterator[Callable[..., Application]]:
    Project.create(tmp_path / "project", "p").close()
    started: list[Application] = []

    def begin(folder: Path | None = None) -> Application:
        made = Application()
        started.append(made)
        made.open(folder)
        made.window.resize(1280, 800)
        qtbot.waitUntil(lambda: made.window.welcome._cards.count() > 0, timeout=10_000)
        return made

    yield begin
    for made in started:
        for opened in made.desk.recipes.documents:
            opened.history.mark_saved()
        made.window.close()
        made.window.deleteLater()


def test_the_tour_goes_through_three_steps_inside_the_window(start: Any, tmp_path: Path, qtbot: Any) -> None:
    app = start(tmp_path / "project")
    app.desk.show_welcome()
    QTest.mouseClick(app.window.welcome.tour, LEFT)
    tour: Any = app.desk.help.tour
    seen = []
    for _ in range(3):
        seen.append(tour.title.text())
        assert app.window.rect().contains(tour.geometry())
        assert not tour._ring.around.isEmpty()
        QTest.mouseClick(tour.next, LEFT)
    assert seen == ["Drop checkpoints", "Connect them to a method", "Explore what is between"]
    assert app.desk.help.tour is None
    app.window.actions_by_id.by_id["help.tour"].trigger()
    tour = app.desk.help.tour
    QTest.keyClick(tour, Qt.Key.Key_Right)
    assert tour.count.text() == "Step 2 of 3"
    QTest.keyClick(tour, Qt.Key.Key_Escape)
    assert app.desk.help.tour is None


def test_without_a_project_the_tour_makes_an_example(
    start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = start()
    made: list[str] = []

    def make(name: str) -> None:
        made.append(name)
        app.desk.open_project(tmp_path / "project")

    monkeypatch.setattr(app.desk, "make_example", make)
    QTest.mouseClick(app.window.welcome.tour, LEFT)
    assert len(made) == 1
    assert app.desk.help.tour is not None
    app.desk.help.tour.end()


def test_help_on_what_is_selected(start: Any, tmp_path: Path) -> None:
    app = start(tmp_path / "project")
    app.window.actions_by_id.by_id["help.selected"].trigger()
    docs = app.desk.help.documentation
    assert docs.shown == "tutorials/first-merge.md"
    tab: Any = app.window.tabs.currentWidget()
    tab.opened.history.do(AddNodes((CheckpointNode("a", "library:a"), MethodNode("t", "ties", ("a",)))))
    tab.canvas.select(["t"])
    app.window.actions_by_id.by_id["help.selected"].trigger()
    assert docs.shown == "reference/methods/ties.md"
    docs.close()


def test_a_recent_project_that_moved_is_looked_for(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = start()
    gone = tmp_path / "gone"
    app.session.remember_project(gone)
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getExistingDirectory", lambda *a: str(tmp_path / "project"))
    app.window.welcome.projectRequested.emit(str(gone))
    assert app.desk.workbench.project.folder == tmp_path / "project"
    assert gone not in app.session.recent


def test_a_page_is_set_in_the_windows_type(parent: QWidget) -> None:
    docs = Documentation(parent)
    for theme in ("dark", "light"):
        themes().apply(theme)
        docs.text.setMarkdown("# Title\n\nWords and `code` and [a link](methods.md).\n\n```sh\nmake demo\n```\n")
        typeset(docs.text.document())
        runs = {}
        block = docs.text.document().begin()
        while block.isValid():
            at = block.begin()
            while not at.atEnd():
                runs[at.fragment().text()] = (at.fragment().charFormat(), block.blockFormat())
                at += 1
            block = block.next()
        said = {words.strip(" ."): look for words, look in runs.items()}
        assert said["Title"][0].font().pixelSize() == 28
        ground = themes().current.colour("sunken")
        assert said["code"][0].background().color() == ground
        assert said["make demo"][1].background().color() == ground
        assert said["make demo"][0].font().families() == mono("label").families()
        assert said["a link"][0].foreground().color() == themes().current.colour("accent")
        assert said["Words and"][0].foreground().color() == themes().current.colour("text")
    docs.close()


def test_checkpoints_and_a_recipe_are_opened_without_a_project(
    qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Application()
    app.open(None)
    act = app.window.actions_by_id.by_id
    (tmp_path / "two.yaml").write_text("solera: 1\nname: two\nnodes:\n  a: {checkpoint: a}\noutput: a\n")
    answers = {"getOpenFileName": (str(tmp_path / "two.yaml"), ""), "getSaveFileName": ("", "")}
    for name in answers:
        monkeypatch.setattr(f"PySide6.QtWidgets.QFileDialog.{name}", lambda *a, name=name: answers[name])
    act["file.open-recipe"].trigger()  # asked for a project, none was named
    assert app.desk.workbench is None
    answers["getSaveFileName"] = (str(tmp_path / "made"), "")
    act["file.open-recipe"].trigger()
    assert (tmp_path / "made" / "solera.toml").is_file()
    assert [opened.name for opened in app.desk.recipes.documents if opened.path is not None] == ["two"]
    for opened in app.desk.recipes.documents:
        opened.history.mark_saved()
    app.window.close()
    app.window.deleteLater()
