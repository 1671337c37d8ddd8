"""Networks with fewer passes over memory compute the same, and write over nothing that somebody reads."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.models.lean import LeanModule


class Net(nn.Module):
    """ReLU behind what makes a tensor, behind an addition, behind its argument, and twice behind one layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.norm, self.line, self.twice, self.head = (
            nn.GroupNorm(2, 6),
            nn.Linear(24, 8),
            nn.Linear(8, 8),
            nn.Linear(8, 3),
        )
        self.relu = nn.ReLU()

    def forward(self, x):
        x = F.relu(x)
        y = self.relu(self.norm(self.conv(x).contiguous(memory_format=torch.channels_last)))
        y = F.max_pool2d(y, 2).flatten(1)
        z = self.line(y)
        z = torch.relu(z + F.relu(z))
        w = self.twice(z)
        return self.head(w.relu() + w)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval().requires_grad_(False)


def pictures(n=7):
    return torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_the_same_numbers_and_the_data_stay(net):
    lean, data = LeanModule(net), pictures()
    before = data.clone()
    torch.testing.assert_close(lean(data), net(data), rtol=0, atol=0)
    assert torch.equal(data, before)
    assert (lean.in_place, lean.pairs, lean.first) == (2, 0, ())


def test_a_hooked_layer_keeps_what_its_hook_was_shown(net):
    seen = []
    net.norm.register_forward_hook(lambda module, args, out: seen.append((out, out.clone())))
    lean = LeanModule(net)
    lean(pictures())
    assert lean.in_place == 1
    assert all(torch.equal(out, copy) for out, copy in seen)


class Leading(nn.Module):
    """Two first layers, one brought into another memory format; a third reads what depends on weights."""

    def __init__(self):
        super().__init__()
        self.conv, self.flat = nn.Conv2d(1, 4, 3, padding=1), nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
        self.later, self.head = nn.Linear(16, 5), nn.Linear(14, 2)
        self.offset = nn.Parameter(torch.ones(16))

    def forward(self, x):
        n, _, height, _ = x.shape
        side = F.relu(self.conv(x - 0.5).contiguous(memory_format=torch.channels_last))
        later = self.later(x.view(n, -1) + self.offset)
        return self.head(torch.cat([self.flat(x), later, side.mean((2, 3))], 1)) * height


def test_answers_handed_in_take_the_place_of_first_layers():
    torch.manual_seed(0)
    module, data = Leading().eval().requires_grad_(False), pictures()
    lean = LeanModule(module, lead=True)
    assert [each.layer for each in lean.first] == [module.conv, module.flat[1]]
    answers = [each.answer(data) for each in lean.first]
    assert answers[0].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(answers[0], module.conv(data - 0.5))
    torch.testing.assert_close(lean(data, *answers), module(data), rtol=0, atol=0)
    assert not torch.equal(lean(data, *(each + 1 for each in answers)), module(data))


@pytest.mark.parametrize("change", ["hooked", "shared"])
def test_a_layer_that_others_have_a_say_in_is_no_first_layer(change):
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)).eval()
    if change == "hooked":
        module[0].register_forward_pre_hook(lambda layer, args: None)
    else:
        module[2] = module[0]
    assert LeanModule(module, lead=True).first == ()


def test_a_normalised_layer_is_folded_instead():
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU()).eval()
    lean = LeanModule(module, lead=True)
    assert (lean.first, lean.pairs, lean.in_place) == ((), 1, 1)
