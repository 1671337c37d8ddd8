"""Statistic nodes among the edits of a document: ports, refusals, parameters."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from solera.documents.commands import Connect, Disconnect, RemoveNodes, RenameNode, SetParam
from solera.documents.document import Document, ports
from solera.documents.links import refusal, result_type
from solera.errors import InputError
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode


@dataclass(frozen=True)
class Facts:
    title: str = "Fisher"
    takes: str = "weights"
    gives: str = "same"
    base: str = "none"
    max_inputs: int | None = None
    needs: str = "fisher"


METHODS = {"fisher": Facts(), "linear": Facts("Linear", needs="")}


@pytest.fixture
def document() -> Document:
    return Document(
        Recipe(
            (
                CheckpointNode("a", "/a"),
                CheckpointNode("b", "/b"),
                StatisticNode("f", "", model="a", statistic="fisher", task="t"),
                StatisticNode("g", "", statistic="gram"),
                MethodNode("m", "fisher", ("a", "b"), statistics=("f",)),
                MethodNode("l", "linear", ("a",)),
            ),
            "m",
        )
    )


def test_its_ports_and_type(document):
    assert ports(document.node("f")) == (("model", "a"),)
    assert ("statistic:0", "f") in ports(document.node("m"))
    assert result_type(document, "f", METHODS) == "importance"


def test_what_may_be_connected(document):
    def why(source, target, port):
        return refusal(document, source, target, port, METHODS) or ""

    assert why("a", "g", "model") == ""
    assert "Importance" in why("f", "l", "input:+")
    assert "Importance" in why("f", "g", "model")
    assert "takes a statistic" in why("b", "m", "statistic:+")
    assert "needs the statistic 'fisher'" in why("g", "m", "statistic:+")


def test_connect_disconnect_rename_remove(document):
    more = Connect("b", "g", "model").apply(document)
    assert more.node("g").model == "b"
    both = Connect("g", "m", "statistic:+").apply(more)
    assert both.node("m").statistics == ("f", "g")
    assert Disconnect("m", "statistic:0").apply(both).node("m").statistics == ("g",)
    assert Disconnect("f", "model").apply(both).node("f").model == ""
    renamed = RenameNode("f", "weight_of_a").apply(both)
    assert renamed.node("m").statistics == ("weight_of_a", "g")
    assert RenameNode("a", "first").apply(both).node("f").model == "first"
    gone = RemoveNodes(("f", "b")).apply(both)
    assert gone.node("m").statistics == ("g",)
    assert gone.node("g").model == ""


def test_its_parameters_are_set(document):
    node = SetParam("f", "samples", 64).apply(SetParam("f", "labels", "sampled").apply(document)).node("f")
    assert (node.samples, node.params) == (64, {"labels": "sampled"})
    assert (
        SetParam("f", "split", None).apply(SetParam("f", "split", "report").apply(document)).node("f").split == "train"
    )
    with pytest.raises(InputError, match="no parameters"):
        SetParam("a", "samples", 3).apply(document)
