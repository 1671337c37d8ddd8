"""What the tests of methods share: their defaults, and whole models merged."""

from __future__ import annotations

import pytest

from solera.checkpoints.memory import MemoryCheckpoint
from solera.execution.memory import materialise
from solera.extend.registry import Registry
from solera.methods.spec import Piece
from solera.recipes.checks import check
from solera.recipes.nodes import CheckpointNode, MethodNode, Node, Recipe, StatisticNode, SumNode, Term
from solera.testing.conformance_statistics import tiny_statistic
from solera.testing.fading import FadingPasses

METHODS = Registry.discover().methods


class Runner:
    """Calls a method's function with its defaults, a number standing for every model."""

    def __init__(self, name):
        self.spec = METHODS[name]

    def params(self, count, **given):
        lists = {spec.name for spec in self.spec.params if spec.param.per_model}
        values = {spec.name: spec.default for spec in self.spec.params} | given
        return {k: (v,) * count if k in lists and not isinstance(v, tuple) else v for k, v in values.items()}

    def __call__(self, tensors, *extra, piece=None, state=None, **given):
        tensors = [tensor.double() for tensor in tensors] if self.spec.float64 else tensors
        arguments = {"piece": piece, "state": state}
        kept = {key: arguments[key] for key in self.spec.arguments}
        return self.spec.function(tensors, *extra, **self.params(len(tensors), **given), **kept)

    def over(self, models, size=1000, **given):
        """On whole models of several tensors, with the first pass if the parameters ask for it."""
        params = self.params(len(models), **given)
        deep = [{n: t.double() for n, t in model.items()} for model in models] if self.spec.float64 else models
        state = (
            self.spec.prepare(FadingPasses(deep, size), **params) if self.spec.needs_prepare(params, "model") else None
        )
        return {
            name: self([model[name] for model in models], piece=Piece(name), state=state, **given) for name in models[0]
        }


@pytest.fixture(scope="session")
def run():
    return Runner


def whole_merge(name, states, params=None, numbers=None, measured=None):
    """A method on whole models, the base first where it must have one, through a recipe, as a user has it.

    What the method needs of them is made up, or ``measured``: one statistic for each input.
    """
    card = METHODS.describe(name)
    ids = [f"m{i}" for i in range(len(states))]
    base, inputs = (ids[0], ids[1:]) if card.base == "required" else ("", ids)
    nodes: list[Node] = [CheckpointNode(id_, f"memory:{id_}") for id_ in ids]
    opened = {id_: MemoryCheckpoint.from_state_dict(state, id_) for id_, state in zip(ids, states, strict=True)}
    needed = [f"s{i}" for i in range(len(inputs))] if card.needs else []
    for i, (id_, model) in enumerate(zip(needed, inputs, strict=False)):
        nodes.append(StatisticNode(id_, "", model=model, statistic=card.needs, task="data"))
        shapes = {key: tuple(tensor.shape) for key, tensor in states[0].items()}
        found = tiny_statistic(card.needs, shapes, i) if measured is None else measured[i]
        opened[id_] = MemoryCheckpoint.from_state_dict(found, id_)
    nodes.append(MethodNode("merged", name, tuple(inputs), base, params or {}, statistics=tuple(needed)))
    if METHODS[name].gives == "delta" and card.takes == "weights":
        nodes.append(SumNode("moved", (Term(ids[0], 1.0), Term("merged", 1.0))))
    recipe = Recipe(tuple(nodes), nodes[-1].id)
    assert check(recipe, METHODS) == ()
    return materialise(recipe, opened, METHODS, numbers=numbers or {})


@pytest.fixture(scope="session")
def whole():
    return whole_merge
