"""First layers answered from the corners of a family: held against the layer itself in float64."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import InputError
from solera.execution.memory import Materialiser
from solera.families.frames import plane
from solera.landscapes import first_layers
from solera.landscapes.first_layers import Axes, FirstAnswers
from solera.landscapes.landscape import Landscape
from solera.landscapes.ways import Way
from solera.models.lean import LeanModule
from solera.models.network import Network
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.tasks.classification import ClassificationTask

ROWS = 70


class Conv(nn.Module):
    """A convolution first, then GroupNorm, as pictures are classified."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.Linear(8, 4)

    def forward(self, x):
        x = self.conv(x.view(-1, 1, 4, 4)).contiguous(memory_format=torch.channels_last)
        return self.head(F.relu(self.norm(x)).mean((2, 3)))


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(16, 12), nn.Linear(12, 4)

    def forward(self, x):
        return self.head(F.relu(self.first(x.flatten(1))))


class Mixing(Dense):
    """Reads the samples in pairs: its first layer does not answer sample by sample."""

    def forward(self, x):
        pairs = self.first(x.view(2, -1, 16).transpose(0, 1))
        return self.head(F.relu(pairs).transpose(0, 1).reshape(-1, 12))


def family_of(make, dtype=""):
    """A plane through three draws of a network: family, checkpoints, module."""
    modules = {}
    for seed, key in enumerate("abc"):
        torch.manual_seed(seed)
        modules[key] = make().eval().requires_grad_(False)
    checkpoints = {key: MemoryCheckpoint.from_module(module, key) for key, module in modules.items()}
    a, b, c = (Recipe((CheckpointNode(key, f"memory:{key}"),), key) for key in "abc")
    found = plane(a, b, c, checkpoints)
    if dtype:
        found = dataclasses.replace(found, recipe=dataclasses.replace(found.recipe, dtype=dtype))
    return found, checkpoints, modules["a"]


def axes_of(family, materialiser) -> Axes:
    found = Axes.of(family, materialiser)
    assert found is not None
    return found


def landscape_of(make, dtype=""):
    family, checkpoints, module = family_of(make, dtype)
    generator = torch.Generator().manual_seed(5)
    x, y = torch.randn(ROWS, 16, generator=generator), torch.randint(0, 4, (ROWS,), generator=generator)
    task = ClassificationTask("t", lambda split: (x, y), chunk=32)
    network = Network(copy.deepcopy(module))
    materialiser = Materialiser(family.recipe, checkpoints, {}, network.layout)
    return Landscape(family, network, materialiser, [(task, "report", task.prepare("report", device="cpu"))]), x, y


def double_loss(landscape, make, coords, x, y):
    """The slow twin: weights as they are written, arithmetic in float64."""
    flat = torch.empty_like(landscape.network.flat)
    landscape._materialiser.at(landscape.family.numbers(coords), flat)
    state = {name: view.double() for name, view in landscape.network.layout.views(flat)}
    return float(F.cross_entropy(functional_call(make().double(), state, (x.double(),)), y))


@pytest.mark.parametrize("make", [Conv, Dense, Mixing])
def test_scores_agree_with_float64_and_do_not_depend_on_what_came_before(make):
    landscape, x, y = landscape_of(make)
    landscape.use(Way("folded", 32))
    points = [(0.0, 0.0), (1.0, -0.3), (0.4, 1.2), (0.4, 0.1)]
    found = [landscape.score_anew(at, QuietContext())[0] for at in points]
    for at, score in zip(points, found, strict=True):
        assert score.value == pytest.approx(double_loss(landscape, make, at, x, y), rel=2e-5)
    again = [landscape.score_anew(at, QuietContext())[0] for at in reversed(points)]
    assert [score.samples.tobytes() for score in reversed(again)] == [score.samples.tobytes() for score in found]
    engine = landscape._engine
    assert all((answers is None) == (make is Mixing) for _, answers in engine._answers.values())


@pytest.fixture(scope="module")
def answers():
    """Answers of a convolution on data, and the layer's own in float64 anywhere."""
    family, checkpoints, module = family_of(Conv)
    network = Network(copy.deepcopy(module))
    materialiser = Materialiser(family.recipe, checkpoints, {}, network.layout)
    axes = axes_of(family, materialiser)
    data = torch.randn(ROWS, 16, generator=torch.Generator().manual_seed(2))
    before = network.flat.clone()
    layers = LeanModule(network.module, lead=True).first
    found = FirstAnswers(layers, network, axes, data)
    assert torch.equal(network.flat, before)

    def wanted(numbers):
        flat = torch.empty_like(network.flat)
        materialiser.at(numbers, flat)
        state = {key: network.layout.view(flat, f"conv.{key}").double() for key in ("weight", "bias")}
        return functional_call(layers[0].layer, state, (data.double().view(-1, 1, 4, 4),))

    return found, axes, wanted


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1.5, 1.5), min_size=2, max_size=2), st.integers(0, ROWS - 1), st.integers(1, ROWS))
def test_answers_are_the_layers_own_anywhere(answers, shares, start, count):
    found, axes, wanted = answers
    numbers = axes.numbers(shares)
    assert axes.shares(numbers) == pytest.approx(shares)
    where = slice(start, min(start + count, ROWS))
    (got,) = found.at(axes.shares(numbers), where)
    want = wanted(numbers)[where]
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert float((got - want).abs().max()) <= 2e-6 * float(want.abs().max())


def test_rounded_weights_and_too_many_answers_are_computed(monkeypatch):
    rounded, *_ = landscape_of(Dense, "bfloat16")
    assert Axes.of(rounded.family, rounded._materialiser) is None
    rounded.use(Way("folded"))
    assert rounded._engine._axes is None
    landscape, x, _ = landscape_of(Dense)
    axes = axes_of(landscape.family, landscape._materialiser)
    layers = LeanModule(landscape.network.module, lead=True).first
    monkeypatch.setattr(first_layers, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"take 13,440 bytes, more than 1,000"):
        FirstAnswers(layers, landscape.network, axes, x)


def test_weights_that_are_not_affine_are_found_out():
    landscape, x, _ = landscape_of(Dense)
    axes = axes_of(landscape.family, landscape._materialiser)
    bent = dataclasses.replace(axes, write=lambda at, out: axes.write({k: v * v for k, v in at.items()}, out))
    layers = LeanModule(landscape.network.module, lead=True).first
    with pytest.raises(InputError, match="not affine in the coordinates"):
        FirstAnswers(layers, landscape.network, bent, x)
