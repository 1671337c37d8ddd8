"""The job kind ``explore``: a family, its tasks and an explorer, recorded point by point."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from solera.errors import NotFoundError
from solera.jobs.lanes import spans
from solera.workbench.bench import Bench
from solera.workbench.experiment import Experiment, load_experiment
from solera.workbench.memo import experiment_key, scores_key
from solera.workbench.recorded import earlier_run, recipe_facts, reused, run_file
from solera.workbench.scoring_cost import weights_held
from solera.workbench.setting import Setting, open_setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from solera.jobs.context import JobContext
    from solera.landscapes.explorer import History
    from solera.landscapes.landscape import Landscape
    from solera.runs.points import Points
    from solera.runs.reader import RunReader
    from solera.runs.writer import RunWriter
    from solera.tasks.scores import Score

#: Points whose per-sample values are read at once.
_TOGETHER = 256


def explore_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Run an exploration, go on with one that was stopped, or find that it is recorded already.

    Args:
        bench: What jobs share.
        args: ``{"experiment": plain}``; with ``"run"``, go on with that run; with ``"fresh": true``, record anew; with
            ``"resume": true``, go on with the stopped run of this experiment; with ``"time_limit"``, stop after so many
            seconds.
        context: The job's.

    Returns:
        ``{"run", "path", "summary", "reused"}``.

    Raises:
        NotFoundError: It is to be gone on with, and no run of it was stopped.
        Interrupted: Its time is up.
    """
    from solera.runs.reader import RunReader

    limit = float(args.get("time_limit") or 0.0)
    until = time.monotonic() + limit if limit else None
    experiment = load_experiment(args["experiment"])
    device = context.device  # the first of those that the experiment names
    setting = open_setting(experiment, bench.inputs, context, device)
    read = [setting.versions(bench), setting.search(bench)]
    key = experiment_key(experiment.to_plain(), setting.meaning(bench), read, device)
    named = args.get("run") or context.run
    earlier = RunReader(run_file(bench, named)) if named else None
    if earlier is None and not args.get("fresh"):
        earlier = earlier_run(bench, key)
    if earlier is None and args.get("resume"):
        raise NotFoundError(
            "No run of this experiment was stopped, so there is none to go on with; leave out 'resume'."
        )
    if earlier is not None and earlier.state == "done":
        return reused(earlier, context)
    if earlier is not None and earlier.header.provenance.get("key") != key:
        context.log(
            f"The checkpoints, tasks or versions behind run {earlier.header.id} have changed since it was stopped; "
            "its points stay, and a new run is recorded.",
            "warning",
        )
        earlier = None
    with context.reserve(weights_held(setting.family.recipe, bench.inputs), f"'{experiment.title or 'exploration'}'"):
        return _score(bench, args, experiment, setting, key, earlier, context, until)


def _score(
    bench: Bench,
    args: dict[str, Any],
    experiment: Experiment,
    setting: Setting,
    key: str,
    earlier: RunReader | None,
    context: JobContext,
    until: float | None,
) -> dict[str, Any]:
    device = context.device
    lanes = [setting.landscapes(context, device) for device in setting.devices(context)]
    _choose_way(experiment, setting, [landscape for landscape, _ in lanes], earlier, context)
    way = lanes[0][0].way.to_plain()
    scores = scores_key(experiment.to_plain(), setting.meaning(bench), setting.versions(bench), device, way)
    told = _recall_others(bench, scores, lanes) if earlier is None and not args.get("fresh") else ""
    writer = _open_writer(bench, experiment, setting, lanes[0][0], earlier, key, context)
    bench.memo.remember(key, writer.header.id)
    if writer.header.keep_samples and writer.header.provenance.get("evaluator") == way:
        bench.memo.remember(scores, writer.header.id)
    return _explore(experiment, setting, lanes, earlier, writer, context, told, until)


def _choose_way(
    experiment: Experiment,
    setting: Setting,
    landscapes: list[Landscape],
    earlier: RunReader | None,
    context: JobContext,
) -> None:
    """Evaluate points as the run did before, or as is fastest here."""
    from solera.errors import InputError
    from solera.landscapes.calibration import calibrate
    from solera.landscapes.ways import Way

    if spans(experiment.device):
        context.log(f"The network's layers are shared out to {experiment.device}; points are evaluated as it is.")
        return
    if earlier is not None:
        way = Way.from_plain(earlier.header.provenance.get("evaluator", {}))
        if way.threads not in (0, context.threads):
            now = context.threads
            context.log(f"The run was begun with {way.threads} threads; with {now} scores may differ by rounding.")
        try:
            for landscape in landscapes:
                landscape.use(way)
        except InputError as error:
            context.log(f"Its way of evaluating points is not to be had: {error} Scores agree to 2e-5.", "warning")
        return
    context.progress(0, None, "", "finding the fastest way to evaluate points")
    extent = setting.explorer.plan(landscapes[0].space(experiment.objectives))
    limits = [limit for limit in (extent.total, experiment.budget or None) if limit is not None]
    found = calibrate(landscapes[0], min(limits, default=0), context)
    for landscape in landscapes[1:]:
        landscape.use(found.way)
    if len(found.said) > 1:
        context.log(f"Points are evaluated {found.way.path}, of {'; '.join(found.said)} a point.")


