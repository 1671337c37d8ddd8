"""Averages over the checkpoints of a run against slow twins."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.extend.registry import Registry

METHODS = Registry.discover().methods


@st.composite
def trajectories(draw):
    count, size = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    numbers = st.integers(-8, 8).map(lambda i: i / 8)
    return [draw(st.lists(numbers, min_size=size, max_size=size)) for _ in range(count)]


def tensors(rows):
    return [torch.tensor(row) for row in rows]


def mean(rows):
    return torch.tensor([sum(column) / len(column) for column in zip(*rows, strict=True)])


@given(rows=trajectories(), last=st.integers(0, 9), every=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_checkpoint_average(run, rows, last, every):
    chosen: list[list[float]] = []
    at = len(rows) - 1
    while at >= 0 and (last == 0 or len(chosen) < last):
        chosen.append(rows[at])
        at -= every
    torch.testing.assert_close(run("checkpoint_average")(tensors(rows), last=last, every=every), mean(chosen))


@given(rows=trajectories(), decay=st.integers(0, 8).map(lambda i: i / 8))
@settings(max_examples=60, deadline=None)
def test_ema(run, rows, decay):
    running = rows[0]
    for row in rows[1:]:
        running = [decay * a + (1 - decay) * w for a, w in zip(running, row, strict=True)]
    torch.testing.assert_close(run("ema")(tensors(rows), decay=decay), torch.tensor(running))
    # Debiased: from zero on, divided by what the shares total.
    total, running = 0.0, [0.0] * len(rows[0])
    for row in rows:
        total = decay * total + 1
        running = [decay * a + w for a, w in zip(running, row, strict=True)]
    want = torch.tensor([a / total for a in running])
    torch.testing.assert_close(run("ema")(tensors(rows), decay=decay, start="debiased"), want)


def test_ends_of_the_decay(run):
    models = list(torch.randn(5, 8))
    assert torch.equal(run("ema")(models, decay=0.0), models[-1])
    assert torch.equal(run("ema")(models, decay=1.0), models[0])
    torch.testing.assert_close(run("ema")(models, decay=1.0, start="debiased"), torch.stack(models).mean(0))


@given(
    metric=st.lists(st.floats(0.1, 10.0), min_size=1, max_size=6), penalty=st.floats(0.0, 6.0),
    by=st.sampled_from(["loss", "step"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_metrics_weighted(run, metric, penalty, by):
    models = list(torch.randn(len(metric), 6, generator=torch.Generator().manual_seed(1)))
    sizes = [(1 / m if by == "loss" else m) ** penalty for m in metric]
    want = sum(s / sum(sizes) * w for s, w in zip(sizes, models, strict=True))
    made = run("metrics_weighted")(models, metric=tuple(metric), by=by, penalty=penalty)
    torch.testing.assert_close(made, want, atol=1e-5, rtol=1e-4)


@given(metric=st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6), penalty=st.floats(0.0, 6.0))
@settings(max_examples=40, deadline=None)
def test_metrics_weighted_by_standard_scores(run, metric, penalty):
    models = list(torch.randn(len(metric), 6, generator=torch.Generator().manual_seed(2)))
    mean_ = sum(metric) / len(metric)
    spread = math.sqrt(sum((m - mean_) ** 2 for m in metric) / len(metric))
    sizes = [math.exp(-penalty * (m - mean_) / spread) if spread else 1.0 for m in metric]
    want = sum(s / sum(sizes) * w for s, w in zip(sizes, models, strict=True))
    made = run("metrics_weighted")(models, metric=tuple(metric), penalty=penalty, rule="softmax")
    torch.testing.assert_close(made, want, atol=1e-5, rtol=1e-4)


def test_a_large_penalty_leaves_the_best_alone(run):
    models = list(torch.randn(3, 8))
    weighted = run("metrics_weighted")
    for rule in ("power", "softmax"):
        torch.testing.assert_close(weighted(models, metric=(3.0, 0.5, 2.0), penalty=500.0, rule=rule), models[1])
    torch.testing.assert_close(weighted(models, metric=(0.0, 10.0, 20.0), by="step", penalty=1e4), models[2])
    torch.testing.assert_close(weighted(models, metric=(0.0, 0.0, 0.0), by="step", penalty=0.0), sum(models) / 3)


@pytest.mark.parametrize(("metric", "by"), [((1.0, 0.0), "loss"), ((-1.0, 2.0), "step"), ((0.0, 0.0), "step")])
def test_metrics_that_have_no_power(run, metric, by):
    with pytest.raises(InputError, match="positive numbers"):
        run("metrics_weighted")(list(torch.randn(2, 3)), metric=metric, by=by)


def test_every_standard_name_is_found():
    """Formulas that another one contains are found by their own names."""
    known = {
        name.lower(): item for item in METHODS for name in [METHODS.describe(item).title, *METHODS.describe(item).also]
    }
    for name, method in {
        "uniform soup": "linear", "fedavg (federated averaging)": "linear", "run averaging": "linear",
        "layer-wise interpolation": "wise_ft", "task negation": "task_arithmetic", "task analogy": "task_arithmetic",
        "swa (stochastic weight averaging)": "checkpoint_average", "mwa": "metrics_weighted", "dare linear": "dare",
    }.items():  # fmt: skip
        assert known[name] == method
    for name in METHODS:
        assert METHODS.describe(name).also == METHODS[name].also
