"""Symmetries read off a module's graph, each shown to leave what it computes unchanged."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.alignment.permutations import drawn
from solera.alignment.symmetry import Axis, Group, Symmetry
from solera.alignment.tracing import trace_symmetry
from solera.alignment.verifying import example_batch, output_change, require_preserved
from solera.errors import MismatchError
from solera.seeds import Seed
from solera_plugins.digits.network import DigitsCnn


class Residual(nn.Module):
    """A stem, a block whose stream goes around it, a depthwise layer, a flatten."""

    def __init__(self):
        super().__init__()
        self.stem, self.n0 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.c1, self.n1 = nn.Conv2d(8, 10, 3, padding=1, bias=False), nn.BatchNorm2d(10)
        self.c2, self.n2 = nn.Conv2d(10, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.fc = nn.Linear(8 * 16, 5)

    def forward(self, x):
        x = F.relu(self.n0(self.stem(x)))
        x = F.relu(x + self.n2(self.c2(F.relu(self.n1(self.c1(x))))))
        x = F.max_pool2d(self.deep(x), 2)
        return self.fc(x.view(x.size(0), -1))


class Tied(nn.Module):
    """Embedding and head share a tensor; so do two hidden layers."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(11, 6), nn.LayerNorm(6)
        self.up = nn.Linear(6, 6)
        self.again = self.up
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        x = self.embed(x)
        x = x + self.again(F.relu(self.up(self.norm(x))))
        return self.head(x)


def network(make, seed=0):
    torch.manual_seed(seed)
    module = make().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.add_(0.3 * torch.randn_like(tensor))
    return module


MAKERS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 16), nn.GELU(), nn.Linear(16, 10)
    ),
    "digits": lambda: DigitsCnn(16, 10),
    "residual": Residual,
    "tied": Tied,
    "pooled": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    ),
}
FREE = {
    "mlp": {"1": (24, 1), "3": (16, 1)},
    "digits": {"conv1": (8, 4), "conv2": (16, 4), "conv3": (32, 4), "hidden": (128, 1)},
    "residual": {"stem": (8, 1), "c1": (10, 1)},
    "tied": {"embed": (6, 1)},
    "pooled": {"0": (6, 1)},
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_free_and_that_it_changes_nothing(name):
    module = network(MAKERS[name])
    batch = example_batch(module, Seed(0))
    symmetry = trace_symmetry(module, batch)
    assert {key: (group.size, group.cells) for key, group in symmetry.groups.items()} == FREE[name]
    assert require_preserved(module, symmetry, batch, Seed(1), name) < 1e-9
    symmetry.fit({key: tensor.shape for key, tensor in module.state_dict().items()}, name)


def test_flattened_channels_are_blocks():
    module = network(Residual)
    symmetry = trace_symmetry(module, torch.randn(2, 1, 8, 8))
    assert symmetry.axes["fc.weight"] == (None, Axis("stem", ("cell", "unit", 16)))


def test_a_wrong_declaration_is_told_with_its_group():
    module = network(MAKERS["mlp"])
    good = trace_symmetry(module, torch.randn(4, 64))
    wrong = Symmetry(good.groups, {name: axes for name, axes in good.axes.items() if name != "3.bias"})
    with pytest.raises(MismatchError, match="units of 3 change places"):
        require_preserved(module, wrong, torch.randn(4, 64), Seed(0), "mlp")


def test_channels_under_a_group_norm_stay_in_their_runs():
    module = network(MAKERS["digits"])
    symmetry = trace_symmetry(module, torch.randn(2, 1, 8, 8))
    free = Symmetry({**symmetry.groups, "conv1": Group(8)}, symmetry.axes)
    batch = torch.randn(4, 1, 8, 8)
    assert output_change(module, symmetry, drawn(symmetry, Seed(0)), batch) < 1e-4
    assert output_change(module, free, drawn(free, Seed(0)), batch) > 1e-2


def test_units_that_meet_something_unknown_stay():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.b(torch.cumsum(self.a(x), 1))

    assert trace_symmetry(network(Odd), torch.randn(2, 4)).groups == {}


def test_a_module_that_cannot_be_traced():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(MismatchError, match="cannot be traced"):
        trace_symmetry(Branching(), torch.randn(2, 4))
