"""Every setting of every method ends in finite numbers or in a sentence; what lies outside its bounds is a fault."""

from __future__ import annotations

import pytest
import torch

from solera.errors import InputError, SoleraError
from solera.extend.registry import Registry
from solera.params import PerModel
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term

METHODS = Registry.discover().methods
#: Those that work from weights alone.
ALONE = sorted(name for name in METHODS if not METHODS.describe(name).method.get("needs"))
SHAPES = {
    "blocks.0.weight": (7, 5),
    "kernel": (3, 2, 3, 3),
    "bias": (6,),
    "scale": (),
    "column": (4, 1),
    "nothing": (0, 3),
}

#: Settings that take long or far for a reason of their own: one step more says nothing new.
FAR = {("karcher", "iterations"), ("geometric_median", "iterations"), ("wudi", "iterations"), ("wudi", "rate")}


def models(name, count=0):
    """Models of which one tensor is the same in all, and one zero in the first."""
    spec = METHODS[name]
    generator = torch.Generator().manual_seed(1)
    count = count or min(3, spec.max_inputs or 3)
    made = [{n: torch.randn(s, generator=generator) for n, s in SHAPES.items()} for _ in range(count)]
    for model in made:
        model["frozen"] = torch.ones(3, 4)
    made[0]["bias"] = torch.zeros(6)
    return made


def ends(spec):
    """Every end of a range and every choice."""
    if spec.choices:
        return list(spec.choices)
    if spec.kind == "bool":
        return [True, False]
    if spec.kind in {"int", "float"}:
        return [kind for kind in (spec.param.low, spec.param.high) if kind is not None]
    return []


SETTINGS = [
    (name, spec.name, spec.kind, value)
    for name in ALONE
    for spec in METHODS.describe(name).params
    for value in ends(spec)
    if (name, spec.name) not in FAR
]


@pytest.mark.parametrize(("name", "param", "kind", "value"), SETTINGS, ids=[f"{n}-{p}-{v}" for n, p, _, v in SETTINGS])
def test_a_setting_at_its_end_is_finite_or_refused(run, name, param, kind, value):
    value = int(value) if kind == "int" else value
    try:
        made = run(name).over(models(name), **{param: value})
    except SoleraError:
        return
    for tensor, shape in ((made[n], s) for n, s in SHAPES.items()):
        assert tuple(tensor.shape) == shape
        assert bool(tensor.isfinite().all())


WEIGHTED = sorted(n for n in ALONE if any(p.name == "weight" for p in METHODS.describe(n).params))


@pytest.mark.parametrize("weight", [(0.0, 0.0), (1.0, -1.0), (1.0, 0.0), (1e-12, 1e-12), (-1.0, -2.0)], ids=str)
@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_that_total_nothing_are_refused_or_harmless(run, name, weight):
    try:
        made = run(name).over(models(name, 2), weight=weight)
    except InputError:
        return
    assert all(bool(tensor.isfinite().all()) for tensor in made.values())
    assert all(float(tensor.abs().max()) < 1e3 for tensor in made.values() if tensor.numel())


BOUNDED = [
    (name, spec.name, value)
    for name in ALONE
    for spec in METHODS.describe(name).params
    for value in (
        None if spec.param.low is None else spec.param.low - 0.5 if spec.kind == "float" else int(spec.param.low) - 1,
        None
        if spec.param.high is None
        else spec.param.high + 0.5
        if spec.kind == "float"
        else int(spec.param.high) + 1,
    )
    if value is not None and spec.kind in {"int", "float"}
]


@pytest.mark.parametrize(("name", "param", "value"), BOUNDED, ids=[f"{n}-{p}-{v}" for n, p, v in BOUNDED])
def test_a_value_beyond_its_bounds_is_a_fault_of_the_recipe(name, param, value):
    spec = METHODS.describe(name)
    ids = [f"m{i}" for i in range(max(spec.min_inputs, 1))]
    nodes = [CheckpointNode(id_, f"memory:{id_}") for id_ in [*ids, "base"]]
    base = "base" if spec.base == "required" else ""
    per_model = next(p for p in spec.params if p.name == param).param.per_model
    for given in (value, PerModel((value,) * len(ids))) if per_model else (value,):
        merged = MethodNode("merged", name, tuple(ids), base, {param: given})
        moved = SumNode("moved", (Term("base", 1.0), Term("merged", 1.0)))
        whole = (merged, moved) if METHODS[name].gives == "delta" else (merged,)
        faults = check(Recipe((*nodes, *whole), whole[-1].id), METHODS)
        assert faults, f"{param}={given} passed"
        assert all(fault.place.startswith(f"nodes.merged.{param}") for fault in faults)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_too_few_and_too_many_models_are_faults(name):
    spec = METHODS.describe(name)
    base = "base" if spec.base == "required" else ""
    for count in [spec.min_inputs - 1, *([] if spec.max_inputs is None else [spec.max_inputs + 1])]:
        ids = tuple(f"m{i}" for i in range(count))
        nodes = [CheckpointNode(id_, f"memory:{id_}") for id_ in (*ids, "base")]
        faults = check(Recipe((*nodes, MethodNode("merged", name, ids, base, {})), "merged"), METHODS)
        assert "recipe.inputs" in {fault.code for fault in faults}
