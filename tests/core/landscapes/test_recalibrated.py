"""BatchNorm statistics measured anew at every point, and how a curve is summarised."""

import numpy as np
import pytest
import torch
from torch import nn

import solera
from solera.context import QuietContext
from solera.errors import InputError, MismatchError
from solera.landscapes.along import along
from solera.models.network import Network
from solera.statistics.recalibration import Recalibration
from solera.tasks.examples import Examples


def with_norm() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10))


def test_statistics_are_those_of_torch_on_one_batch():
    torch.manual_seed(0)
    module = with_norm()
    assert isinstance(module, nn.Sequential)
    network = Network(module)
    x = torch.randn(40, 64)
    norm = module[2]
    assert isinstance(norm, nn.BatchNorm1d)
    Recalibration(Examples(x, torch.zeros(40, dtype=torch.int64), 40), batch=40)(network, QuietContext())
    into = module[1](x)
    assert torch.allclose(network.layout.view(network.flat, "2.running_mean"), into.mean(0), atol=1e-6)
    assert torch.allclose(network.layout.view(network.flat, "2.running_var"), into.var(0), rtol=1e-5)
    assert norm.running_mean is not None
    assert torch.equal(norm.running_mean, network.layout.view(network.flat, "2.running_mean"))
    assert not norm.training
    with pytest.raises(MismatchError, match="has no BatchNorm"):
        Recalibration(Examples(x, x.long()[:, 0], 40))(Network(nn.Linear(64, 10)), QuietContext())


def test_an_exploration_recalibrates_and_says_so(tmp_path):
    models = []
    for seed in range(2):
        torch.manual_seed(seed)
        models.append(solera.open(with_norm(), name=f"m{seed}", factory=with_norm))
    family, task = solera.line(*models), solera.task("digits")
    runs = {
        mode: solera.explore(family, task, points=3, limit=32, out=tmp_path, report="", batchnorm=mode)
        for mode in ("frozen", "recalibrated")
    }
    assert runs["recalibrated"].header.experiment["batchnorm"] == "recalibrated"
    assert "batchnorm" not in runs["frozen"].header.experiment
    assert runs["frozen"].header.provenance["key"] != runs["recalibrated"].header.provenance["key"]
    values = {mode: run.points().values[:, 0] for mode, run in runs.items()}
    assert np.abs(values["frozen"] - values["recalibrated"]).min() > 1e-4
    middle = solera.Model(family.recipe_at((0.5,)))
    kept = solera.merge("batchnorm", [middle], statistics=[solera.statistic("batchnorm", middle, task)])
    (row,) = np.flatnonzero(runs["recalibrated"].points().coords[:, 0] == 0.5)
    assert values["recalibrated"][row] == pytest.approx(kept.evaluate(task, "selection", limit=32)[0].value, rel=1e-6)


def test_a_curve_is_summarised_over_its_length():
    found = along([1.0, 3.0, 2.0], [1.0, 3.0])
    assert (found.least, found.most, found.mean, found.length) == (1.0, 3.0, 2.0, 4.0)
    assert found.integral == pytest.approx((2.0 * 1 + 2.5 * 3) / 4)
    with pytest.raises(InputError, match="as many steps less one"):
        along([1.0, 2.0], [0.0])
