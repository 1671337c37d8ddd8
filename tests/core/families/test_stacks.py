"""Stacks of layers of variable depth: what a point is, on a small residual network with normalised branches."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, NumericError
from solera.execution.memory import materialise
from solera.execution.writer import write_checkpoint
from solera.extend.registry import Registry
from solera.families.family import Family
from solera.families.graph import Source
from solera.families.stacks import StackFamily, stack
from solera.runs.reader import RunReader
from solera.tasks.classification import ClassificationTask
from solera.workbench import Workbench
from solera.workbench.experiment import load_experiment
from solera.workbench.outcome import result_of
from solera.workbench.setting import open_setting

WIDTH, INNER = 8, 12


class Block(nn.Module):
    """Adds to the stream what it makes of the normalised stream."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH, eps=1e-12)
        self.up_proj, self.down_proj = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down_proj(F.relu(self.up_proj(self.norm(x))))


class Net(nn.Module):
    """Embedding, layers, norm, head; factors scale the stream before each layer but the first."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(5, WIDTH)
        self.layers = nn.ModuleList(Block() for _ in range(layers))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-12)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x: torch.Tensor, factors: tuple[float, ...] = ()) -> torch.Tensor:
        x = self.embed(x)
        for i, layer in enumerate(self.layers):
            x = layer(x * factors[i] if factors else x)
        return self.head(self.norm(x))


def make(config: dict) -> Net:
    return Net(config["num_hidden_layers"])


def data(split):
    rng = np.random.default_rng(["train", "selection", "report"].index(split))
    x = rng.normal(size=(60, 5)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0.5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two models of three and two layers."""
    made = []
    for seed, layers in ((0, 3), (1, 2)):
        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp("models") / f"model_{seed}"
        net = Net(layers)
        state = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
        write_checkpoint(state, folder, config={"num_hidden_layers": layers})
        made.append(folder)
    return made


@pytest.fixture
def bench(folders, tmp_path):
    with Workbench(registry=Registry.discover(), runs_folder=tmp_path / "runs") as made:
        made.inputs.tasks["signs"] = ClassificationTask("signs", data)
        for folder in folders:
            made.inputs.factories[str(folder)] = make
        yield made


def family_of(bench, folders, **params) -> StackFamily:
    recipes = [bench.recipe(str(folder)) for folder in folders]
    return stack(recipes, Source(bench.inputs.checkpoints, bench.registry.methods), **params)


def point(family, layers, **factors):
    """A point with the first slots of these layers on, in the row's order."""
    on, start = set(), 0
    for wanted in layers:
        start = next(t for t in range(start, len(family.slots)) if family.slots[t].source == wanted)
        on.add(start)
        start += 1
    numbers = {f"w_{pair.replace('to', '_')}": value for pair, value in factors.items()}
    return tuple(
        float(t in on) if t < len(family.slots) else numbers.get(coord.name, 1.0)
        for t, coord in enumerate(family.coords)
    )


def test_a_path_takes_its_layers_in_order_and_the_ends_from_its_first_and_last_model(bench, folders):
    family = family_of(bench, folders, repeats=2)
    at = point(family, [0, 1, 3, 1, 4])
    made = materialise(family.recipe_at(at), bench.checkpoints(family.recipe_at(at)), bench.registry.methods)
    models = [bench.inputs.open(str(folder)) for folder in folders]
    wanted = [(0, 0), (0, 1), (1, 0), (0, 1), (1, 1)]
    for new, (model, old) in enumerate(wanted):
        name = "up_proj.weight"
        assert torch.equal(made[f"layers.{new}.{name}"], models[model][f"layers.{old}.{name}"].read())
    assert torch.equal(made["embed.weight"], models[0]["embed.weight"].read())
    assert torch.equal(made["head.weight"], models[1]["head.weight"].read())


