"""Adapters in recipes: a node of its own, a delta, from reading to the merged weights."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from solera.checkpoints.adapters.opening import open_delta
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import FaultsError, NumericError
from solera.execution.memory import Materialiser, materialise
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.models.layout import FlatLayout
from solera.recipes import algebra
from solera.recipes.checks import check
from solera.recipes.export import as_python
from solera.recipes.hashes import semantic_hash
from solera.recipes.nodes import AdapterNode, CheckpointNode, Recipe, SumNode, Term
from solera.recipes.order import reference
from solera.recipes.types import infer_types
from solera.recipes.yaml import dump_recipe, load_recipe, parse_recipe

TEXT = """solera: 1
nodes:
  base: {checkpoint: base}
  lora: {adapter: lora, base: base, note: learnt on prose}
  merged: {sum: [{node: base}, {times: 0.5, node: lora}]}
output: merged
"""


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(300, 200), "b.weight": torch.randn(40, 300), "b.bias": torch.randn(40)}
    (tmp_path / "base").mkdir()
    save_file({name: tensor.bfloat16() for name, tensor in state.items()}, tmp_path / "base/model.safetensors")
    (tmp_path / "lora").mkdir()
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "base", "target_modules": ["a"]}
    (tmp_path / "lora/adapter_config.json").write_text(json.dumps(config))
    factors = {"a.lora_A.weight": torch.randn(4, 200), "a.lora_B.weight": torch.randn(300, 4)}
    save_file({f"base_model.model.{n}": t for n, t in factors.items()}, tmp_path / "lora/adapter_model.safetensors")
    return tmp_path


def opened(folder):
    base = open_checkpoint(folder / "base")
    return {"base": base, "lora": open_delta(base, folder / "lora")}


def test_it_is_read_and_written_and_is_a_delta():
    recipe = load_recipe(TEXT, {})
    assert dump_recipe(recipe) == TEXT
    assert recipe.node("lora") == AdapterNode("lora", "lora", note="learnt on prose", base="base")
    assert infer_types(recipe, {}) == {"base": "weights", "lora": "delta", "merged": "weights"}
    assert reference(Recipe((*recipe.nodes,), "lora")) == "base"
    assert "solera.open('lora', base=base)" in as_python(recipe)


def test_the_merge_is_the_base_and_half_the_change(folder):
    recipe, checkpoints = load_recipe(TEXT, {}), opened(folder)
    made = materialise(recipe, checkpoints, {})
    want = checkpoints["base"]["a.weight"].read().float() + 0.5 * checkpoints["lora"]["a.weight"].read()
    assert torch.equal(made["a.weight"], want.bfloat16())
    assert torch.equal(made["b.bias"], checkpoints["base"]["b.bias"].read())
    files = set()
    for i, budget in enumerate((1 << 30, 1 << 20)):
        planned = plan(recipe, checkpoints, {}, memory_budget=budget)
        out = execute(planned, folder / f"out{i}", QuietContext())
        files.add((out / "model.safetensors").read_bytes())
        written = open_checkpoint(out)
        assert all(torch.equal(written[name].read(), tensor) for name, tensor in made.items())
    assert len(files) == 1
    assert "adapter: lora" in (out / "README.md").read_text()


def test_a_base_that_is_only_named_is_not_read(folder, monkeypatch):
    """What the sum does not take is no step: the adapter's base only says what the adapter fits."""
    checkpoints = opened(folder)
    other = open_checkpoint(folder / "base")
    nodes = (
        CheckpointNode("other", "o"), CheckpointNode("base", "b"), AdapterNode("lora", "l", base="base"),
        SumNode("merged", (Term("other"), Term("lora"))),
    )  # fmt: skip
    planned = plan(Recipe(nodes, "merged"), {**checkpoints, "other": other}, {})
    assert [step.id for step in planned.program.steps] == ["other", "lora", "merged"]


