"""An adapter on the recipe canvas: a node with a base port that gives a delta."""

import json

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QGuiApplication

from solera.documents.document import Document
from solera.documents.history import History
from solera.recipes.nodes import AdapterNode, CheckpointNode, Recipe
from solera_app.canvases.additions import additions, new_node
from solera_app.canvases.recipe import RecipeCanvas


@pytest.fixture
def lora(tmp_path):
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora/adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    return tmp_path / "lora"


@pytest.fixture
def canvas(qtbot, cards):
    made = RecipeCanvas(History(Document(Recipe((CheckpointNode("base", "library:base"),)))), cards)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def test_a_dropped_folder_becomes_a_node_on_its_base(canvas, lora):
    canvas.add_checkpoints([{"name": "lora", "path": str(lora)}, {"name": "math", "path": "/math"}], QPointF(300, 100))
    document = canvas._history.document
    assert document.node("lora") == AdapterNode("lora", "library:lora", base="base")
    assert document.node("math") == CheckpointNode("math", "library:math")
    face = canvas.picture.items_by_id["lora"].face
    assert (face.kind, face.icon, face.output.shape) == ("adapter", "adapter", "delta")
    assert [(port.name, port.label, port.filled) for port in face.inputs] == [("base", "base", True)]
    assert canvas.picture.items_by_id["base"].face.tag == "base"
    edge = canvas.picture.edges[("lora", "base")]
    assert edge.isVisible()
    canvas.grab()


def test_copy_and_paste_keep_the_base(canvas, lora):
    canvas.add_checkpoints([{"name": "lora", "path": str(lora)}], QPointF(300, 100))
    canvas.picture.choose(["base", "lora"])
    canvas.edits.copy()
    assert '"adapter"' in QGuiApplication.clipboard().text()
    canvas.edits.paste()
    assert canvas._history.document.node("lora_2") == AdapterNode("lora_2", "library:lora", base="base_2")


def test_the_menu_offers_it_under_adapters(canvas, cards, lora):
    offered = additions(cards, [("lora", str(lora)), ("math", "/math")], [])
    found = {one.title: one for one in offered}
    assert (found["lora"].section, found["math"].section) == ("Adapters", "Checkpoints")
    assert new_node(canvas._history.document, found["lora"]) == AdapterNode("lora", "library:lora", base="base")
