"""The soup canvas and what it follows: steps against a plain greedy soup, filters, gestures with a real mouse."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from solera.documents.document import Document, Soup
from solera.documents.history import History
from solera.events import Indicator, PointScored
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.tasks.scores import Difference
from solera_app.canvases.gestures.drop import LibraryEntry
from solera_app.canvases.gestures.ingredient import MoveIngredient
from solera_app.canvases.scores_here import ScoreHere
from solera_app.canvases.soup import SoupCanvas
from solera_app.canvases.soup_edits import add_models, use_in_recipe
from solera_app.canvases.soup_facts import Ingredient, Step, arranged
from solera_app.canvases.soup_figures import figures_of
from solera_app.canvases.soup_run import SoupRun, mean_error
from solera_app.theme import themes

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def scored(value: float, task: str = "t", stderr: float = 0.01) -> ScoreHere:
    return ScoreHere(task, value, stderr, 300, 300, metric="Accuracy", percent=True, low=0.0, high=1.0)


def ingredients(values: Sequence[float]) -> list[Ingredient]:
    return [Ingredient(f"m{i}", f"model-{i}", i, (scored(v),), scored(v)) for i, v in enumerate(values)]


# --- a run, followed ------------------------------------------------------------------------------------------------


def greedy(singles: Sequence[float], gains: dict[frozenset[int], float]) -> tuple[list[int], list[int]]:
    """A greedy soup as the paper has it: what was taken, and the order in which the rest was tried."""
    order = sorted(range(len(singles)), key=lambda i: singles[i])[::-1]
    soup, best, tried = [order[0]], singles[order[0]], []
    for i in order[1:]:
        tried.append(i)
        if gains[frozenset((*soup, i))] >= best:
            soup, best = [*soup, i], gains[frozenset((*soup, i))]
    return soup, tried


@given(st.integers(2, 6), st.integers(0, 10**6))
def test_a_watched_greedy_run_shows_what_a_plain_greedy_soup_finds(count: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, 8, size=2 * count) / 8  # few levels, so that ties come up
    singles = drawn[:count].tolist()
    names = {f"m{i}": f"model {i}" for i in range(count)}
    run = SoupRun(names, "greedy_soup", (0,), ("",), "higher", 2 * count - 1)

    def point(index: int, inside: Sequence[int], value: float) -> PointScored:
        coords = tuple(float(i in inside) for i in range(count))
        return PointScored(run="r", index=index, coords=coords, values=(value,), stderrs=(0.01,), counts=(300,))

    run.add([point(i, [i], value) for i, value in enumerate(singles)])
    order = sorted(range(count), key=lambda i: singles[i])[::-1]
    soup, best, gains = [order[0]], singles[order[0]], {}
    for k, i in enumerate(order[1:]):
        assert run.trial == f"m{i}"
        value = float(drawn[count + k])
        gains[frozenset((*soup, i))] = value
        run.add([point(count + k, [*soup, i], value)])
        assert run.steps[-1].verdict == "waiting"
        taken = value >= best
        run.tell([Indicator(run="r", name="soup:taken", index=count + k + 1, value=float(taken))])
        if taken:
            soup, best = [*soup, i], value
    expected, tried = greedy(singles, gains)
    assert run.pot == tuple(f"m{i}" for i in expected)
    assert [step.tried for step in run.steps[1:]] == [f"m{i}" for i in tried]
    assert run.trial == ""
    figure = run.figure()
    assert figure is not None
    assert figure.value == best


def test_a_learned_run_carries_its_shares_and_its_report() -> None:
    run = SoupRun({"a": "A", "b": "B"}, "learned_soup", (0,), ("",), "higher")
    for index, shares in enumerate(((1.0, 1.0), (1.0, 0.8))):
        run.add([PointScored(run="r", index=index, coords=shares, values=(0.7,), stderrs=(0.1,), counts=(9,))])
    assert (run.pot, run.shares) == (("a", "b"), (1.0, 0.8))
    assert run.report() is None
    report = PointScored(
        run="r", index=2, coords=(1.0, 0.8), values=(0.6,), stderrs=(0.1,), counts=(9,), phase="report"
    )
    run.add([report])
    found = run.report()
    assert found is not None
    assert found.value == 0.6


@given(st.integers(0, 1000), st.integers(2, 4))
def test_the_error_of_a_mean_is_that_of_the_mean_per_sample(seed: int, tasks: int) -> None:
    drawn = np.random.default_rng(seed).normal(size=(tasks, 50)).astype(np.float32)
    errors = [float(np.std(row, ddof=1) / math.sqrt(50)) for row in drawn]
    whole = float(np.std(drawn.mean(axis=0), ddof=1) / math.sqrt(50))
    assert mean_error(errors, list(drawn), ["same"] * tasks) == pytest.approx(whole, rel=1e-4)
    most = mean_error(errors, [None] * tasks, ["same"] * tasks)
    assert most == pytest.approx(sum(errors) / tasks)
    apart = mean_error(errors, list(drawn), [""] * tasks)
    assert apart == pytest.approx(math.sqrt(sum(e * e for e in errors)) / tasks)


# --- the pool -------------------------------------------------------------------------------------------------------


def test_the_pool_is_filtered_by_words_and_by_score_and_sorted() -> None:
    pool = [*ingredients([0.5, 0.9, 0.7]), Ingredient("m3", "other", 3)]
    assert [one.id for one in arranged(pool, "score")] == ["m1", "m2", "m0", "m3"]
    assert [one.id for one in arranged(pool, "added", words="model")] == ["m0", "m1", "m2"]
    assert [one.id for one in arranged(pool, "score", words=">60 <80%")] == ["m2"]
    assert [one.id for one in arranged(pool, "name", words="OTH")] == ["m3"]
    assert arranged(pool, "score", "another task", ">1") == []


# --- the gesture ----------------------------------------------------------------------------------------------------


class Stage:
    """A pot at the left of x = 100."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done: list[tuple[str, Any]] = []

    def over_pot(self, px: QPointF) -> bool:
        return px.x() < 100

    def name_of(self, id_: str) -> str:
        return id_.upper()

    def carry(self, id_: str, px: QPointF | None) -> None:
        self.done.append(("carry", px))

    def choose(self, id_: str) -> None:
        self.done.append(("choose", id_))

    def put(self, id_: str, *, inside: bool) -> None:
        self.done.append(("put", inside))

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(("inside", "end", "put"), [(False, 50, True), (True, 300, False), (True, 60, None)])
def test_a_model_goes_where_it_is_let_go(inside: bool, end: int, put: bool | None) -> None:
    stage = Stage()
    gesture = MoveIngredient(stage, "a", inside=inside, px=QPointF(200, 10))
    gesture.move(QPointF(end, 10))
    gesture.release(QPointF(end, 10))
    assert stage.done[-1] == (("carry", None) if put is None else ("put", put))


