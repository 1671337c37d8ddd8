"""Aligned checkpoints as nodes of a recipe: in files, scripts and merges."""

import threading
import time

import pytest
import torch

import solera
from solera.alignment.permutations import drawn, permuted
from solera.alignment.tracing import trace_symmetry
from solera.context import QuietContext
from solera.errors import FaultsError, InputError
from solera.execution.writer import write_checkpoint
from solera.recipes.algebra import align, leaf
from solera.recipes.checks import check
from solera.recipes.export import as_python
from solera.recipes.nodes import AlignedNode, CheckpointNode, Recipe, SumNode, Term
from solera.recipes.yaml import dump_recipe
from solera.seeds import Seed
from solera.workbench import Workbench
from solera_plugins.digits.network import DigitsCnn

YAML = """\
solera: 1
nodes:
  a: {checkpoint: a}
  b: {align: b, to: a, tries: 3}
  middle: {sum: [{times: 0.5, node: a}, {times: 0.5, node: b}]}
output: middle
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """``a``, and ``b``: the same network with its units in other places."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.manual_seed(0)
    module = DigitsCnn(8, 10).eval()
    symmetry = trace_symmetry(module, torch.randn(2, 1, 8, 8))
    state = module.state_dict()
    places = drawn(symmetry, Seed(1))
    other = {k: permuted(t, symmetry.axes.get(k, (None,) * t.ndim), symmetry, places) for k, t in state.items()}
    for name, tensors in (("a", state), ("b", other)):
        write_checkpoint(tensors, tmp_path / name, config={"architecture": "digits-cnn", "width": 8, "classes": 10})
    (tmp_path / "r.yaml").write_text(YAML)
    return tmp_path


def test_a_file_with_one_is_read_merged_and_written_back(folder):
    with Workbench() as bench:
        recipe = bench.recipe("r.yaml")
        assert recipe.node("b") == AlignedNode("b", str(folder / "b"), to="a", tries=3)
        assert "{align: " in dump_recipe(recipe)
        assert bench.check(recipe) == ()
        first, second = bench.checkpoints(recipe)["b"], bench.checkpoints(recipe)["b"]
        assert first is second
        job = bench.submit_merge(recipe, folder / "out")
        assert bench.jobs.wait(job.id, 120)
        assert job.state == "done", job.error
        a = bench.open(folder / "a")
        out = bench.open(folder / "out")
        assert all(torch.equal(a[name].read(), out[name].read()) for name in a)
        pins = bench.inputs.fingerprints(recipe, _quiet())
        assert len({pins["a"], pins["b"]}) == 2


def _quiet():
    return QuietContext()


def test_a_cancel_reaches_the_matching_that_a_merge_begins(folder, monkeypatch):
    began = threading.Event()

    def endless(*args, **kwargs):
        began.set()
        while True:
            args[3].check()
            time.sleep(0.01)

    with Workbench() as bench:
        recipe = bench.recipe("r.yaml")
        with monkeypatch.context() as patched:
            patched.setattr("solera.alignment.weights.match_weights", endless)
            job = bench.submit_merge(recipe, folder / "out")
            assert began.wait(60)
            bench.jobs.cancel(job.id)
            assert bench.jobs.wait(job.id, 60)
        assert job.state == "cancelled"
        assert not (folder / "out").exists()
        job = bench.submit_merge(recipe, folder / "out")  # whoever asks next begins anew
        assert bench.jobs.wait(job.id, 120)
        assert job.state == "done", job.error


def test_in_a_script(folder):
    a, b = solera.open("a"), solera.open("b")
    middle = 0.5 * a + 0.5 * solera.align(b, to=a, tries=3)
    assert all(torch.equal(tensor, a.checkpoint[name].read()) for name, tensor in middle.state_dict().items())
    assert "solera.align(solera.open(" in as_python(middle.recipe)
    assert ", tries=3)" in as_python(middle.recipe)
    with pytest.raises(InputError, match="'sum' is computed"):
        solera.align(0.5 * a + 0.5 * b, to=a)
    with pytest.raises(InputError, match="name a task"):
        solera.align(b, to=a, by="activations")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (AlignedNode("b", "b"), "connected to none"),
        (AlignedNode("b", "", to="a"), "names no checkpoint"),
        (AlignedNode("b", "b", to="s"), "'s' is computed"),
        (AlignedNode("b", "b", to="a", by="smell"), "not 'smell'"),
        (AlignedNode("b", "b", to="a", by="activations"), "name a task"),
        (AlignedNode("b", "b", to="a", tries=0), "1 or more"),
    ],
)
def test_every_fault_is_told(node, said):
    nodes = (CheckpointNode("a", "a"), SumNode("s", (Term("a"),)), node)
    assert any(said in fault.message for fault in check(Recipe(nodes, "b"), {}))


def test_faults_of_form(folder):
    (folder / "bad.yaml").write_text(
        "solera: 1\nnodes:\n  b: {align: b, to: 3, seed: x, hold: y, nose: 1}\noutput: b\n"
    )
    with Workbench() as bench, pytest.raises(FaultsError) as caught:
        bench.recipe("bad.yaml")
    told = str(caught.value)
    assert all(
        part in told for part in ("'to' is text", "'seed' is a whole number", "'hold' is a list", "'nose' is not known")
    )


def test_names_follow_where_recipes_are_joined():
    made = align(leaf("x/b"), leaf("x/a"), AlignedNode("", ""))
    assert made.node(made.output) == AlignedNode("b_aligned", "x/b", to="a")
