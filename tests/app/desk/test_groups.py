"""A frame saved as a recipe, and a recipe inserted as a frame."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QPointF

from solera.documents.commands import AddNodes, SetFrames
from solera.documents.document import Document, Frame
from solera.documents.files import load_document
from solera.errors import FaultsError, InputError
from solera.methods.spec import MethodSpec
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera_app.group_desk import GroupDesk
from solera_app.open_document import OpenDocument
from solera_app.tabs import RecipeTab


@pytest.fixture
def methods() -> dict[str, MethodSpec]:
    from solera.extend.registry import Registry

    return {"linear": Registry.discover().methods["linear"]}


@pytest.fixture
def tab(qtbot: Any, tmp_path: Path, methods: Any) -> RecipeTab:
    nodes = (
        CheckpointNode("a", "library:a"), CheckpointNode("b", "../models/b"),
        MethodNode("mean", "linear", ("a", "b"), params={"normalize": False}),
    )  # fmt: skip
    folder = tmp_path / "recipes"
    folder.mkdir()
    opened = OpenDocument(Document(Recipe(nodes, "mean")), folder / "whole.yaml", folder)
    made = RecipeTab(opened, methods)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def groups(tab: RecipeTab) -> GroupDesk:
    recipes: Any = SimpleNamespace(
        recipes_folder=tab.opened.path.parent if tab.opened.path else Path(), folder_of=lambda o: o.path.parent
    )
    return GroupDesk(recipes)


def test_a_group_is_saved_and_comes_back_as_a_group(
    tab: RecipeTab, groups: GroupDesk, tmp_path: Path, methods: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab.opened.history.do(SetFrames((Frame("frame_1", "Two of them", ("mean",)),)))
    target = tmp_path / "shared" / "two"
    target.parent.mkdir()
    monkeypatch.setattr("solera_app.group_desk.QFileDialog.getSaveFileName", lambda *_: (str(target), ""))
    groups.save(tab, tab.opened.document.frames[0])
    saved, faults = load_document(target.with_suffix(".yaml"), methods)
    assert not faults
    assert (saved.recipe.output, saved.recipe.name) == ("mean", "Two of them")
    sources = {node.id: node.source for node in saved.recipe.checkpoints}
    assert sources == {"a": "library:a", "b": str((tmp_path / "models" / "b").resolve())}  # another folder

    groups.insert_file(tab, target.with_suffix(".yaml"), QPointF(400, 80))
    document = tab.opened.document
    frame = document.frames[-1]
    assert (frame.title, len(frame.members)) == ("Two of them", 3)
    assert set(frame.members) & {"a", "b", "mean"} == set()
    inserted = next(node for id_ in frame.members if isinstance(node := document.node(id_), MethodNode))
    assert inserted.params == {"normalize": False}
    assert set(inserted.inputs) == set(frame.members) - {inserted.id}
    assert set(tab.canvas.selection) == set(frame.members)
    assert tab.opened.history.undo() == "Insert two"
    assert document != tab.opened.document


def test_a_group_with_two_results_says_so(tab: RecipeTab, groups: GroupDesk) -> None:
    tab.opened.history.do(AddNodes((CheckpointNode("c", "library:c"),)))
    tab.opened.history.do(SetFrames((Frame("frame_1", "Two", ("a", "c")),)))
    with pytest.raises(InputError, match="one result"):
        groups.save(tab, tab.opened.document.frames[0])


def test_another_programs_file_is_not_inserted(tab: RecipeTab, groups: GroupDesk, tmp_path: Path) -> None:
    foreign = tmp_path / "merge.yml"
    foreign.write_text("merge_method: linear\nmodels:\n- model: a\n  parameters: {weight: 1}\n")
    with pytest.raises(FaultsError, match="mergekit"):
        groups.insert_file(tab, foreign, QPointF(0, 0))
