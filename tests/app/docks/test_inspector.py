"""The inspector: what is edited in a form arrives as the command it means, and nothing else does."""

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton

from solera.documents.commands import AddNodes, Command, SetCoefficient, SetParam, SetRecipe, SetSink
from solera.documents.document import Document, SaveNode, TaskNode
from solera.documents.history import History
from solera.params import Curve, Param, ParamSpec, PerModel, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term
from solera_app.docks.fields import spin
from solera_app.docks.inspector import Inspector
from solera_app.theme import themes

LEFT = Qt.MouseButton.LeftButton


def document(**params: Any) -> Document:
    nodes = (
        *(CheckpointNode(name, f"library:{name}") for name in ("base", "math", "code")),
        MethodNode("blend", "ties", ("math", "code"), "base", params),
        SumNode("mix", (Term("math", 0.25), Term("code", 0.75))),
        MethodNode("ghost", "unheard-of", ("math",)),
    )
    sinks = (SaveNode("out", "blend", "blend"), TaskNode("score", "blend", "rotated"))
    return Document(Recipe(nodes, "blend", dtype="bfloat16"), sinks)  # type: ignore[arg-type]


class Bench:
    """An inspector over a history, as the desk joins them."""

    def __init__(self, inspector: Inspector, methods: Any, start: Document) -> None:
        self.inspector, self.methods = inspector, methods
        self.history = History(start)
        self.commands: list[Command] = []
        self.node = ""
        inspector.edited.connect(self._do)

    def _do(self, command: Command) -> None:
        self.commands.append(command)
        self.history.do(command)
        self.show(self.node)

    def show(self, node: str) -> None:
        self.node = node
        if node:
            self.inspector.show_node(self.history.document, node, self.methods, ["rotated", "inverted"])
        else:
            self.inspector.show_recipe(self.history.document)

    def field(self, name: str, models: bool = False) -> Any:
        form = self.inspector._node.models if models else self.inspector.form
        return next(iter(form._root.child(name).items)).widget

    def type_into(self, field: Any, text: str) -> None:
        edit = field.number.lineEdit()
        edit.selectAll()
        QTest.keyClicks(edit, text)
        QTest.keyClick(edit, Qt.Key.Key_Return)

    def press(self, text: str) -> None:
        QApplication.processEvents()  # a widget put into a layout is shown by the event loop
        (button,) = [
            found for found in self.inspector._node.switches.findChildren(QPushButton)
            if found.text() == text and found.isVisible()
        ]  # fmt: skip
        QTest.mouseClick(button, LEFT)


@pytest.fixture
def bench(shown: Any, methods: Any) -> Bench:
    return Bench(shown(Inspector()), methods, document())


@pytest.mark.parametrize(("text", "place"), [("1e9", "maximum"), ("-1e9", "minimum")])
def test_a_number_far_beyond_the_slider_leaves_it_at_its_end(bench: Bench, text: str, place: str) -> None:
    bench.show("blend")
    bench.type_into(bench.field("scale"), text)
    assert bench.history.document.node("blend").params["scale"] == float(text)  # type: ignore[union-attr]
    slider = bench.field("scale").slider
    assert slider.value() == getattr(slider, place)()


def test_a_number_typed_or_slid_is_a_parameter(bench: Bench) -> None:
    bench.show("blend")
    bench.type_into(bench.field("density"), "0.55")
    assert bench.commands == [SetParam("blend", "density", 0.55, label="Set density")]
    slider = bench.field("scale").slider
    QTest.mouseClick(slider, LEFT, pos=slider.rect().center())
    last = bench.commands[-1]
    assert isinstance(last, SetParam)
    assert last.name == "scale"
    assert last.value == pytest.approx(1.0, abs=0.1) or last.value is None
    assert bench.history.document.node("blend").params["density"] == 0.55


def test_the_default_again_removes_the_parameter(shown: Any, methods: Any) -> None:
    bench = Bench(shown(Inspector()), methods, document(scale=0.5))
    bench.show("blend")
    bench.type_into(bench.field("scale"), "1")
    assert bench.commands == [SetParam("blend", "scale", None, label="Set scale")]
    assert "scale" not in bench.history.document.node("blend").params


def test_choice_switch_text_and_whole_number(bench: Bench) -> None:
    bench.show("blend")
    bench.field("scope").box.setCurrentText("model")
    bench.field("exact").box.click()
    bench.type_into(bench.field("steps"), "5")
    edit = bench.field("label").edit
    QTest.keyClicks(edit, "x")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    params = bench.history.document.node("blend").params
    assert params == {"scope": "model", "exact": True, "steps": 5, "label": "x"}
    assert isinstance(params["steps"], int)


