"""What makers of families share: models side by side in one graph, and sums added to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from solera.errors import InputError
from solera.families.coords import Coord
from solera.params import Value, Var
from solera.recipes.join import join, unused
from solera.recipes.nodes import MethodNode, Node, Recipe, SumNode, Term

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.methods.spec import MethodSpec

#: Checkpoints by the id of their node, or what opens those of a recipe.
Checkpoints = Mapping[str, "Checkpoint"] | Callable[[Recipe], Mapping[str, "Checkpoint"]]


@dataclass(frozen=True, slots=True)
class Source:
    """What makers of families read models with.

    Attributes:
        checkpoints: What the models' recipes read.
        methods: The registered methods.
    """

    checkpoints: Checkpoints
    methods: Mapping[str, MethodSpec] = field(default_factory=dict)

    def opened(self, nodes: Sequence[Node]) -> Mapping[str, Checkpoint]:
        """The checkpoints of some nodes, by id."""
        return self.checkpoints(Recipe(tuple(nodes))) if callable(self.checkpoints) else self.checkpoints

    def names(self, graph: Graph) -> list[str]:
        """The names of the tensors of a graph's models, which are those of any checkpoint in it."""
        return list(next(iter(self.opened(graph.recipe.nodes).values())))


class Graph:
    """Models side by side, and nodes added to them under ids that are still free.

    Args:
        models: Weights, without free variables.
        names: What the models are called; from the recipes if empty.

    Attributes:
        ends: The id of each model's node.
        labels: What each is called, no two alike.

    Raises:
        InputError: A model has free variables or no output, or there are more or fewer names.
    """

    def __init__(self, models: Sequence[Recipe], names: Sequence[str] = ()) -> None:
        for recipe in models:
            if recipe.variables:
                free = ", ".join(var.name for var in recipe.variables)
                raise InputError(
                    f"'{recipe.name or recipe.output}' has free variables ({free}); give them values before making a "
                    "family through it.",
                    variables=free,
                )
        nodes, self.ends = join(models)
        self._nodes = list(nodes)
        self.labels = _labels(models, self.ends, names)
        self.dtype = models[0].dtype if models else ""

    @property
    def models(self) -> str:
        """The names of a few models; of many how many they are, the first and the last."""
        few = len(self.labels) < 6
        return ", ".join(self.labels) if few else f"{len(self.labels)} models, {self.labels[0]} to {self.labels[-1]}"

    @property
    def recipe(self) -> Recipe:
        """All nodes so far, without an output."""
        return Recipe(tuple(self._nodes))

    def add(self, wanted: str, *terms: tuple[str, Value]) -> str:
        """Append the sum of ``(node, coefficient)``; returns its id."""
        return self._append(wanted, lambda id_: SumNode(id_, tuple(Term(node, times) for node, times in terms)))

    def method(self, wanted: str, method: str, inputs: Sequence[str], **params: Value) -> str:
        """Append a method on nodes; returns its id."""
        return self.based(wanted, method, inputs, "", params)

    def based(self, wanted: str, method: str, inputs: Sequence[str], base: str, params: Mapping[str, Value]) -> str:
        """Append a method on nodes with a base; returns its id."""
        return self._append(wanted, lambda id_: MethodNode(id_, method, tuple(inputs), base, params))

    def blend(self, origin: str, axes: Sequence[tuple[str, Coord]], name: str) -> Recipe:
        """The recipe ``origin + sum of coordinate * direction``, standing at the origin until someone chooses."""
        steps = [(node, Var(coord.name, coord.low, coord.high, 0.0)) for node, coord in axes]
        return self.output(self.add("point", (origin, 1.0), *steps), name)

    def output(self, node: str, name: str) -> Recipe:
        """The recipe with this node as its result."""
        return Recipe(tuple(self._nodes), node, self.dtype, name)

    def _append(self, wanted: str, make: Callable[[str], Node]) -> str:
        id_ = unused(wanted, [node.id for node in self._nodes])
        self._nodes.append(make(id_))
        return id_


def several(models: Sequence[Recipe]) -> Graph:
    """Two models or more side by side, each once.

    Raises:
        InputError: There are fewer, or one is there twice.
    """
    graph = Graph(models)
    if len(graph.ends) < 2:
        raise InputError(f"This family blends two models or more; got {len(graph.ends)}.")
    twice = sorted({label for label, end in zip(graph.labels, graph.ends, strict=True) if graph.ends.count(end) > 1})
    if twice:
        raise InputError(f"{' and '.join(twice)} are one and the same model; name each once.", models=twice)
    return graph


def _labels(recipes: Sequence[Recipe], ends: Sequence[str], names: Sequence[str]) -> list[str]:
    if names and len(names) != len(ends):
        raise InputError(f"{len(ends)} models need {len(ends)} names; got {len(names)}.")
    wanted = names or [recipe.name or end for recipe, end in zip(recipes, ends, strict=True)]
    labels: list[str] = []
    for name in wanted:
        labels.append(unused(name, labels))
    return labels
