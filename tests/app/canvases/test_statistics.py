"""Statistics on the recipe canvas: their faces, the ports of methods that need them, the menu, the clipboard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from solera.documents.commands import AddNodes, Connect
from solera.documents.document import Document
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode
from solera_app.canvases.additions import addition_command, additions, fitting
from solera_app.canvases.clipboard import copied, pasted
from solera_app.canvases.faces import faces


@pytest.fixture
def catalogue(cards):
    return {**cards, "fisher": replace(cards["linear"], name="fisher", title="Fisher", needs="fisher")}


@pytest.fixture
def document():
    nodes = (
        CheckpointNode("a", "/a"),
        CheckpointNode("b", "/b"),
        StatisticNode("fisher_a", "", model="a", statistic="fisher", task="digits", samples=64, params={"draws": 2}),
        MethodNode("merged", "fisher", ("a", "b"), statistics=("fisher_a",)),
    )
    return Document(Recipe(nodes, "merged"))


def test_a_statistic_shows_its_model_and_data(document, catalogue):
    face = faces(document, catalogue)["fisher_a"]
    assert face.icon == "probe"
    assert [(port.name, port.source, port.shape) for port in face.inputs] == [("model", "a", "weights")]
    assert face.output is not None
    assert (face.output.shape, face.output.label) == ("importance", "Importance")
    assert {field.name: field.text for field in face.fields} == {"task": "digits", "split": "train", "samples": "64"}


def test_a_method_has_a_port_for_each_input(document, catalogue):
    shown = {port.name: port for port in faces(document, catalogue)["merged"].inputs}
    assert shown["statistic:0"].source == "fisher_a"
    assert shown["statistic:+"].shape == "importance"
    full = Connect("fisher_a", "merged", "statistic:+").apply(document)
    assert "statistic:+" not in {port.name for port in faces(full, catalogue)["merged"].inputs}
    plain = AddNodes((MethodNode("plain", "linear", ("a",)),)).apply(document)
    assert not [p for p in faces(plain, catalogue)["plain"].inputs if p.name.startswith("statistic")]


def test_the_menu_offers_the_kind_that_fits(document, catalogue):
    offered = [one for one in additions(catalogue, (), ()) if one.kind == "statistic"]
    assert {one.name for one in offered} == {"fisher", "gram", "mean", "moments", "batchnorm"}
    fits = fitting(document, catalogue, offered, ("merged", "statistic:+"))
    assert [one.name for one in fits] == ["fisher"]
    id_, command = addition_command(document, catalogue, fits[0], (0, 0), ("merged", "statistic:+"))
    after = command.apply(document)
    assert after.node("merged").statistics == ("fisher_a", id_)
    id_, command = addition_command(document, catalogue, offered[1], (0, 0), ("b", "out"))
    assert command.apply(document).node(id_).model == "b"


def test_copies_keep_what_they_say_and_are_connected_to(document, catalogue):
    text = copied(document, ["fisher_a", "merged"], {})
    after = pasted(text, document, catalogue).apply(document)
    twin = after.node("fisher_a_2")
    assert twin == replace(document.node("fisher_a"), id="fisher_a_2")
    assert after.node("merged_2").statistics == ("fisher_a_2",)


def test_it_is_drawn(canvas, history):
    node = StatisticNode("f", "", model="math_8b_sft", statistic="fisher", task="t")
    history.do(AddNodes((node,), {"f": (24, 420)}))
    assert canvas.picture.items_by_id["f"].face.kind == "statistic"
    assert canvas.picture.edges[("f", "model")].shape_name == "weights"
