"""Methods that need statistics, against slow obvious twins and what must hold of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.api import NumericError, Piece
from solera.testing.fading import FadingPasses
from solera_plugins.merging.batchnorm import batchnorm
from solera_plugins.merging.darex import darex, mean_divisors
from solera_plugins.merging.fisher import fisher, norms
from solera_plugins.merging.regmean import regmean

f32 = torch.float32


def told(tensors, measured) -> Any:
    """Passes over statistics and tensors, in pieces of seven."""
    return FadingPasses(tensors, 7, measured)


def draw(count, shape=(5, 4), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


@given(st.integers(0, 99), st.integers(1, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_fisher_is_its_formula_element_by_element(seed, count, favor):
    models, importances = draw(count, seed=seed), [f.square() for f in draw(count, seed=seed + 1)]
    shares = [0.2 + 0.3 * j for j in range(count)]
    state = norms(told([{"w": f} for f in importances], [{"w": f} for f in importances]))
    made = fisher.function(
        models, weight=shares, normalize=True, floor=0.01, favor_target=favor, statistics=importances, state=state
    )
    for at in ((0, 0), (4, 3), (2, 1)):
        above = below = 0.0
        for j, (model, importance) in enumerate(zip(models, importances, strict=True)):
            known = float(importance[at])
            if j == 0 or not favor:
                known = max(known, 0.01)
            known *= shares[j] / float(importance.norm())
            above += known * float(model[at])
            below += known
        assert float(made[at]) == pytest.approx(above / below, rel=1e-4, abs=1e-6)


@given(st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_fisher_of_equal_models_is_the_model_and_scale_does_not_matter(seed):
    (model,) = draw(1, seed=seed)
    importances = [f.square() for f in draw(2, seed=seed + 1)]
    same = fisher.function([model, model], weight=[0.3, 0.7], floor=0.0, statistics=importances)
    torch.testing.assert_close(same, model, rtol=1e-5, atol=1e-6)
    others = draw(2, seed=seed + 2)
    one, two = (
        fisher.function(others, weight=[1.0, 1.0], floor=0.0, statistics=given, state=[float(f.norm()) for f in given])
        for given in (importances, [importances[0] * 1000, importances[1]])
    )
    torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)


def test_fisher_where_nobody_knows_anything():
    a, b = draw(2)
    zero = torch.zeros_like(a)
    assert torch.equal(fisher.function([a, b], weight=[1.0, 1.0], statistics=[zero, zero]), a)
    none = fisher.function([a, b], weight=[1.0, 1.0], floor=0.0, statistics=[zero, zero], state=[0.0, 0.0])
    torch.testing.assert_close(none, (a + b) / 2)
    only_b = fisher.function([a, b], weight=[0.0, 1.0], statistics=[zero, zero], state=[0.0, 0.0])
    torch.testing.assert_close(only_b, b)


def test_fisher_leaves_what_has_none():
    a, b = draw(2)
    assert torch.equal(fisher.function([a, b], weight=[1.0, 1.0], statistics=[None, None]), a)
    mean = fisher.function([a, b], weight=[1.0, 3.0], rest="average", statistics=[None, None])
    torch.testing.assert_close(mean, (a + 3 * b) / 4)


def answers(models, inputs, merged):
    return sum(float((x @ merged.T - x @ model.T).square().mean()) for x, model in zip(inputs, models, strict=True))


def test_regmean_answers_as_near_as_can_be():
    models, inputs = draw(3, (6, 4)), draw(3, (30, 4), seed=1)
    grams = [x.T @ x / len(x) for x in inputs]
    made = regmean.function(models, off_diagonal=1.0, weight=[1.0] * 3, statistics=grams)
    rows, wanted = torch.cat(inputs), torch.cat([x @ model.T for x, model in zip(inputs, models, strict=True)])
    twin = torch.linalg.lstsq(rows.double(), wanted.double()).solution.T.float()
    torch.testing.assert_close(made, twin, rtol=1e-4, atol=1e-5)
    best = answers(models, inputs, made)
    assert best < answers(models, inputs, sum(models) / 3)
    for nudge in draw(5, (6, 4), seed=9):
        assert answers(models, inputs, made + 0.01 * nudge) > best


def test_regmean_of_convolutions_and_of_weights_stored_the_other_way_round():
    models, inputs = draw(2, (6, 4)), draw(2, (30, 4), seed=1)
    grams = [x.T @ x / len(x) for x in inputs]
    given_ = {"off_diagonal": 0.9, "weight": [0.4, 0.6]}
    made = regmean.function(models, **given_, statistics=grams)
    turned = regmean.function([m.T.contiguous() for m in models], **given_, statistics=[g.unsqueeze(-1) for g in grams])
    torch.testing.assert_close(turned, made.T, rtol=1e-6, atol=1e-6)
    kernels = regmean.function([m.view(6, 1, 2, 2) for m in models], **given_, statistics=grams)
    torch.testing.assert_close(kernels, made.view(6, 1, 2, 2), rtol=1e-6, atol=1e-6)
    others = draw(2, (6, 4), seed=5)
    pairs = [torch.cat(pair).view(12, 4, 1) for pair in zip(models, others, strict=True)]
    more = [x.T @ x / len(x) for x in draw(2, (30, 4), seed=7)]
    groups = regmean.function(pairs, **given_, statistics=[torch.stack(pair) for pair in zip(grams, more, strict=True)])
    apart = regmean.function(others, **given_, statistics=more)
    torch.testing.assert_close(groups.view(12, 4), torch.cat([made, apart]), rtol=1e-6, atol=1e-6)


def test_regmean_of_a_group_that_nothing_enters_is_the_average():
    models = draw(2, (6, 3, 1))
    x = draw(1, (20, 3))[0]
    grams = [torch.stack([x.T @ x / 20, torch.zeros(3, 3)])] * 2
    made = regmean.function(models, off_diagonal=1.0, weight=[1.0, 1.0], ridge=0.0, statistics=grams)
    torch.testing.assert_close(made[3:], (models[0] + models[1])[3:] / 2, rtol=1e-6, atol=1e-6)


def test_darex_of_a_weight_stored_the_other_way_round():
    (delta,), (mean,) = draw(1, (6, 4)), draw(1, (4,), seed=2)
    given_: dict[str, Any] = {"density": [0.1], "eta": 5.0, "compat": "none"}
    (one,) = mean_divisors(told([{"w": delta}], [{"w": mean}]), **given_)
    turned = {"w": delta.T.contiguous()}
    (other,) = mean_divisors(told([turned], [{"w": mean.unsqueeze(1)}]), **given_)
    assert one == other


def test_regmean_without_off_diagonals_weighs_columns():
    models, inputs = draw(2, (3, 4)), draw(2, (20, 4), seed=1)
    grams = [x.T @ x / len(x) for x in inputs]
    made = regmean.function(models, off_diagonal=0.0, weight=[1.0, 1.0], statistics=grams)
    a, b = (gram.diagonal() for gram in grams)
    torch.testing.assert_close(made, (a * models[0] + b * models[1]) / (a + b), rtol=1e-4, atol=1e-5)


def test_regmean_of_inputs_that_are_always_zero():
    models, inputs = draw(2, (3, 4)), draw(2, (20, 4), seed=1)
    for x in inputs:
        x[:, 2] = 0.0
    grams = [x.T @ x / len(x) for x in inputs]
    made = regmean.function(models, weight=[1.0, 1.0], statistics=grams)
    torch.testing.assert_close(made[:, 2], (models[0] + models[1])[:, 2] / 2, rtol=1e-4, atol=1e-5)
    with pytest.raises(NumericError, match=r"'fc\.weight' are singular"):
        regmean.function(models, weight=[1.0, 1.0], ridge=0.0, statistics=grams, piece=Piece("fc.weight"))
    mean = regmean.function(models, weight=[1.0, 1.0], statistics=[None, None])
    torch.testing.assert_close(mean, (models[0] + models[1]) / 2)
    mean = regmean.function(models, weight=[1.0, 1.0], statistics=[torch.zeros(4, 4)] * 2)
    torch.testing.assert_close(mean, (models[0] + models[1]) / 2)


@given(st.permutations([0, 1, 2]))
@settings(max_examples=6, deadline=None)
def test_regmean_does_not_mind_the_order(order):
    models, inputs = draw(3, (6, 4)), draw(3, (30, 4), seed=1)
    grams = [x.T @ x / len(x) for x in inputs]
    one = regmean.function(models, weight=[1.0] * 3, statistics=grams)
    other = regmean.function([models[i] for i in order], weight=[1.0] * 3, statistics=[grams[i] for i in order])
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_darex_divides_by_what_each_layer_says():
    from solera.api import darex_q

    deltas = [
        {"fc.weight": d * 0.01, "fc.bias": b * 0.01} for d, b in zip(draw(2, (8, 30)), draw(2, (8,)), strict=True)
    ]
    means = [{"fc.weight": m} for m in draw(2, (30,), seed=3)]
    chosen: dict[str, Any] = {"density": [0.1, 0.3], "eta": 0.45, "compat": "none"}
    state = mean_divisors(told(deltas, means), **chosen)
    wanted = [
        float(darex_q(d["fc.weight"], m["fc.weight"], p).mean())
        for d, m, p in zip(deltas, means, [0.1, 0.3], strict=True)
    ]
    assert state == pytest.approx(wanted)
    rest = {"scale": 1.0, "weight": [1.0, 1.0], "combine_by": "sum", "zero_sign": "majority", "seed": 5}
    made = darex.function(
        [d["fc.weight"] for d in deltas], **chosen, **rest, statistics=[m["fc.weight"] for m in means],
        piece=Piece("fc.weight"), state=state,
    )  # fmt: skip
    both = torch.zeros(8, 30)
    from solera.api import bricks

    for i, (delta, q, p) in enumerate(zip(deltas, wanted, [0.1, 0.3], strict=True)):
        kept = bricks.random_mask((8, 30), p, 5, Piece("fc.weight"), i)
        both += torch.where(kept, delta["fc.weight"], 0.0) / q
    torch.testing.assert_close(made, both, rtol=1e-5, atol=1e-7)
    bias = darex.function(
        [d["fc.bias"] for d in deltas], **chosen, **rest, statistics=[None, None], piece=Piece("fc.bias"), state=state
    )
    assert bias.shape == (8,)


def test_batchnorm_takes_what_was_made_anew():
    (weights,), (anew,) = draw(1), draw(1, seed=2)
    assert torch.equal(batchnorm.function([weights], statistics=[None]), weights)
    assert torch.equal(batchnorm.function([weights], statistics=[anew]), anew)
