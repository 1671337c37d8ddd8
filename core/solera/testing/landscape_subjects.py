"""What the landscape benchmark walks over: small networks trained on the digits, and planes around them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from solera.families.family import Family
    from solera.landscapes.landscape import Landscape

#: Passes over the digits that a network is trained for.
EPOCHS = 15


class Mlp(nn.Module):
    """64-280-280-10 with ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(64, 280), nn.Linear(280, 280), nn.Linear(280, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 8, 8) to logits."""
        hidden = F.relu(self.first(x.flatten(1)))
        logits: Tensor = self.head(F.relu(self.second(hidden)))
        return logits


class _Residual(nn.Module):
    """Two convolutions with BatchNorm beside a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.short: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            conv = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.short = nn.Sequential(conv, nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(inner + self.short(x))


class ResNet8(nn.Module):
    """Three residual blocks of 16, 32 and 64 channels, with BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(_Residual(16, 16, 1), _Residual(16, 32, 2), _Residual(32, 64, 2))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 8, 8) to logits."""
        features = self.blocks(F.relu(self.norm(self.conv(x))))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


class _Layer(nn.Module):
    """Attention and a hidden layer, normalised before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(d // self.heads), -1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, d))
        added: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return added


class Transformer(nn.Module):
    """The eight rows of a picture as tokens; two layers of width 64 with four heads."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Linear(8, 64), nn.Parameter(torch.randn(8, 64) * 0.02)
        self.layers = nn.Sequential(_Layer(64, 4), _Layer(64, 4))
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 8, 8) to logits."""
        tokens = self.layers(self.embed(x.flatten(1).view(-1, 8, 8)) + self.place)
        logits: Tensor = self.head(self.norm(tokens).mean(1))
        return logits


def _cnn() -> nn.Module:
    from solera.extend.registry import Registry

    # Not by build_module: that leaves out the draws a network is trained from.
    made: nn.Module = Registry.discover().architectures["digits-cnn"].build({"architecture": "digits-cnn"})
    return made


SUBJECTS: dict[str, Callable[[], nn.Module]] = {
    "MLP": Mlp,
    "digits CNN": _cnn,
    "transformer": Transformer,
    "ResNet-8": ResNet8,
}


class Subject:
    """A trained network and a plane around it: one filter norm in each of two random directions (Li et al. 2018).

    Args:
        name: A key of :data:`SUBJECTS`.
        x: Pictures, shape (n, 1, 8, 8).
        y: Labels, shape (n,).

    Attributes:
        modules: The network at the centre and one filter norm away in each direction.
        family: The plane, from -1 to 1 in both.
    """

    def __init__(self, name: str, x: Tensor, y: Tensor) -> None:
        from solera.checkpoints.memory import MemoryCheckpoint
        from solera.families.frames import plane
        from solera.recipes.nodes import CheckpointNode, Recipe

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            centre = SUBJECTS[name]()
        self.name, self.x, self.y = name, x, y
        _train(centre, x, y)
        self.modules = [centre, *(_moved(centre, seed) for seed in (1, 2))]
        self.checkpoints = {
            key: MemoryCheckpoint.from_module(module, key) for key, module in zip("abc", self.modules, strict=True)
        }
        ends = [Recipe((CheckpointNode(key, f"memory:{key}"),), key) for key in "abc"]
        found = plane(ends[0], ends[1], ends[2], self.checkpoints)
        self.family: Family = found.between({coord.name: (-1.0, 1.0) for coord in found.coords})

    def landscape(self) -> Landscape:
        """Cross-entropy and accuracy on all pictures."""
        from solera.execution.memory import Materialiser
        from solera.landscapes.landscape import Landscape, Measure
        from solera.models.network import Network
        from solera.tasks.classification import ClassificationTask

        task = ClassificationTask("digits", lambda split: (self.x, self.y), chunk=256)
        network = Network(copy.deepcopy(self.modules[0]))
        materialiser = Materialiser(self.family.recipe, self.checkpoints, {}, network.layout)
        return Landscape(
            self.family, network, materialiser, [Measure(task, "report", task.prepare("report", device="cpu"))]
        )

    def double(self, numbers: Mapping[str, float], over: Landscape) -> float:
        """The loss at a point in float64 arithmetic, from the weights the landscape writes."""
        from torch.func import functional_call

        over._materialiser.at(numbers, over.network.flat)
        twin: Any = copy.deepcopy(self.modules[0]).double()
        state = {name: view.double() for name, view in over.network.layout.views(over.network.flat)}
        with torch.no_grad():
            return float(F.cross_entropy(functional_call(twin, state, (self.x.double(),)), self.y))


def _train(module: nn.Module, x: Tensor, y: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(module.parameters(), 2e-3)
    module.train()
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(len(x), generator=generator), 128):
            adam.zero_grad()
            torch.autograd.backward(F.cross_entropy(module(x[rows]), y[rows]))
            adam.step()
    module.eval().requires_grad_(False)


def _moved(centre: nn.Module, seed: int) -> nn.Module:
    """The network one filter norm away: each slice of a weight by a normal direction of its own length."""
    generator = torch.Generator().manual_seed(seed)
    moved = copy.deepcopy(centre)
    for weight in moved.parameters():
        if weight.dim() > 1:
            step = torch.randn(weight.shape, generator=generator).flatten(1)
            lengths = weight.flatten(1).norm(dim=1, keepdim=True)
            weight.add_((step * lengths / (step.norm(dim=1, keepdim=True) + 1e-10)).view_as(weight))
    return moved
