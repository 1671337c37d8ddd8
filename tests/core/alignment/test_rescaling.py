"""The canonical scale of ReLU units."""

import pytest
import torch
from torch import nn

from solera.alignment.rescaling import rescaled
from solera.alignment.tracing import trace_symmetry
from solera.errors import InputError, MismatchError

BATCH = torch.randn(32, 5, generator=torch.Generator().manual_seed(0))


def mlp(seed=0, after=nn.ReLU):
    torch.manual_seed(seed)
    layers = nn.Linear(5, 8), after(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3)
    return nn.Sequential(*layers).eval().requires_grad_(False)


def made(module, form, batch=BATCH):
    found = rescaled(module, trace_symmetry(module, batch), batch, form)
    other = type(module)(*module) if isinstance(module, nn.Sequential) else module
    result = torch.func.functional_call(other, dict(found.tensors), (batch,))
    torch.testing.assert_close(result, module(batch), rtol=1e-4, atol=1e-5)
    return found


def test_what_comes_in_has_norm_one_in_layer_order():
    found = made(mlp(), "unit")
    assert found.groups == ("0", "2")
    for name in ("0", "2"):
        norm = (found.tensors[f"{name}.weight"].square().sum(1) + found.tensors[f"{name}.bias"].square()).sqrt()
        torch.testing.assert_close(norm, torch.ones_like(norm))


def test_balanced_is_the_least_sum_of_squares():
    module = mlp(1)
    found = made(module, "balanced")
    into = found.tensors["0.weight"].square().sum(1) + found.tensors["0.bias"].square()
    torch.testing.assert_close(into, found.tensors["2.weight"].square().sum(0), rtol=1e-5, atol=1e-6)
    total = sum(float(each.double().square().sum()) for each in found.tensors.values())
    assert total < sum(float(each.double().square().sum()) for each in module.parameters())


def test_networks_that_differ_by_scale_alone_become_equal():
    module = mlp(2)
    scaled = mlp(2)
    with torch.no_grad():
        factor = torch.rand(8) + 0.5
        scaled[0].weight.mul_(factor[:, None])
        scaled[0].bias.mul_(factor)
        scaled[2].weight.div_(factor)
    for form in ("unit", "balanced"):
        a, b = made(module, form).tensors, made(scaled, form).tensors
        assert all(torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-6) for name in a)


def test_a_unit_that_nothing_comes_into_is_left_and_told():
    module = mlp()
    with torch.no_grad():
        module[0].weight[3], module[0].bias[3] = 0, 0
    assert made(module, "unit").still == {"0": (3,), "2": ()}


def test_other_non_linearities_are_left_out():
    assert made(mlp(0, nn.GELU), "unit").groups == ("2",)
    smooth = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).eval()
    with pytest.raises(MismatchError, match="The scale of no units"):
        made(smooth, "unit")
    with pytest.raises(InputError, match="not 'golden'"):
        made(mlp(), "golden")


def test_gains_of_a_normalisation_are_scaled_not_what_stands_before_it():
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
    module = nn.Sequential(convolution, norm, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 4)).eval()
    with torch.no_grad():
        module.get_buffer("1.running_var").uniform_(0.5, 2)
        norm.bias.normal_()
    found = made(module, "unit", torch.randn(8, 1, 4, 4))
    assert found.groups == ("0",)
    assert torch.equal(found.tensors["0.weight"], convolution.weight)
    size = (found.tensors["1.weight"].square() + found.tensors["1.bias"].square()).sqrt()
    torch.testing.assert_close(size, torch.ones(6))
