"""Scores of single points while a hand drags: network, data and directions are kept between calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from solera.errors import FaultsError
from solera.params import Value, Var
from solera.recipes.nodes import Node, Recipe, StatisticNode, SumNode, Term
from solera.recipes.types import infer_types
from solera.workbench.inputs import Inputs
from solera.workbench.setting import make_network, make_task, task_versions

if TYPE_CHECKING:
    from solera.context import Context
    from solera.execution.memory import Materialiser
    from solera.methods.spec import MethodSpec
    from solera.models.network import Network
    from solera.tasks.scores import Score
    from solera.tasks.task import Evaluator

#: How many different recipes are kept ready.
_KEPT = 2


@dataclass(frozen=True, slots=True)
class _Ready:
    network: Network
    materialiser: Materialiser
    evaluators: tuple[Evaluator, ...]
    lock: threading.Lock


class Live:
    """Scores points; those of recipes that differ only in numbers share everything but the numbers.

    Args:
        inputs: What opens checkpoints.
        device: torch device.
    """

    def __init__(self, inputs: Inputs, device: str) -> None:
        self._inputs = inputs
        self._device = device
        self._ready: OrderedDict[Any, _Ready] = OrderedDict()
        self._lock = threading.Lock()

    def score(
        self,
        recipe: Recipe,
        tasks: tuple[str, ...],
        limit: int | None,
        numbers: Mapping[str, float],
        split: Any,
        context: Context | None,
    ) -> tuple[Score, ...]:
        """The scores of a point, in the order of the tasks' columns. One point at a time; others wait.

        Raises:
            FaultsError: The recipe has faults.
            TaskError: A task is unknown or its data are missing.
        """
        import torch

        from solera.context import QuietContext

        context = context or QuietContext(self._device)
        # A preview may differ by rounding; without a limit the score is that of the weights as they would be saved.
        # Statistics are of weights that are fixed.
        movable = limit and not any(isinstance(node, StatisticNode) for node in recipe.nodes)
        opened, found = freed(recipe, self._inputs.registry.methods) if movable else (recipe, {})
        standing = {var.name: var.init for var in recipe.variables if var.init is not None}
        ready = self._make_ready(opened, tasks, limit, split, context)
        with ready.lock, torch.inference_mode():
            ready.materialiser.at({**standing, **found, **numbers}, ready.network.flat)
            return tuple(score for evaluator in ready.evaluators for score in evaluator(ready.network, context))

    def _make_ready(
        self, recipe: Recipe, tasks: tuple[str, ...], limit: int | None, split: Any, context: Context
    ) -> _Ready:
        from solera.execution.memory import Materialiser
        from solera.recipes.hashes import textual_hash

        faults = self._inputs.check(recipe)
        if faults:
            raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
        self._inputs.measure(recipe, context)
        checkpoints = self._inputs.checkpoints(recipe)
        stamp = tuple(checkpoint.identity() for checkpoint in checkpoints.values())
        made = [make_task(name, self._inputs) for name in tasks]
        given = repr(task_versions(made, self._inputs)), *(id(self._inputs.tasks.get(name)) for name in tasks)
        key = (textual_hash(recipe), stamp, tasks, given, limit, split)
        with self._lock:
            if key not in self._ready:
                network = make_network(recipe, self._inputs, self._device)
                methods = self._inputs.registry.methods
                materialiser = Materialiser(recipe, checkpoints, methods, network.layout, self._device, context)
                evaluators = tuple(task.prepare(split, device=self._device, limit=limit) for task in made)
                self._ready[key] = _Ready(network, materialiser, evaluators, threading.Lock())
                while len(self._ready) > _KEPT:
                    self._ready.popitem(last=False)
            self._ready.move_to_end(key)
            return self._ready[key]


def freed(recipe: Recipe, methods: Mapping[str, MethodSpec]) -> tuple[Recipe, dict[str, float]]:
    """The recipe with the coefficients of its sums made variables, and the numbers they stood at.

    A handle that is dragged changes the coefficients of a sum: with them freed, every position is a point of one and
    the same recipe. ``a*x + b*y + c*z`` of weights whose coefficients total 1 becomes ``x + b*(y - x) + c*(z - x)``,
    for a variable may only stand before a delta; the two differ by rounding alone. Sums with curves, rules or
    variables, and everything else, stay as they are.
    """
    types = infer_types(recipe, methods)
    numbers: dict[str, float] = {}
    nodes: list[Node] = []
    for node in recipe.nodes:
        if isinstance(node, SumNode) and all(_is_number(term.coefficient) for term in node.terms):
            nodes += _freed_sum(node, types, numbers)
        else:
            nodes.append(node)
    return replace(recipe, nodes=tuple(nodes)), numbers


def _freed_sum(node: SumNode, types: Mapping[str, str], numbers: dict[str, float]) -> list[Node]:
    weights = [term for term in node.terms if types.get(term.node) == "weights"]
    if node.id not in types or any(term.node not in types for term in node.terms):
        return [node]
    anchor = weights[0].node if weights else ""
    terms = [Term(anchor)] if anchor and types[node.id] == "weights" else []
    added: list[Node] = []
    for i, term in enumerate(node.terms):
        if term is (weights[0] if weights else None):
            continue
        name = f"{node.id}__{i}"
        target = term.node
        if types[target] == "weights":
            target = f"{name}_from_{anchor}"
            added.append(SumNode(target, (Term(term.node), Term(anchor, -1.0))))
        numbers[name] = float(term.coefficient)  # type: ignore[arg-type]
        terms.append(Term(target, Var(name)))
    return [*added, replace(node, terms=tuple(terms))]


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
