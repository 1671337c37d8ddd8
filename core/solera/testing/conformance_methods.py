"""What every merging method promises, tried on tiny models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.execution.memory import materialise
from solera.methods.spec import MethodSpec
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.tensors.hashing import normal

#: A tiny model: a matrix, a kernel, a vector, a scalar, an empty tensor, and one long enough to be cut into chunks.
SHAPES: dict[str, tuple[int, ...]] = {
    "layers.0.weight": (24, 16),
    "layers.1.conv.weight": (4, 3, 3, 3),
    "layers.1.bias": (7,),
    "scale": (),
    "nothing": (0, 3),
    "long": (70_000,),
}


def tiny_models(count: int, *, spread: float = 0.1) -> list[dict[str, Tensor]]:
    """Models that lie near each other, the same on every machine: float32 tensors of :data:`SHAPES` by name.

    Args:
        count: How many.
        spread: How far they lie from the common centre, per element, in units of its own size.
    """
    models = []
    for index in range(count):
        model = {}
        for name, shape in SHAPES.items():
            size = torch.Size(shape).numel()
            centre, own = normal(0, name, 0, 0, size), normal(1, name, index, 0, size)
            model[name] = (centre + spread * own).view(shape)
        models.append(model)
    return models


def method_complaints(method: Any) -> list[str]:
    """What is wrong with a method; empty if it keeps its promises.

    Tried with as few inputs as it takes and with three (if it takes three), at its defaults: shapes and float32 stay,
    nothing becomes NaN, inputs are not changed, the same call gives the same bytes, equal models give themselves back
    as finite numbers, and with promise ``"bytes"`` the number of threads does not matter.
    """
    if not isinstance(method, MethodSpec):
        return [f"It is a {type(method).__name__}, not a method; declare it with @method."]
    missing = [spec.name for spec in method.params if spec.required]
    if missing:
        return [f"The parameter '{name}' has no default, so no form can show one." for name in missing]
    most = method.max_inputs
    counts = sorted({method.min_inputs, 3 if most is None or most >= 3 else most})
    complaints: list[str] = []
    for count in counts:
        complaints += [f"With {count} inputs: {text}" for text in _try(method, count)]
    return complaints


def _try(method: MethodSpec, count: int) -> list[str]:
    models = tiny_models(count + (method.base != "none"))
    before = [{name: tensor.clone() for name, tensor in model.items()} for model in models]
    first = _run(method, models)
    complaints = _shape_complaints(first)
    if any(not torch.equal(old[n], new[n]) for old, new in zip(before, models, strict=True) for n in old):
        complaints.append("It changes its inputs.")
    if not _same(first, _run(method, models)):
        complaints.append("The same call gives other bytes the second time.")
    if method.promise == "bytes":
        complaints += _thread_complaints(method, models, first)
    equal = _run(method, [models[0]] * len(models))
    complaints += [f"Equal models: {text}" for text in _shape_complaints(equal)]
    return complaints


def _thread_complaints(method: MethodSpec, models: list[dict[str, Tensor]], first: Mapping[str, Tensor]) -> list[str]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        again = _run(method, models)
    finally:
        torch.set_num_threads(threads)
    return [] if _same(first, again) else ["It promises equal bytes, but they depend on the number of threads."]


def _shape_complaints(made: Mapping[str, Tensor]) -> list[str]:
    complaints = []
    for name, shape in SHAPES.items():
        if name not in made:
            complaints.append(f"'{name}' is missing from the result.")
            continue
        tensor = made[name]
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
            complaints.append(f"'{name}' of shape {shape} became {tensor.dtype} of shape {tuple(tensor.shape)}.")
        elif not bool(torch.isfinite(tensor).all()):
            complaints.append(f"'{name}' holds NaN or infinity.")
    return complaints


def _run(method: MethodSpec, models: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Through the real path: a recipe, materialised."""
    ids = [f"m{i}" for i in range(len(models))]
    checkpoints = {id_: MemoryCheckpoint.from_state_dict(model, id_) for id_, model in zip(ids, models, strict=True)}
    nodes = tuple(CheckpointNode(id_, f"memory:{id_}") for id_ in ids)
    base, inputs = ("", ids) if method.base == "none" else (ids[0], ids[1:])
    params = {s.name: PerModel(s.default) if isinstance(s.default, tuple) else s.default for s in method.params}
    given = {name: value for name, value in params.items() if value is not None and not isinstance(value, PerModel)}
    merged = MethodNode("merged", method.name, tuple(inputs), base, given)
    recipe = Recipe((*nodes, merged), "merged")
    return materialise(recipe, checkpoints, {method.name: method}, context=QuietContext())


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return set(a) == set(b) and all(a[name].numpy().tobytes() == b[name].numpy().tobytes() for name in a)
