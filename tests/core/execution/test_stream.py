"""From a recipe to a folder: the right numbers, the same bytes, nothing left behind."""

from __future__ import annotations

import dataclasses
import errno
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import Cancelled, CapacityError, FaultsError, InputError, NumericError, OutputError
from solera.execution.memory import materialise
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.execution.writer import write_checkpoint
from solera.params import Curve, Rules, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, Term
from solera.recipes.yaml import load_recipe

RECIPES: dict[str, tuple[Node, ...]] = {
    "sum": (SumNode("d", (Term("math"), Term("base", -1.0))), SumNode("o", (Term("base"), Term("d", 0.7)))),
    "linear": (MethodNode("o", "linear", ("base", "math", "code")),),
    "arithmetic": (MethodNode("o", "task_arithmetic", ("math", "code"), "base", {"scale": 0.4}),),
    "ties": (MethodNode("o", "ties", ("math", "code"), "base", {"density": 0.3}),),
    "ties-model": (MethodNode("o", "ties", ("math", "code"), "base", {"density": 0.3, "scope": "model"}),),
    "slerp": (MethodNode("o", "slerp", ("base", "math"), params={"t": Curve((0.1, 0.9))}),),
    "nested": (
        MethodNode("t", "ties", ("math", "code"), "base", {"density": 0.3, "scope": "model"}),
        MethodNode("u", "ties", ("t", "code"), "base", {"scope": "model", "scale": Rules((("*embed*", 0.0),), 2.0)}),
        MethodNode("o", "slerp", ("u", "code")),
    ),
}


