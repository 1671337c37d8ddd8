"""Every method on a device whose tensors do not mix with the CPU's: what a GPU would refuse fails here."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from tests.core.execution.strict_device import StrictDevice, There

from solera.context import QuietContext
from solera.execution.memory import materialise
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.extend.registry import Registry
from solera.recipes.nodes import MethodNode, Node, Recipe, SumNode, Term

METHODS = Registry.discover().methods
NAMES = sorted(name for name in METHODS if not METHODS.describe(name).needs)


def test_the_device_is_strict():
    there, here = There(torch.ones(3)), torch.ones(3)
    with pytest.raises(AssertionError, match="beside one of the device"):
        there + here
    with pytest.raises((TypeError, RuntimeError)):
        there.numpy()
    assert (there + torch.tensor(1.0)).cpu().tolist() == [2.0, 2.0, 2.0]
    assert float(there.sum()) == 3.0


@pytest.mark.parametrize("name", NAMES)
def test_a_method_keeps_to_its_device(name, opened, leaves, methods, tmp_path):
    spec = methods[name]
    inputs = ("math", "code", "base")[: max(2, spec.min_inputs)]
    base = "base" if spec.base == "required" or spec.takes == "delta" else ""
    if not base and spec.max_inputs is not None:
        inputs = inputs[: spec.max_inputs]
    elif base:
        inputs = inputs[:2] if spec.max_inputs != 1 else inputs[:1]
    nodes: list[Node] = [*leaves, MethodNode("o", name, inputs, base)]
    if spec.gives == "delta" and spec.takes == "weights":
        nodes.append(SumNode("moved", (Term("base", 1.0), Term("o", 1.0))))
    recipe = Recipe(tuple(nodes), nodes[-1].id)
    direct = materialise(recipe, opened, methods)
    folder = execute(plan(recipe, opened, methods, devices=[StrictDevice()]), tmp_path / "out", QuietContext())
    for key, tensor in load_file(folder / "model.safetensors").items():
        torch.testing.assert_close(tensor, direct[key], rtol=1e-4, atol=1e-4)
