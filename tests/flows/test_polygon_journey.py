"""A person between four models: a polygon of weights, a point kept in the library, recipes that are no corners."""

import shutil
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from tests.flows.person import Person, drop, files

from solera_app.bridge.background import idle
from solera_app.interpolation_tab import InterpolationTab
from solera_app.tabs import RecipeTab

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
LONG = 40_000
NAMES = ["base", "rotated", "inverted"]
FOREIGN = """merge_method: linear
models:
- model: {a}
  parameters: {{weight: 1}}
- model: {b}
  parameters: {{weight: 1}}
"""


def interpolation(person: Person) -> InterpolationTab:
    assert isinstance(person.tab, InterpolationTab)
    return person.tab


def between_two(person: Person, incoming: Path) -> InterpolationTab:
    """The canvas between the first two of the models that lie in a folder."""
    person.drop_files([incoming / name for name in NAMES])
    person.until(lambda: person.entries == NAMES)
    for row, name in enumerate(NAMES[:2]):
        person.drag_from_library([name], QPoint(60, 60 + 130 * row))
    person.act("canvas.interpolate")
    return interpolation(person)


def quiet(person: Person, tab: InterpolationTab) -> None:
    person.until(lambda: bool(tab.panel._shown) and not tab._answers and not tab.canvas.ground.header.state, LONG)


@pytest.mark.heavy
def test_a_fourth_model_makes_a_polygon_whose_points_are_kept(person: Person, incoming: Path, project: Path) -> None:
    with as_file(resources("solera_assets") / "examples" / "digits" / "checkpoints" / "digits-mirrored") as made:
        shutil.copytree(made, incoming / "mirrored")
    person.drop_files([incoming / name for name in (*NAMES, "mirrored")])
    person.until(lambda: set(person.entries) == {*NAMES, "mirrored"})
    for row, name in enumerate(NAMES):
        person.drag_from_library([name], QPoint(60, 60 + 130 * row))
    person.act("canvas.interpolate")
    tab = interpolation(person)
    canvas = tab.canvas
    person.until(lambda: len(canvas.names) == 3, LONG)
    assert drop(canvas, person.window.library.view.mime(["mirrored"]), canvas.rect().center())
    person.until(lambda: len(canvas.names) == 4, LONG)
    assert tab.opened.document.interpolation.corners == (*NAMES, "mirrored")
    assert canvas.ground is canvas.polygon
    quiet(person, tab)

    view, start = canvas.ground.canvas.viewport(), canvas.handle_px().toPoint()
    QTest.mousePress(view, LEFT, PLAIN, start)
    QTest.mouseMove(view, start + QPoint(30, -10))
    QTest.mouseMove(view, start + QPoint(60, -20))
    QTest.mouseRelease(view, LEFT, PLAIN, start + QPoint(60, -20))
    quiet(person, tab)
    weights = tab.opened.document.interpolation.weights
    assert abs(sum(weights) - 1) < 1e-9
    assert weights != (0.25,) * 4
    assert all(not score.preview for score in tab.panel._shown)  # exact after the release

    QTest.mouseClick(tab.panel.keep, LEFT)
    person.until(lambda: len(person.entries) == 5, LONG)
    person.until_idle()
    assert list((project / "outputs").glob("*/model.safetensors"))

    person.act("canvas.ground")
    assert "two or three models" in person.until_toast("surface")
    triangle = next(s for s in canvas._switches if s.isVisible()).buttons["triangle"]
    QTest.mouseClick(triangle, LEFT)
    person.until(lambda: len(canvas.names) == 3, LONG)
    person.act("edit.undo")
    person.until(lambda: len(canvas.names) == 4, LONG)


def test_a_recipe_dropped_here_is_opened_and_no_corner(person: Person, incoming: Path, tmp_path: Path) -> None:
    person.drop_files([incoming / name for name in NAMES])
    person.until(lambda: person.entries == NAMES)
    person.drag_from_library(["rotated"], QPoint(60, 60))
    person.drag_from_library(["inverted"], QPoint(60, 200))
    person.act("canvas.interpolate")
    tab = interpolation(person)
    foreign, own = tmp_path / "merge.yml", tmp_path / "own.yaml"
    foreign.write_text(FOREIGN.format(a=incoming / "rotated", b=incoming / "inverted"))
    own.write_text("solera: 1\nname: own\nnodes: {}\n")
    for path, name in ((own, "own"), (foreign, "merge")):
        person.window.tabs.setCurrentWidget(tab)
        assert drop(tab.canvas, files([path]), tab.canvas.rect().center())
        person.until(lambda: isinstance(person.tab, RecipeTab), LONG)
        assert name in person.tab.title
    assert tab.opened.document.interpolation.corners == ("rotated", "inverted")
    assert person.entries == NAMES


def test_nothing_is_kept_or_moved_between_corners_that_are_still_measured(person: Person, incoming: Path) -> None:
    tab = between_two(person, incoming)
    person.until(lambda: len(tab.canvas.names) == 2, LONG)
    quiet(person, tab)
    assert drop(tab.canvas, person.window.library.view.mime(["inverted"]), tab.canvas.rect().center())
    state = tab.opened.document.interpolation
    assert len(state.corners) == 3
    assert not tab.panel.keep.isEnabled()
    assert tab.canvas.path == []
    tab.canvas.moved.emit((0.5, 0.5))  # a drag on the line that is still shown
    tab.canvas.released.emit((0.3, 0.7))
    tab.scorer.scored.emit(99, ())
    assert tab.opened.document.interpolation == state
    person.until(lambda: len(tab.canvas.names) == 3, LONG)
    assert tab.panel.keep.isEnabled()
    assert tab.canvas.weights == state.weights
    person.desk.recipes.tabs_of(tab.opened)[0].canvas.select(["base", "rotated"])
    person.window.tabs.setCurrentWidget(person.desk.recipes.tabs_of(tab.opened)[0])
    person.act("edit.delete")
    assert tab.canvas.names == ()
    assert not tab.panel.keep.isEnabled()
    person.until(idle, LONG)


def test_a_tab_that_was_closed_begins_nothing_when_its_measures_come(
    person: Person, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = between_two(person, incoming)
    corners, begun = tab.opened.document.interpolation.corners, []
    tab.closed = True
    monkeypatch.setattr("solera_app.interpolation_tab.in_background", lambda *work, **_: begun.append(work))
    tab._measured(corners, ("rotated",), None, {})
    assert begun == []
    tab.closed = False
    person.until(idle, LONG)
