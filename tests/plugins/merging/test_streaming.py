"""Every method gives the same whether it streams from files in a small budget or works in memory."""

from __future__ import annotations

import gc

import pytest
import torch
from safetensors.torch import load_file, save_file

from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.execution.memory import materialise
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.extend.registry import Registry
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, StatisticNode, SumNode, Term
from solera.testing.conformance_methods import tiny_models
from solera.testing.conformance_statistics import tiny_statistic

METHODS = Registry.discover().methods


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for i, model in enumerate(tiny_models(4)):
        (root / f"m{i}").mkdir()
        whole = {name: tensor.contiguous() for name, tensor in model.items()} | {
            "long": torch.randn(300_000, generator=torch.Generator().manual_seed(i))
        }
        save_file(whole, root / f"m{i}" / "model.safetensors")
    return root


def _recipe(method, folders):
    """A recipe of one method, and its opened checkpoints and statistics."""
    count = min(method.max_inputs or 3, 3) + (method.base == "required")
    ids = [f"m{i}" for i in range(count)]
    base, inputs = (ids[0], ids[1:]) if method.base == "required" else ("", ids)
    nodes: list[Node] = [CheckpointNode(id_, str(folders / id_)) for id_ in ids]
    opened = {id_: open_checkpoint(folders / id_) for id_ in ids}
    needed = [f"s{i}" for i in range(len(inputs))] if method.needs else []
    shapes = {key: tuple(ref.shape) for key, ref in opened["m0"].items()}
    for i, (id_, model) in enumerate(zip(needed, inputs, strict=False)):
        nodes.append(StatisticNode(id_, "", model=model, statistic=method.needs, task="data"))
        opened[id_] = MemoryCheckpoint.from_state_dict(tiny_statistic(method.needs, shapes, i), id_)
    merged = MethodNode("merged", method.name, tuple(inputs), base, {}, statistics=tuple(needed))
    nodes.append(merged)
    if method.gives == "delta" and method.takes == "weights":
        nodes.append(SumNode("moved", (Term("m0", 1.0), Term("merged", 1.0))))
    return Recipe(tuple(nodes), nodes[-1].id), opened


@pytest.mark.parametrize("name", sorted(METHODS))
def test_streaming_is_in_memory(name, folders, tmp_path):
    method = METHODS[name]
    recipe, opened = _recipe(method, folders)
    held = materialise(recipe, opened, METHODS)
    # Pieces by three threads against whole tensors one after the other.
    small = plan(recipe, opened, METHODS, memory_budget=2**28, threads=3)
    execute(small, tmp_path / "out", QuietContext())
    stored = load_file(next((tmp_path / "out").glob("*.safetensors")))
    assert set(stored) == set(held)
    for key, tensor in held.items():
        if method.promise == "bytes":
            assert torch.equal(stored[key], tensor), key
        else:
            torch.testing.assert_close(stored[key], tensor, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(name for name, method in METHODS.items() if method.prepare))
def test_what_a_method_found_of_a_tensor_goes_with_it(name, folders, tmp_path):
    """Nothing hangs in a ring, where masks of all tensors would wait for somebody to look for rings."""
    recipe, opened = _recipe(METHODS[name], folders)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        execute(plan(recipe, opened, METHODS), tmp_path / "out", QuietContext())
        gc.collect()
        ours = (str(getattr(thing, "__module__", type(thing).__module__)) for thing in gc.garbage)
        assert not [module for module in ours if module.startswith("solera_plugins")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
