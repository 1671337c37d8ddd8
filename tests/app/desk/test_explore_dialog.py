"""The explore dialog offers whatever is registered, and says what cannot be had here and why."""

from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from solera.documents.document import Document
from solera.errors import InputError
from solera.extend.registry import Registry
from solera.families.forms import FORMS
from solera.params import Var
from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    Recipe,
    StatisticNode,
)
from solera.workbench.experiment import load_experiment
from solera.workbench.foreseeing import Foreseen
from solera_app.explore_dialog import ExploreDialog
from solera_app.task_dialog import TaskDialog

LEFT = Qt.MouseButton.LeftButton
REGISTRY = Registry.discover(())
EXPLORERS = {name: REGISTRY.explorers.describe(name) for name in REGISTRY.explorers}
KINDS = {name: REGISTRY.tasks.describe(name) for name in REGISTRY.tasks}


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def document(*names: str) -> Document:
    nodes = tuple(CheckpointNode(name, f"library:{name}") for name in names)
    blend = MethodNode("blend", "ties", names[1:], names[0], {"density": Var("density", 0, 1)})
    return Document(Recipe((*nodes, blend), "blend", name="mine"))


@pytest.mark.parametrize("form", FORMS)
def test_every_family_is_an_experiment_with_all_its_parameters(parent: QWidget, form: str) -> None:
    dialog = ExploreDialog(document("a", "b", "c"), ["t", "u"], EXPLORERS, form, parent)
    assert dialog.form == form
    assert dialog.go.isEnabled(), dialog._why.text()
    specs = FORMS[form].params
    fields = dialog.family.params
    assert fields.isHidden() == (not specs)
    assert list(fields.values()) == [spec.name for spec in specs]
    for spec in specs:  # something else than stands there
        child = fields._root.child(spec.name)
        value = child.value()
        child.setValue(
            not value if spec.kind == "bool"
            else next(choice for choice in spec.choices if choice != value) if spec.kind == "choice"
            else f"{value or ''}x*" if spec.kind == "str"
            else value + 1
        )  # fmt: skip
    made = load_experiment(dialog.experiment())  # with every fault of form
    assert set(made.family) == {form, *(spec.name for spec in specs)}
    count = len(made.family[form]) if isinstance(made.family[form], list) else 1
    assert FORMS[form].least <= count <= (FORMS[form].most or 3)


def test_what_a_family_does_not_show_goes_with_the_dialog_all_the_same(parent: QWidget) -> None:
    before = set(QApplication.topLevelWidgets())
    dialog = ExploreDialog(document("a", "b", "c"), ["t"], EXPLORERS, "line", parent)
    for form in FORMS:
        dialog.choose(form)
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        shown = [box for box in dialog.family.corners if not box.isHidden()]
        assert shown == dialog.family.shown_corners()
    alone = {type(each).__name__ for each in set(QApplication.topLevelWidgets()) - before - {dialog}}
    assert alone <= {"QComboBoxPrivateContainer", "QFrame"}, "but what Qt shows the choices of a box in"


