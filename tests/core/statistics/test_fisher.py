"""Fisher information against slow obvious twins."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, MismatchError
from solera.models.network import Network
from solera.statistics.collect import collect, collector_of
from solera.statistics.fisher import FisherCollector
from solera.tasks.examples import Examples


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 5)
        self.head = nn.Linear(5, 7)

    def forward(self, x):
        return self.head(torch.tanh(self.embed(x)))


@pytest.fixture
def mlp():
    torch.manual_seed(3)
    return Network(nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)))


@pytest.fixture
def examples():
    torch.manual_seed(4)
    return Examples(torch.randn(11, 4), torch.randint(0, 3, (11,)), 4)


def run(network, examples, **params):
    return collect(network, examples, collector_of("fisher", examples, params), QuietContext())


def twin(module, examples, labels):
    """One backward for each example and class."""
    weights = dict(module.named_parameters())
    for weight in weights.values():
        weight.requires_grad_()
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for x, y in zip(examples.inputs, examples.targets, strict=True):
        for c in range(3) if labels == "exact" else [int(y)]:
            told = torch.log_softmax(module(x[None])[0], 0)[c]
            share = told.exp().item() if labels == "exact" else 1.0
            for name, gradient in zip(weights, torch.autograd.grad(told, list(weights.values())), strict=True):
                total[name] += share * gradient.square()
    for weight in weights.values():
        weight.requires_grad_(False)
    return {name: value / len(examples.inputs) for name, value in total.items()}


class Last(nn.Module):
    """Asks for pictures to be laid out channels last, as the digits' network does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 3, 3), nn.Linear(3, 3)

    def forward(self, x):
        x = self.conv(x).contiguous(memory_format=torch.channels_last).to(memory_format=torch.channels_last)
        return self.head(torch.relu(x.clone(memory_format=torch.channels_last)).amax((2, 3)))


@pytest.mark.parametrize("labels", ["exact", "empirical"])
def test_a_layout_in_memory_is_no_hindrance(labels):
    torch.manual_seed(6)
    network = Network(Last())
    data = Examples(torch.randn(9, 1, 5, 5), torch.randint(0, 3, (9,)), 4)
    found = {how: run(network, data, labels=labels, gradients=how) for how in ("vmap", "loop")}
    for name, square in twin(network.module, data, labels).items():
        torch.testing.assert_close(found["vmap"][name], square, rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(found["loop"][name], square, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("how", ["vmap", "loop"])
@pytest.mark.parametrize("labels", ["exact", "empirical"])
def test_it_is_the_mean_of_squared_gradients(mlp, examples, labels, how):
    found = run(mlp, examples, labels=labels, gradients=how)
    for name, wanted in twin(mlp.module, examples, labels).items():
        torch.testing.assert_close(found[name], wanted, rtol=1e-4, atol=1e-7)


def test_drawn_classes_come_near_the_exact_one(mlp, examples):
    exact = run(mlp, examples, labels="exact")
    drawn = run(mlp, examples, labels="sampled", draws=600)
    for name, wanted in exact.items():
        assert float((drawn[name] - wanted).norm() / wanted.norm()) < 0.1


@pytest.mark.parametrize("labels", ["exact", "sampled"])
def test_chunks_change_only_rounding_and_draws_not_at_all(mlp, examples, labels):
    one = run(mlp, examples, labels=labels, gradients="loop")
    other = run(mlp, Examples(examples.inputs, examples.targets, 11), labels=labels, gradients="vmap")
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-8)


def test_tokens_are_drawn_each_on_its_own():
    torch.manual_seed(0)
    network = Network(Tokens())
    x = torch.randint(0, 7, (3, 4))
    examples = Examples(x, torch.randint(0, 7, (3, 4)), 2)
    exact = {name: torch.zeros_like(p) for name, p in network.module.named_parameters()}
    for parameter in network.module.parameters():
        parameter.requires_grad_()
    for row in x:
        told = torch.log_softmax(network.module(row[None])[0], -1)
        for one in told:
            for c in range(7):
                found = torch.autograd.grad(one[c], list(network.module.parameters()), retain_graph=True)
                for name, gradient in zip(exact, found, strict=True):
                    exact[name] += one[c].exp().detach() * gradient.square() / len(x)
    for parameter in network.module.parameters():
        parameter.requires_grad_(False)
    drawn = run(network, examples, labels="sampled", draws=800)
    for name, wanted in exact.items():
        assert float((drawn[name] - wanted).norm() / wanted.norm()) < 0.15
    with pytest.raises(InputError, match="labels: sampled"):
        FisherCollector(examples, labels="exact")


def test_a_network_that_vmap_cannot_take_goes_one_by_one(examples):
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(4, 3)

        def forward(self, x):
            y = self.line(x)
            return y if float(y.detach().sum()) > 0 else y * 2  # looks at a number

    collector = collector_of("fisher", examples, {})
    found = collect(Network(Stubborn()), examples, collector, QuietContext())
    assert collector.facts["gradients"] == "loop"
    assert found["line.weight"].shape == (3, 4)


def test_weights_stay_and_buffers_have_none(examples):
    network = Network(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))
    before = network.flat.clone()
    found = run(network, examples)
    assert torch.equal(network.flat, before)
    assert "1.running_mean" not in found
    assert set(found) == {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"}


def test_a_network_without_weights_is_refused(examples):
    with pytest.raises(MismatchError, match="no weights"):
        run(Network(nn.Sequential(nn.Tanh())), examples)
