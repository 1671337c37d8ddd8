"""Our methods, through a recipe, against what mergekit 0.1.5 made of the same models (``record_mergekit.py``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from solera.extend.registry import Registry
from solera.params import PerModel
from solera.testing.golden_recipes import merge

DATA = Path(__file__).parent / "data" / "mergekit"
CASES = json.loads((DATA / "0.1.5.json").read_text())
METHODS = Registry.discover().methods
THREE, TWO = PerModel((0.5, 0.3, 0.4)), PerModel((0.7, 0.5))
SPHERE = PerModel((0.7, 0.5, 0.2))
CRUMBS = {"weight": THREE, "density": 0.5, "gamma": 0.05, "scale": 1.0, "zero_sign": "plus"}

#: mergekit's case -> ours: the method, its parameters, and how many models it is given.
OURS = {
    "linear": ("linear", {"weight": THREE}, 3),
    "linear_plain": ("linear", {"weight": THREE, "normalize": False}, 3),
    "slerp": ("slerp", {"t": 0.3}, 1),
    "nuslerp": ("nuslerp", {"weight": TWO}, 2),
    "nuslerp_base": ("nuslerp", {"weight": TWO}, 2),
    "nuslerp_rows": ("nuslerp", {"weight": TWO, "by": "row"}, 2),
    "nuslerp_columns": ("nuslerp", {"weight": TWO, "by": "column"}, 2),
    "multislerp": ("multislerp", {"weight": SPHERE}, 3),
    "multislerp_base": ("multislerp", {"weight": SPHERE}, 3),
    "multislerp_plain": ("multislerp", {"weight": SPHERE, "normalize": False}, 3),
    "karcher": ("karcher", {}, 3),
    "task_arithmetic": ("task_arithmetic", {"weight": PerModel((0.5, -0.3, 0.4)), "scale": 0.9}, 3),
    "task_arithmetic_shares": ("task_arithmetic", {"weight": THREE, "normalize": True}, 3),
    "ties": ("ties", {"weight": THREE, "density": 0.5, "zero_sign": "plus"}, 3),
    "ties_negative": (
        "ties",
        {"weight": PerModel((0.5, -0.3, 0.4)), "density": PerModel((0.2, 0.7, 1.0)), "scale": 1.1, "zero_sign": "plus"},
        3,
    ),
    "ties_rescaled_sum": (
        "ties", {"weight": THREE, "density": 0.4, "merge": "sum", "rescale": "l1", "zero_sign": "plus"}, 3,
    ),
    "breadcrumbs": ("breadcrumbs", CRUMBS, 3),
    "breadcrumbs_ties": ("breadcrumbs", {**CRUMBS, "combine_by": "ties_sum"}, 3),
    "breadcrumbs_rescaled": ("breadcrumbs", {**CRUMBS, "rescale": "l1"}, 3),
    "model_stock": ("model_stock", {"compat": "mergekit"}, 3),
    "model_stock_rows": ("model_stock", {"compat": "mergekit", "by": "row"}, 3),
    "sce": ("sce", {"compat": "mergekit"}, 3),
    "sce_half": ("sce", {"compat": "mergekit", "density": 0.5}, 3),
    "ram": ("ram", {"epsilon": 5e-4}, 3),
    "ramplus_tl": ("ram_plus", {"epsilon": 1e-3, "r": 0.3, "alpha": 0.5, "scope": "tensor"}, 3),
    "nearswap": ("nearswap", {"t": 3e-4}, 1),
    "arcee_fusion": ("arcee_fusion", {"compat": "mergekit"}, 1),
    "passthrough": ("passthrough", {"scale": 0.5}, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def recorded():
    return load_file(DATA / "0.1.5.safetensors")


def group(recorded, prefix):
    return {key.removeprefix(prefix): tensor for key, tensor in recorded.items() if key.startswith(prefix)}


def ours(recorded, method, params, count, based):
    """Our method on the recorded models; what takes no base is given it as its first input."""
    models = [group(recorded, f"in.m{i}/") for i in range(count + 1)]
    base = models[0] if based and METHODS[method].base != "none" else None
    inputs = models if based and base is None else models[1:]
    return merge(method, inputs, base, params, METHODS)


def test_every_recorded_case_is_compared():
    assert set(OURS) == set(CASES)


@pytest.mark.parametrize("case", sorted(CASES))
def test_as_mergekit(case, recorded):
    made = ours(recorded, *OURS[case], CASES[case][2])
    for name, want in group(recorded, f"out.{case}/").items():
        torch.testing.assert_close(made[name], want, atol=1e-7, rtol=1e-5)