def test_every_explorer_is_offered_with_all_its_parameters(parent: QWidget) -> None:
    dialog = ExploreDialog(document("a", "b", "c"), ["t", "u"], EXPLORERS, "line", parent)
    assert {dialog.explorer.itemData(i) for i in range(dialog.explorer.count())} == set(REGISTRY.explorers)
    for place, (name, row) in enumerate(EXPLORERS.items()):
        dialog.explorer.setCurrentIndex(place)
        assert list(dialog.params.values()) == [spec.name for spec in row.params]
        assert load_experiment(dialog.experiment()).explorer_name == name
    assert {dialog.family.kind.itemData(i) for i in range(dialog.family.kind.count())} == set(FORMS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_of_every_kind_can_be_made(parent: QWidget, kind: str) -> None:
    kept: list[Any] = []
    dialog = TaskDialog(KINDS, ["taken"], lambda *told: kept.append(told), parent)
    dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
    assert list(dialog.params.values()) == [spec.name for spec in KINDS[kind].params]
    dialog.name.setText("taken")
    assert "already" in dialog._why.text()
    dialog.name.setText("mine")
    texts = [spec for spec in KINDS[kind].params if spec.required and not spec.choices]
    assert dialog.go.isEnabled() == (not texts)
    for spec in texts:
        assert not dialog.go.isEnabled()
        dialog.params._root.child(spec.name).setValue("x")
    QTest.mouseClick(dialog.go, LEFT)
    ((name, told, params),) = kept
    assert (name, told) == ("mine", kind)
    assert set(params) == {spec.name for spec in KINDS[kind].params if spec.required}


def test_a_task_that_cannot_be_kept_says_why_and_the_dialog_stays(parent: QWidget) -> None:
    def refuse(*told: Any) -> None:
        raise InputError("The project is read-only.")

    dialog = TaskDialog({"digits": KINDS["digits"]}, [], refuse, parent)
    dialog.name.setText("mine")
    for spec in KINDS["digits"].params:
        if spec.required and not spec.choices:
            dialog.params._root.child(spec.name).setValue("x")
    dialog.show()
    QTest.mouseClick(dialog.go, LEFT)
    assert dialog._why.text() == "The project is read-only."
    assert dialog.isVisible()


def test_a_new_task_is_offered_and_ticked_beside_what_was(parent: QWidget) -> None:
    dialog = ExploreDialog(document("a", "b"), ["t", "u", "v"], EXPLORERS, "line", parent)
    dialog.tasks[0].setChecked(False)
    dialog.show_tasks(["t", "u", "v", "w"])
    assert [box.text() for box in dialog.tasks if box.isChecked()] == ["u", "w"]
    assert dialog.experiment()["tasks"] == ["u", "w"]


def test_models_are_ticked_and_put_in_order(parent: QWidget) -> None:
    dialog = ExploreDialog(document("a", "b", "c"), ["t"], EXPLORERS, "curve", parent)
    members = dialog.family.members
    assert "bends" in members.note.text()
    members.list.setCurrentRow(2)
    members.move_by(-1)
    assert dialog.experiment()["family"]["curve"] == ["library:a", "library:c", "library:b"]
    members.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert dialog._why.text() == "A curve with bends goes through 3 models or more; 2 are ticked."
    assert not dialog.go.isEnabled()
    dialog.choose("polyline")
    assert dialog.experiment()["family"]["polyline"] == ["library:c", "library:b"]


def test_what_is_no_model_of_its_own_is_told_whole_or_left_out(parent: QWidget) -> None:
    nodes = (
        CheckpointNode("a", "library:a"),
        AdapterNode("lora", "library:lora", base="a"),
        AdapterNode("loose", "library:loose"),
        AlignedNode("turned", "library:b", to="a"),
        StatisticNode("fisher", "library:a"),
    )
    dialog = ExploreDialog(Document(Recipe(nodes, "")), ["t"], EXPLORERS, "simplex", parent)
    first, lora, turned = dialog.experiment()["family"]["simplex"]
    assert first == "library:a"
    assert set(lora["nodes"]) == {"a", "lora", "lora_on_base"}
    assert set(turned["nodes"]) == {"a", "turned"}


def test_what_it_would_be_is_found_out_aside_and_stands_in_the_way_if_it_cannot_be(parent: QWidget, qtbot: Any) -> None:
    def foresee(plain: Any) -> Foreseen:
        if plain["explorer"]["name"] == "line":
            raise InputError("A barrier lies on a line.")
        return Foreseen(("x", "y"), 441)

    dialog = ExploreDialog(document("a", "b", "c"), ["t"], EXPLORERS, "plane", parent, foresee)
    qtbot.waitUntil(lambda: dialog.foreseen.text() == "441 points at most, 2 coordinates.")
    dialog.explorer.setCurrentIndex(dialog.explorer.findData("line"))
    qtbot.waitUntil(lambda: dialog._why.text() == "A barrier lies on a line.")
    assert not dialog.go.isEnabled()
    dialog.explorer.setCurrentIndex(dialog.explorer.findData("grid"))
    qtbot.waitUntil(lambda: dialog.foreseen.text() != "")
    assert dialog.go.isEnabled()


def test_a_budget_and_measured_batchnorm_go_into_the_experiment(parent: QWidget) -> None:
    dialog = ExploreDialog(document("a", "b"), ["t"], EXPLORERS, "line", parent)
    assert not {"budget", "batchnorm"} & set(dialog.experiment())
    dialog.budget.setValue(9)
    dialog.batchnorm.setCurrentIndex(1)
    made = load_experiment(dialog.experiment())
    assert (made.budget, made.batchnorm) == (9, "recalibrated")


def test_without_a_plugin_that_explores_nothing_begins(parent: QWidget) -> None:
    dialog = ExploreDialog(document("a", "b"), ["t"], {}, "line", parent)
    assert not dialog.go.isEnabled()
    assert "No plugin that explores is in use" in dialog._why.text()
    dialog.tasks[0].setChecked(False)
    dialog.tasks[0].setChecked(True)
    dialog.choose("subset")
    assert not dialog.go.isEnabled()
