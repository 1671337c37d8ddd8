"""Gram matrices, means, moments and BatchNorm statistics against plain torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, MismatchError
from solera.models.network import Network
from solera.statistics.collect import collect, collector_of
from solera.statistics.inputs import patches
from solera.tasks.examples import Examples


def run(kind, network, examples, **params):
    return collect(network, examples, collector_of(kind, examples, params), QuietContext())


@pytest.fixture
def examples():
    torch.manual_seed(1)
    return Examples(torch.randn(50, 3, 5), torch.zeros(50, dtype=torch.int64), 16)


@pytest.fixture
def network():
    torch.manual_seed(2)
    return Network(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4, bias=False)))


def test_gram_and_mean_are_over_all_rows(network, examples):
    rows = examples.inputs.reshape(-1, 5)
    gram, mean = run("gram", network, examples), run("mean", network, examples)
    torch.testing.assert_close(gram["0.weight"], rows.T @ rows / len(rows), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mean["0.weight"], rows.mean(0), rtol=1e-5, atol=1e-6)
    inner = torch.relu(network.module[0](rows))
    torch.testing.assert_close(gram["2.weight"], inner.T @ inner / len(rows), rtol=1e-5, atol=1e-6)


def test_a_weight_that_is_used_twice_has_no_gram(examples):
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.first, self.head = nn.Embedding(9, 5), nn.Linear(5, 5), nn.Linear(5, 9, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x):
            return self.head(self.first(self.embed(x)))

    data = Examples(torch.randint(0, 9, (6, 4)), torch.zeros(6, 4, dtype=torch.int64), 4)
    assert set(run("gram", Network(Tied()), data)) == {"first.weight"}


def test_a_weight_that_linears_have_in_common_pools_their_inputs(examples):
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(torch.relu(self.first(x)))

    network = Network(Shared())
    found = run("gram", network, examples)
    rows = examples.inputs.reshape(-1, 5)
    both = torch.cat([rows, torch.relu(rows @ network.module.first.weight.T)])
    assert set(found) == {"first.weight"}
    torch.testing.assert_close(found["first.weight"], both.T @ both / len(both), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(4, 6, 3, padding=1, stride=2),
        nn.Conv2d(4, 6, (3, 2), padding=(1, 0), dilation=(2, 1), groups=2),
        nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular"),
        nn.Conv3d(4, 4, 2, groups=4),
    ],
)
def test_a_convolution_is_a_product_with_its_patches(layer):
    places = (7, 6, 5)[: len(layer.kernel_size)]
    x = torch.randn(9, 4, *places, generator=torch.Generator().manual_seed(3))
    rows = patches(layer, x)
    weight = layer.weight.double().reshape(layer.groups, layer.out_channels // layer.groups, -1)
    made = (rows @ weight.transpose(1, 2)).movedim(0, 1).reshape(len(rows[0]), -1)
    with torch.no_grad():
        wanted = layer(x).movedim(1, -1).reshape(len(rows[0]), -1) - layer.bias
    torch.testing.assert_close(made.float(), wanted, rtol=1e-4, atol=1e-5)
    gram = run("gram", Network(layer), Examples(x, torch.zeros(9, dtype=torch.int64), 4))["weight"]
    want = (rows.transpose(1, 2) @ rows / len(rows[0])).float()
    torch.testing.assert_close(gram, want if layer.groups > 1 else want[0], rtol=1e-5, atol=1e-6)


def test_a_weight_that_is_stored_the_other_way_round_is_told_by_its_axes():
    conv1d = pytest.importorskip("transformers.pytorch_utils").Conv1D
    x = torch.randn(12, 3, 5, generator=torch.Generator().manual_seed(4))
    data, network = Examples(x, torch.zeros(12, dtype=torch.int64), 5), Network(conv1d(7, 5))
    rows = x.reshape(-1, 5)
    gram, mean = run("gram", network, data)["weight"], run("mean", network, data)["weight"]
    torch.testing.assert_close(gram, (rows.T @ rows / len(rows)).unsqueeze(-1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mean, rows.mean(0).unsqueeze(-1), rtol=1e-5, atol=1e-6)


def test_moments_are_those_of_channels():
    torch.manual_seed(5)
    network = Network(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(27, 4)))
    data = Examples(torch.randn(20, 2, 5, 5), torch.zeros(20, dtype=torch.int64), 8)
    found = run("moments", network, data)
    first, *_ = network.module.children()
    out = first(data.inputs)
    torch.testing.assert_close(found["0.mean"], out.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found["0.variance"], out.var((0, 2, 3), unbiased=False), rtol=1e-4, atol=1e-6)


def batch_normed():
    torch.manual_seed(6)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def test_batchnorm_of_one_batch_is_torchs(examples):
    data = Examples(torch.randn(30, 1, 6, 6), torch.zeros(30, dtype=torch.int64), 8)
    network, twin = Network(batch_normed()), batch_normed()
    before = network.flat.clone()
    found = run("batchnorm", network, data, batch=30)
    twin[1].momentum = None
    twin[1].reset_running_stats()
    twin.train()(data.inputs)
    torch.testing.assert_close(found["1.running_mean"], twin[1].running_mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found["1.running_var"], twin[1].running_var, rtol=1e-5, atol=1e-6)
    assert torch.equal(network.flat, before)
    assert not any(module.training for module in network.modules())


def test_batches_are_pooled():
    data = Examples(torch.randn(30, 1, 6, 6), torch.zeros(30, dtype=torch.int64), 8)
    whole, parts = (run("batchnorm", Network(batch_normed()), data, batch=size) for size in (30, 7))
    for name in whole:  # the first BatchNorm sees what no other normalised
        torch.testing.assert_close(whole[name], parts[name], rtol=1e-5, atol=1e-6)


def test_what_a_network_has_not_is_said(network, examples):
    with pytest.raises(MismatchError, match="no BatchNorm"):
        run("batchnorm", network, examples)
    with pytest.raises(InputError, match="No statistic is called 'hessian'"):
        collector_of("hessian", examples, {})
