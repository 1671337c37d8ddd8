"""A model of any making as a checkpoint: what is on disk as it is, the rest computed as it is read."""

from __future__ import annotations

from dataclasses import replace

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import FaultsError
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.workbench.inputs import Inputs


def opened(recipe: Recipe, inputs: Inputs) -> Checkpoint:
    """The model a recipe makes, without free variables, as a checkpoint; in float32 where it is computed.

    Args:
        recipe: Paths in it are anchored already.
        inputs: What opens checkpoints.

    Raises:
        FaultsError: It has faults.
    """
    faults = inputs.check(recipe)
    if faults:
        raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
    checkpoints = inputs.checkpoints(recipe)
    if isinstance(recipe.node(recipe.output), CheckpointNode):
        return checkpoints[recipe.output]
    from solera.execution.computed import ComputedCheckpoint
    from solera.execution.program import compile_recipe
    from solera.recipes.hashes import semantic_hash

    recipe = replace(recipe, dtype="float32")  # so that it is not rounded before it is looked at
    methods = inputs.registry.methods
    program = compile_recipe(recipe, methods, checkpoints)
    key = semantic_hash(recipe, methods, {id_: id_ for id_ in checkpoints})
    return ComputedCheckpoint(program, {**checkpoints, **program.views}, key)
