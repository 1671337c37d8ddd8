"""Finding the models a recipe is made of among the points of its own family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from solera.families.coords import Coord
from solera.params import by_place
from solera.recipes.nodes import MethodNode, Recipe, node_values

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

#: Coefficients nearer than this to those of a single model are that model.
_TOLERANCE = 1e-5


def named_points(
    recipe: Recipe, coords: Sequence[Coord], methods: Mapping[str, MethodSpec]
) -> dict[str, tuple[float, ...]]:
    """Where the checkpoints of a recipe lie among its points: id -> coordinates.

    Known only where the result is affine in coordinates and inputs (sums, averages, task arithmetic) and the same for
    every tensor: there a point is ``sum of w_i(coords) * checkpoint_i``, and checkpoint j lies where ``w`` is the j-th
    unit vector. The w_i are found by running the recipe itself on unit vectors in place of the checkpoints.

    Args:
        recipe: With free variables.
        coords: One per variable.
        methods: The registered methods.

    Returns:
        The checkpoints that lie within the coordinates' bounds; empty if the recipe is not of that kind.
    """
    ids = [node.id for node in recipe.checkpoints]
    if not ids or not _affine(recipe, methods):
        return {}
    start = _weights(recipe, ids, coords, [0.0] * len(coords), methods)
    steps = []
    for axis in range(len(coords)):
        unit = [float(other == axis) for other in range(len(coords))]
        steps.append(_weights(recipe, ids, coords, unit, methods) - start)
    matrix = np.stack(steps, axis=1)
    probe = [0.37 + 0.11 * axis for axis in range(len(coords))]
    if np.abs(_weights(recipe, ids, coords, probe, methods) - (start + matrix @ probe)).max() > _TOLERANCE:
        return {}  # two coordinates multiply each other
    found = {}
    for j, id_ in enumerate(ids):
        solution: NDArray[np.float64] = np.linalg.lstsq(matrix, np.eye(len(ids))[j] - start, rcond=None)[0]
        at = np.round(solution, 9) + 0.0
        exact = np.abs(start + matrix @ at - np.eye(len(ids))[j]).max() <= _TOLERANCE
        if exact and all(c.low <= value <= c.high for c, value in zip(coords, at, strict=True)):
            found[id_] = tuple(float(value) for value in at)
    return found


def _weights(
    recipe: Recipe, ids: Sequence[str], coords: Sequence[Coord], at: Sequence[float], methods: Mapping[str, MethodSpec]
) -> NDArray[np.float64]:
    """With which weights the checkpoints enter at a point, shape (len(ids),)."""
    from solera.checkpoints.memory import MemoryCheckpoint
    from solera.execution.memory import materialise

    unit = torch.eye(len(ids), dtype=torch.float64)
    states = {id_: MemoryCheckpoint.from_state_dict({"weight": unit[i].clone()}, id_) for i, id_ in enumerate(ids)}
    numbers = {coord.name: value for coord, value in zip(coords, at, strict=True)}
    return np.asarray(materialise(recipe, states, methods, numbers)["weight"].double().numpy(), dtype=np.float64)


def _affine(recipe: Recipe, methods: Mapping[str, MethodSpec]) -> bool:
    """Whether every node is affine in its inputs and treats every tensor alike."""
    for node in recipe.nodes:
        if isinstance(node, MethodNode) and not methods[node.method].affine:
            return False
        if any(by_place(value) for value in node_values(node)):
            return False
    return True
