"""Bends of curves: what one step does, what training comes to, and that it can be gone on with."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import solera
from solera.context import QuietContext
from solera.errors import Cancelled, InputError, NumericError
from solera.families.curves import shares
from solera.landscapes.bends import Progress, Training, train_bends
from solera.models.network import Network, flat_of
from solera.seeds import Seed
from solera.tasks.examples import Examples


def tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def setting(make=tiny):
    modules = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        modules.append(make())
    network = Network(copy.deepcopy(modules[0]))
    a, b = (flat_of(module, network.layout) for module in modules)
    torch.manual_seed(3)
    x = torch.randn(60, 4)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    return network, a, b, Examples(x, y, 60)


@pytest.mark.parametrize("kind", ["bezier", "polyline"])
def test_an_epoch_is_that_of_an_obvious_loop(kind):
    network, a, b, examples = setting()
    training = Training(kind=kind, bends=2, epochs=1, batch=16, decay=0.01, seed=5)
    found = train_bends(network, a, b, examples, training, QuietContext(), Progress.start(a, b, 2))
    rng = Seed(5).child("bends", "0").numpy()
    order = torch.from_numpy(rng.permutation(60))
    bends = [(2 * a + b) / 3, (a + 2 * b) / 3]
    speed = [torch.zeros_like(a), torch.zeros_like(a)]
    module = tiny()
    for start in range(0, 48, 16):
        t, where = float(rng.uniform()), order[start : start + 16]
        c = shares(kind, t, 4)
        w = (c[0] * a + c[1] * bends[0] + c[2] * bends[1] + c[3] * b).requires_grad_()
        logits = torch.func.functional_call(module, dict(network.layout.views(w)), (examples.inputs[where],))
        loss = F.cross_entropy(logits, examples.targets[where]) + 0.5 * 0.01 * w.square().sum()
        (gradient,) = torch.autograd.grad(loss, w)
        for i in range(2):
            speed[i] = 0.9 * speed[i] + c[i + 1] * gradient
            bends[i] = bends[i] - 0.01 * speed[i]
    assert torch.allclose(found.bends, torch.stack(bends), atol=1e-6)
    assert (found.epoch, len(found.losses)) == (1, 1)


class Stops(QuietContext):
    """Says stop after so many checks."""

    def __init__(self, checks: int) -> None:
        super().__init__()
        self.left = checks

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("stop")


def test_a_training_that_was_stopped_comes_to_the_same():
    network, a, b, examples = setting()
    training = Training(epochs=4, batch=16)
    whole = train_bends(network, a, b, examples, training, QuietContext(), Progress.start(a, b, 1))
    kept: list[Progress] = []
    with pytest.raises(Cancelled):
        train_bends(
            network, a, b, examples, training, Stops(8), Progress.start(a, b, 1),
            lambda progress: kept.append(copy.deepcopy(progress)),
        )  # fmt: skip
    assert kept[-1].epoch == 2
    rest = train_bends(network, a, b, examples, training, QuietContext(), kept[-1])
    assert torch.equal(rest.bends, whole.bends)
    assert rest.losses == whole.losses


def test_the_loss_on_the_curve_falls_and_normalisation_stays_in_evaluation():
    def with_norm() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    network, a, b, examples = setting(with_norm)
    found = train_bends(
        network, a, b, examples, Training(epochs=30, batch=20, rate=0.1), QuietContext(), Progress.start(a, b, 1)
    )
    assert found.losses[-1] < 0.7 * found.losses[0]
    assert not network.module.training
    assert not any(layer.training for layer in network.module.modules())
    middle = network.layout.view(found.bends[0], "1.running_mean")
    assert torch.equal(middle, network.layout.view((a + b) / 2, "1.running_mean")), "statistics are not trained"


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(InputError, match="1 bend or more"):
        Training(bends=0)
    network, a, b, examples = setting()
    with pytest.raises(NumericError, match="smaller rate"):
        train_bends(network, a, b, examples, Training(epochs=9, rate=1e30), QuietContext(), Progress.start(a, b, 1))
    rates = [Training(epochs=10, rate=1.0).rate_at(epoch) for epoch in range(10)]
    assert rates[:6] == [1.0] * 6
    assert rates[9] == pytest.approx(0.01)


def test_a_script_connects_two_models(tmp_path):
    def net() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    torch.manual_seed(0)
    a, b = (solera.open(net(), name=name, factory=net) for name in ("m0", "m1"))
    task = solera.task("digits")
    family = solera.connect(a, b, task, tmp_path / "bend", epochs=2, rate=0.1)
    assert (family.kind, list(family.labels)) == ("curve", ["m0", "m1"])
    run = solera.explore(family, task, points=3, limit=64, out=tmp_path / "runs", report="")
    ends = run.points().values[:2, 0]
    integral = run.indicator("along:integral:digits.cross_entropy")[1][-1]
    assert run.points().values[:, 0].min() < integral < run.points().values[:, 0].max()
    (middle,) = run.points().values[run.points().coords[:, 0] == 0.5]
    assert middle[0] < ends.max()
    again = solera.connect(a, b, task, tmp_path / "again", epochs=2, rate=0.1)
    first, second = (solera.Model(each.recipe_at((0.5,))).state_dict() for each in (family, again))
    assert all(torch.equal(first[name], second[name]) for name in first)
