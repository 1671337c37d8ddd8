"""What holds for every method whatever the numbers: order, equality, scale, nothing changed, one model, densities."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solera.extend.registry import Registry
from solera.methods.spec import Piece
from solera.workbench.contest import merges_peers

REGISTERED = Registry.discover().methods
#: Those that work from weights alone.
SHELF = {n: d for n in REGISTERED for d in [REGISTERED.describe(n)] if not d.method.get("needs")}
METHODS = {name: REGISTERED[name] for name in SHELF}
SHAPES = {
    "blocks.0.weight": (9, 6),
    "blocks.1.weight": (6, 6),
    "blocks.1.bias": (7,),
    "scale": (),
    "one": (1,),
    "column": (5, 1),
}
MANY = sorted(name for name, item in SHELF.items() if item.max_inputs is None)
DELTAS = sorted(name for name, item in SHELF.items() if item.takes == "delta")

#: Draws a mask for each place in the list; two models with places of their own.
PLACED = {"dare", "della"}
#: Thresholds in the unit of the weights, or an exponential or tanh of them; or what depends on shapes alone.
UNSCALED = {"nearswap", "ram", "ram_plus", "variance_corrected", "arcee_fusion", "pcb", "wudi", "fastfood"}
#: Equal models give themselves back.
IDEMPOTENT = {
    "linear", "median", "trimmed_mean", "geometric_median", "karcher", "slerp", "nuslerp", "multislerp", "passthrough",
    "variance_corrected", "arcee_fusion", "checkpoint_average", "ema", "metrics_weighted", "model_stock", "sce", "ram",
    "ram_plus", "ties",
}  # fmt: skip
#: So that nothing is left out where equality is looked at.
WHOLE = {"ties": {"density": 1.0}, "sce": {"density": 1.0}, "ram": {"epsilon": 0.0}, "ram_plus": {"epsilon": 0.0}}
FEW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def count_of(name, most=3):
    item = SHELF[name]
    return min(most, item.max_inputs or most)


def drawn(seed, count, shift=0.5):
    """Models around a centre of their own, so that they agree more than not."""
    generator = torch.Generator().manual_seed(seed)
    centre = {n: torch.randn(s, generator=generator) for n, s in SHAPES.items()}
    return [
        {n: shift * centre[n] + torch.randn(s, generator=generator) for n, s in SHAPES.items()} for _ in range(count)
    ]


def close(got, want, rtol=1e-4):
    for name, tensor in want.items():
        size = max(float(tensor.abs().max()), 1e-6)
        torch.testing.assert_close(got[name], tensor, atol=rtol * size, rtol=rtol)


@pytest.mark.parametrize("name", [name for name in MANY if merges_peers(SHELF[name]) and name not in PLACED])
@given(seed=st.integers(0, 2**20))
@FEW
def test_the_order_of_models_does_not_matter(run, name, seed):
    models = drawn(seed, 4)
    if name == "karcher":  # opposite numbers have no mean direction: the first decides
        models = [{n: t for n, t in model.items() if t.numel() > 1} for model in models]
    close(run(name).over(models[::-1]), run(name).over(models))


@pytest.mark.parametrize("name", sorted(IDEMPOTENT))
@given(seed=st.integers(0, 2**20))
@FEW
def test_equal_models_give_themselves_back(run, name, seed):
    (model,) = drawn(seed, 1)
    made = run(name).over([model] * count_of(name), **WHOLE.get(name, {}))
    close(made, {n: t.to(made[n].dtype) for n, t in model.items()}, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(set(METHODS) - UNSCALED))
@given(seed=st.integers(0, 2**20), power=st.sampled_from([-12, -3, 5]))
@FEW
def test_a_merge_of_larger_numbers_is_as_much_larger(run, name, seed, power):
    models = drawn(seed, count_of(name))
    larger = [{n: t * 2.0**power for n, t in model.items()} for model in models]
    made = run(name).over(models)
    close(run(name).over(larger), {n: t * 2.0**power for n, t in made.items()})


@pytest.mark.parametrize("name", DELTAS)
def test_where_nothing_changed_the_base_stays(run, name):
    zeros = [{n: torch.zeros(s) for n, s in SHAPES.items()}] * count_of(name)
    assert all(not tensor.any() for tensor in run(name).over(zeros).values())


@pytest.mark.parametrize("name", DELTAS)
@given(seed=st.integers(0, 2**20))
@FEW
def test_a_tensor_that_nobody_changed_stays(run, name, seed):
    models = [{**model, "blocks.1.weight": torch.zeros(6, 6)} for model in drawn(seed, count_of(name))]
    made = run(name).over(models)
    assert not made["blocks.1.weight"].any()
    assert all(bool(tensor.isfinite().all()) for tensor in made.values())


@pytest.mark.parametrize("name", sorted(name for name in METHODS if SHELF[name].min_inputs == 1))
@given(seed=st.integers(0, 2**20))
@FEW
def test_one_model_is_enough(run, name, seed):
    made = run(name).over(drawn(seed, 1))
    assert all(tensor.shape == SHAPES[n] and bool(tensor.isfinite().all()) for n, tensor in made.items())


@pytest.mark.parametrize("name", sorted(name for name in MANY if any(p.name == "density" for p in SHELF[name].params)))
def test_a_density_of_0_keeps_the_base(run, name):
    models = drawn(5, 3)
    made = run(name).over(models, density=0.0)
    assert all(bool(tensor.isfinite().all()) for tensor in made.values())
    if name != "pcb":  # its density is a quantile: 0 leaves the entries of the largest score
        assert all(not tensor.any() for tensor in made.values())


@pytest.mark.parametrize(("name", "given_"), [("dare", {}), ("breadcrumbs", {}), ("della", {"combine_by": "sum"})])
def test_a_density_of_1_is_task_arithmetic(run, name, given_):
    models = drawn(6, 3)
    made = run(name).over(models, density=1.0, scale=0.7, **given_)
    close(made, run("task_arithmetic").over(models, scale=0.7), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_bfloat16_numbers_are_merged_in_float32(run, name):
    """Checkpoints in bfloat16 have few distinct changes: nothing must break on ties."""
    models = [{n: t.bfloat16().float() for n, t in model.items()} for model in drawn(7, count_of(name))]
    spec = METHODS[name]
    made = run(name).over(models)
    assert all(bool(tensor.isfinite().all()) for tensor in made.values())
    piece = Piece("blocks.0.weight")
    if "state" not in spec.arguments:
        again = run(name)([model["blocks.0.weight"] for model in models], piece=piece)
        assert torch.equal(again, made["blocks.0.weight"])
