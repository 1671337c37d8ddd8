"""Every parameter of every method in every form: by tensor name, as a curve over layers, per model, as a variable."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from solera.extend.registry import Registry
from solera.params import Curve, PerModel, Rules, Var

METHODS = Registry.discover().methods
SHAPES = {"embed.weight": (5, 4), "layers.0.weight": (6, 4), "layers.1.weight": (6, 4), "layers.1.bias": (7,)}

#: Every number, choice and switch a recipe may set.
PARAMS = [(name, spec) for name in sorted(METHODS) for spec in METHODS.describe(name).params]
IDS = [f"{name}-{spec.name}" for name, spec in PARAMS]


def models(name: str) -> list[dict[str, torch.Tensor]]:
    card = METHODS.describe(name)
    count = min(card.max_inputs or 3, 3) + (card.base == "required")
    numbers = torch.Generator().manual_seed(4)
    centre = {n: torch.randn(s, generator=numbers) for n, s in SHAPES.items()}
    return [{n: centre[n] + 0.3 * torch.randn(s, generator=numbers) for n, s in SHAPES.items()} for _ in range(count)]


def plain(spec: Any) -> Any:
    value = spec.default
    return value[0] if isinstance(value, tuple) else value


def other(spec: Any) -> Any:
    """Another value that is allowed."""
    value = plain(spec)
    if spec.choices:
        return next(choice for choice in spec.choices if choice != value)
    if spec.kind == "bool":
        return not value
    low, high = spec.param.low, spec.param.high
    if spec.kind == "int":
        return value + 1 if high is None or value + 1 <= high else value - 1
    if spec.kind == "float":
        nearer = value * 0.5 + (0.25 if high is None or value * 0.5 + 0.25 <= high else 0.0)
        return max(nearer, low) if low is not None else nearer
    return f"{value}x"


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(("name", "spec"), PARAMS, ids=IDS)
def test_one_value_is_the_same_in_every_form(whole, name, spec):
    value, states = plain(spec), models(name)
    forms: dict[str, Any] = {"rules": Rules((("layers.*", value),), value)}
    if spec.kind == "float":
        forms["curve"] = Curve((value, value, value))
    if spec.param.per_model:
        inputs = len(states) - (METHODS.describe(name).base == "required")
        forms["per model"] = PerModel((value,) * inputs)
    wanted = whole(name, states, {spec.name: value})
    for form, given in forms.items():
        assert same(whole(name, states, {spec.name: given}), wanted), form
    if spec.kind in {"float", "int"}:
        assert same(whole(name, states, {spec.name: Var("v", init=other(spec))}, {"v": value}), wanted), "variable"


def over_model(name: str, spec: Any) -> bool:
    """Whether something is counted over the whole model with this parameter, so that it is one for all tensors."""
    method = METHODS[name]
    params = {param.name: param.default for param in method.params}
    return any(method.needs_prepare({**params, spec.name: v}, "model") for v in (plain(spec), other(spec)))


BY_TENSOR = [(name, spec) for name, spec in PARAMS if not over_model(name, spec)]


@pytest.mark.parametrize(("name", "spec"), BY_TENSOR, ids=[f"{name}-{spec.name}" for name, spec in BY_TENSOR])
def test_a_rule_for_one_tensor_leaves_the_others(whole, name, spec):
    states, key = models(name), "layers.0.weight"
    made = whole(name, states, {spec.name: Rules(((key, other(spec)),), plain(spec))})
    left, changed = whole(name, states), whole(name, states, {spec.name: other(spec)})
    assert all(torch.equal(made[n], (changed if n == key else left)[n]) for n in SHAPES)
