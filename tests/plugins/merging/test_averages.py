"""Corrected and robust averages against slow twins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from solera.errors import InputError
from solera.methods.spec import Piece


def some(count, size=50, seed=0):
    return list(torch.randn(count, size, generator=torch.Generator().manual_seed(seed)))


def slow_corrected(models, mode, share, epsilon):
    models = [m.double() for m in models]
    others = models if mode == "all" else models[1:]
    a, v = sum(others) / len(others), sum(m.var() for m in others) / len(others)
    if mode in {"conservative", "self"}:
        a = share * models[0] + (1 - share) * a
        v = models[0].var() if mode == "self" else share * models[0].var() + (1 - share) * v
    return (a - a.mean()) * ((v + epsilon) / (a.var() + epsilon)).sqrt() + a.mean()


@pytest.mark.parametrize("mode", ["all", "others", "conservative", "self"])
def test_variance_corrected(run, mode):
    models = some(4)
    made = run("variance_corrected")(models, mode=mode, conservative=0.25, epsilon=1e-4)
    torch.testing.assert_close(made.double(), slow_corrected(models, mode, 0.25, 1e-4), atol=1e-6, rtol=1e-5)
    if mode == "all":
        assert float(made.var()) == pytest.approx(float(sum(m.var() for m in models) / 4), rel=1e-3)


def test_variance_corrected_guards(run):
    corrected = run("variance_corrected")
    models = some(3)
    assert torch.equal(corrected(models, piece=Piece("bn.running_var")), models[0])
    assert corrected([torch.tensor([1.0]), torch.tensor([3.0])]).tolist() == [2.0]
    assert corrected([torch.ones(4), torch.ones(4)], epsilon=0.0).tolist() == [1.0] * 4
    assert corrected([models[0], -models[0]]).abs().sum() == 0
    assert corrected([torch.zeros(0), torch.zeros(0)]).shape == (0,)
    torch.testing.assert_close(corrected([models[0], models[0]]), models[0])
    with pytest.raises(InputError, match="at least one other"):
        corrected(models[:1], mode="others")


def slow_flag(vectors, rank, penalty, steps):
    """With the vectors themselves and a basis as long as they are."""
    x = np.stack([v.double().numpy() / np.linalg.norm(v.double().numpy()) for v in vectors], 1)
    count, y, best = x.shape[1], None, np.inf
    for _ in range(steps):
        inside = np.zeros(count) if y is None else ((y.T @ x) ** 2).sum(0)
        columns = [x[:, i] * (abs(1 - inside[i]) + 1e-7) ** -0.25 for i in range(count)]
        for i, j in itertools.permutations(range(count), 2) if penalty else ():
            pair = x[:, i] - x[:, j]
            reach = 0.0 if y is None else ((y.T @ pair) ** 2).sum()
            columns.append(pair * (abs(1 - reach) + 1e-7) ** -0.25 * penalty / (count * (count - 1)))
        new = np.linalg.svd(np.stack(columns, 1), full_matrices=False)[0][:, :rank]
        value = np.sqrt(np.maximum(1 - ((new.T @ x) ** 2).sum(0), 0)).sum()
        if y is not None and value >= best:
            break
        y, best = new, value
    return y @ y.T, x


@pytest.mark.parametrize("penalty", [0.0, 0.5])
@pytest.mark.parametrize("rank", [1, 3])
def test_flag_aggregator(run, penalty, rank):
    centre = torch.randn(50, generator=torch.Generator().manual_seed(9))
    vectors = [3 * centre + v for v in some(5)] + [-centre]
    onto, x = slow_flag(vectors, rank, penalty, 4)
    given_ = {"rank": rank, "penalty": penalty, "iterations": 4, "scope": "tensor"}
    lengths = [float(v.norm()) for v in vectors]
    wanted = {
        "released": onto @ x.sum(1) / rank, "mean_norm": onto @ x.sum(1) / 6 * np.mean(lengths),
        "paper": onto @ (x * lengths).sum(1) / 6,
    }  # fmt: skip
    for output, want in wanted.items():
        made = run("flag_aggregator")(vectors, output=output, **given_)
        torch.testing.assert_close(made.double(), torch.from_numpy(want), atol=1e-4, rtol=1e-3)


def test_flag_aggregator_over_the_whole_model_is_that_of_one_vector(run):
    vectors = some(4)
    models = [{"a": v[:13], "b": v[13:].view(37, 1)} for v in vectors]
    made = run("flag_aggregator").over(models, size=5)
    whole = run("flag_aggregator")(vectors, scope="tensor")
    torch.testing.assert_close(torch.cat([made["a"], made["b"].view(-1)]), whole)


def test_flag_aggregator_withstands_a_minority(run):
    centre = torch.ones(200)
    good = [centre + 0.1 * v for v in some(7, 200)]
    bad = [100 * v for v in some(2, 200, seed=5)]
    made = run("flag_aggregator")([*good, *bad], rank=1, output="released", scope="tensor")
    assert float(torch.cosine_similarity(made, centre, dim=0)) > 0.98


def test_flag_aggregator_guards(run):
    flag = run("flag_aggregator")
    d = torch.randn(20)
    torch.testing.assert_close(flag([d, d, d], scope="tensor"), d)
    for deltas in ([d, -d], [d * 0, d * 0], [d, d * 0], [torch.ones(1)], [torch.zeros(0), torch.zeros(0)]):
        assert flag(deltas, scope="tensor").isfinite().all()
    with pytest.raises(InputError, match="3 dimensions"):
        flag([d, d], rank=3, scope="tensor")
