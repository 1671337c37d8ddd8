"""Models whose layers are chosen layers of several models: a family of variable depth.

Akiba et al. 2024 (Evolutionary optimization of model merging recipes, data-flow space): the layers of all models stand
in a row, the row is repeated, and each of these slots is on or off; the path through the slots that are on is the
model. A point therefore has as many layers as it has slots on, up to a most, so the family is no box of one network's
weights: every depth has a network of its own (:mod:`solera.landscapes.stacks`).

Between two layers that follow each other the stream of activations may be scaled by a factor of the pair. No code is
needed in the network for that: where every block reads the stream through a normalisation and adds to it, scaling the
stream is dividing what all later blocks add by the product of the factors so far (up to the normalisation's epsilon,
and the last normalisation forgets the rest). So a point is an ordinary checkpoint with scaled last projections.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from solera.checkpoints.layers import LayerList, layer_lists
from solera.errors import InputError, NumericError
from solera.families.coords import Coord
from solera.families.family import Family
from solera.families.graph import Graph, Source
from solera.params import Param, Rules
from solera.recipes.join import unused
from solera.recipes.nodes import MethodNode, Part, Recipe, StackNode

#: What the last projections of a block's branches are called, which add to the stream.
ADDING = ("o_proj", "out_proj", "down_proj", "c_proj", "attention.dense", "dense_4h_to_h", "fc2")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the row.

    Attributes:
        source: Which of the family's layers it is, counted over all models.
        node: The model's node.
        layer: Its number there.
    """

    source: int
    node: str
    layer: int


