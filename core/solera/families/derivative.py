"""How the weights of a family change with its coordinates, for whoever follows a gradient.

Two kinds of recipe have a derivative that is exact and cheap. An *average* is the method ``linear`` with shares that
are normalised: ``W = sum_i w_i W_i / sum_i w_i``, with one share per model or per model and tensor, so
``dW/dw_i = (W_i - W) / sum w``. An *affine* recipe is ``W = base + sum_k c_k D_k``. Rounding to a storage dtype counts
as the identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from solera.errors import InputError
from solera.execution.affinity import affine_in_variables
from solera.execution.memory import Materialiser
from solera.execution.program import compile_recipe
from solera.params import ParamSpec, PerModel, Rules, Site, Value, Var, resolve, variables
from solera.recipes.nodes import MethodNode, Recipe
from solera.recipes.order import by_id, reachable
from solera.tensors.reductions import dot

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.context import Context
    from solera.families.family import Family
    from solera.methods.spec import MethodSpec
    from solera.models.layout import FlatLayout

Floats = NDArray[np.float64]

#: The method whose shares are differentiated.
_AVERAGE = "linear"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the weights of a family are made of.

    Attributes:
        checkpoints: By node id.
        methods: The registered methods.
        layout: Of the network.
        device: Where the flat vectors are.
    """

    checkpoints: Mapping[str, Checkpoint]
    methods: Mapping[str, MethodSpec]
    layout: FlatLayout
    device: str = "cpu"

    def affine(self, recipe: Recipe) -> bool:
        """Whether a recipe is affine in its variables."""
        return affine_in_variables(compile_recipe(recipe, self.methods, self.checkpoints, free=True))

    def materialiser(self, recipe: Recipe, context: Context | None = None) -> Materialiser:
        """Of a recipe, in float32."""
        exact = reachable(replace(recipe, dtype="float32"))
        return Materialiser(exact, self.checkpoints, self.methods, self.layout, self.device, context)


class Derivative:
    """Pulls a gradient with respect to the weights back to the coordinates.

    What it holds (the models of an average, the directions of an affine recipe, each as long as the network) is made
    when it is first used. One thread at a time.

    Args:
        family: Its coordinates, and the recipe.
        parts: What the recipe reads.

    Raises:
        InputError: The recipe is neither an average nor affine in its variables.
    """

    def __init__(self, family: Family, parts: Parts) -> None:
        self._family = family
        self._parts = parts
        self._shares = _shares(family.recipe)
        self._held: list[Tensor] | None = None
        if self._shares is None and not parts.affine(family.recipe):
            raise InputError(
                "Gradients go through families that are averages of models (shares, subset) or affine in their "
                "coordinates (line, plane, simplex, sums); this recipe is neither."
            )

    @property
    def average(self) -> bool:
        """Whether the coordinates are shares of an average, which a common factor does not change."""
        return self._shares is not None

    def pull(self, coords: Sequence[float], gradient: Tensor, context: Context) -> Floats:
        """The gradient with respect to the coordinates.

        Args:
            coords: Where.
            gradient: With respect to the weights there, flat float32 of shape (layout.numel,).
            context: Asked whether to stop.

        Returns:
            Shape (number of coordinates,), float64.
        """
        return self._pull_average(coords, gradient, context) if self.average else self._pull_affine(gradient, context)

    def _pull_average(self, coords: Sequence[float], gradient: Tensor, context: Context) -> Floats:
        assert self._shares is not None
        if self._held is None:
            self._held = [self._flat(node, context) for node in self._shares.inputs]
        numbers = self._family.numbers(coords)
        places = {coord.name: k for k, coord in enumerate(self._family.coords)}
        found = np.zeros(len(places))
        layout = self._parts.layout
        for name in layout.names:
            context.check()
            where = layout.where(name)
            along = np.array([dot(gradient[where], model[where]) for model in self._held])
            site = Site(name, 0.0, len(self._held))
            shares = np.array(self._shares.at(site, numbers))
            total = shares.sum()
            change = (along - shares @ along / total) / total
            for i, item in enumerate(self._shares.values):
                var = _var_at(item, site)
                if var is not None:
                    found[places[var.name]] += change[i]
        return found

    def _pull_affine(self, gradient: Tensor, context: Context) -> Floats:
        if self._held is None:
            self._held = self._directions(context)
        return np.array([dot(gradient, direction) for direction in self._held])

    def _directions(self, context: Context) -> list[Tensor]:
        """By how much the weights change for one unit of each coordinate."""
        made = self._parts.materialiser(self._family.recipe, context)
        start = {coord.name: coord.low for coord in self._family.coords}
        origin, found = self._empty(), []
        made.at(start, origin)
        for coord in self._family.coords:
            context.check()
            end = self._empty()
            made.at({**start, coord.name: coord.high}, end)
            found.append((end - origin) / (coord.high - coord.low))
        return found

    def _flat(self, node: str, context: Context) -> Tensor:
        flat = self._empty()
        self._parts.materialiser(replace(self._family.recipe, output=node), context).at({}, flat)
        return flat

    def _empty(self) -> Tensor:
        return torch.empty(self._parts.layout.numel, dtype=torch.float32, device=self._parts.device)


@dataclass(frozen=True, slots=True)
class _Shares:
    """The shares of an average.

    Attributes:
        inputs: The nodes that are averaged.
        values: The share of each: a number, a variable, or one of these by tensor name.
    """

    inputs: tuple[str, ...]
    values: tuple[Value, ...]

    def at(self, site: Site, numbers: Mapping[str, float]) -> list[float]:
        """The shares at one tensor."""
        spec = ParamSpec("weight", "float")
        return [float(resolve(value, spec, site, numbers)) for value in self.values]  # type: ignore[arg-type]


def _shares(recipe: Recipe) -> _Shares | None:
    """The shares, where the output is a normalised average of models that do not vary; else None."""
    nodes = by_id(recipe)
    output: Any = nodes.get(recipe.output)
    if (
        not isinstance(output, MethodNode)
        or output.method != _AVERAGE
        or output.params.get("normalize", True) is not True
    ):
        return None
    weight = output.params.get("weight", 1.0)
    values = weight.values if isinstance(weight, PerModel) else (weight,) * len(output.inputs)
    below = [reachable(replace(recipe, output=node)) for node in output.inputs]
    if any(part.variables for part in below) or not all(_plain_share(value) for value in values):
        return None
    return _Shares(output.inputs, tuple(values))


def _plain_share(value: Value) -> bool:
    """Whether a share is a number or variable, or one of these by name (a curve asks for a tensor's depth)."""
    if isinstance(value, Rules):
        return all(_plain_share(item) for item in (*(item for _, item in value.rules), value.otherwise))
    return isinstance(value, (int, float, Var)) and not isinstance(value, bool)


def _var_at(value: Value, site: Site) -> Var | None:
    """The variable a share is at one tensor; None if it is a number there."""
    while isinstance(value, Rules):
        value = next((item for glob, item in value.rules if fnmatchcase(site.name, glob)), value.otherwise)
    return next(variables(value), None)
