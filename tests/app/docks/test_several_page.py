"""Several nodes in the inspector: what they share is set for all in one edit."""

from typing import Any

import pytest

from solera.documents.document import Document
from solera.documents.history import History
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera_app.docks.inspector import Inspector
from solera_app.docks.several_page import common


def document(*params: dict[str, Any]) -> Document:
    nodes = [MethodNode(f"t{i}", "ties", ("a",), "", each) for i, each in enumerate(params)]
    return Document(Recipe((CheckpointNode("a", "library:a"), *nodes), "t0"))


@pytest.fixture
def inspector(shown: Any) -> Inspector:
    made: Inspector = shown(Inspector())
    return made


def test_one_edit_sets_all_and_one_undo_takes_it_back(inspector: Inspector, methods: Any) -> None:
    history = History(document({"density": 0.3}, {"density": 0.5, "scope": "model"}))
    inspector.edited.connect(history.do)
    inspector.show_nodes(history.document, ["t0", "t1"], methods)
    page = inspector.several
    assert page.isVisible()
    assert page.subject.name.text() == "2 nodes"
    assert page.told.text() == "They differ in 'density', 'scope'; it is shown as by default."
    page.form._root.child("density").setValue(0.7)
    found = [history.document.node(id_).params["density"] for id_ in ("t0", "t1")]  # type: ignore[union-attr]
    assert found == [0.7, 0.7]
    assert history.undo() == "Set density of 2 nodes"
    assert history.document == document({"density": 0.3}, {"density": 0.5, "scope": "model"})
    inspector.show_nodes(history.document, ["t0"], methods)
    assert page.told.text() == "They agree in all."


def test_what_stands_apart_per_model_is_left_out(methods: Any) -> None:
    nodes = document({"weight": PerModel((1.0,))}, {}).recipe.nodes[1:]
    assert "weight" not in {spec.name for spec in common(nodes, methods)}
    assert "density" in {spec.name for spec in common(nodes, methods)}


def test_nodes_that_share_nothing_are_told(inspector: Inspector, methods: Any) -> None:
    inspector.show_nodes(document({}), ["a", "t0"], methods)
    assert inspector.several.told.text() == "They have no parameter in common."
    assert not inspector.several.form.isVisible()
