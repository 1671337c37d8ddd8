"""Two hashes: what is written, what it makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from solera.errors import InputError
from solera.params import PerModel, Var
from solera.recipes.hashes import semantic_hash, textual_hash
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term

PRINTS = {"a": "sha256:1", "b": "sha256:2", "c": "sha256:3"}
NODES = tuple(CheckpointNode(name, f"/{name}") for name in "abc")
MERGE = MethodNode("m", "pull", ("b", "c"), "a", {"density": 0.2})
RECIPE = Recipe((*NODES, MERGE), "m")


def test_semantic_hash_counts_what_makes_the_numbers(methods):
    def of(node, dtype=""):
        return semantic_hash(Recipe((*NODES, node), "m", dtype), methods, PRINTS)

    same = of(MERGE)
    assert same == of(replace(MERGE, params={}))  # 0.2 is the default
    assert same == of(replace(MERGE, params={"density": PerModel((0.2, 0.2)), "scale": 1}))
    assert same == of(replace(MERGE, note="other"))
    others = [
        of(replace(MERGE, params={"density": 0.3})),
        of(replace(MERGE, inputs=("c", "b"))),
        of(replace(MERGE, base="b")),
        of(replace(MERGE, params={"scale": Var("s", 0, 1)})),
        of(MERGE, "bfloat16"),
    ]
    assert len({same, *others}) == 6
    assert of(replace(MERGE, params={"scale": Var("s", 0, 1)})) == of(replace(MERGE, params={"scale": Var("s", 0, 9)}))


def test_semantic_hash_ignores_names_paths_and_loose_nodes(methods):
    renamed = Recipe(
        (
            CheckpointNode("x", "/elsewhere"), CheckpointNode("y", "q"), CheckpointNode("z", "r"),
            MethodNode("other", "pull", ("y", "z"), "x", {"density": 0.2}), SumNode("loose", (Term("x"),)),
        ),
        "other", name="named", note="noted",
    )  # fmt: skip
    prints = {"x": "sha256:1", "y": "sha256:2", "z": "sha256:3"}
    assert semantic_hash(renamed, methods, prints) == semantic_hash(RECIPE, methods, PRINTS)
    assert textual_hash(renamed) != textual_hash(RECIPE)


def test_semantic_hash_follows_contents_and_versions(methods):
    assert semantic_hash(RECIPE, methods, {**PRINTS, "b": "sha256:9"}) != semantic_hash(RECIPE, methods, PRINTS)
    newer = {**methods, "pull": replace(methods["pull"], version=4)}
    assert semantic_hash(RECIPE, newer, PRINTS) != semantic_hash(RECIPE, methods, PRINTS)
    sources = [{**methods, "pull": replace(methods["pull"], source=source)} for source in ("", "one", "two")]
    assert len({semantic_hash(RECIPE, known, PRINTS) for known in sources}) == 3
    with pytest.raises(InputError, match="fingerprint"):
        semantic_hash(RECIPE, methods, {})


def test_hashes_do_not_change_between_releases(methods):
    """Caches and artifacts are kept under these: a change here must be meant."""
    assert textual_hash(RECIPE) == "sha256:db3ea710cf23c3304f1343d196e18bbf75688ef058fa4a6460d8ce554add7050"
    assert (
        semantic_hash(RECIPE, methods, PRINTS)
        == "sha256:43d4b06f678abc49c700d3de8149f0ebf4e894860f769bae14d24d13cfa57a70"
    )
