"""Restoring activations' statistics, checked against the goals measured."""

import pytest
import torch
from torch import nn

from solera.alignment.activations import match_activations
from solera.alignment.repair import measure, recalibrate, repair
from solera.alignment.tracing import trace_symmetry
from solera.errors import MismatchError

DATA = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))


def run(module):
    with torch.no_grad():
        for rows in DATA.split(64):
            module(rows)


def mlp(seed, *middle):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 16), *middle, nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)).eval()


def averaged(a, b, share, make):
    module = make()
    module.load_state_dict({name: (1 - share) * x + share * b.state_dict()[name] for name, x in a.state_dict().items()})
    return module.eval()


def test_measured_statistics_are_those_of_all_samples_at_once():
    module = mlp(0)
    found = measure(module, ["0", "2"], run)
    whole = module[0](DATA).double()
    torch.testing.assert_close(found["0"].mean, whole.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found["0"].variance, whole.var(0), rtol=1e-6, atol=1e-6)


def test_means_and_deviations_come_to_lie_between_those_of_the_ends():
    a, b = mlp(1), mlp(2)
    middle = averaged(a, b, 0.25, lambda: mlp(0))
    assert repair(middle, [a, b], [0.75, 0.25], run) == ["0", "2"]
    for name in ("0", "2"):
        first, second, got = (measure(each, [name], run)[name] for each in (a, b, middle))
        torch.testing.assert_close(got.mean, 0.75 * first.mean + 0.25 * second.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(got.std, 0.75 * first.std + 0.25 * second.std, rtol=1e-3, atol=1e-3)


def test_batch_normalisation_gets_its_running_statistics_anew():
    a, b = (mlp(seed, nn.BatchNorm1d(16)) for seed in (1, 2))
    middle = averaged(a, b, 0.5, lambda: mlp(0, nn.BatchNorm1d(16)))
    assert repair(middle, [a, b], [0.5, 0.5], run) == ["1"]
    whole = middle[0](DATA)
    torch.testing.assert_close(middle[1].running_mean, whole.mean(0), rtol=0.05, atol=0.05)
    assert middle[1].momentum == 0.1
    assert not middle[1].training
    again = middle[1].running_mean.clone()
    recalibrate(middle, run)
    assert torch.equal(middle[1].running_mean, again)


def test_nothing_to_restore_with():
    bare = nn.Sequential(nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 2)).eval()
    with pytest.raises(MismatchError, match="neither batch normalisation nor layers with a bias"):
        repair(bare, [bare], [1.0], run)


def test_units_that_never_fire_match_whatever_is_left():
    a, b = mlp(1), mlp(2)
    with torch.no_grad():
        for module, unit in ((a, 3), (b, 7)):
            module[0].bias[unit] = -100.0
    found = match_activations(trace_symmetry(a, DATA[:2]), a, b, run)
    assert sorted(found.permutations["0"].tolist()) == list(range(16))
    assert found.permutations["0"][3] == 7
    assert found.after >= found.before
