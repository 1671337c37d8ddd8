"""Landscapes over stacks of layers, made ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from solera.jobs.lanes import spans

if TYPE_CHECKING:
    from torch import Tensor

    from solera.context import Context
    from solera.families.stacks import StackFamily
    from solera.landscapes.landscape import Landscape, Measure
    from solera.models.network import Network
    from solera.workbench.inputs import Inputs


def stack_landscapes(
    family: StackFamily,
    inputs: Inputs,
    measures: Callable[[Any], list[Measure]],
    splits: Sequence[str],
    *,
    device: str,
    factory: str,
    context: Context,
) -> list[Landscape]:
    """One landscape for each split; they share the networks of their depths.

    Args:
        family: The stacks.
        inputs: What opens their checkpoints.
        measures: Makes the tasks ready on a split.
        splits: Which.
        device: Where; several with ``+`` between hold each network together.
        factory: What makes a module of a config, where no architecture does.
        context: Asked whether to stop while weights are put together.

    Raises:
        MismatchError: No network can be built of so many layers.
    """
    from solera.execution.memory import materialise
    from solera.landscapes.stacks import Depths, StackLandscape
    from solera.models.architecture import build_network
    from solera.recipes.views import open_views

    methods, checkpoints = inputs.registry.methods, inputs.checkpoints(family.recipe)
    source = family.recipe.checkpoints[0].source

    def build(coords: Sequence[float]) -> Network:
        recipe = family.stacked_at(coords)
        opened = open_views(recipe, checkpoints, _nothing_computed)[1][recipe.output]
        return build_network(opened, inputs.registry.architectures, factory or inputs.factory_of(source), device=device)

    def tensors(coords: Sequence[float]) -> Mapping[str, Tensor]:
        host = "cpu" if spans(device) else device
        return materialise(family.recipe_at(coords), checkpoints, methods, device=host, context=context)

    depths = Depths(family, build, tensors)
    return [StackLandscape(family, depths, measures(split)) for split in splits]


def _nothing_computed(recipe: Any, checkpoints: Any) -> Any:
    raise AssertionError("a stack of checkpoints computes nothing")
