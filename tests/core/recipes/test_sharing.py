"""What is written twice becomes one; what only looks alike stays two."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from solera.params import Curve, Var
from solera.recipes.join import shared
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode, SumNode, Term
from solera.recipes.order import ordered

A, B, A2 = CheckpointNode("a", "x/a"), CheckpointNode("b", "x/b"), CheckpointNode("a2", "x/a", note="the same file")


def ids(recipe: Recipe) -> set[str]:
    return {node.id for node in shared(recipe).nodes}


def test_equal_checkpoints_and_what_stands_on_them() -> None:
    recipe = Recipe(
        (
            A, B, A2,
            MethodNode("t", "ties", ("b",), "a", {"density": 0.2, "scale": 1.0}),
            MethodNode("u", "ties", ("b",), "a2", {"scale": 1.0, "density": 0.2}, note="again"),
            SumNode("o", (Term("t", 0.5), Term("u", 0.5))),
        ),
        "o",
    )  # fmt: skip
    assert ids(recipe) == {"a", "b", "t", "o"}
    assert shared(recipe).node("o") == SumNode("o", (Term("t", 0.5), Term("t", 0.5)))
    assert shared(shared(recipe)) == shared(recipe)


def test_what_else_names_a_node_follows() -> None:
    statistics = (
        StatisticNode("s", "", model="a2", statistic="fisher"),
        StatisticNode("r", "", model="a", statistic="fisher"),
    )
    recipe = Recipe((A, A2, B, *statistics, MethodNode("o", "fisher", ("a2", "b"), statistics=("s", "r"))), "o")
    made = shared(recipe)
    names = {node.id for node in made.nodes}
    assert len(names) == 4
    (statistic,) = (node for node in made.nodes if isinstance(node, StatisticNode))
    assert statistic.model in names
    merged = made.node("o")
    assert isinstance(merged, MethodNode)
    assert merged.statistics == (statistic.id, statistic.id)
    assert set(merged.inputs) <= names


def test_what_differs_stays() -> None:
    methods = (
        MethodNode("m0", "ties", ("b",), "a", {"density": 0.2}),
        MethodNode("m1", "ties", ("b",), "a", {"density": 0.3}),
        MethodNode("m2", "ties", ("b",), "a", {"density": Var("d", 0, 1)}),
        MethodNode("m3", "ties", ("b",), "a", {"density": Var("e", 0, 1)}),
        MethodNode("m4", "ties", ("b",), "a", {"density": Curve((0.1, 0.2))}),
        MethodNode("m5", "ties", ("a",), "b", {"density": 0.2}),
        MethodNode("m6", "dare", ("b",), "a", {"density": 0.2}),
        MethodNode("m7", "linear", ("a", "b")),
        MethodNode("m8", "linear", ("b", "a")),
    )
    others = (replace(A2, strip="module."), CheckpointNode("a3", "x/a", fingerprint="sha256-tree:0"))
    terms = tuple(Term(node.id, 1 / 11) for node in (*methods, *others))
    recipe = Recipe((A, B, *others, *methods, SumNode("o", terms)), "o")
    assert ids(recipe) == {node.id for node in recipe.nodes}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.5, 0.25])), max_size=12))
def test_every_node_means_what_it_meant(wiring: list[tuple[int, int, float]]) -> None:
    """Spelled out down to the checkpoints, the output is the same before and after."""
    nodes: list[CheckpointNode | SumNode] = [A, B, A2]
    for i, (one, other, share) in enumerate(wiring):
        names = [nodes[min(one, len(nodes) - 1)].id, nodes[-1 - min(other, len(nodes) - 1)].id]
        nodes.append(SumNode(f"s{i}", (Term(names[0], share), Term(names[1], 1 - share))))
    recipe = Recipe(tuple(nodes), nodes[-1].id)

    def spelled(found: Recipe) -> str:
        told: dict[str, str] = {}
        for node in ordered(found):
            if isinstance(node, SumNode):
                told[node.id] = str([(term.coefficient, told[term.node]) for term in node.terms])
            elif isinstance(node, CheckpointNode):
                told[node.id] = node.source
        return told[found.output]

    made = shared(recipe)
    assert spelled(made) == spelled(recipe)
    bare = [repr(replace(node, id="", note="")) for node in made.nodes]
    assert len(set(bare)) == len(bare)
