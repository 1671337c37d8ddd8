"""The inspector's page of a statistic."""

from __future__ import annotations

from solera.documents.document import Document
from solera.recipes.nodes import CheckpointNode, Recipe, StatisticNode
from solera_app.docks.node_page import NodePage


def test_it_shows_and_sets_what_a_statistic_says(qtbot):
    node = StatisticNode("f", "", model="a", statistic="fisher", task="digits", samples=64)
    document = Document(Recipe((CheckpointNode("a", "/a"), node)))
    page = NodePage()
    qtbot.addWidget(page)
    page.show_node(document, node, {}, ("digits", "letters"), (), "")
    root = page.form._root
    assert root.child("task").value() == "digits"
    assert root.child("samples").value() == 64
    assert root.child("labels").value() == "auto"
    with qtbot.waitSignal(page.edited) as said:
        root.child("task").setValue("letters")
    assert said.args[0].apply(document).node("f").task == "letters"
    with qtbot.waitSignal(page.edited) as said:
        root.child("labels").setValue("sampled")
    assert said.args[0].apply(document).node("f").params == {"labels": "sampled"}
