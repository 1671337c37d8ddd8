"""What first passes gather is in the plan: measured memory stays under it, and a budget below it is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from solera.checkpoints.opening import open_checkpoint
from solera.errors import CapacityError
from solera.execution.plan import plan
from solera.extend.registry import Registry
from solera.params import Value
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, SumNode, Term

METHODS = Registry.discover().methods

#: Methods and parameters whose first pass keeps more than a few numbers.
GATHERING: dict[str, dict[str, Value]] = {
    "ties": {"scope": "model"},
    "breadcrumbs": {},
    "dare": {"rescale": "l1"},
    "della": {"rescale": "l1"},
    "sce": {"density": 0.3},
    "pcb": {"scope": "model"},
    "shared_layers": {},
    "fastfood": {},
}

#: Bytes of the allocator and of Python beside what the plan counts.
_SLACK = 24 << 20

_SCRIPT = """
import json, sys, threading
from pathlib import Path
from solera.context import QuietContext
from solera.execution.plan import plan
from solera.execution.stream import execute
from tests.plugins.merging.test_budget import METHODS, opened, recipe

def anonymous():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))

folder, name = Path(sys.argv[1]), sys.argv[2]
made = plan(recipe(folder, name), opened(folder, name), METHODS, memory_budget=int(sys.argv[3]), threads=2)
before, most, over = anonymous(), 0, threading.Event()

def watch():
    global most
    while not over.wait(0.005):
        most = max(most, anonymous() - before)

watcher = threading.Thread(target=watch)
watcher.start()
execute(made, folder / f"out-{name}", QuietContext())
over.set()
watcher.join()
print(json.dumps({"most": most, "holds": made.holds}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for i in range(4):
        numbers = torch.Generator().manual_seed(i)
        sizes = {f"layers.{layer}.mlp.up.weight": (1024, 2048) for layer in range(4)} | {"embed.weight": (4096, 1024)}
        model = {name: torch.randn(size, generator=numbers).bfloat16() for name, size in sizes.items()}
        (root / f"m{i}").mkdir()
        save_file(model, root / f"m{i}" / "model.safetensors")
    return root


def ids(name):
    method = METHODS[name]
    return [f"m{i}" for i in range(min(method.max_inputs or 3, 3) + (method.base == "required"))]


def opened(folder, name):
    return {id_: open_checkpoint(folder / id_) for id_ in ids(name)}


def recipe(folder, name):
    method, models = METHODS[name], ids(name)
    nodes: list[Node] = [CheckpointNode(id_, str(folder / id_)) for id_ in models]
    base, inputs = (models[0], models[1:]) if method.base == "required" else ("", models)
    nodes.append(MethodNode("merged", name, tuple(inputs), base, GATHERING[name]))
    if method.gives == "delta" and method.takes == "weights":
        nodes.append(SumNode("moved", (Term("m0", 1.0), Term("merged", 1.0))))
    return Recipe(tuple(nodes), nodes[-1].id)


def test_the_list_above_is_complete():
    passing = {name for name, method in METHODS.items() if method.prepare is not None and method.gathers != 0}
    assert passing - set(GATHERING) == {"darex_q"}  # takes whole tensors anyway, and data


@pytest.mark.parametrize("name", GATHERING)
def test_a_budget_below_what_is_gathered_is_refused_with_numbers(folder, name):
    needed = plan(recipe(folder, name), opened(folder, name), METHODS, threads=1).holds
    with pytest.raises(CapacityError, match=r"needs [\d,]+ MiB of memory .*; the budget is [\d.]+ MiB") as refused:
        plan(recipe(folder, name), opened(folder, name), METHODS, memory_budget=1 << 20)
    assert 1 << 20 < refused.value.fields["needed"] <= needed


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("name", GATHERING)
def test_measured_memory_is_in_the_plan(folder, name):
    for budget in (0, plan_least(folder, name)):
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(folder), name, str(budget)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout)
        (folder / f"out-{name}").rename(folder / f"done-{name}-{budget}")
        assert found["most"] <= found["holds"] + _SLACK, budget


def plan_least(folder, name):
    """The smallest budget that is not refused."""
    try:
        plan(recipe(folder, name), opened(folder, name), METHODS, memory_budget=1)
    except CapacityError as error:
        return error.fields["needed"]
    raise AssertionError("a merge in one byte")
