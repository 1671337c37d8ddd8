"""A person at the soup canvas: models dropped into the pot, dragged out, a greedy search watched, its result used."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from tests.flows.person import Person, drop, files

from solera_app.soup_tab import SoupTab

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
LONG = 40_000
NAMES = ["base", "rotated", "inverted"]


def soup_tab(person: Person) -> SoupTab:
    person.act("canvas.soup")
    tab = person.tab
    assert isinstance(tab, SoupTab)
    return tab


def settled(person: Person, tab: SoupTab) -> None:
    """Every model and what is in the pot have their scores."""

    def still() -> bool:
        pot = tab.soup.pot
        return not tab._alone and not tab._asked and bool(tab.scores.tasks) and (
            not pot or tab.scores.mean(tab._key(pot, tab.soup.shares)) is not None
        )  # fmt: skip

    person.until(still, LONG)


def drag(widget: QWidget, start: QPointF, end: QPointF) -> None:
    QTest.mousePress(widget, LEFT, PLAIN, start.toPoint())
    for step in (0.25, 0.6, 1.0):
        QTest.mouseMove(widget, (start + (end - start) * step).toPoint())
    QTest.mouseRelease(widget, LEFT, PLAIN, end.toPoint())


def press(button: Any) -> None:
    QTest.mouseClick(button, LEFT)


def test_the_score_follows_what_is_in_the_pot(person: Person, incoming: Path) -> None:
    person.drop_files([incoming / name for name in NAMES])
    person.until(lambda: person.entries == NAMES)
    tab = soup_tab(person)
    canvas = tab.canvas
    assert drop(canvas, person.window.library.view.mime(["rotated", "inverted"]), canvas.rect().center())
    settled(person, tab)
    assert [*tab.soup.pot] == ["rotated", "inverted"]
    both = canvas.pot.figures
    assert both.score
    assert not both.stale

    base = canvas.list.mapTo(canvas, QPoint(60, 60))
    assert drop(canvas, person.window.library.view.mime(["base"]), base)
    assert [*tab.soup.pool] == ["rotated", "inverted", "base"]
    assert [*tab.soup.pot] == ["rotated", "inverted"]
    settled(person, tab)

    view = canvas.pool.viewport()
    inside = QPointF(view.mapFrom(canvas, canvas.pot.mapTo(canvas, canvas.pot.body().center().toPoint())))
    drag(view, canvas.pool.box_of("base").center(), inside)
    assert [*tab.soup.pot] == ["rotated", "inverted", "base"]
    assert canvas.pot.figures.stale
    assert canvas.pot.figures.score == both.score
    settled(person, tab)
    three = canvas.pot.figures
    assert not three.stale
    assert three.score != both.score

    person.act("edit.undo")
    assert [*tab.soup.pot] == ["rotated", "inverted"]
    back = canvas.pot.figures
    assert (back.score, back.stale) == (both.score, False)  # known already
    assert back.gain  # and now that every model is scored, beside the best of them
    person.act("edit.redo")
    drag(canvas.pot, canvas.pot.slot_of("base").center(), QPointF(canvas.pot.width() - 60, 120))
    assert [*tab.soup.pot] == ["rotated", "inverted"]

    alone = {one.id: one.mean for one in canvas.pool.rows}
    assert all(mean is not None and 0 < mean.stderr < 0.1 and mean.count == 300 for mean in alone.values())
    values = [one.mean.value for one in canvas.pool.rows if one.mean is not None]
    assert values == sorted(values, reverse=True)


def test_a_greedy_search_shows_its_steps_and_becomes_a_node(person: Person, incoming: Path, project: Path) -> None:
    from solera.runs.reader import RunReader

    person.drop_files([incoming / name for name in NAMES])
    person.until(lambda: person.entries == NAMES)
    tab = soup_tab(person)
    canvas, panel = tab.canvas, tab.panel
    assert drop(canvas, person.window.library.view.mime(NAMES), canvas.rect().center())
    person.until(lambda: bool(tab.scores.tasks), LONG)
    tabs = person.window.tabs.count()
    seen: list[tuple[str, ...]] = []
    tab.search.grew.connect(lambda: seen.append(tuple(step.verdict for step in tab.search.run.steps)))
    press(panel.run)
    assert panel.run.text() == "Stop"
    person.until(lambda: not tab.search.job and not tab.search.followed, LONG)
    assert person.window.tabs.count() == tabs  # shown here, not in a tab of its own
    assert len({len(verdicts) for verdicts in seen}) >= 3  # as it ran, not at the end

    path = next((project / "runs").glob("*.h5"))
    at, taken = RunReader(path).indicator("soup:taken")
    verdicts = [step.verdict for step in canvas.steps._steps]
    assert verdicts == ["taken", *("taken" if yes else "left" for yes in taken.tolist())]
    assert len(at) == len(NAMES) - 1
    points = RunReader(path).points()
    last = max((i for i in range(len(points)) if points.phase[i] == "search" and i >= 3 and taken[i - 3]), default=-1)
    if last >= 0:
        inside = {name for name, share in zip(NAMES, points.coords[last], strict=True) if share}
        assert set(tab.soup.pot) == inside
    settled(person, tab)

    press(panel.run)  # the same search again is read, not computed
    person.until(lambda: not tab.search.job and not tab.search.followed, LONG)
    assert [step.verdict for step in canvas.steps._steps] == verdicts

    press(panel.fill)
    assert set(tab.soup.pot) == set(NAMES)
    press(panel.use)
    node = person.document.node("soup")
    assert (node.method, set(node.inputs)) == ("linear", set(NAMES))
    assert person.document.recipe.output == "soup"
    assert person.canvas.selection == ["soup"]
    person.act("edit.undo")
    assert "soup" not in person.document.ids


def test_a_recipe_is_opened_and_no_ingredient(person: Person, incoming: Path, project: Path) -> None:
    person.drop_files([incoming / name for name in NAMES])
    person.until(lambda: person.entries == NAMES)
    tab = soup_tab(person)
    recipe = project / "recipes" / "other.yaml"
    recipe.parent.mkdir(exist_ok=True)
    recipe.write_text("solera: 1\nname: other\nnodes: {}\n")
    assert drop(tab.canvas, files([recipe]), tab.canvas.rect().center())
    person.until(lambda: person.tab is not tab)
    assert person.tab.opened.path == recipe
    assert tab.soup.pool == ()
    assert person.entries == NAMES
