"""Equal models give themselves back: every method says with which parameters, or why it does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from solera.extend.registry import Registry

METHODS = Registry.discover().methods
SHAPES = {"layers.0.weight": (6, 4), "layers.1.weight": (5, 7), "layers.1.bias": (7,), "scale": ()}

#: With which parameters equal models give themselves back.
IDENTITY: dict[str, dict[str, Any]] = {
    "arcee_fusion": {},
    "breadcrumbs": {"density": 1.0, "gamma": 0.0, "scale": 1.0, "combine_by": "mean"},
    "checkpoint_average": {},
    "consensus": {"agree": 0, "scale": 1 / 3},
    "dare": {"density": 1.0, "combine_by": "mean"},
    "della": {"density": 1.0, "window": 0.0, "scale": 1.0},
    "ema": {},
    "emr": {},
    "expo": {"alpha": 0.0},
    "fisher": {},
    "flag_aggregator": {},
    "geometric_median": {},
    "karcher": {},
    "knots": {"density": 1.0},
    "linear": {},
    "lines": {"alpha": 1.0, "beta": 0.0},
    "median": {},
    "metrics_weighted": {},
    "model_stock": {},
    "multislerp": {},
    "nearswap": {"t": 1e6},
    "nuslerp": {},
    "passthrough": {},
    "ram": {"epsilon": 0.0},
    "ram_plus": {"epsilon": 0.0},
    "regmean": {},
    "sce": {},
    "slerp": {},
    "task_arithmetic": {"normalize": True},
    "ties": {"density": 1.0},
    "trimmed_mean": {},
    "variance_corrected": {},
    "wise_ft": {"alpha": 1.0},
}

#: Why some do not.
OTHERWISE = {
    "ama": "a share of the base is mixed in",
    "batchnorm": "its running statistics are those of the data",
    "darex_q": "what survives is divided by what the data say",
    "iso_c": "singular values become their mean",
    "iso_cts": "singular values become their mean",
    "half_reset": "half of the matrices go back to the base",
    "pcb": "magnitudes are clipped at both ends",
    "shared_layers": "one block stands for others",
    "tall_mask": "it gives the sum where the mask is",
    "tsv_m": "each task keeps its share of the directions alone",
    "wudi": "it begins at the sum of the changes",
}


def model(seed: int) -> dict[str, torch.Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=numbers) for name, shape in SHAPES.items()}


def close(got, want, rtol=1e-5):
    for name, tensor in want.items():
        torch.testing.assert_close(got[name], tensor, atol=rtol * float(tensor.abs().max()), rtol=rtol)


def count_of(name: str) -> int:
    return min(METHODS.describe(name).max_inputs or 3, 3)


def test_every_method_is_accounted_for():
    shipped = {name for name in METHODS if METHODS.describe(name).object.startswith("solera_plugins.merging.")}
    assert set(IDENTITY) | set(OTHERWISE) == shipped
    assert not set(IDENTITY) & set(OTHERWISE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", sorted(IDENTITY))
def test_equal_models_give_themselves_back(whole, name, dtype):
    base, one = ({n: t.to(dtype) for n, t in model(seed).items()} for seed in (1, 2))
    first = [base] if METHODS.describe(name).base == "required" else []
    made = whole(name, [*first, *[one] * count_of(name)], IDENTITY[name])
    close({n: t.float() for n, t in made.items()}, {n: t.float() for n, t in one.items()}, 1e-5)


@pytest.mark.parametrize(("name", "params"), [("fisher", {"favor_target": False, "rest": "average"}), ("regmean", {})])
def test_with_data_the_order_of_models_does_not_matter(whole, name, params):
    from solera.testing.conformance_statistics import tiny_statistic

    states = [model(seed) for seed in range(3)]
    measured = [tiny_statistic(METHODS.describe(name).needs, SHAPES, i) for i in range(3)]
    made = whole(name, states, params, measured=measured)
    close(whole(name, states[::-1], params, measured=measured[::-1]), made, 1e-4)


@pytest.mark.parametrize("name", ["fisher", "regmean"])
def test_with_data_a_merge_of_larger_numbers_is_as_much_larger(whole, name):
    states = [model(seed) for seed in range(3)]
    made = whole(name, states)
    larger = whole(name, [{n: t * 64.0 for n, t in state.items()} for state in states])
    close(larger, {n: t * 64.0 for n, t in made.items()}, 1e-4)


@pytest.mark.parametrize("name", ["dare", "della"])
def test_the_order_of_models_and_of_their_masks_does_not_matter(run, name):
    numbers = torch.Generator().manual_seed(3)
    deltas = [torch.randn(6, 8, generator=numbers) for _ in range(4)]
    masks = [torch.rand(6, 8, generator=numbers) < 0.6 for _ in range(4)]
    for how in ("sum", "mean", "ties", "ties_sum"):
        made = run(name)(deltas, masks, combine_by=how)
        turned = run(name)(deltas[::-1], masks[::-1], combine_by=how)
        torch.testing.assert_close(turned, made, atol=1e-5, rtol=1e-5)
