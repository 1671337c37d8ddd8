"""The bytes of a result do not depend on the order in which tensors lie in files or are worked on."""

from __future__ import annotations

import json
import random

import pytest
import torch
from safetensors import safe_open

from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.execution.card import RECIPE_KEY
from solera.execution.plan import plan
from solera.execution.stream import _Executor, execute
from solera.execution.writer import FILE_DTYPES
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.recipes.yaml import parse_recipe
from solera.tensors.dtypes import dtype_name

PAIR = ("math", "code")
NODES = {
    "linear": MethodNode("o", "linear", ("base", *PAIR)),
    "ties-model": MethodNode("o", "ties", PAIR, "base", {"density": 0.3, "scope": "model"}),
    "dare": MethodNode("o", "dare", PAIR, "base", {"density": 0.4}),
    "sce": MethodNode("o", "sce", PAIR, "base"),
    "slerp": MethodNode("o", "slerp", PAIR),
}


def shuffled(folder, state, seed):
    """A checkpoint whose tensors lie, and stand in its header, in an order of their own."""
    folder.mkdir(parents=True)
    names = list(state)
    random.Random(seed).shuffle(names)
    header, data = {}, b""
    for name in names:
        flat = bytes(state[name].reshape(-1).view(torch.uint8).numpy()) if state[name].numel() else b""
        dtype = FILE_DTYPES[dtype_name(state[name].dtype)]
        header[name] = {
            "dtype": dtype, "shape": list(state[name].shape), "data_offsets": [len(data), len(data) + len(flat)],
        }  # fmt: skip
        data += flat
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    (folder / "config.json").write_text("{}")


@pytest.mark.parametrize("name", NODES)
def test_the_order_of_tensors_in_the_files_and_in_the_work(name, toy_state, methods, tmp_path, monkeypatch):
    made = []
    for seed in (1, 2):
        root = tmp_path / str(seed)
        for i, model in enumerate(("base", *PAIR)):
            state = {key: value for key, value in toy_state(i).items() if key != "head.weight"}
            shuffled(root / model, state, seed + i)
        nodes = [CheckpointNode(model, str(root / model)) for model in ("base", *PAIR)]
        opened = {node.id: open_checkpoint(node.source) for node in nodes}
        if seed == 2:
            items = _Executor._items
            monkeypatch.setattr(_Executor, "_items", lambda self: reversed(list(items(self))))
        cost = plan(Recipe((*nodes, NODES[name]), "o"), opened, methods, threads=seed)
        made.append(execute(cost, root / "out", QuietContext()))
    assert list(open_checkpoint(tmp_path / "1" / "base")) != list(open_checkpoint(tmp_path / "2" / "base"))
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in made)
    assert first == second


def test_the_files_of_a_result_carry_its_recipe(opened, leaves, methods, tmp_path):
    recipe = Recipe((*leaves, NODES["ties-model"]), "o", name="blend")
    out = execute(plan(recipe, opened, methods), tmp_path / "out", QuietContext(), shard_bytes=9000)
    files = sorted(out.glob("*.safetensors"))
    assert len(files) > 1
    for file in files:
        with safe_open(file, "pt") as read:
            text = read.metadata()[RECIPE_KEY]
        assert str(tmp_path) not in text
        said, faults = parse_recipe(text, methods)
        assert not faults
        assert said.node("o") == recipe.node("o")
        assert [node.source for node in said.checkpoints] == ["base", "math", "code"]
        assert all(node.fingerprint.startswith("sha256-tree:") for node in said.checkpoints)