def made_bytes(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def tensors_of(folder):
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found


def equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and bytes(a.reshape(-1).view(torch.uint8).numpy()) == bytes(
        b.reshape(-1).view(torch.uint8).numpy()
    )  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_bytes_whatever_the_budget_threads_and_road(name, opened, leaves, methods, tmp_path, monkeypatch):
    recipe = Recipe((*leaves, *RECIPES[name]), "o", name=name)
    first = plan(recipe, opened, methods)
    results = []
    for i, (budget, threads, chunk) in enumerate([(2**32, 1, 2**18), (max(first.holds, 2**20), 4, 2**10)]):
        monkeypatch.setattr("solera.execution.plan.CHUNK", chunk)
        monkeypatch.setattr("solera.execution.plan._LEAST_CHUNK", min(chunk, 2**12))
        torch.set_num_threads(1 + i)
        folder = execute(
            plan(recipe, opened, methods, memory_budget=budget, threads=threads), tmp_path / "made" / str(i) / "out",
            QuietContext(),
        )  # fmt: skip
        results.append(made_bytes(folder))
    torch.set_num_threads(1)
    assert results[0] == results[1]
    assert set(results[0]) == {"model.safetensors", "config.json", "README.md", "tokenizer.json"}
    stored, held = tensors_of(folder), materialise(recipe, opened, methods)
    assert set(stored) == set(held)
    assert all(equal(stored[key], held[key]) for key in stored)


def test_numbers_are_right(opened, leaves, methods, tmp_path):
    """Slow twin: plain torch in float32 on the loaded files."""
    recipe = Recipe((*leaves, *RECIPES["arithmetic"]), "o")
    folder = execute(plan(recipe, opened, methods), tmp_path / "out", QuietContext())
    base, math, code = ({name: ref.read() for name, ref in opened[key].items()} for key in ("base", "math", "code"))
    for name, tensor in tensors_of(folder).items():
        if not tensor.is_floating_point():
            assert torch.equal(tensor, base[name])
            continue
        change = (math[name].float() - base[name]) + (code[name].float() - base[name])
        torch.testing.assert_close(tensor, base[name] + 0.4 * change)


def test_dtypes_shards_ties_and_companions(opened, leaves, methods, tmp_path):
    recipe = Recipe((*leaves, *RECIPES["linear"]), "o")
    cost = plan(recipe, opened, methods, dtype="bfloat16")
    folder = execute(cost, tmp_path / "out", QuietContext(), shard_bytes=5000)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 2
    assert index["metadata"]["total_size"] == cost.writes
    tensors = tensors_of(folder)
    assert set(index["weight_map"]) == set(tensors)
    assert tensors["model.layers.0.w"].dtype == torch.bfloat16
    assert tensors["position_ids"].dtype == torch.int64
    assert json.loads((folder / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert (folder / "tokenizer.json").exists()
    assert not (folder / "modeling_toy.py").exists()
    reopened = open_checkpoint(folder)
    assert reopened["model.layers.1.w"].shape == (33, 65)
    card = (folder / "README.md").read_text()
    assert "sha256-tree:" in card
    assert str(tmp_path) not in card
    assert str(opened["base"].path) not in card
    summary = cost.summary()
    assert set(summary["copied"]) == {"position_ids", "model.layers.0.num_batches_tracked"}
    assert summary["cast"] == summary["computed"] == 6
    assert json.dumps(summary)


def test_tied_tensors_are_written_once_and_noted(methods, tmp_path, toy_state, leaves):
    memory = {name: MemoryCheckpoint.from_state_dict(toy_state(i), name) for i, name in enumerate(("base", "math"))}
    recipe = Recipe((*leaves[:2], SumNode("o", (Term("base", 0.5), Term("math", 0.5)))), "o")
    cost = plan(recipe, memory, methods)
    assert cost.summary()["tied"] == {"head.weight": "model.embed.weight"}
    folder = execute(cost, tmp_path / "out", QuietContext())
    assert set(tensors_of(folder)) == set(memory["base"]) - {"head.weight"}
    assert open_checkpoint(folder).metadata["head.weight"] == "model.embed.weight"
    held = materialise(recipe, memory, methods)
    assert held["head.weight"] is held["model.embed.weight"]
    again = plan(recipe, {"base": open_checkpoint(folder), "math": memory["math"]}, methods)
    noted = dict(open_checkpoint(execute(again, tmp_path / "two", QuietContext())).metadata)
    assert noted.pop("solera.recipe").count("sha256-tree:") == 2
    assert noted == {"format": "pt", "head.weight": "model.embed.weight"}


def test_tensors_that_only_some_models_tie_are_kept_apart(methods, tmp_path, toy_state, leaves):
    apart = toy_state(1)
    apart["head.weight"] = apart["head.weight"] + 1
    memory = {
        "base": MemoryCheckpoint.from_state_dict(toy_state(0), "base"),
        "math": MemoryCheckpoint.from_state_dict(apart, "math"),
    }
    recipe = Recipe((*leaves[:2], SumNode("o", (Term("base", 0.5), Term("math", 0.5)))), "o")
    made = tensors_of(execute(plan(recipe, memory, methods), tmp_path / "out", QuietContext()))
    torch.testing.assert_close(made["head.weight"], made["model.embed.weight"] + 0.5)


def test_variables_take_numbers_or_their_start(opened, leaves, methods, tmp_path):
    node = MethodNode("o", "task_arithmetic", ("math",), "base", {"scale": Var("s", 0, 1, init=0.25)})
    recipe = Recipe((*leaves, node), "o")
    quarter = materialise(recipe, opened, methods)
    assert equal(quarter["model.layers.0.w"], materialise(recipe, opened, methods, {"s": 0.25})["model.layers.0.w"])
    assert not equal(quarter["model.layers.0.w"], materialise(recipe, opened, methods, {"s": 1.0})["model.layers.0.w"])
    with pytest.raises(InputError, match="no variable 'q'"):
        plan(recipe, opened, methods, numbers={"q": 1.0})
    free = Recipe((*leaves, MethodNode("o", "task_arithmetic", ("math",), "base", {"scale": Var("s")})), "o")
    with pytest.raises(InputError, match="--set s="):
        plan(free, opened, methods)


def test_progress_is_in_bytes_and_reaches_the_end(opened, leaves, methods, tmp_path, stopping):
    cost = plan(Recipe((*leaves, *RECIPES["linear"]), "o"), opened, methods)
    context = stopping()
    execute(cost, tmp_path / "out", context, fingerprints={"base": "x", "math": "y", "code": "z"})
    done = [entry for entry in context.seen if entry[2] == "B"]
    assert max(entry[0] for entry in done) == cost.writes
    assert {entry[1] for entry in done} == {cost.writes}


@pytest.mark.parametrize("after", [0, 1, 5, 12])
def test_a_cancel_leaves_nothing(after, opened, leaves, methods, tmp_path, stopping):
    cost = plan(Recipe((*leaves, *RECIPES["ties-model"]), "o"), opened, methods)
    with pytest.raises(Cancelled):
        execute(cost, tmp_path / "out", stopping(after))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_sentence_and_leaves_nothing(opened, leaves, methods, tmp_path, monkeypatch):
    cost = plan(Recipe((*leaves, *RECIPES["linear"]), "o"), opened, methods)
    written, real = [], os.pwrite

    def full(file, data, offset):
        written.append(len(data))
        if len(written) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError, match="disk is full"):
        execute(cost, tmp_path / "out", QuietContext())
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_told_before_anything_is_read(opened, leaves, methods, tmp_path, monkeypatch):
    cost = plan(Recipe((*leaves, *RECIPES["linear"]), "o"), opened, methods)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(OutputError, match="GB free"):
        execute(cost, tmp_path / "out", QuietContext())


def test_results_are_not_overwritten_unasked_and_inputs_never(opened, leaves, methods, tmp_path, models):
    cost = plan(Recipe((*leaves, *RECIPES["linear"]), "o"), opened, methods)
    execute(cost, tmp_path / "out", QuietContext())
    before = made_bytes(tmp_path / "out")
    with pytest.raises(OutputError, match="--force"):
        execute(cost, tmp_path / "out", QuietContext())
    other = plan(Recipe((*leaves, *RECIPES["slerp"]), "o"), opened, methods)
    execute(other, tmp_path / "out", QuietContext(), force=True)
    assert made_bytes(tmp_path / "out") != before
    with pytest.raises(OutputError, match="one of the inputs"):
        execute(cost, models / "math", QuietContext(), force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("way", ["a file in it", "a link to its file"])
def test_a_folder_that_holds_an_input_is_not_replaced(way, methods, tmp_path, toy_state):
    held = write_checkpoint(toy_state(1), tmp_path / "held") / "model.safetensors"
    before = held.read_bytes()
    source = held
    if way == "a link to its file":
        (tmp_path / "linked").mkdir()
        source = tmp_path / "linked" / held.name
        source.symlink_to(held)
    cost = plan(Recipe((CheckpointNode("a", "a"),), "a"), {"a": open_checkpoint(source)}, methods)
    with pytest.raises(OutputError, match="holds one of the inputs"):
        execute(cost, held.parent, QuietContext(), force=True)
    assert held.read_bytes() == before


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_weights_are_named(bad, opened, leaves, methods, tmp_path, toy_state):
    sick = toy_state(5)
    sick["model.layers.1.w"][3, 4] = bad
    opened = {**opened, "math": MemoryCheckpoint.from_state_dict(sick, "sick")}
    for name in ("linear", "ties-model"):
        cost = plan(Recipe((*leaves, *RECIPES[name]), "o"), opened, methods)
        with pytest.raises(NumericError, match=r"'model\.layers\.1\.w'.*sick"):
            execute(cost, tmp_path / "out", QuietContext())
    assert list(tmp_path.iterdir()) == []


def test_an_overflow_of_the_cast_names_the_tensor(methods, tmp_path, toy_state, leaves):
    big = {
        name: MemoryCheckpoint.from_state_dict(toy_state(i, scale=1e5), name) for i, name in enumerate(("base", "math"))
    }
    node = SumNode("o", (Term("base", 0.5), Term("math", 0.5)))
    cost = plan(Recipe((*leaves[:2], node), "o"), big, methods, dtype="float16")
    with pytest.raises(NumericError, match="do not fit float16"):
        execute(cost, tmp_path / "out", QuietContext())


def test_an_overflow_of_the_arithmetic_does_not_blame_an_input(methods, tmp_path, toy_state, leaves):
    big = {
        name: MemoryCheckpoint.from_state_dict(toy_state(i, scale=7e37), name)
        for i, name in enumerate(("base", "math"))
    }
    node = SumNode("o", (Term("base", 100.0), Term("math", -99.0)))
    cost = plan(Recipe((*leaves[:2], node), "o"), big, methods)
    with pytest.raises(NumericError, match=r"^The result overflows in '[\w.]+': .* elements do not fit float32"):
        execute(cost, tmp_path / "out", QuietContext())
    assert list(tmp_path.iterdir()) == []


def test_models_that_do_not_fit_are_refused_with_names_and_shapes(methods, opened, leaves, toy_state):
    other = toy_state(1)
    other["model.layers.1.w"] = torch.zeros(65, 33)
    del other["model.layers.0.w"]
    wrong = {**opened, "math": MemoryCheckpoint.from_state_dict(other, "wrong")}
    with pytest.raises(FaultsError) as caught:
        plan(Recipe((*leaves, *RECIPES["linear"]), "o"), wrong, methods)
    assert "model.layers.0.w" in str(caught.value)
    assert "[65, 33]" in str(caught.value)


def test_a_budget_that_is_too_small_is_refused_with_numbers(methods, opened, leaves):
    whole = MethodNode("o", "tsv_m", ("math", "code"), "base")
    with pytest.raises(CapacityError, match=r"needs .* MiB of memory .*'model.embed.weight'") as caught:
        plan(Recipe((*leaves, whole), "o"), opened, methods, memory_budget=10_000)
    assert caught.value.fields["needed"] > 10_000
    with pytest.raises(CapacityError):
        plan(Recipe((*leaves, *RECIPES["linear"]), "o"), opened, methods, memory_budget=10_000)


def test_a_checkpoint_alone_is_a_recipe(opened, leaves, methods, tmp_path):
    recipe = Recipe(leaves, "code", "float32")
    folder = execute(plan(recipe, opened, methods), tmp_path / "copy", QuietContext())
    again, held = tensors_of(folder), materialise(recipe, opened, methods)
    for name, tensor in again.items():
        assert torch.equal(tensor, opened["code"][name].read().to(tensor.dtype))
        assert torch.equal(tensor, held[name])


def test_views_are_undone_in_the_result(methods, tmp_path, toy_state):
    wrapped = {f"module.{name}": tensor for name, tensor in toy_state(0).items()}
    write_checkpoint(wrapped, tmp_path / "wrapped")
    write_checkpoint(toy_state(1), tmp_path / "plain")
    opened = {
        "a": open_checkpoint(tmp_path / "wrapped", strip="module."), "b": open_checkpoint(tmp_path / "plain"),
    }  # fmt: skip
    nodes = (CheckpointNode("a", "x", strip="module."), CheckpointNode("b", "y"))
    recipe = Recipe((*nodes, SumNode("o", (Term("a", 0.5), Term("b", 0.5)))), "o")
    folder = execute(plan(recipe, opened, methods), tmp_path / "out", QuietContext())
    assert all(name.startswith("module.") for name in tensors_of(folder))


FULL_DISK = """
import resource, sys
from pathlib import Path
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import OutputError
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.recipes.nodes import CheckpointNode, Recipe
base = open_checkpoint(sys.argv[1])
cost = plan(Recipe((CheckpointNode("base", "base"),), "base", "float32"), {"base": base}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    execute(cost, Path(sys.argv[2]), QuietContext())
except OutputError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_leaves_nothing(models, tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(models / "base"), str(tmp_path / "out")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "may not grow so large" in said
    assert str(tmp_path) in said
    assert list(tmp_path.iterdir()) == []


MEASURE = """
import sys, threading
from pathlib import Path
import torch
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.extend.registry import Registry
from solera.kernels.library import loop
from solera.recipes.yaml import load_recipe

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

torch.set_num_threads(1)
folder, recipe, budget, methods = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Registry.discover().methods
opened = {name: open_checkpoint(folder / name) for name in "abc"}
cost = plan(load_recipe(recipe, methods), opened, methods, memory_budget=budget, threads=2)
methods["ties"], methods["linear"], loop("play"), loop("sieve")  # what is imported later is no part of the merge
stop, most, before = threading.Event(), [0], resident()
def watch():
    while not stop.wait(0.002):
        most[0] = max(most[0], resident())
watching = threading.Thread(target=watch)
watching.start()
execute(cost, folder / "out", QuietContext(), force=True, fingerprints=dict.fromkeys(opened, "sha256:0"))
stop.set()
watching.join()
print(most[0] - before, cost.holds, cost.reads)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured where /proc is")
def test_memory_stays_within_the_budget(tmp_path):
    for i, name in enumerate("abc"):
        generator = torch.Generator().manual_seed(i)
        tensors = {f"layers.{j}.w": torch.randn(2_500_000, generator=generator) for j in range(6)}
        write_checkpoint(tensors, tmp_path / name)
    nodes = "".join(f"  {name}: {{checkpoint: {name}}}\n" for name in "abc")
    for node, budget in (
        ("{method: linear, inputs: [a, b, c]}", 24 << 20),
        ("{method: ties, base: a, inputs: [b, c]}", 300 << 20),
    ):
        recipe = f"solera: 1\nnodes:\n{nodes}  o: {node}\noutput: o\n"
        command = [sys.executable, "-c", MEASURE, str(tmp_path), recipe, str(budget)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
        grown, holds, reads = map(int, said.split())
        assert holds <= budget
        assert grown <= budget + (12 << 20), "code, threads and the measurement itself take a little"
        assert reads == 3 * 6 * 2_500_000 * 4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured where /proc is")
def test_what_a_first_pass_over_the_model_gathers_is_in_the_plan(methods, tmp_path):
    for i, name in enumerate("abcde"):
        generator = torch.Generator().manual_seed(i)
        write_checkpoint(
            {f"layers.{j}.w": torch.randn(1_000_000, generator=generator) for j in range(2)}, tmp_path / name
        )
    nodes = "".join(f"  {name}: {{checkpoint: {name}}}\n" for name in "abcde")
    node = "{method: ties, base: a, inputs: [b, c, d, e], scope: model}"
    recipe = f"solera: 1\nnodes:\n{nodes}  o: {node}\noutput: o\n"
    opened = {name: open_checkpoint(tmp_path / name) for name in "abcde"}
    with pytest.raises(CapacityError, match=r"needs .* MiB of memory") as caught:
        plan(load_recipe(recipe, methods), opened, methods, memory_budget=40 << 20, threads=2)
    assert caught.value.fields["needed"] > 40 << 20
    command = [sys.executable, "-c", MEASURE.replace('"abc"', '"abcde"'), str(tmp_path), recipe]
    command.append(str(caught.value.fields["needed"]))
    grown, holds, _ = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert holds <= caught.value.fields["needed"]
    assert grown <= holds + (12 << 20), "code, threads and the measurement itself take a little"


def test_what_is_written_twice_is_read_and_computed_once(opened, models, methods, tmp_path, monkeypatch):
    """A chain of methods, the same checkpoint under two names: no intermediate on disk, no work twice."""
    calls = []
    ties = methods["ties"]

    def counted(tensors, **params):
        calls.append(params["piece"].name if "piece" in params else "")
        return ties.function(tensors, **params)

    spec = dataclasses.replace(ties, function=functools.wraps(ties.function)(counted), tape=None)
    known = {**methods, "ties": spec}
    paths = {name: str(models / name) for name in ("base", "math", "code")}
    twice: tuple[Node, ...] = (
        *(CheckpointNode(name, path) for name, path in paths.items()),
        CheckpointNode("same", paths["math"]),
        MethodNode("t", "ties", ("math", "code"), "base", {"density": 0.3}),
        MethodNode("u", "ties", ("same", "code"), "base", {"density": 0.3}),
        MethodNode("o", "slerp", ("t", "code")),
        SumNode("p", (Term("o", 0.5), Term("u", 0.5))),
    )
    once = (*twice[:3], twice[4], twice[6], SumNode("p", (Term("o", 0.5), Term("t", 0.5))))
    checkpoints = {**opened, "same": opened["math"]}
    cost = plan(Recipe(twice, "p"), checkpoints, known)
    plain = plan(Recipe(once, "p"), opened, known)
    assert (cost.reads, cost.holds) == (plain.reads, plain.holds)
    first = execute(cost, tmp_path / "twice", QuietContext())
    count = len(calls)
    second = execute(plain, tmp_path / "once", QuietContext())
    assert count == len(calls) - count > 0
    assert load_file(first / "model.safetensors").keys() == load_file(second / "model.safetensors").keys()
    for name, tensor in load_file(first / "model.safetensors").items():
        assert torch.equal(tensor, load_file(second / "model.safetensors")[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["once", "twice"]
