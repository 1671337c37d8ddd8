"""What the canvas allows (documents.links) and what a recipe may be (recipes.types) are the same rules.

The canvas must never refuse a connection that would make a sound recipe, and what it calls a node's result must be
what the recipe's types say. It may allow what is not sound yet: a recipe is wired one link at a time.
"""

from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from solera.documents.commands import Connect
from solera.documents.document import Document, sources
from solera.documents.links import Wiring
from solera.errors import Fault
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode, SumNode, Term
from solera.recipes.types import infer_types


@dataclass(frozen=True)
class Method:
    title: str
    takes: Literal["weights", "delta", "any"]
    base: Literal["required", "optional", "none"]
    min_inputs: int = 1
    max_inputs: int | None = None
    params: tuple[Any, ...] = ()
    needs: str = ""
    gives: Literal["same", "delta"] = "same"


METHODS: Any = {
    f"{takes}-{base}": Method(f"{takes} {base}", takes, base)
    for takes in ("weights", "delta", "any")
    for base in ("required", "optional", "none")
}
NUMBERS = st.sampled_from([1.0, 0.5, -1.0, 2.0, 0.25, 0.75])


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Two checkpoints, the difference between them, and up to four nodes wired to earlier ones in any way."""
    made: list[Any] = [
        CheckpointNode("a", "a"), CheckpointNode("b", "b"), SumNode("d", (Term("a"), Term("b", -1.0))),
    ]  # fmt: skip
    for place in range(draw(st.integers(1, 4))):
        before = [node.id for node in made]
        some = st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True)
        inputs = tuple(draw(some))
        if draw(st.integers(0, 5)) == 0:
            made.append(StatisticNode(f"n{place}", "", model=inputs[0], statistic="gram", task="t"))
        elif draw(st.booleans()):
            made.append(SumNode(f"n{place}", tuple(Term(name, draw(NUMBERS)) for name in inputs)))
        else:
            base = draw(st.sampled_from(["", *before]))
            made.append(MethodNode(f"n{place}", draw(st.sampled_from(sorted(METHODS))), inputs, base))
    return Recipe(tuple(made), made[-1].id)


def faults_at(recipe: Recipe, id_: str) -> list[Fault]:
    found: list[Fault] = []
    infer_types(recipe, METHODS, found)
    return [fault for fault in found if fault.fields.get("node") == id_]


@given(recipes())
@settings(max_examples=200, deadline=None)
def test_a_result_that_both_know_is_the_same(recipe: Recipe) -> None:
    types = infer_types(recipe, METHODS)
    wiring = Wiring(Document(recipe), METHODS)
    for id_, type_ in types.items():
        assert wiring.result(id_) == type_, id_


@given(recipes(), st.data())
@settings(max_examples=200, deadline=None)
def test_the_canvas_refuses_nothing_that_makes_a_sound_node(recipe: Recipe, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from([node for node in recipe.nodes if not isinstance(node, CheckpointNode)]))
    source = data.draw(st.sampled_from([node.id for node in recipe.nodes]))
    ports = ["base", "input:+"] if isinstance(target, MethodNode) else ["term:+"]
    port = data.draw(st.sampled_from(ports))
    document = Document(recipe)
    refusal = Wiring(document, METHODS).refusal(source, target.id, port)
    if refusal is None:
        return
    assert refusal.endswith(".")
    if source in sources(target):
        return  # the same node twice is sound and pointless
    connected = Connect(source, target.id, port).apply(document).recipe
    assert target.id not in infer_types(connected, METHODS) or faults_at(connected, target.id)


@given(recipes(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_link_that_is_allowed_brings_no_new_kind_of_fault(recipe: Recipe, data: st.DataObject) -> None:
    """Where every result is known, a link the canvas allows into a method is never refused by the types."""
    methods = [node for node in recipe.nodes if isinstance(node, MethodNode)]
    types = infer_types(recipe, METHODS)
    if not methods:
        return
    target = data.draw(st.sampled_from(methods))
    source = data.draw(st.sampled_from(sorted(types)))
    port = data.draw(st.sampled_from(["base", "input:+"]))
    document = Document(recipe)
    if target.id not in types or Wiring(document, METHODS).refusal(source, target.id, port) is not None:
        return
    connected = Connect(source, target.id, port).apply(document).recipe
    told = [fault.code for fault in faults_at(connected, target.id)]
    assert told == [], (source, target, port)
