"""Running methods on the tensors of a fixture as a user would: through a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.execution.memory import materialise
from solera.methods.spec import MethodSpec
from solera.params import Value
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe
from solera.testing.goldens import Case, Methods, Tensors, Unsupported


def find(method: str, methods: Methods) -> MethodSpec:
    """The method of this name.

    Raises:
        Unsupported: It is not installed.
    """
    if method not in methods:
        raise Unsupported(f"the method '{method}' is not installed")
    return methods[method]


def merge(
    method: str, models: Sequence[Tensors], base: Tensors | None, params: Mapping[str, Value], methods: Methods
) -> Tensors:
    """Run a method on whole models through recipe, checks and materialiser, as a user would."""
    find(method, methods)
    ids = [f"m{i}" for i in range(len(models))]
    states = dict(zip(ids, models, strict=True)) | ({"base": base} if base is not None else {})
    nodes: list[Node] = [CheckpointNode(id_, f"memory:{id_}") for id_ in states]
    nodes.append(MethodNode("merged", method, tuple(ids), "base" if base is not None else "", params))
    checkpoints = {id_: MemoryCheckpoint.from_state_dict(state, id_) for id_, state in states.items()}
    return materialise(Recipe(tuple(nodes), "merged"), checkpoints, methods)


def change(method: str, deltas: Sequence[Tensors], params: Mapping[str, Value], methods: Methods) -> Tensors:
    """Run a method on bare task vectors, added to a base of float32 zeros."""
    zeros = {name: torch.zeros_like(tensor, dtype=torch.float32) for name, tensor in deltas[0].items()}
    return merge(method, deltas, zeros, params, methods)


def vectors(case: Case) -> list[Tensors]:
    """The task vectors, subtracted in the dtype of the models as the sources do; it decides what is kept."""
    return [{name: model[name] - case.base[name] for name in case.base} for model in case.models]


def added(base: Tensors, delta: Tensors) -> Tensors:
    """Base and change, in the base's dtype."""
    return {name: (tensor.float() + delta[name]).to(tensor.dtype) for name, tensor in base.items()}


def included(case: Case) -> Case:
    """The case without the tensors that its ``exclude_param_names_regex`` leaves out, as MergeLM reads it."""
    patterns = case.hyper.get("exclude_param_names_regex") or []
    if not patterns:
        return case
    inputs = {
        group: {name: t for name, t in model.items() if not any(re.match(pattern, name) for pattern in patterns)}
        for group, model in case.inputs.items()
    }
    return replace(case, inputs=inputs)


def norm(hyper: Mapping[str, Any]) -> str:
    """Which norm a rescaling keeps: ``"l1"``, ``"RescaleNorm.l1"``; ``rescale`` alone means the 1-norm."""
    return str(hyper.get("rescale_norm") or ("l1" if hyper.get("rescale") else "none")).rpartition(".")[2].lower()
