"""The job kinds ``compare`` and ``evaluate``: several models on the same tasks, and which differences are real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, FaultsError
from solera.files import replace_text
from solera.workbench.bench import Bench
from solera.workbench.experiment import Experiment, load_experiment
from solera.workbench.memo import experiment_key
from solera.workbench.recorded import earlier_run, recipe_facts, reused
from solera.workbench.scoring_cost import weights_held
from solera.workbench.setting import config_of, make_network, make_task, task_versions

if TYPE_CHECKING:
    from solera.jobs.context import JobContext
    from solera.landscapes.compare import Comparison, Entry
    from solera.recipes.nodes import Recipe
    from solera.tasks.task import Task


def compare_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Score several models, tune those with variables first, or find that it is recorded already.

    A stopped comparison starts again: its rows belong together.

    Args:
        bench: What jobs share.
        args: ``{"experiment": plain}``; with ``"fresh": true``, record anew.
        context: The job's.

    Returns:
        ``{"run", "path", "summary", "reused", "comparison": Comparison.to_plain(), "table": Markdown}``.
    """
    experiment = load_experiment(args["experiment"])
    device = experiment.device or context.device
    entries = _entries(experiment, bench)
    tasks = [make_task(name, bench.inputs) for name in experiment.tasks]
    context.progress(0, None, "", "reading the checkpoints")
    facts = {
        entry.name: recipe_facts(bench, entry.recipe, bench.inputs.fingerprints(entry.recipe, context))
        for entry in entries
    }
    meaning = [[e.name, e.single, dict(e.tune), _standing(e.recipe), facts[e.name]["semantic_hash"]] for e in entries]
    meaning.append([config_of(entries[0].recipe, bench.inputs)])
    key = experiment_key(experiment.to_plain(), meaning, task_versions(tasks, bench.inputs), device)
    earlier = None if args.get("fresh") else earlier_run(bench, key)
    if earlier is not None and earlier.state == "done":
        kept = kept_table(bench, earlier.header.id)
        if kept is not None:
            return {**reused(earlier, context), **kept}
    wanted = max((weights_held(entry.recipe, bench.inputs) for entry in entries), default=0)
    with context.reserve(wanted, f"'{experiment.title or 'comparison'}'"):
        return _compare(bench, experiment, entries, tasks, facts, key, device, context)


def _entries(experiment: Experiment, bench: Bench) -> list[Entry]:
    """The rows, checked: every fault of every recipe at once."""
    from solera.landscapes.compare import Entry

    entries, faults = [], list[Fault]()
    for plain in experiment.entries:
        recipe = bench.inputs.recipe(plain["recipe"] if "recipe" in plain else plain["checkpoint"])
        if experiment.dtype:
            from dataclasses import replace

            recipe = replace(recipe, dtype=experiment.dtype)
        for fault in bench.inputs.check(recipe):
            faults.append(Fault(fault.code, f"{plain['name']}: {fault.place}", fault.message, fault.remedies))
        tune = {str(name): tuple(map(float, values)) for name, values in plain.get("tune", {}).items()}
        entries.append(Entry(plain["name"], recipe, bool(plain.get("single", False)), tune))
    if faults:
        raise FaultsError(f"experiment {experiment.title}".strip(), faults)
    return entries


def _standing(recipe: Recipe) -> dict[str, float | None]:
    """Where the variables stand that nobody tunes."""
    return {var.name: var.init for var in recipe.variables}


def _compare(
    bench: Bench,
    experiment: Experiment,
    entries: list[Entry],
    tasks: list[Task],
    facts: dict[str, Any],
    key: str,
    device: str,
    context: JobContext,
) -> dict[str, Any]:
    from solera.execution.memory import Materialiser
    from solera.landscapes.compare import compare, comparison_coords, comparison_points
    from solera.landscapes.compare_table import summary
    from solera.runs.header import RunHeader, run_path
    from solera.runs.provenance import provenance
    from solera.runs.writer import RunWriter

    network = make_network(entries[0].recipe, bench.inputs, device, experiment.factory)
    methods = bench.registry.methods

    def writer_of(recipe: Recipe) -> Materialiser:
        host = str(network.flat.device)  # the main memory, if several devices hold the network together
        return Materialiser(recipe, bench.inputs.checkpoints(recipe), methods, network.layout, host, context)

    report = experiment.report or "report"
    columns = [column for task in tasks for column in task.columns(report)]
    header = RunHeader(
        kind=experiment.kind,
        title=experiment.title or ", ".join(entry.name for entry in entries),
        coords=tuple({"name": name, "title": name} for name in comparison_coords(entries)),
        columns=tuple(column.to_plain() for column in columns),
        experiment=experiment.to_plain(),
        provenance=provenance(
            key=key,
            device=device,
            threads=context.threads,
            seed=experiment.seed,
            tasks=[{"task": task.name, "version": task.version, "metrics": list(task.metrics)} for task in tasks],
            models=facts,
        ),
        planned=comparison_points(entries),
        keep_samples=experiment.keep_samples,
    )
    with context.recording(RunWriter.create(run_path(bench.runs_folder, header.id), header)) as writer:
        found = compare(
            entries, tasks, network, writer_of, context,
            measure=experiment.metric, run=header.id, select=experiment.split, report=report,
            limit=experiment.limit or None, seed=experiment.seed,
        )  # fmt: skip
        kept = _keep_table(bench, header.id, found, context)
        writer.summary = summary(found)
    bench.memo.remember(key, header.id)
    return {"run": header.id, "path": str(writer.path), "summary": writer.summary, "reused": False, **kept}


def _table_file(bench: Bench, run: str) -> Path:
    folder = bench.project.artifacts / "tables" if bench.project else bench.runs_folder
    return folder / f"{run}.json"


def _keep_table(bench: Bench, run: str, found: Comparison, context: JobContext) -> dict[str, Any]:
    """Write the table beside the run, as JSON and Markdown; returns both."""
    from solera.events import ArtifactMade
    from solera.landscapes.compare_table import markdown, plain

    kept = {"comparison": found.to_plain(), "table": markdown(found), "text": plain(found)}
    file = _table_file(bench, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    for path, text in ((file, json.dumps(kept, indent=1)), (file.with_suffix(".md"), kept["table"])):
        replace_text(path, str(text))
    context.emit(ArtifactMade(kind="table", path=str(file.with_suffix(".md")), title="Comparison"))
    return kept


def kept_table(bench: Bench, run: str) -> dict[str, Any] | None:
    """The table of a comparison that was made: ``{"comparison", "table", "text"}``; None if it is gone."""
    try:
        kept: dict[str, Any] = json.loads(_table_file(bench, run).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept
