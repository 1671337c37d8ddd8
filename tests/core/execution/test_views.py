"""Stacks of layers and layouts of tokens in merges: the numbers of the parts they are made of, however computed."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import FaultsError, NumericError
from solera.events import Logged
from solera.execution.memory import Materialiser, materialise
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.models.layout import FlatLayout
from solera.recipes.yaml import parse_recipe
from solera.testing.tiny_llama import WORDS, write_tiny_llama

STACK = """
solera: 1
nodes:
  a: {checkpoint: a}
  b: {checkpoint: b}
  mix: {method: ties, base: a, inputs: [b], density: 0.5, scale: {curve: [0.5, 1.5]}}
  out: {stack: [{node: a, layers: [0, 2]}, {node: mix, layers: [1, 3]}, {node: b, layers: [0, 1]}]}
output: out
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    write_tiny_llama(folder / "a", 1)
    write_tiny_llama(folder / "b", 2, base=folder / "a")
    write_tiny_llama(folder / "half", 3, base=folder / "a", dtype="bfloat16")
    write_tiny_llama(folder / "tied", 4, tied=True)
    write_tiny_llama(folder / "wordy", 5, words=(*WORDS, "bodega"))
    return folder


def opened(text, folder, methods):
    recipe, faults = parse_recipe(text, methods)
    assert not faults, [str(fault) for fault in faults]
    return recipe, {node.id: open_checkpoint(folder / node.source) for node in recipe.checkpoints}


def test_a_stack_of_computed_weights_is_their_layers(folder, methods):
    recipe, checkpoints = opened(STACK, folder, methods)
    made = materialise(recipe, checkpoints, methods)
    mix = materialise(parse_recipe(STACK.replace("output: out", "output: mix"), methods)[0], checkpoints, methods)
    rest = "self_attn.q_proj.weight"
    assert torch.equal(made[f"model.layers.1.{rest}"], checkpoints["a"][f"model.layers.1.{rest}"].read())
    assert torch.equal(made[f"model.layers.2.{rest}"], mix[f"model.layers.1.{rest}"])
    assert torch.equal(made[f"model.layers.3.{rest}"], mix[f"model.layers.2.{rest}"])
    assert torch.equal(made[f"model.layers.4.{rest}"], checkpoints["b"][f"model.layers.0.{rest}"].read())
    assert torch.equal(made["lm_head.weight"], checkpoints["b"]["lm_head.weight"].read())
    assert not torch.equal(mix[f"model.layers.1.{rest}"], checkpoints["b"][f"model.layers.1.{rest}"].read())


@pytest.mark.parametrize(("budget", "threads"), [(10**9, 1), (10**9, 4), (200_000, 2)])
def test_bytes_do_not_depend_on_memory_and_threads(folder, methods, tmp_path, budget, threads):
    recipe, checkpoints = opened(STACK, folder, methods)
    made = plan(recipe, checkpoints, methods, memory_budget=budget, threads=threads)
    execute(made, tmp_path / "out", QuietContext())
    wanted = materialise(recipe, checkpoints, methods)
    numels = {name: tensor.numel() for name, tensor in wanted.items()}
    computed = sum(n for name, n in numels.items() if name.startswith(("model.layers.2.", "model.layers.3.")))
    assert made.reads == 4 * (sum(numels.values()) + computed)  # of both models there
    with open_checkpoint(tmp_path / "out") as result:
        assert result.config["num_hidden_layers"] == 5
        assert dict.fromkeys(wanted, True) == {name: torch.equal(result[name].read(), wanted[name]) for name in result}


def test_a_result_keeps_the_dtype_of_its_reference_or_takes_the_recipes(folder, methods):
    text = STACK.replace("checkpoint: a}", "checkpoint: half}")
    recipe, checkpoints = opened(text, folder, methods)
    made = materialise(recipe, checkpoints, methods)
    assert made["model.layers.2.mlp.up_proj.weight"].dtype == torch.bfloat16
    assert made["model.layers.4.mlp.up_proj.weight"].dtype == torch.float32
    exact = materialise(parse_recipe(text + "dtype: float32\n", methods)[0], checkpoints, methods)
    assert {tensor.dtype for tensor in exact.values()} == {torch.float32}
    name = "model.layers.2.mlp.up_proj.weight"
    assert torch.equal(exact[name].bfloat16(), made[name])
    assert not torch.equal(exact[name], made[name].float())


