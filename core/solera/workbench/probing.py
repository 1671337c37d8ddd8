"""The job kind ``probe``: something other than scores is measured of models, recorded row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, FaultsError, InputError, TaskError
from solera.workbench.bench import Bench
from solera.workbench.experiment import Experiment, load_experiment
from solera.workbench.memo import experiment_key
from solera.workbench.opened import opened
from solera.workbench.recorded import earlier_run, recipe_facts, reused, run_file
from solera.workbench.setting import make_network, make_task, plain_params, task_versions

if TYPE_CHECKING:
    from torch import Tensor

    from solera.alignment.symmetry import Symmetry
    from solera.jobs.context import JobContext
    from solera.models.network import Network
    from solera.probes.spec import ProbeSpec
    from solera.probes.subject import Probed, Subject
    from solera.recipes.nodes import Recipe
    from solera.runs.reader import RunReader
    from solera.runs.results import Axis
    from solera.runs.writer import RunWriter
    from solera.tasks.examples import Examples


@dataclass(frozen=True, slots=True)
class _Probing:
    """What a probe is run with.

    Attributes:
        experiment: As loaded.
        spec: The probe.
        params: Its parameters, all of them.
        recipes: Of the models by name, in order.
        base: Name and recipe of the base.
        device: torch device.
    """

    experiment: Experiment
    spec: ProbeSpec
    params: dict[str, Any]
    recipes: dict[str, Recipe]
    base: tuple[str, Recipe] | None
    device: str

    def everything(self) -> dict[str, Recipe]:
        """Every recipe by the name of its model; the base's under its own, after ``base: ``."""
        return self.recipes | ({f"base: {self.base[0]}": self.base[1]} if self.base else {})


