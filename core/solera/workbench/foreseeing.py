"""What an exploration would be, before anything is scored: its coordinates and how many points it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solera.workbench.experiment import load_experiment
from solera.workbench.setting import make_explorer, make_task

if TYPE_CHECKING:
    from solera.workbench.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is known of an exploration beforehand.

    Attributes:
        coords: Names of its coordinates.
        points: How many it scores at most.
    """

    coords: tuple[str, ...]
    points: int


def foresee(plain: Mapping[str, Any], inputs: Inputs) -> Foreseen:
    """See whether an explorer takes a family and its tasks. Tasks read no data, no network is built.

    Some families read weights to find where their models lie (planes, trajectories): not for a window's thread.

    Raises:
        FaultsError: The experiment, its family or a parameter has faults.
        InputError: The models make no such family, or the explorer does not take it; the sentence says why.
        TaskError: A task is unknown.
    """
    from solera.landscapes.explore import total_points
    from solera.landscapes.explorer import Space
    from solera.tasks.scores import Column

    experiment = load_experiment(plain)
    family = inputs.family(experiment.family)
    tasks = [make_task(name, inputs) for name in experiment.tasks]
    columns = tuple(Column(task.name, metric, experiment.split) for task in tasks for metric in task.metrics)
    names = [column.name for column in columns]
    firsts = {task.name: f"{task.name}.{task.metrics[0]}" for task in tasks}
    chosen = [firsts.get(name, name) for name in experiment.objectives] or list(firsts.values())
    space = Space(
        family.coords,
        columns,
        dict(family.labels),
        tuple(names.index(name) for name in chosen if name in names),
        all(task.yields != "aggregate" for task in tasks),
        kind=family.kind,
        no_slopes="",  # whether there are gradients only the networks tell
        region=family.region,
    )
    explorer = make_explorer(experiment, inputs.registry, inputs.project)
    points = total_points(explorer, explorer.plan(space), experiment.budget or None)
    return Foreseen(tuple(coord.name for coord in family.coords), points)
