"""Every registered method on the canvas and in the inspector: its forms, help and needs, a row for each parameter."""

from __future__ import annotations

from typing import Any

import pytest

from solera.documents.document import Document
from solera.extend.registry import Registry
from solera.methods.forms import form_words
from solera.methods.statistics import STATISTICS
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode, SumNode, Term
from solera_app.canvases.additions import additions
from solera_app.canvases.faces import faces

METHODS = Registry.discover().methods
CARDS = {name: METHODS.describe(name) for name in METHODS}


def recipe_of(name: str, form: str) -> Recipe:
    """A method fed with weights, with weights and a base, or with deltas."""
    card = CARDS[name]
    count = min(card.max_inputs or 3, 3)
    models = [f"m{i}" for i in range(count)]
    nodes: list[Any] = [CheckpointNode(id_, f"memory:{id_}") for id_ in [*models, "base"]]
    if form == "deltas":
        nodes += [SumNode(f"d{i}", (Term(m, 1.0), Term("base", -1.0))) for i, m in enumerate(models)]
    inputs = [f"d{i}" for i in range(count)] if form == "deltas" else models
    needed = [f"s{i}" for i in range(count)] if card.needs else []
    nodes += [StatisticNode(s, "", model=m, statistic=card.needs, task="data") for s, m in zip(needed, models)]
    base = "base" if form == "based" else ""
    nodes.append(MethodNode("merged", name, tuple(inputs), base, {}, statistics=tuple(needed)))
    if is_moved(name, form):
        nodes.append(SumNode("out", (Term("base", 1.0), Term("merged", 1.0))))
    return Recipe(tuple(nodes), "out" if is_moved(name, form) else "merged")


def is_moved(name: str, form: str) -> bool:
    """Whether the method gives a difference, which a recipe adds to a base."""
    return form == "deltas" or (form == "weights" and METHODS[name].gives == "delta")


def forms_of(name: str) -> list[str]:
    card = CARDS[name]
    forms = ["weights"] if card.takes in {"weights", "any"} else []
    forms += ["based"] if card.base != "none" else []
    return forms + (["deltas"] if card.takes in {"delta", "any"} else [])


@pytest.mark.parametrize("name", sorted(CARDS))
def test_each_form_is_offered_and_said(name):
    wanted = {"weights": ("weights", "weights"), "based": ("weights", "weights"), "deltas": ("delta", "delta")}
    for form, (takes, gives) in wanted.items():
        recipe = recipe_of(name, form)
        faults = check(recipe, METHODS)
        assert bool(faults) == (form not in forms_of(name)), f"{form}: {[fault.message for fault in faults]}"
        if faults:
            continue
        face = faces(Document(recipe), CARDS)["merged"]
        ports = {port.name: port for port in face.inputs}
        assert ports["input:0"].shape == takes
        assert face.output is not None
        assert face.output.shape == ("delta" if is_moved(name, form) else gives)
        assert ("base" in ports) == (CARDS[name].base != "none")
        assert not face.missing
        assert form_words(CARDS[name]) in face.about
        assert CARDS[name].summary in face.about
        assert CARDS[name].paper in face.about


@pytest.mark.parametrize("name", sorted(name for name in CARDS if CARDS[name].needs))
def test_what_a_method_needs_has_a_port_and_a_word(name):
    needs = CARDS[name].needs
    bare = Document(Recipe((CheckpointNode("a", "/a"), MethodNode("merged", name, ("a",))), "merged"))
    ports = {port.name: port for port in faces(bare, CARDS)["merged"].inputs}
    assert ports["statistic:+"].label == STATISTICS[needs].title
    assert STATISTICS[needs].title in form_words(CARDS[name])
    assert "recipe.statistics" in {fault.code for fault in check(bare.recipe, METHODS)}


def test_the_menu_offers_every_method():
    offered = {one.name: one for one in additions(CARDS, (), ()) if one.kind == "method"}
    assert set(offered) == set(CARDS)
    assert all(one.detail for one in offered.values())


def test_the_inspector_has_a_row_with_help_for_every_parameter(qtbot):
    from solera_app.docks.node_page import NodePage

    page = NodePage()
    qtbot.addWidget(page)
    for name, card in CARDS.items():
        document = Document(recipe_of(name, forms_of(name)[0]))
        page.show_node(document, document.node("merged"), CARDS, (), (), "")
        shown = {spec.name.partition(":")[0] for spec in (*page.form._specs, *page.models._specs)}
        assert shown == {spec.name for spec in card.params}, name
        assert all(spec.param.help for spec in card.params), name
        assert card.title in page.subject.name.text(), name
        assert form_words(card) in page.subject.about.text(), name


def test_no_byte_promise_is_said():
    from dataclasses import replace

    card = CARDS["linear"]
    assert "promise" not in form_words(card)
    assert form_words(replace(card, method={**card.method, "promise": "none"})).endswith("No byte promise.")