def probe_plain(
    name: str, models: Sequence[tuple[str, Recipe]], *, base: tuple[str, Recipe] | None = None, task: str = "",
    params: Mapping[str, Any] | None = None, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """An experiment of kind ``probe`` in plain form.

    Args:
        name: The probe's.
        models: Name and recipe of each.
        base: Of what they were made from.
        task: Whose examples are used.
        params: The probe's parameters.
        **more: Other fields: ``split``, ``limit``, ``seed``, ``title``, ``device``, ``factory``.
    """
    from solera.recipes.plain import to_plain

    plain: dict[str, Any] = {"solera": 1, "kind": "probe", "probe": {"name": name, "params": dict(params or {})}}
    plain["entries"] = [{"name": model, "recipe": to_plain(recipe)} for model, recipe in models]
    if base is not None:
        plain["base"] = {"name": base[0], "recipe": to_plain(base[1])}
    return {**plain, "tasks": [task] if task else [], **more}


def probe_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Measure, go on with a run that was stopped, or find that it is recorded already.

    Args:
        bench: What jobs share.
        args: ``{"experiment": plain}``; with ``"run"``, go on with that run; with ``"fresh": true``, record anew.
        context: The job's.

    Returns:
        ``{"run", "path", "summary", "reused"}``.
    """
    from solera.runs.reader import RunReader

    probing = _open(bench, load_experiment(args["experiment"]), context)
    context.progress(0, None, "", "reading the checkpoints")
    facts = {
        name: recipe_facts(bench, recipe, bench.inputs.fingerprints(recipe, context))
        for name, recipe in probing.everything().items()
    }
    key = _key(bench, probing, facts)
    named = args.get("run") or context.run
    earlier = RunReader(run_file(bench, named)) if named else None
    if earlier is None and not args.get("fresh"):
        earlier = earlier_run(bench, key)
    if earlier is not None and earlier.state == "done":
        return reused(earlier, context)
    if earlier is not None and earlier.header.provenance.get("key") != key:
        context.log(f"What run {earlier.header.id} measured has changed since; a new run is recorded.", "warning")
        earlier = None
    return _measure(bench, probing, facts, key, earlier, context)


def _open(bench: Bench, experiment: Experiment, context: JobContext) -> _Probing:
    name = str(experiment.probe.get("name", ""))
    shelf = bench.registry.probes
    if name not in shelf:
        message = f"No probe is called '{name}'; known: {', '.join(shelf) or 'none'}."
        raise FaultsError("experiment", [Fault("experiment.probe", "probe.name", message)])
    spec: ProbeSpec = shelf[name]
    given = plain_params(dict(experiment.probe.get("params", {})), spec.params, f"probe {name}")
    params = {each.name: given.get(each.name, each.default) for each in spec.params}
    if spec.needs == "task" and not experiment.tasks:
        raise InputError(
            f"The probe '{name}' looks at networks on data: name a task whose examples are used (--task).", probe=name
        )

    def recipe_of(plain: Mapping[str, Any]) -> tuple[str, Recipe]:
        return str(plain["name"]), bench.inputs.recipe(plain["recipe"] if "recipe" in plain else plain["checkpoint"])

    base = recipe_of(experiment.base) if experiment.base else None
    recipes = dict(recipe_of(entry) for entry in experiment.entries)
    return _Probing(experiment, spec, params, recipes, base, experiment.device or context.device)


def _key(bench: Bench, probing: _Probing, facts: Mapping[str, Any]) -> str:
    spec, plugin = probing.spec, bench.registry.probes.plugin(probing.spec.name)
    tasks = [make_task(name, bench.inputs) for name in probing.experiment.tasks]
    meaning = [[name, each["semantic_hash"]] for name, each in facts.items()]
    configs = [bench.inputs.checkpoints(recipe) for recipe in probing.recipes.values()]
    meaning += [[each.config for each in found.values()] for found in configs]
    source = [spec.name, spec.version, plugin.source if plugin else "", probing.params]
    plain = probing.experiment.to_plain()
    return experiment_key(plain, meaning, [source, task_versions(tasks, bench.inputs)], probing.device)


def _measure(
    bench: Bench, probing: _Probing, facts: Mapping[str, Any], key: str, earlier: RunReader | None, context: JobContext
) -> dict[str, Any]:
    from solera.events import PartKept
    from solera.probes.measuring import check_subject, measure

    kept = _parts(earlier) if earlier is not None else {}
    run: list[str] = []

    def keep(name: str, values: tuple[float, ...]) -> None:
        if run:
            context.emit(PartKept(run=run[0], name=name, values=values))

    subject = _subject(bench, probing, context, kept, keep)
    check_subject(probing.spec, subject)
    axes = probing.spec.labelled(subject, probing.params)
    writer = _writer(bench, probing, axes, facts, key, earlier, context)
    run.append(writer.header.id)
    bench.memo.remember(key, writer.header.id)
    with context.recording(writer):
        if earlier is not None:
            writer.flush()
            earlier.refresh()
        known = [] if earlier is None else [(n, int(at)) for n in earlier.indicators for at in earlier.indicator(n)[0]]
        writer.summary = measure(
            probing.spec, subject, probing.params, axes, run=writer.header.id, done=writer.count, known=known
        )
    return {"run": writer.header.id, "path": str(writer.path), "summary": writer.summary, "reused": False}


def _parts(reader: RunReader) -> dict[str, tuple[float, ...]]:
    return {said["name"]: tuple(said["values"]) for said in reader.events() if said.get("event") == "part"}


def _subject(
    bench: Bench, probing: _Probing, context: JobContext, kept: Mapping[str, Sequence[float]],
    keep: Callable[[str, tuple[float, ...]], None],
) -> Subject:  # fmt: skip
    from solera.probes.subject import Probed, Subject
    from solera.seeds import Seed

    networks: dict[str, Network] = {}

    def model(name: str, recipe: Recipe) -> Probed:
        checkpoint = opened(recipe, bench.inputs)

        def network() -> Network:
            same = f"{sorted(checkpoint.config.items())} {[(n, ref.shape) for n, ref in checkpoint.items()]}"
            if same not in networks:
                factory = probing.experiment.factory
                networks[same] = make_network(recipe, bench.inputs, probing.device, factory)
            return networks[same]

        def symmetry(batch: Tensor) -> Symmetry:
            from solera.alignment.deriving import symmetry_of

            source = next(node.source for node in recipe.checkpoints)
            factory = probing.experiment.factory or bench.inputs.factory_of(source)
            return symmetry_of(checkpoint, bench.registry.architectures, factory, batch)

        return Probed(name, checkpoint, network, symmetry)

    experiment = probing.experiment
    return Subject(
        [model(name, recipe) for name, recipe in probing.recipes.items()],
        context,
        base=model(*probing.base) if probing.base else None,
        examples=cache(lambda: _examples(bench, probing)) if experiment.tasks else None,
        seed=Seed(experiment.seed).child("probe", probing.spec.name),
        kept=kept,
        keep=keep,
    )


def _examples(bench: Bench, probing: _Probing) -> Examples:
    from solera.tasks.examples import GivesExamples

    experiment = probing.experiment
    task = make_task(experiment.tasks[0], bench.inputs)
    limit = experiment.limit or None
    evaluator = task.prepare(experiment.split, device=probing.device, limit=limit, seed=experiment.seed)
    if not isinstance(evaluator, GivesExamples):
        raise TaskError(
            f"The task '{task.name}' does not hand out its examples, which the probe '{probing.spec.name}' looks at; "
            "its evaluator needs a method examples().",
            task=task.name,
        )
    return evaluator.examples()


def _writer(
    bench: Bench, probing: _Probing, axes: tuple[Axis, ...], facts: Mapping[str, Any], key: str,
    earlier: RunReader | None, context: JobContext,
) -> RunWriter:  # fmt: skip
    import math

    from solera.runs.header import RunHeader, run_path
    from solera.runs.provenance import provenance
    from solera.runs.results import places
    from solera.runs.writer import RunWriter

    if earlier is not None:
        return RunWriter.resume(earlier.path)
    experiment, spec, shape = probing.experiment, probing.spec, places(axes)
    header = RunHeader(
        kind="probe",
        title=experiment.title or f"{spec.title} of {', '.join(probing.recipes)}",
        coords=tuple(axis.to_plain() for axis in axes),
        columns=tuple(each.to_plain() for each in spec.measures),
        experiment=experiment.to_plain(),
        provenance=provenance(
            key=key,
            result=spec.kind,
            probe={"name": spec.name, "title": spec.title, "version": spec.version, "paper": spec.paper},
            params=probing.params,
            device=probing.device,
            threads=context.threads,
            seed=experiment.seed,
            tasks=[{"task": name, "split": experiment.split, "limit": experiment.limit} for name in experiment.tasks],
            models=dict(facts),
        ),
        planned=math.prod(shape) if shape else None,
        shape=shape,
    )
    return RunWriter.create(run_path(bench.runs_folder, header.id), header)


def named(models: Sequence[Any], recipes: Sequence[Recipe]) -> list[tuple[str, Recipe]]:
    """Names for models: what the recipes are called, told apart by their folders, or numbered, where two are the same.

    Args:
        models: What a person named: paths, or anything.
        recipes: What they are.
    """
    names = [recipe.name or recipe.output for recipe in recipes]
    if len(set(names)) < len(names):
        parts = [Path(str(model)).parts[-2:] for model in models]
        longer = ["/".join(each) for each in parts]
        names = longer if len(set(longer)) == len(longer) else [f"{n} {i + 1}" for i, n in enumerate(names)]
    return list(zip(names, recipes, strict=True))