def _open_writer(
    bench: Bench,
    experiment: Experiment,
    setting: Setting,
    landscape: Landscape,
    earlier: RunReader | None,
    key: str,
    context: JobContext,
) -> RunWriter:
    from solera.runs.header import RunHeader, run_path
    from solera.runs.provenance import provenance
    from solera.runs.writer import RunWriter

    if earlier is not None:
        return RunWriter.resume(earlier.path)
    family, explorer = setting.family, setting.explorer
    extent = explorer.plan(landscape.space(experiment.objectives))
    limits = [limit for limit in (extent.total, experiment.budget or None) if limit is not None]
    full = dataclasses.replace(experiment, family=family.to_plain())
    header = RunHeader(
        kind="explore",
        title=experiment.title or family.recipe.name or "exploration",
        coords=tuple(coord.to_plain() for coord in family.coords),
        columns=tuple(column.to_plain() for column in landscape.columns),
        experiment=full.to_plain(),
        provenance=provenance(
            key=key,
            device=experiment.device if spans(experiment.device) else setting.device,
            threads=context.threads,
            seed=experiment.seed,
            tasks=landscape.describe(),
            evaluator=landscape.way.to_plain(),
            **recipe_facts(bench, family.recipe, setting.fingerprints),
        ),
        planned=min(limits, default=None),
        shape=extent.shape,
        keep_samples=experiment.keep_samples or extent.partial,
        labels={label: list(at) for label, at in family.labels.items()},
        trace=landscape.traces.width if extent.picture else 0,
        picture=extent.picture,
    )
    return RunWriter.create(run_path(bench.runs_folder, header.id), header)


def _explore(
    experiment: Experiment,
    setting: Setting,
    lanes: list[tuple[Landscape, Landscape | None]],
    earlier: RunReader | None,
    writer: RunWriter,
    context: JobContext,
    told: str,
    until: float | None,
) -> dict[str, Any]:
    from solera.landscapes.explore import explore
    from solera.seeds import Seed

    with context.recording(writer):
        if told:
            context.log(told)
        history = _history(earlier, writer, lanes) if earlier is not None else None
        found = explore(
            [landscape for landscape, _ in lanes],
            setting.explorer,
            run=writer.header.id,
            history=history,
            seed=Seed(experiment.seed),
            context=context,
            report=[report for _, report in lanes if report is not None],
            keep_samples=experiment.keep_samples,
            budget=experiment.budget or None,
            objectives=experiment.objectives,
            until=until,
        )
        writer.summary = found.summary
    return {"run": writer.header.id, "path": str(writer.path), "summary": found.summary, "reused": False}


def _history(earlier: RunReader, writer: RunWriter, lanes: list[tuple[Landscape, Landscape | None]]) -> History:
    """What the file holds, read after the writer mended it; landscapes are told what was scored in part."""
    from solera.landscapes.explorer import History

    writer.flush()
    earlier.refresh()
    points = earlier.points()
    searched = points.rows(points.phase == "search")
    reported = points.rows(points.phase == "report")
    if earlier.header.keep_samples:
        recall(earlier, [landscape for landscape, _ in lanes])
    return History(
        searched.coords,
        searched.values,
        tuple(tuple(map(float, at)) for at in reported.coords),
        counts=searched.counts,
        slopes=_slopes(earlier, len(searched)),
        traces=earlier.traces()[points.phase == "search"] if earlier.header.trace else None,
    )


def _recall_others(bench: Bench, scores: str, lanes: list[tuple[Landscape, Landscape | None]]) -> str:
    """Take over the per-sample scores of the last run over the same models, tasks and samples, whoever searched.

    Returns:
        A sentence about it; empty if there was nothing.
    """
    run = earlier_run(bench, scores, provenance=False)
    if run is None or not run.header.keep_samples:
        return ""
    known = recall(run, [landscape for landscape, _ in lanes])
    return f"What run {run.header.id} scored at {known} points is not scored again." if known else ""


def recall(run: RunReader, landscapes: list[Landscape]) -> int:
    """Tell landscapes the scores of a run's searched points, with the values per sample it kept; how many there are."""
    import numpy as np

    points = run.points()
    rows = np.flatnonzero((points.phase == "search") & (points.counts > 0).all(axis=1))
    for some in np.array_split(rows, max(1, -(-len(rows) // _TOGETHER))):
        columns = [run.samples(column, some) for column in range(len(run.header.columns))]
        for place, row in enumerate(some):
            at = tuple(map(float, points.coords[row]))
            for landscape in landscapes:
                landscape.portions.remember(at, _scores(points, row, [table[place] for table in columns], landscape))
    return len(rows)


def _scores(points: Points, row: int, samples: list[NDArray[np.float32]], landscape: Landscape) -> list[Score]:
    """What a run holds of a point, as it was scored; groups are the task's own."""
    import numpy as np

    from solera.tasks.scores import Score

    groups = [getattr(m.evaluator, "groups", None) for m in landscape.measures for _ in m.evaluator.columns]
    found = []
    for place, (column, group) in enumerate(zip(landscape.columns, groups, strict=True)):
        count = int(points.counts[row, place])
        kept = samples[place][:count] if samples[place].size >= count else None
        if kept is not None and not np.isfinite(kept).any():
            kept = None
        whole = group if kept is not None and group is not None and group.size == count else None
        value, stderr = float(points.values[row, place]), float(points.stderrs[row, place])
        found.append(Score(column, value, stderr, count, kept, whole))
    return found


def _slopes(earlier: RunReader, count: int) -> NDArray[np.float64] | None:
    """The gradients a run keeps, one row per point; None if it keeps none."""
    import numpy as np

    from solera.landscapes.explore import slope_names

    names = slope_names(coord["name"] for coord in earlier.header.coords)
    if names[-1] not in earlier.indicators:
        return None
    found = np.full((count, len(names)), np.nan)
    for column, name in enumerate(names):
        after, values = earlier.indicator(name)
        inside = (after >= 1) & (after <= count)
        found[after[inside] - 1, column] = values[inside]
    found[np.isnan(found).any(axis=1)] = np.nan
    return found
