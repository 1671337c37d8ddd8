"""Two networks trained from different seeds: the barrier between them, before and after alignment."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.alignment.activations import match_activations
from solera.alignment.permutations import permuted
from solera.alignment.repair import repair
from solera.alignment.tracing import trace_symmetry
from solera.alignment.weights import match_weights
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.seeds import Seed
from solera_plugins.digits.data import pictures
from solera_plugins.digits.network import DigitsCnn
from solera_plugins.digits.training import Training, train_base

TRAIN, REPORT = ([torch.from_numpy(each) for each in pictures(split)] for split in ("train", "report"))

POINTS = 5


def mlp(width=128):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )


def trained_mlp(seed, steps=200):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = mlp()
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3)
    draws = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(TRAIN[1]), (50,), generator=draws)
        loss = F.cross_entropy(module(TRAIN[0][rows]), TRAIN[1][rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return module.eval().requires_grad_(False)


def trained_cnn(seed):
    module = DigitsCnn(32, 10)
    training = Training(width=32, base_epochs=8, exposure=0.0)
    module.load_state_dict(train_base(training, Seed(seed), QuietContext(), lambda step: None))
    return module.eval().requires_grad_(False)


def run(module):
    for rows in torch.arange(0, len(TRAIN[1]), 2).split(100):
        module(TRAIN[0][rows])


def aligned(model, symmetry, matching):
    other = copy.deepcopy(model)
    other.load_state_dict(
        {
            name: permuted(each, symmetry.axes.get(name, (None,) * each.ndim), symmetry, matching.permutations)
            for name, each in model.state_dict().items()
        }
    )
    return other


def barrier(a, b, repaired=False):
    """Greatest height of the loss over the chord, at points of equal distance."""
    between = copy.deepcopy(a)
    losses = []
    for t in np.linspace(0, 1, POINTS):
        ends = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
        between.load_state_dict({name: (1 - t) * x + t * y for name, (x, y) in zip(a.state_dict(), ends, strict=True)})
        if repaired and 0 < t < 1:
            repair(between, [a, b], [1 - t, t], run)
        losses.append(float(F.cross_entropy(between(REPORT[0]), REPORT[1])))
    return float(np.max(losses - np.linspace(losses[0], losses[-1], POINTS)))


def test_weight_matching_takes_the_barrier_between_multilayer_perceptrons():
    a, b = trained_mlp(0), trained_mlp(1)
    symmetry = trace_symmetry(a, REPORT[0][:2])
    first, second = (MemoryCheckpoint.from_module(each) for each in (a, b))
    found = match_weights(symmetry, first, second, QuietContext(), seed=Seed(0))
    moved = aligned(b, symmetry, found)
    torch.testing.assert_close(moved(REPORT[0]), b(REPORT[0]), rtol=1e-4, atol=1e-4)
    before, after = barrier(a, b), barrier(a, moved)
    assert before > 0.3
    assert after < 0.15 * before


@pytest.mark.heavy
def test_activations_and_repair_lower_it_between_convolutional_networks():
    a, b = trained_cnn(0), trained_cnn(1)
    symmetry = trace_symmetry(a, REPORT[0][:2])
    moved = aligned(b, symmetry, match_activations(symmetry, a, b, run))
    before, after, restored = barrier(a, b), barrier(a, moved), barrier(a, moved, repaired=True)
    assert before > 1.0
    assert after < 0.75 * before
    assert restored < 0.5 * before
