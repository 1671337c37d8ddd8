"""The cost of a merge grows with tensors and models, and no faster."""

from __future__ import annotations

import sys
import threading
import time

import pytest
import torch

from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.execution.writer import write_checkpoint
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe

NAMES = ("base", *"abcdefgh")


def models(root, tensors, count):
    """Folders of so many tiny tensors, of so many models."""
    for i, name in enumerate(NAMES[:count]):
        torch.manual_seed(i)
        state = {f"layers.{k // 20}.w{k % 20}": torch.randn(4, 4) for k in range(tensors)}
        write_checkpoint(state, root / name, config={"architectures": ["Toy"]})
    return [CheckpointNode(name, str(root / name)) for name in NAMES[:count]]


def merge(nodes, method, methods, out):
    names = [node.id for node in nodes]
    base, inputs = (None, names) if method == "linear" else ("base", names[1:])
    recipe = Recipe((*nodes, MethodNode("o", method, tuple(inputs), base or "")), "o")
    opened = {node.id: open_checkpoint(node.source) for node in nodes}
    try:
        execute(plan(recipe, opened, methods, threads=1), out, QuietContext())
    finally:
        for checkpoint in opened.values():
            checkpoint.close()


def calls(work):
    """How many functions are called, of Python and of C, in all threads that ``work`` starts."""
    counts: dict[int, int] = {}

    def count(_frame, event, _argument):
        if event in {"call", "c_call"}:
            mine = threading.get_ident()
            counts[mine] = counts.get(mine, 0) + 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return sum(counts.values())


@pytest.mark.parametrize("method", ["linear", "ties", "della"])
def test_calls_grow_with_the_number_of_tensors(method, methods, tmp_path):
    found = []
    for tensors in (40, 120, 360):
        nodes = models(tmp_path / str(tensors), tensors, 3)
        merge(nodes, method, methods, tmp_path / f"warm{tensors}")  # imports
        found.append(calls(lambda: merge(nodes, method, methods, tmp_path / f"out{tensors}")))
    first, second = (found[1] - found[0]) / 80, (found[2] - found[1]) / 240
    assert second < 1.03 * first, f"{first:.0f} calls for a tensor, then {second:.0f}"


def test_calls_grow_with_the_number_of_models(methods, tmp_path):
    nodes = models(tmp_path, 60, 9)
    merge(nodes, "linear", methods, tmp_path / "warm")
    found = [calls(lambda: merge(nodes[:n], "linear", methods, tmp_path / f"out{n}")) for n in (3, 5, 9)]
    first, second = (found[1] - found[0]) / 2, (found[2] - found[1]) / 4
    assert second < 1.03 * first, f"{first:.0f} calls for a model, then {second:.0f}"


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["linear", "ties"])
def test_twenty_thousand_tensors_cost_each_what_one_of_four_thousand_costs(method, methods, tmp_path):
    each = []
    for tensors in (4_000, 20_000):
        nodes = models(tmp_path / str(tensors), tensors, 3)
        began = time.process_time()
        merge(nodes, method, methods, tmp_path / f"out{tensors}")
        each.append((time.process_time() - began) / tensors)
    assert each[1] < 1.6 * each[0], f"{each[0] * 1e6:.0f} us of a CPU for a tensor, then {each[1] * 1e6:.0f} us"