def test_a_press_selects_and_escape_leaves_it() -> None:
    stage = Stage()
    gesture = MoveIngredient(stage, "a", inside=False, px=QPointF(200, 10))
    gesture.move(QPointF(202, 11))
    gesture.release(QPointF(202, 11))
    assert stage.done == [("choose", "a")]
    gesture = MoveIngredient(stage, "a", inside=False, px=QPointF(200, 10))
    gesture.move(QPointF(50, 11))
    gesture.cancel()
    assert stage.done[-1] == ("carry", None)
    assert stage.said[0] == "Release to put A in."


# --- the canvas -----------------------------------------------------------------------------------------------------


@pytest.fixture
def canvas(qtbot: Any) -> SoupCanvas:
    made = SoupCanvas()
    qtbot.addWidget(made)
    made.resize(760, 620)
    made.show()
    from dataclasses import replace

    pool = ingredients([0.5, 0.9, 0.7])
    pool[1] = replace(pool[1], state="in")
    made.set_pool(pool)
    made.pot.set_pot([pool[1]])
    return made


def drag(widget: QWidget, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(widget, LEFT, PLAIN, start)
    for step in (0.3, 0.7, 1.0):
        QTest.mouseMove(widget, start + (end - start) * step)
    QTest.mouseRelease(widget, LEFT, PLAIN, end)


def test_a_row_is_dragged_into_the_pot_and_a_chip_out_of_it(canvas: SoupCanvas) -> None:
    asked: list[tuple[str, bool]] = []
    canvas.placed.connect(lambda id_, inside: asked.append((id_, inside)))
    view = canvas.pool.viewport()
    inside = view.mapFrom(canvas, canvas.pot.mapTo(canvas, canvas.pot.body().center().toPoint()))
    drag(view, canvas.pool.box_of("m2").center().toPoint(), inside)
    assert asked == [("m2", True)]
    chip = canvas.pot.slot_of("m1").center().toPoint()
    drag(canvas.pot, chip, QPoint(700, 100))
    assert asked[-1] == ("m1", False)
    drag(canvas.pot, chip, chip + QPoint(0, 40))
    assert len(asked) == 2
    assert not canvas._carried.isVisible()


def test_the_keyboard_does_the_same(canvas: SoupCanvas) -> None:
    asked: list[tuple[str, bool]] = []
    removed: list[str] = []
    canvas.placed.connect(lambda id_, inside: asked.append((id_, inside)))
    canvas.removed.connect(removed.append)
    QTest.keyClick(canvas.pool, Qt.Key.Key_Down)
    assert canvas.pool.current == "m1"
    QTest.keyClick(canvas.pool, Qt.Key.Key_Space)
    QTest.keyClick(canvas.pool, Qt.Key.Key_Down)
    QTest.keyClick(canvas.pool, Qt.Key.Key_Space)
    assert asked == [("m1", False), ("m2", True)]
    QTest.keyClick(canvas.pool, Qt.Key.Key_Delete)
    assert removed == ["m2"]
    QTest.keyClick(canvas.pot, Qt.Key.Key_Right)
    QTest.keyClick(canvas.pot, Qt.Key.Key_Delete)
    assert asked[-1] == ("m1", False)


def test_the_filter_hides_rows_and_says_how_many(canvas: SoupCanvas) -> None:
    QTest.keyClicks(canvas.list.filter, ">60")
    assert [row.id for row in canvas.pool.rows] == ["m1", "m2"]
    assert canvas.list.title.text() == "2 of 3"


def test_steps_are_painted_described_and_exported(canvas: SoupCanvas, tmp_path: Path) -> None:
    steps = [Step(1, "m1", "model-1", 0.9, 0.01), Step(2, "m2", "model-2", 0.8, 0.02, "left")]
    for shown in ([], steps[:1], steps):
        canvas.steps.set_steps(shown, better="higher", greedy=True)
        assert not canvas.grab().isNull()
    canvas.steps.set_axes("Greedy step", "Accuracy", y_percent=True)
    assert list(canvas.steps.describe(1)) == ["2. model-2", "80.0 ± 2.0 %", "left out"]
    for kind in ("png", "svg", "csv"):
        assert canvas.export(kind, tmp_path / f"soup.{kind}").stat().st_size > 50
    assert (tmp_path / "soup.csv").read_text().splitlines()[2].endswith("left")


def test_a_chip_travels_and_arrives(canvas: SoupCanvas, qtbot: Any) -> None:
    pool = ingredients([0.5, 0.9, 0.7])
    canvas.pot.set_trial(pool[2], "Trying, step 2", 0.5)
    canvas.pot.set_pot([pool[1], pool[2]])
    qtbot.waitUntil(lambda: not canvas.pot.travelling)
    assert canvas.pot.slot_of("m2").isValid()
    many = ingredients([0.1] * 14)
    canvas.pot.set_pot(many)
    assert canvas.pot.chip_at(canvas.pot._slot(7).center()) == "m7"
    assert not canvas.pot.slot_of("m13").isValid()


@pytest.mark.parametrize("name", ["light", "dark"])
def test_it_is_painted_in_both_themes_at_every_width(canvas: SoupCanvas, name: Any) -> None:
    themes().apply(name)
    for width in (520, 760, 1400):
        canvas.resize(width, 560)
        assert not canvas.grab().isNull()


def test_figures_say_error_gain_and_noise() -> None:
    plain = figures_of(scored(0.801, stderr=0.004), None)
    assert (plain.score, plain.error, plain.gain) == ("80.1 %", "± 0.4 %, held out", "")
    sure = figures_of(scored(0.801), Difference(0.012, 0.003, 300))
    assert (sure.gain, sure.gain_token) == ("+1.20 ± 0.30", "success")
    noise = figures_of(scored(0.801), Difference(-0.002, 0.003, 300))
    assert noise.gain_token == "text-2"
    assert noise.gain_words.startswith("within noise")


# --- edits ----------------------------------------------------------------------------------------------------------


def test_dropped_models_become_nodes_once_and_a_soup_becomes_their_average() -> None:
    history = History(Document(Recipe((CheckpointNode("a", "library:a"),)), layout={"a": (8.0, 16.0)}))
    entries = [LibraryEntry("a", "/a"), LibraryEntry("b c", "/b"), LibraryEntry("b c", "/b")]
    history.do(add_models(history.document, entries, into_pot=False))
    assert [node.id for node in history.document.recipe.nodes] == ["a", "b_c"]
    assert history.document.soup == Soup(("a", "b_c"))
    history.do(add_models(history.document, entries[:2], into_pot=True))
    assert history.document.soup == Soup(("a", "b_c"), ("a", "b_c"))
    id_, edit = use_in_recipe(history.document, ("a", "b_c"), (1.0, 0.5))
    history.do(edit)
    node = history.document.node(id_)
    assert node == MethodNode("soup", "linear", ("a", "b_c"), params={"weight": PerModel((1.0, 0.5))})
    assert history.document.recipe.output == "soup"
    assert history.document.layout["soup"][0] > history.document.layout["a"][0]
    assert use_in_recipe(history.document, ("a", "b_c"))[0] == "soup_2"
    assert [history.undo() for _ in range(3)] == [
        "Use soup in recipe",
        "Add 2 models to the pot",
        "Add 2 models to the pool",
    ]