def test_methods_take_views_and_views_views(folder, methods):
    text = """
solera: 1
nodes:
  a: {checkpoint: a}
  b: {checkpoint: b}
  top: {stack: [{node: a, layers: [0, 1]}, {node: b, layers: [1, 3]}]}
  low: {stack: [{node: b, layers: [0, 2]}, {node: a, layers: [2, 3]}]}
  mean: {method: linear, inputs: [top, low]}
  twice: {stack: [{node: mean, layers: [0, 2]}, {node: top, layers: [0, 1]}]}
output: twice
"""
    recipe, checkpoints = opened(text, folder, methods)
    made = materialise(recipe, checkpoints, methods)
    a, b = (checkpoints[name]["model.layers.0.mlp.up_proj.weight"].read() for name in "ab")
    assert torch.equal(made["model.layers.0.mlp.up_proj.weight"], (a * 0.5 + b * 0.5))
    assert torch.equal(made["model.layers.2.mlp.up_proj.weight"], a)


def test_a_first_pass_below_a_stack(folder, methods):
    text = STACK.replace("scale: {curve: [0.5, 1.5]}", "scope: model")
    recipe, checkpoints = opened(text, folder, methods)
    made = materialise(recipe, checkpoints, methods)
    apart = parse_recipe(text.replace("output: out", "output: mix"), methods)[0]
    mix = materialise(apart, checkpoints, methods)
    name = "mlp.down_proj.weight"
    assert torch.equal(made[f"model.layers.2.{name}"], mix[f"model.layers.1.{name}"])
    assert plan(recipe, checkpoints, methods).kept == plan(apart, checkpoints, methods).kept > 0


@pytest.mark.parametrize(
    "node",
    [
        "{method: ties, base: a, inputs: [b], density: 0.5}",
        "{method: sce, base: a, inputs: [b, half], density: 0.5}",
        "{method: dare, base: a, inputs: [b], density: 0.5, rescale: l1}",
        "{method: slerp, inputs: [a, b], colinear: 0.5}",
        "{method: ties, base: a, inputs: [inner], density: 0.5}",
    ],
)
def test_what_a_whole_tensor_decides_is_known_to_its_parts(folder, methods, node):
    text = (
        "solera: 1\nnodes:\n  a: {checkpoint: a}\n  b: {checkpoint: b}\n  half: {checkpoint: half}\n"
        f"  inner: {{stack: [{{node: two, layers: [0, 3]}}]}}\n  two: {{method: slerp, inputs: [a, b]}}\n"
        f"  mix: {node}\n  out: {{stack: [{{node: mix, layers: [1, 3]}}]}}\noutput: out\n"
    )
    recipe, checkpoints = opened(text, folder, methods)
    mix = materialise(replace(recipe, output="mix"), checkpoints, methods)
    leaf = plan(recipe, checkpoints, methods).leaves["out"]
    ref = leaf["model.layers.0.mlp.up_proj.weight"]
    whole = mix["model.layers.1.mlp.up_proj.weight"].reshape(-1)
    step = ref.numel // 3 + 1
    with ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(lambda start: ref.read(start, min(start + step, ref.numel)), range(0, ref.numel, step)))
    assert torch.equal(torch.cat(parts), whole)
    assert leaf.gathered > 0
    assert plan(recipe, checkpoints, methods, threads=1).holds > leaf.gathered


def test_nan_below_a_stack_passes_where_it_may(folder, methods, tmp_path):
    text = STACK.replace(
        "ties, base: a, inputs: [b], density: 0.5, scale: {curve: [0.5, 1.5]}", "linear, inputs: [a, b]"
    )
    recipe, checkpoints = opened(text, folder, methods)
    name = "model.layers.1.mlp.up_proj.weight"
    state = {key: ref.read() for key, ref in checkpoints["b"].items()}
    state[name][0, 0] = float("nan")
    checkpoints["b"] = MemoryCheckpoint.from_state_dict(state, "b", checkpoints["b"].config)
    with pytest.raises(NumericError, match=name):
        execute(plan(recipe, checkpoints, methods), tmp_path / "out", QuietContext())
    context = QuietContext()
    execute(plan(recipe, checkpoints, methods), tmp_path / "out", context, allow_nonfinite=True)
    assert any(f"'{name}'" in event.text for event in context.events if isinstance(event, Logged))
    made = open_checkpoint(tmp_path / "out")["model.layers.2.mlp.up_proj.weight"].read()
    assert torch.isnan(made).nonzero().tolist() == [[0, 0]]