def test_the_meaning_is_of_adapter_and_base():
    recipe = load_recipe(TEXT, {})
    known = {"base": "1", "lora": "2"}
    first = semantic_hash(recipe, {}, known)
    assert first == semantic_hash(load_recipe(TEXT.replace("learnt on prose", "x"), {}), {}, known)
    assert len({first, *(semantic_hash(recipe, {}, {**known, id_: "3"}) for id_ in known)}) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("adapter: lora, base: base", "adapter: lora", "connected to none"),
        ("adapter: lora, base: base", "adapter: '', base: base", "names no adapter"),
        ("adapter: lora, base: base", "adapter: lora, base: nobody", "no node 'nobody'"),
        ("adapter: lora, base: base", "adapter: lora, checkpoint: base", "has 'checkpoint' and 'adapter'"),
        ("adapter: lora, base: base", "adapter: lora, base: base, scale: 2", "'scale' is not known"),
        ("base: base, note", "base: merged, note", "circle"),
        ("output: merged", "output: lora", "is a delta, not weights"),
    ],
)
def test_faults(old, new, says):
    assert old in TEXT
    _, faults = parse_recipe(TEXT.replace(old, new), {})
    assert any(says in fault.message for fault in faults), faults


def test_the_base_is_a_checkpoint():
    nodes = (
        CheckpointNode("a", "a"), CheckpointNode("b", "b"), SumNode("mean", (Term("a", 0.5), Term("b", 0.5))),
        AdapterNode("lora", "l", base="mean"), SumNode("out", (Term("mean"), Term("lora"))),
    )  # fmt: skip
    (fault,) = check(Recipe(nodes, "out"), {})
    assert fault.code == "recipe.adapter-base"
    assert "computed" in fault.message


def test_adapters_on_one_base_share_it():
    base = algebra.leaf("base", "base")
    both = algebra.add(algebra.add(base, algebra.adapter("one", base)), algebra.adapter("two", base))
    assert [node.id for node in both.nodes] == ["base", "one", "sum", "two", "sum_2"]
    assert {node.base for node in both.nodes if isinstance(node, AdapterNode)} == {"base"}
    assert algebra.kinds(both)["one"] == "delta"


def test_an_adapter_where_a_model_is_wanted(folder):
    recipe = Recipe(
        (
            CheckpointNode("base", "b"),
            CheckpointNode("lora", "l"),
            SumNode("s", (Term("base", 0.5), Term("lora", 0.5))),
        ),
        "s",
    )
    checkpoints = {"base": open_checkpoint(folder / "base"), "lora": open_checkpoint(folder / "lora")}
    with pytest.raises(FaultsError, match="names of tensors differ") as caught:
        plan(recipe, checkpoints, {})
    assert any("is an adapter" in remedy for fault in caught.value.faults for remedy in fault.remedies)


def test_a_variable_scales_it_in_a_family_as_in_a_merge(folder):
    recipe = load_recipe(TEXT.replace("times: 0.5", "times: {var: t, low: 0, high: 1}"), {})
    checkpoints = opened(folder)
    names = ("a.weight", "b.weight", "b.bias")
    shapes = tuple(checkpoints["base"][name].shape for name in names)
    sizes = [checkpoints["base"][name].numel for name in names]
    layout = FlatLayout(names, shapes, (0, sizes[0], sizes[0] + sizes[1]), sum(sizes))
    family = Materialiser(recipe, checkpoints, {}, layout)
    out = torch.empty(layout.numel)
    for t in (0.0, 0.25, 1.0):
        family.at({"t": t}, out)
        made = materialise(recipe, checkpoints, {}, {"t": t})
        assert torch.equal(out, torch.cat([made[name].float().reshape(-1) for name in names]))
    assert family.affine


def test_a_plan_counts_what_is_read_of_files(folder):
    checkpoints = opened(folder)
    base = sum(ref.nbytes for ref in checkpoints["base"].values())
    factors = 4 * 4 * (200 + 300)
    assert plan(load_recipe(TEXT, {}), checkpoints, {}).reads == base + factors


def test_a_plan_counts_the_factors_that_are_kept(folder):
    factors = 4 * 4 * (200 + 300)
    recipe, checkpoints = load_recipe(TEXT, {}), opened(folder)
    assert checkpoints["lora"].kept == factors
    cost = plan(recipe, checkpoints, {}, threads=1)
    assert cost.kept == factors
    assert cost.holds == factors + cost.piece_bytes(60_000)


def test_an_adapter_that_is_not_finite_is_named(folder):
    factors = {"a.lora_A.weight": torch.full((4, 200), torch.nan), "a.lora_B.weight": torch.ones(300, 4)}
    save_file({f"base_model.model.{n}": t for n, t in factors.items()}, folder / "lora/adapter_model.safetensors")
    planned = plan(load_recipe(TEXT, {}), opened(folder), {})
    with pytest.raises(NumericError, match=r"'a\.weight'.*lora"):
        execute(planned, folder / "out", QuietContext())
    assert not (folder / "out").exists()