@dataclass(frozen=True, slots=True)
class StackFamily(Family):
    """Slots on and off -> weights.

    Its recipe is the whole row once and has no variables; :meth:`recipe_at` puts the stack of a point in its place.

    Attributes:
        slots: In the order of the first coordinates.
        prefix: What stands before a layer's number: ``"model.layers."``.
        most: Most layers a point may have.
        adding: Parts of names of the tensors a factor is folded into.
    """

    slots: tuple[Slot, ...] = ()
    prefix: str = ""
    most: int = 0
    adding: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Nothing: the coordinates are no variables of the recipe."""

    def layers(self, coords: Sequence[float]) -> tuple[Slot, ...]:
        """The layers of a point, in order."""
        return tuple(slot for slot, on in zip(self.slots, coords, strict=False) if round(on))

    def numbers(self, coords: Sequence[float]) -> dict[str, float]:
        """Coordinates by name, whole ones rounded.

        Raises:
            InputError: There are more or fewer than the family has, or one is not finite.
            NumericError: The point has no layer, or too many: it has no score.
        """
        if len(coords) != len(self.coords) or not all(math.isfinite(value) for value in coords):
            raise InputError(f"A point of this family is {len(self.coords)} finite numbers; got {len(coords)}.")
        depth = len(self.layers(coords))
        if not 0 < depth <= self.most:
            raise NumericError(f"The point has {depth} layers; a model has 1 to {self.most}.", depth=depth)
        return {coord.name: coord.snap(float(value)) for coord, value in zip(self.coords, coords, strict=True)}

    def recipe_at(self, coords: Sequence[float]) -> Recipe:
        """The stack of one point, an ordinary recipe.

        Raises:
            NumericError: As :meth:`numbers`.
        """
        numbers, path, recipe = self.numbers(coords), self.layers(coords), self.stacked_at(coords)
        factors = self._factors(path, numbers)
        if not self.adding or all(factor == 1.0 for factor in factors):
            return recipe
        rules = tuple(
            (f"{self.prefix}{new}.*{part}*", 1.0 / factor) for new, factor in enumerate(factors) for part in self.adding
        )
        id_ = unused("scaled", [node.id for node in recipe.nodes])
        scaled = MethodNode(id_, "passthrough", (recipe.output,), "", {"scale": Rules(rules, 1.0)})
        return replace(recipe, nodes=(*recipe.nodes, scaled), output=id_)

    def stacked_at(self, coords: Sequence[float]) -> Recipe:
        """The stack of one point without its factors.

        Raises:
            NumericError: As :meth:`numbers`.
        """
        self.numbers(coords)
        whole = self.recipe.output
        stack = StackNode(whole, tuple(_parts(self.layers(coords))), self.prefix)
        return replace(self.recipe, nodes=tuple(stack if node.id == whole else node for node in self.recipe.nodes))

    def _factors(self, path: Sequence[Slot], numbers: Mapping[str, float]) -> list[float]:
        """What the stream is multiplied by before each layer, in all."""
        found, product = [], 1.0
        for i, slot in enumerate(path):
            if i:
                product *= numbers.get(f"w_{path[i - 1].source}_{slot.source}", 1.0)
            found.append(product)
        return found

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        plain = Family.to_plain(self)
        stack = {
            "slots": [[slot.source, slot.node, slot.layer] for slot in self.slots],
            "prefix": self.prefix, "most": self.most, "adding": list(self.adding),
        }  # fmt: skip
        return {**plain, "stack": stack}


def read_stack(family: Mapping[str, Any], recipe: Recipe) -> StackFamily:
    """The inverse of :meth:`StackFamily.to_plain`.

    Args:
        family: The plain form.
        recipe: Its recipe, read.
    """
    stack = family["stack"]
    return StackFamily(
        recipe, tuple(Coord.from_plain(coord) for coord in family["coords"]), "stack",
        {str(label): tuple(map(float, at)) for label, at in family.get("labels", {}).items()},
        slots=tuple(Slot(int(source), str(node), int(layer)) for source, node, layer in stack["slots"]),
        prefix=str(stack["prefix"]), most=int(stack["most"]), adding=tuple(map(str, stack["adding"])),
    )  # fmt: skip


def stack(
    models: Sequence[Recipe],
    source: Source,
    *,
    repeats: Annotated[int, Param(1, 8, help="How often the row of all layers is repeated.")] = 2,
    scaling: Annotated[
        bool, Param(help="Whether the stream is scaled between two layers, by a factor of the pair.")
    ] = False,
    most: Annotated[int, Param(0, 10_000, help="Most layers of a model; 0 is twice those of the deepest.")] = 0,
) -> StackFamily:
    """Chosen layers of the models, one after another; as many as a point chooses.

    Args:
        models: One or more, without free variables, of equal width.
        source: What reads them.
        repeats: How often the row of all layers is repeated.
        scaling: Whether the stream of activations is scaled between layers.
        most: Most layers of a point; 0 is twice those of the deepest model.

    Raises:
        InputError: A model has no numbered layers, is not a checkpoint, or no projection is known that adds to the
            stream.
    """
    graph = Graph(models)
    checkpoints = source.opened(graph.recipe.nodes)
    layers: list[tuple[str, LayerList]] = []
    for label, end in zip(graph.labels, graph.ends, strict=True):
        if end not in checkpoints:
            raise InputError(f"'{label}' is made by a recipe; save it first, so that its layers can be chosen.")
        lists = layer_lists(checkpoints[end])
        if not lists:
            raise InputError(f"'{label}' has no numbered layers (such as 'model.layers.0.').")
        layers.append((end, lists[0]))
    prefix = layers[0][1].prefix
    row = [(end, number) for end, each in layers for number in each.numbers]
    slots = tuple(Slot(i, end, number) for _ in range(repeats) for i, (end, number) in enumerate(row))
    titles = dict(zip(graph.ends, graph.labels, strict=True))
    coords = [
        Coord(f"slot_{t}_{slot.source}", 0.0, 1.0, f"{titles[slot.node]} {slot.layer}", kind="whole")
        for t, slot in enumerate(slots)
    ]
    adding: tuple[str, ...] = ()
    if scaling:
        adding = _adding(checkpoints[layers[0][0]], layers[0][1])
        coords += [Coord(f"w_{i}_{j}", 0.5, 1.5, f"{i} to {j}") for i in range(len(row)) for j in range(len(row))]
    rest = (1.0,) * (len(coords) - len(slots))
    labels = {
        label: (*(float(t < len(row) and slot.node == end) for t, slot in enumerate(slots)), *rest)
        for label, end in zip(graph.labels, graph.ends, strict=True)
    }
    deepest = max(len(each.numbers) for _, each in layers)
    if most and most < deepest:
        raise InputError(f"The deepest model has {deepest} layers, so 'most' cannot be {most}.")
    whole = StackNode(
        unused("stack", [node.id for node in graph.recipe.nodes]), tuple(_parts(slots[: len(row)])), prefix
    )
    recipe = replace(graph.output(whole.id, f"layers of {graph.models}"), nodes=(*graph.recipe.nodes, whole))
    return StackFamily(
        recipe, tuple(coords), "stack", labels, slots=slots, prefix=prefix, most=most or 2 * deepest, adding=adding
    )


def _parts(path: Sequence[Slot]) -> list[Part]:
    """Runs of consecutive layers of one model as one part each."""
    parts: list[Part] = []
    for slot in path:
        last = parts[-1] if parts else None
        if last is not None and last.node == slot.node and last.layers is not None and last.layers[1] == slot.layer:
            parts[-1] = replace(last, layers=(last.layers[0], slot.layer + 1))
        else:
            parts.append(Part(slot.node, (slot.layer, slot.layer + 1)))
    return parts


def _adding(names: Sequence[str] | Mapping[str, Any], layers: LayerList) -> tuple[str, ...]:
    """Which of the known last projections this network has.

    Raises:
        InputError: None is known, so a factor cannot be folded in.
    """
    found = tuple(part for part in ADDING if any(layers.split(name) and part in name for name in names))
    if not found:
        raise InputError(
            f"No projection that adds to the stream is known in these layers (known names: {', '.join(ADDING)}), so "
            "the stream cannot be scaled; leave 'scaling' off."
        )
    return found
