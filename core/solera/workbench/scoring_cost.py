"""What an exploration, an evaluation or a comparison will take, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solera.recipes.nodes import Recipe
from solera.recipes.order import reachable
from solera.workbench.experiment import Experiment, load_experiment
from solera.workbench.setting import make_explorer, make_task

if TYPE_CHECKING:
    from solera.runs.reader import RunReader
    from solera.workbench.bench import Bench
    from solera.workbench.inputs import Inputs

#: So many of the newest runs are looked at for how long a point takes.
_LOOKED = 12
_FLOAT = 4
#: Kinds of runs whose points are scored on tasks.
_SCORING = frozenset({"explore", "compare", "evaluate"})


@dataclass(frozen=True, slots=True)
class ScoringCost:
    """What scoring will take.

    Attributes:
        reads: Bytes of the checkpoints' files.
        holds: Bytes of weights in memory; see :func:`weights_held`. What a batch of a task needs comes on top.
        points: How many are scored; None if only the scores will tell.
        seconds: By the newest finished run on the same tasks with networks of the same size; None if there is none.
    """

    reads: int
    holds: int
    points: int | None = None
    seconds: float | None = None


def weights_held(recipe: Recipe, inputs: Inputs) -> int:
    """Bytes of weights in memory while points of a recipe are scored.

    A float32 copy of each value that its output is made of, and the network's own weights. A value that is needed for
    others only, and does not vary, is let go of, so that this is the most.

    Raises:
        SoleraError: A checkpoint cannot be opened.
    """
    numel = max((checkpoint.numel for checkpoint in inputs.checkpoints(recipe).values()), default=0)
    return _FLOAT * numel * (len(reachable(recipe).nodes) + 1)


def scoring_cost(bench: Bench, plain: Any) -> ScoringCost:
    """What the experiment of a job will take. Reads headers only.

    Args:
        bench: What jobs share.
        plain: The experiment in plain form: of kind ``"explore"``, ``"evaluate"`` or ``"compare"``.

    Raises:
        SoleraError: Something of it is faulty; the job itself says so again.
    """
    experiment = load_experiment(plain)
    if experiment.kind == "explore":
        family = bench.inputs.family(experiment.family)
        recipes, points = [family.recipe], _points(bench, experiment)
    else:
        recipes = [
            bench.inputs.recipe(entry["recipe"] if "recipe" in entry else entry["checkpoint"])
            for entry in experiment.entries
        ]
        points = len(recipes)
        for entry in experiment.entries:
            tried = 1
            for values in dict(entry.get("tune", {})).values():
                tried *= len(values)
            points += tried if entry.get("tune") else 0
    files = {str(one.path): one.nbytes for recipe in recipes for one in bench.inputs.checkpoints(recipe).values()}
    each = _seconds_each(bench, experiment, recipes)
    seconds = each * points if each is not None and points is not None else None
    holds = max((weights_held(recipe, bench.inputs) for recipe in recipes), default=0)
    return ScoringCost(sum(files.values()), holds, points, seconds)


def _points(bench: Bench, experiment: Experiment) -> int | None:
    """How many points an exploration will score, as far as its explorer knows."""
    from solera.landscapes.explorer import Space

    family = bench.inputs.family(experiment.family)
    tasks = [make_task(name, bench.inputs) for name in experiment.tasks]
    columns = tuple(column for task in tasks for column in task.columns(experiment.split))
    firsts = {column.task: place for place, column in reversed(list(enumerate(columns)))}
    space = Space(
        family.coords, columns, dict(family.labels), tuple(firsts[task.name] for task in tasks), kind=family.kind,
        region=family.region,
    )  # fmt: skip
    extent = make_explorer(experiment, bench.inputs.registry, bench.inputs.project).plan(space)
    return min((limit for limit in (extent.total, experiment.budget or None) if limit is not None), default=None)


def _seconds_each(bench: Bench, experiment: Experiment, recipes: Sequence[Recipe]) -> float | None:
    """Seconds a point took in the newest finished run on the same tasks with networks of the same size."""
    from solera.errors import SoleraError
    from solera.runs.catalogue import Catalogue
    from solera.runs.reader import RunReader

    sizes = _sizes(bench, recipes)
    with closing(Catalogue(bench.runs_folder)) as catalogue:
        catalogue.refresh()
        found = [info for info in catalogue.list() if info.state == "done" and info.kind in _SCORING]
    for info in found[:_LOOKED]:
        try:
            reader = RunReader(info.path)
            if _alike(bench, reader, experiment, sizes):
                points = reader.points()
                if len(points):
                    return float(points.seconds.sum()) / len(points)
        except SoleraError:
            continue  # damaged, or made of what is gone
    return None


def _alike(bench: Bench, reader: RunReader, experiment: Experiment, sizes: set[int]) -> bool:
    was: dict[str, Any] = dict(reader.header.experiment)
    if list(was.get("tasks", ())) != list(experiment.tasks) or int(was.get("limit", 0)) != experiment.limit:
        return False
    if reader.header.kind == "explore":
        return _sizes(bench, [bench.inputs.family(was["family"]).recipe]) == sizes
    given = [entry["recipe"] if "recipe" in entry else entry["checkpoint"] for entry in was.get("entries", ())]
    return _sizes(bench, [bench.inputs.recipe(one) for one in given]) == sizes


def _sizes(bench: Bench, recipes: Sequence[Recipe]) -> set[int]:
    return {one.numel for recipe in recipes for one in bench.inputs.checkpoints(recipe).values()}