def test_the_bracket_makes_a_variable_with_bounds_and_takes_it_back(bench: Bench) -> None:
    bench.show("blend")
    QTest.mouseClick(bench.field("density").bracket, LEFT)
    assert bench.history.document.recipe.variables == (Var("blend_density", 0.05, 1.0, 0.2),)
    field = bench.field("density")
    assert field.low.isVisible()
    assert not field.number.isVisible()
    field.high.setValue(0.6)
    assert bench.history.document.recipe.variables == (Var("blend_density", 0.05, 0.6, 0.2),)
    field.low.setValue(0.9)  # above the upper bound: not taken
    assert bench.history.document.recipe.variables == (Var("blend_density", 0.05, 0.6, 0.2),)
    QTest.mouseClick(field.bracket, LEFT)
    assert not bench.history.document.recipe.variables


def test_weights_are_one_per_model(bench: Bench) -> None:
    bench.show("blend")
    assert [child.name() for child in bench.inspector._node.models._root.children()] == ["weight:0", "weight:1"]
    bench.type_into(bench.field("weight:1", models=True), "0.25")
    assert bench.history.document.node("blend").params["weight"] == PerModel((1.0, 0.25))
    QTest.mouseClick(bench.field("weight:0", models=True).bracket, LEFT)
    (var,) = bench.history.document.recipe.variables
    assert var.name.isidentifier()
    assert bench.history.document.node("blend").params["weight"] == PerModel((var, 0.25))


def test_a_parameter_is_taken_apart_and_put_together(bench: Bench) -> None:
    bench.show("blend")
    bench.press("Density per model")
    assert bench.history.document.node("blend").params["density"] == PerModel((0.2, 0.2))
    bench.type_into(bench.field("density:1", models=True), "0.9")
    assert bench.history.document.node("blend").params["density"] == PerModel((0.2, 0.9))
    bench.press("One density for all")
    assert bench.history.document.node("blend").params["density"] == 0.2


def test_a_curve_is_drawn_and_kept(shown: Any, methods: Any) -> None:
    bench = Bench(shown(Inspector()), methods, document(scale=Curve((0.1, 0.9))))
    bench.show("blend")
    assert bench.field("scale").edit.curve == Curve((0.1, 0.9))
    bench.type_into(bench.field("density"), "0.3")
    assert bench.history.document.node("blend").params["scale"] == Curve((0.1, 0.9))


def test_each_model_has_a_curve_of_its_own(bench: Bench) -> None:
    def press(ending: str) -> None:
        QApplication.processEvents()
        links = bench.inspector._node.model_switches.findChildren(QPushButton)
        next(link for link in links if link.isVisible() and link.text().startswith(ending)).click()

    def weights() -> Any:
        return bench.history.document.node("blend").params["weight"].values  # type: ignore[union-attr]

    bench.show("blend")
    press("math by layer")
    bench.show("blend")
    assert isinstance(weights()[0], Curve)
    assert len(set(weights()[0].values)) == 1
    assert not isinstance(weights()[1], Curve)
    edit = bench.field("weight:0", models=True).edit
    QTest.mouseClick(edit, LEFT, pos=QPoint(round(edit.knot_px(0).x()), edit.height() - 24))
    assert weights()[0].values[0] < weights()[0].values[1]
    press("One number for all layers of math")
    assert not any(isinstance(weight, Curve) for weight in weights())


def test_coefficients_of_a_sum(bench: Bench) -> None:
    bench.show("mix")
    bench.type_into(bench.field("0", models=True), "0.5")
    assert bench.commands == [SetCoefficient("mix", 0, 0.5)]
    bench.type_into(bench.field("1", models=True), "1")
    assert bench.history.document.node("mix").terms == (Term("math", 0.5), Term("code", 1.0))


def test_save_and_task_nodes(bench: Bench) -> None:
    page = bench.inspector._node
    bench.show("out")
    page.folder.selectAll()
    QTest.keyClicks(page.folder, "other")
    QTest.keyClick(page.folder, Qt.Key.Key_Return)
    assert bench.commands == [SetSink(SaveNode("out", "blend", "other"))]
    choose(page.dtype, "float16")
    assert bench.history.document.node("out") == SaveNode("out", "blend", "other", "float16")
    bench.show("score")
    choose(page.task, "inverted")
    choose(page.split, "report")
    assert bench.history.document.node("score") == TaskNode("score", "blend", "inverted", "report")


