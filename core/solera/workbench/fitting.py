"""Which tasks of a project a model can be scored on: a project may hold networks of several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from solera.errors import SoleraError

if TYPE_CHECKING:
    from solera.recipes.nodes import Recipe
    from solera.workbench.workbench import Workbench

#: Samples that tell whether a network takes the inputs of a task and its outputs mean something there.
_SAMPLES = 2


def unfit(bench: Workbench, recipe: Recipe, tasks: Sequence[str]) -> dict[str, str]:
    """The tasks that a model cannot be scored on, with the reasons.

    It builds the network and scores a few samples of each task: not for the window's thread.

    Args:
        bench: The workbench.
        recipe: The model, with absolute paths and no free variables.
        tasks: Names of tasks.

    Returns:
        Task -> why, as a sentence; empty if all fit.
    """
    reasons = {}
    for task in tasks:
        try:
            bench.score_point(recipe, (task,), _SAMPLES)
        except SoleraError as error:
            reasons[task] = str(error)
    return reasons