def test_repeated_layers_of_a_tied_model_are_written_each(folder, methods, tmp_path):
    text = "solera: 1\nnodes:\n  t: {checkpoint: tied}\n  out: {stack: [%s]}\noutput: out\n"
    text %= "{node: t, layers: [0, 3]}, {node: t, layers: [1, 3]}"
    recipe, checkpoints = opened(text, folder, methods)
    execute(plan(recipe, checkpoints, methods), tmp_path / "out", QuietContext())
    transformers = pytest.importorskip("transformers")
    network = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert (network.config.num_hidden_layers, len(network.model.layers)) == (5, 5)
    assert network.lm_head.weight.data_ptr() == network.model.embed_tokens.weight.data_ptr()
    assert torch.equal(network.model.layers[3].mlp.up_proj.weight, network.model.layers[1].mlp.up_proj.weight)


def test_tokens_are_laid_out_before_a_merge_and_written_with_their_tokenizer(folder, methods, tmp_path):
    text = """
solera: 1
nodes:
  a: {checkpoint: a}
  w: {checkpoint: wordy}
  at: {tokens: a, vocabulary: union, among: [a, w]}
  wt: {tokens: w, vocabulary: union, among: [a, w]}
  out: {method: linear, inputs: [at, wt], weight: [0.25, 0.75]}
output: out
"""
    recipe, checkpoints = opened(text, folder, methods)
    execute(plan(recipe, checkpoints, methods), tmp_path / "out", QuietContext())
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    network = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    (number,) = tokenizer("bodega")["input_ids"]
    row = network.get_input_embeddings().weight[number]
    assert torch.allclose(row, checkpoints["w"]["model.embed_tokens.weight"].read()[12], atol=1e-7)
    assert network.config.vocab_size == len(tokenizer) == 13


def test_a_changed_tokenizer_is_another_merge(folder, methods, tmp_path):
    from solera.execution.identity import plan_key

    shutil.copytree(folder / "wordy", tmp_path / "wordy")
    text = "solera: 1\nnodes:\n  w: {checkpoint: wordy}\n  out: {tokens: w, vocabulary: w}\noutput: out\n"
    recipe, checkpoints = opened(text, tmp_path, methods)
    before = plan_key(plan(recipe, checkpoints, methods), [], "cpu")
    file = tmp_path / "wordy" / "tokenizer.json"
    file.write_text(file.read_text().replace("bodega", "solera"))
    assert plan_key(plan(recipe, checkpoints, methods), [], "cpu") != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[1, 3]}, {node: b", "[1, 4]}, {node: b", "nodes.out: Layers 1 to 3 of"),
        ("{node: b, layers: [0, 1]}", "{node: b, layers: [0, 1]}, a", "At most one part"),
        ("stack: [{node: a, layers: [0, 2]}", "stack: [{node: c, layers: [0, 2]}", "no node 'c'"),
        ("b: {checkpoint: b}", "b: {checkpoint: wordy}", "of 2 tensors differ"),
        ("  out: ", "  d: {sum: [b, {times: -1, node: a}]}\n  x: {stack: [d]}\n  out: ", "nodes.x: 'd' is a delta"),
    ],
)
def test_faults_of_views(folder, methods, old, new, said):
    recipe, faults = parse_recipe(STACK.replace(old, new), methods)
    messages = [str(fault) for fault in faults]
    if not faults:
        checkpoints = {node.id: open_checkpoint(folder / node.source) for node in recipe.checkpoints}
        with pytest.raises(FaultsError) as error:
            plan(recipe, checkpoints, methods)
        messages = [str(fault) for fault in error.value.faults]
    assert any(said in message for message in messages), messages


def test_a_variable_below_a_stack_needs_a_value(folder, methods):
    text = STACK.replace("density: 0.5", "density: {var: d, low: 0, high: 1}")
    recipe, checkpoints = opened(text, folder, methods)
    made = materialise(recipe, checkpoints, methods, {"d": 0.5})
    wanted = materialise(parse_recipe(STACK, methods)[0], checkpoints, methods)
    assert all(torch.equal(made[name], wanted[name]) for name in wanted)
    names, shapes = tuple(wanted), tuple(tuple(tensor.shape) for tensor in wanted.values())
    layout = FlatLayout(names, shapes, tuple(range(len(names))), 10**6)
    with pytest.raises(FaultsError, match="below a stack"):
        Materialiser(recipe, checkpoints, methods, layout)