def choose(box: QComboBox, text: str) -> None:
    box.setCurrentText(text)
    box.activated.emit(box.currentIndex())


def test_the_recipe_as_a_whole_has_a_dtype(bench: Bench) -> None:
    bench.show("")
    page = bench.inspector._node
    assert page.dtype.currentText() == "bfloat16"
    choose(page.dtype, "as the base")
    assert bench.commands == [SetRecipe(dtype="", label="Set dtype")]


def test_showing_a_node_edits_nothing(bench: Bench) -> None:
    for _ in range(2):
        for node in ("blend", "mix", "out", "score", "base", "ghost", ""):
            bench.show(node)
    themes().apply("dark")
    bench.show("blend")
    assert bench.commands == []


def test_an_undo_is_shown(bench: Bench) -> None:
    bench.show("blend")
    bench.type_into(bench.field("density"), "0.7")
    bench.history.undo()
    bench.show("blend")
    assert bench.field("density").number.value() == 0.2
    assert len(bench.commands) == 1


def test_a_missing_plugin_keeps_its_data(bench: Bench) -> None:
    bench.show("ghost")
    page = bench.inspector._node
    assert page.subject.name.text() == "unheard-of"
    assert not page.form.isVisible()


def test_a_node_without_inputs_has_no_rows_per_model(bench: Bench) -> None:
    bench.history.do(AddNodes((MethodNode("bare", "ties"),)))
    bench.show("bare")
    assert not bench.inspector._node.models.isVisible()
    assert bench.inspector.form.isVisible()


def test_a_point_has_sections_and_two_buttons(bench: Bench, qtbot: Any) -> None:
    inspector = bench.inspector
    inspector.show_point("r1", 7, "Point 8 of 21", "report", {"Scores": [("rotated", "93.8 ± 3.0 %")]})
    assert inspector.header.title.text() == "Selected point"
    for button, signal in (
        (inspector.point.open, inspector.recipeRequested), (inspector.point.keep, inspector.keepRequested),
    ):  # fmt: skip
        with qtbot.waitSignal(signal) as told:
            QTest.mouseClick(button, LEFT)
        assert told.args == ["r1", 7]
    inspector.show_nothing()
    assert inspector._empty.isVisible()


def test_nodes_are_called_as_on_the_canvas(qtbot: Any, methods: Any) -> None:
    inspector = Inspector()
    qtbot.addWidget(inspector)
    nodes = (
        CheckpointNode("digits_a", "library:digits-a"),
        CheckpointNode("digits_b", "library:digits-b"),
        MethodNode("ties", "ties", ("digits_a", "digits_b")),
    )
    made = Document(Recipe(nodes, "ties"))
    inspector.show_node(made, "digits_a", methods)
    assert inspector._node.subject.name.text() == "digits-a"
    inspector.show_node(made, "ties", methods)
    titles = [spec.param.title for spec in inspector._node.models._specs]
    assert titles == ["digits-a", "digits-b"]


def test_a_name_too_long_for_the_dock_keeps_its_ends(qtbot: Any) -> None:
    inspector = Inspector()
    qtbot.addWidget(inspector)
    inspector.resize(272, 400)
    inspector.show()
    name = "20261120-212452-5d9fab-and-more.h5"
    inspector.show_point("r", -1, "A run", "", {"Run": [("File", name)]})
    label = next(label for label in inspector.findChildren(QLabel) if label.text() == name)
    qtbot.waitUntil(lambda: label.toolTip() == name)
    assert inspector.point.width() <= 272


@pytest.mark.parametrize(
    ("typed", "value", "shown"), [("1e-8", 1e-8, "1e-08"), ("0.00025", 0.00025, "0.00025"), ("2", 2.0, "2.00")]
)
def test_tiny_numbers_are_shown_and_typed(qtbot: Any, typed: str, value: float, shown: str) -> None:
    box = spin(ParamSpec("floor", "float", 1e-6, param=Param(0.0, 10.0)))
    qtbot.addWidget(box)
    box.setValue(1e-6)
    assert box.text() == "1e-06"
    box.lineEdit().selectAll()
    QTest.keyClicks(box, typed)
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert (box.value(), box.text()) == (value, shown)


def test_what_is_no_number_cannot_be_typed(qtbot: Any) -> None:
    box = spin(ParamSpec("floor", "float", 1e-6, param=Param(0.0, 10.0)))
    qtbot.addWidget(box)
    box.lineEdit().selectAll()
    QTest.keyClicks(box, "x1.y5")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 1.5