def test_factors_folded_into_projections_are_a_scaled_stream(bench, folders):
    family = family_of(bench, folders, repeats=2, scaling=True)
    assert family.adding == ("down_proj",)
    at = point(family, [0, 3, 1, 2], **{"0to3": 0.7, "3to1": 1.4, "1to2": 0.8})
    recipe = family.recipe_at(at)
    made = materialise(recipe, bench.checkpoints(recipe), bench.registry.methods)
    plain = materialise(family.stacked_at(at), bench.checkpoints(recipe), bench.registry.methods)
    x = torch.as_tensor(data("report")[0])
    folded, scaled = Net(4), Net(4)
    folded.load_state_dict(made)
    scaled.load_state_dict(plain)
    torch.testing.assert_close(folded(x), scaled(x, (1.0, 0.7, 1.4, 0.8)), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(folded(x), scaled(x), atol=1e-3)


def test_a_plain_form_brings_the_same_family_back(bench, folders):
    family = family_of(bench, folders, scaling=True)
    again = Family.from_plain(family.to_plain(), bench.registry.methods)
    assert isinstance(again, StackFamily)
    assert again.to_plain() == family.to_plain()
    at = point(family, [0, 4])
    assert again.recipe_at(at) == family.recipe_at(at)


def test_no_layer_or_too_many_have_no_score_and_other_models_are_refused(bench, folders):
    family = family_of(bench, folders, most=3)
    for at in (point(family, []), point(family, [0, 1, 2, 3])):
        with pytest.raises(NumericError, match="a model has 1 to 3"):
            family.recipe_at(at)
    setting = settled(bench, folders, {"most": 3})
    landscape, _ = setting.landscapes(QuietContext())
    assert np.isnan(landscape.evaluate(point(family, [0, 1, 2, 3]), QuietContext())[0].value)
    with pytest.raises(InputError, match="The deepest model has 3 layers"):
        family_of(bench, folders, most=2)


def settled(bench, folders, params):
    plain = {
        "solera": 1, "kind": "explore", "tasks": ["signs"], "family": {"stack": [str(f) for f in folders], **params},
        "explorer": {"name": "layer_evolution", "params": {"points": 24, "population": 8}},
    }  # fmt: skip
    return open_setting(load_experiment(plain), bench.inputs, QuietContext(), "cpu")


def test_a_point_scores_as_its_saved_checkpoint_does_at_any_depth(bench, folders, tmp_path):
    setting = settled(bench, folders, {"scaling": True})
    landscape, _ = setting.landscapes(QuietContext())
    family = setting.family
    evaluator = setting.tasks[0].prepare("selection", device="cpu")
    for layers in ([0], [0, 1, 2], [3, 4, 0, 1, 2], [4]):
        at = point(family, layers, **{"0to1": 0.9})
        recipe = family.recipe_at(at)
        net = Net(len(layers))
        net.load_state_dict(materialise(recipe, bench.checkpoints(recipe), bench.registry.methods))
        wanted = evaluator(net.eval(), QuietContext())
        found = landscape.evaluate(at, QuietContext())
        assert found[0].value == wanted[0].value
        assert found[1].value == wanted[1].value


def test_traces_are_those_of_the_network_of_the_point(bench, folders):
    (landscape, _), (other, _) = (settled(bench, folders, {}).landscapes(QuietContext()) for _ in range(2))
    landscape.traced = True
    for layers in ([0], [0, 1, 2], [4]):
        at = point(landscape.family, layers)
        found, wanted = landscape.evaluate(at, QuietContext()), other.evaluate(at, QuietContext())
        assert [score.value for score in found] == [score.value for score in wanted]
        assert found[0].trace is not None


def test_layers_are_evolved_from_an_experiment_and_the_best_beats_both_models(bench, folders):
    plain = settled(bench, folders, {}).experiment.to_plain()
    job = bench.submit(plain)
    bench.jobs.wait(job.id, 60)
    run = RunReader(Path(result_of(job)["path"]))
    assert run.state == "done"
    points = run.points()
    searched = points.rows(points.phase == "search")
    assert len(searched) == 24
    assert np.nanmin(searched.values[:, 0]) < searched.values[:2, 0].min()
    assert len(set(run.indicator("depth")[1].tolist())) > 1
    assert (points.phase == "report").sum() >= 2


def test_models_without_layers_or_projections_are_refused(bench, tmp_path):
    flat = tmp_path / "flat"
    write_checkpoint({"weight": torch.ones(3, 3)}, flat, config={})
    with pytest.raises(InputError, match="has no numbered layers"):
        family_of(bench, [flat])
    odd = tmp_path / "odd"
    write_checkpoint({f"layers.{i}.w": torch.ones(3) for i in range(2)}, odd, config={"num_hidden_layers": 2})
    with pytest.raises(InputError, match="leave 'scaling' off"):
        family_of(bench, [odd], scaling=True)
    assert dataclasses.is_dataclass(family_of(bench, [odd]))
