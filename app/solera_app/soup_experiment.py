"""The experiment that makes a soup, and its run read from its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from solera.errors import InputError
from solera.events import Indicator, PointScored
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.recipes.plain import to_plain
from solera.tasks.scores import METRICS
from solera_app.canvases.soup_run import FAMILIES, TITLES, SoupRun
from solera_app.plots.numerals import counted

if TYPE_CHECKING:
    from solera.runs.reader import RunReader


def experiment(
    models: Sequence[CheckpointNode],
    tasks: Sequence[str],
    explorer: str,
    params: Mapping[str, object],
    seed: int,
    metrics: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """The search for a soup in plain form (see ``solera.workbench.experiment``).

    Args:
        models: The pool, with absolute paths.
        tasks: Those that count.
        explorer: ``"greedy_soup"``, ``"uniform_soup"`` or ``"learned_soup"``.
        params: Its parameters.
        seed: Root of its randomness.
        metrics: The metrics of each task.

    Raises:
        InputError: The tasks have no metric in common that a soup could be scored by.
    """
    chosen = {task: _headline(metrics[task]) for task in tasks}
    if len(set(chosen.values())) > 1:
        said = ", ".join(f"{task} by {METRICS[name].title.lower()}" for task, name in chosen.items())
        raise InputError(f"A soup is scored by the mean of one metric, and these tasks differ: {said}. Untick some.")
    title = f"{TITLES[explorer]} of {counted(len(models), 'model')}"
    return {
        "solera": 1,
        "kind": "explore",
        "title": title,
        "family": {FAMILIES[explorer]: [_member(node) for node in models]},
        "tasks": list(tasks),
        "objectives": [f"{task}.{name}" for task, name in chosen.items()],
        "explorer": {"name": explorer, "params": dict(params)} if params else {"name": explorer},
        "seed": seed,
        "keep_samples": True,
    }


def _headline(metrics: Sequence[str]) -> str:
    """The metric a person reads at once: a fraction if there is one, else the first."""
    return next((name for name in metrics if METRICS[name].display == "percent"), metrics[0])


def _member(node: CheckpointNode) -> Any:
    return to_plain(Recipe((node,), node.id)) if node.strip else node.source


def run_of(header: Mapping[str, Any], names: Mapping[str, str], units: Callable[[str], str]) -> SoupRun:
    """A run that begins, by its header in plain form.

    Args:
        header: Its header.
        names: Id -> name of each model of the pool, in the order of the coordinates.
        units: Gives the population a task's samples come from.
    """
    objectives = set(header["experiment"].get("objectives", ()))
    columns = [
        place for place, column in enumerate(header["columns"])
        if f"{column['task']}.{column['metric']}" in objectives
    ]  # fmt: skip
    metric = METRICS[header["columns"][columns[0]]["metric"]]
    explorer = str(header["experiment"]["explorer"]["name"])
    populations = [units(header["columns"][place]["task"]) for place in columns]
    return SoupRun(names, explorer, columns, populations, metric.better, int(header.get("planned") or 0))


def read_run(path: str, names: Mapping[str, str], units: Callable[[str], str]) -> SoupRun:
    """A run from its file, as if it had been watched; not for the window's thread.

    Raises:
        RunError: It cannot be read.
    """
    from solera.runs.reader import RunReader

    reader = RunReader(path)
    header, points = reader.header, reader.points(0)
    run = run_of(header.to_plain(), names, units)
    at, taken = reader.indicator("soup:taken")
    told = dict(zip(at.tolist(), taken.tolist(), strict=True))
    for i in range(len(points)):
        run.add(
            [
                PointScored(
                    run=header.id, index=points.start + i, coords=tuple(points.coords[i].tolist()),
                    values=tuple(points.values[i].tolist()), stderrs=tuple(points.stderrs[i].tolist()),
                    counts=tuple(points.counts[i].tolist()), phase=str(points.phase[i]),  # type: ignore[arg-type]
                    samples=_samples(reader, i, run.columns),
                )
            ]
        )  # fmt: skip
        if i + 1 in told:
            run.tell([Indicator(run=header.id, name="soup:taken", index=i + 1, value=told[i + 1])])
    return run


def _samples(reader: RunReader, row: int, columns: Sequence[int]) -> tuple[Any, ...] | None:
    """The values per sample of a point's objectives, at their places; None if the run kept none."""
    if not reader.header.keep_samples:
        return None
    return tuple(reader.samples(i, [row])[0] if i in columns else None for i in range(len(reader.header.columns)))
