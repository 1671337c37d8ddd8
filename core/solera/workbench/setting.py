"""Everything an experiment needs, made ready: family, network, tasks, landscapes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, FaultsError, InputError, TaskError, suggestion
from solera.jobs.lanes import spans
from solera.params import ParamSpec, PerModel, decode_all
from solera.recipes.hashes import semantic_hash
from solera.recipes.nodes import Recipe
from solera.recipes.order import reference
from solera.workbench.contents import contents
from solera.workbench.experiment import Experiment
from solera.workbench.inputs import Inputs

if TYPE_CHECKING:
    from solera.context import Context
    from solera.extend.registry import Contributions, Registry
    from solera.families.family import Family
    from solera.landscapes.explorer import Explorer
    from solera.landscapes.landscape import Landscape, Measure
    from solera.landscapes.landscape import Materialiser as AnyMaterialiser
    from solera.models.network import Network
    from solera.projects.project import Project
    from solera.tasks.examples import Examples
    from solera.tasks.scores import Split
    from solera.tasks.task import Task
    from solera.workbench.bench import Bench


def plain_params(given: dict[str, Any], specs: Sequence[ParamSpec], subject: str) -> dict[str, Any]:
    """Parameters of a task or explorer as its function takes them.

    Raises:
        FaultsError: Some are unknown, missing or out of range; all are named.
    """
    faults: list[Fault] = []
    values = decode_all(given, specs, "params", faults)
    if faults:
        raise FaultsError(subject, faults)
    return {key: value.values if isinstance(value, PerModel) else value for key, value in values.items()}


def make_task(name: str, inputs: Inputs) -> Task:
    """A task a script made, one of the project, or one of a registered kind that needs no parameters.

    Raises:
        TaskError: There is none of this name.
        FaultsError: Its parameters do not fit.
        PluginError: Its plugin cannot be loaded.
    """
    if name in inputs.tasks:
        return inputs.tasks[name]
    project, registry = inputs.project, inputs.registry
    entry = project.tasks.get(name) if project else None
    kind = entry.task if entry else name
    if kind not in registry.tasks:
        known = [*(project.tasks if project else ()), *registry.tasks]
        where = f"the task '{name}' is of the kind '{kind}', which" if entry else f"the task '{name}'"
        add = "Add it to solera.toml" if project else "Name the project that has it"
        raise TaskError(
            f"{where[0].upper()}{where[1:]} is not known; known: {', '.join(known) or 'none'}."
            f"{suggestion(kind, known)} {add}, or install the plugin that brings it.",
            task=name,
            known=known,
        )
    factory = registry.tasks[kind]
    given = dict(entry.params) if entry else {}
    specs = specs_of(registry.tasks, kind)
    params = plain_params(given, specs, f"task {name}")
    for spec in specs:
        if spec.kind == "path" and project is not None and isinstance(params.get(spec.name), str):
            params[spec.name] = str(project.resolve(params[spec.name]))
    task: Task = factory(name, **params)
    return task


def make_explorer(experiment: Experiment, registry: Registry, project: Project | None = None) -> Explorer:
    """The explorer an experiment names.

    Raises:
        FaultsError: It is unknown, or its parameters do not fit.
        PluginError: Its plugin cannot be loaded.
    """
    name = experiment.explorer_name
    if name not in registry.explorers:
        message = f"No explorer is called '{name}'; known: {', '.join(registry.explorers)}."
        raise FaultsError("experiment", [Fault("experiment.explorer", "explorer.name", message)])
    cls = registry.explorers[name]
    specs = specs_of(registry.explorers, name)
    params = plain_params(experiment.explorer_params, specs, f"explorer {name}")
    for spec in specs:
        if spec.kind == "path" and project is not None and isinstance(params.get(spec.name), str) and params[spec.name]:
            params[spec.name] = str(project.resolve(params[spec.name]))
    explorer: Explorer = cls(**params)
    return explorer


def make_network(recipe: Recipe, inputs: Inputs, device: str, factory: str = "") -> Network:
    """The network of a recipe's models, built from its reference checkpoint.

    Args:
        recipe: Without faults.
        inputs: What opens its checkpoints.
        device: Where it goes; ``"cuda:0+cuda:1"`` shares its layers out.
        factory: ``"package.module:function"`` that makes the module; empty goes by the checkpoint's config.

    Raises:
        MismatchError: No architecture is registered for it.
    """
    from solera.models.architecture import build_network

    id_ = reference(recipe)
    checkpoint = inputs.checkpoints(recipe)[id_]
    source = next(node.source for node in recipe.checkpoints if node.id == id_)
    return build_network(checkpoint, inputs.registry.architectures, factory or inputs.factory_of(source), device=device)


def config_of(recipe: Recipe, inputs: Inputs) -> dict[str, Any]:
    """The config that says which network a recipe's models are; equal weights in another network score differently."""
    return inputs.checkpoints(recipe)[reference(recipe)].config


@dataclass(frozen=True, slots=True)
class Setting:
    """An exploration before its network is built and its data are read.

    Attributes:
        experiment: As loaded.
        inputs: What opens checkpoints.
        device: Where it will run.
        family: With the experiment's dtype.
        tasks: In the order of the columns.
        explorer: Who searches.
        fingerprints: Content hash of each checkpoint by node id.
    """

    experiment: Experiment
    inputs: Inputs
    device: str
    family: Family
    tasks: tuple[Task, ...]
    explorer: Explorer
    fingerprints: dict[str, str]

    def meaning(self, bench: Bench) -> Any:
        """What decides network and weights of every point: config, semantic hash and coordinates, JSON-ready."""
        from solera.families.stacks import StackFamily

        recipe = self.family.recipe
        coords = [coord.to_plain() for coord in self.family.coords]
        hashed = semantic_hash(recipe, bench.registry.methods, self.fingerprints)
        configs = [checkpoint.config for checkpoint in self.inputs.checkpoints(recipe).values()]
        network = configs[0] if isinstance(self.family, StackFamily) else config_of(recipe, self.inputs)
        return [hashed, coords, network]

    def versions(self, bench: Bench) -> Any:
        """What decides the scores of given weights, JSON-ready."""
        return task_versions(self.tasks, bench.inputs)

    def search(self, bench: Bench) -> Any:
        """What decides how it is searched beside the experiment: the files that the explorer reads, JSON-ready."""
        specs = specs_of(bench.registry.explorers, self.experiment.explorer_name)
        return contents(self.experiment.explorer_params, specs, bench.project)

    def devices(self, context: Context) -> tuple[str, ...]:
        """Where points are scored at once: all devices of the job, if this setting's is one of them.

        Devices that hold one network together are one place.
        """
        if spans(self.experiment.device):
            return (self.experiment.device,)
        shared: tuple[str, ...] = getattr(context, "devices", ())
        return shared if self.device in shared else (self.device,)

    def landscapes(self, context: Context, device: str = "") -> tuple[Landscape, Landscape | None]:
        """Build the network and read the data: the landscape to search, and the one to report on (or None).

        Args:
            context: The job's.
            device: Where; the setting's own if empty.

        Raises:
            MismatchError: No network can be built, or it does not fit the weights.
            TaskError: The data of a task are missing.
        """
        from solera.execution.memory import Materialiser
        from solera.families.derivative import Derivative, Parts
        from solera.families.stacks import StackFamily
        from solera.landscapes.landscape import Landscape
        from solera.workbench.stacking import stack_landscapes

        experiment, recipe, where = self.experiment, self.family.recipe, device or self.device
        device = where.partition("+")[0]  # where inputs go
        if isinstance(self.family, StackFamily):
            splits = [split for split in (experiment.split, experiment.report) if split]
            found = stack_landscapes(
                self.family, self.inputs, lambda split: self._measures(split, device, context), splits,
                device=where, factory=experiment.factory, context=context,
            )  # fmt: skip
            return found[0], found[1] if len(found) > 1 else None
        network = make_network(recipe, self.inputs, where, experiment.factory)
        host = str(network.flat.device)
        context.progress(0, None, "", "preparing the family")
        methods = self.inputs.registry.methods
        checkpoints = self.inputs.checkpoints(recipe)
        materialiser = self._recalibrated(
            Materialiser(recipe, checkpoints, methods, network.layout, host, context), network, device, context
        )

        def on(split: Any) -> Landscape:
            measures = self._measures(split, device, context)
            return Landscape(self.family, network, materialiser, measures, derivative)

        derivative = None
        if not spans(where):  # gradients go through one flat vector on one device
            with suppress(InputError):
                derivative = Derivative(self.family, Parts(checkpoints, methods, network.layout, device))
        return on(experiment.split), on(experiment.report) if experiment.report else None

    def _recalibrated(self, inner: AnyMaterialiser, network: Network, device: str, context: Context) -> AnyMaterialiser:
        """With BatchNorm statistics measured anew at every point, where the experiment wants that.

        Raises:
            TaskError: The first task does not hand out its examples.
        """
        if self.experiment.batchnorm == "frozen":
            return inner
        if spans(self.experiment.device):
            raise InputError("BatchNorm statistics are measured on one device; name one, or keep them frozen.")
        from solera.landscapes.recalibrated import Recalibrated
        from solera.statistics.recalibration import Recalibration

        context.progress(0, None, "", "preparing the examples for BatchNorm")
        count, seed = self.experiment.batchnorm_samples, self.experiment.seed
        examples = training_examples(self.tasks[0], device, count, seed, "BatchNorm statistics are measured on")
        return Recalibrated(inner, network, Recalibration(examples), context)

    def _measures(self, split: Any, device: str, context: Context) -> list[Measure]:
        """The tasks made ready on a split."""
        from solera.landscapes.landscape import Measure

        context.check()
        context.progress(0, None, "", f"preparing the {split} data")
        limit, seed = self.experiment.limit or None, self.experiment.seed
        return [Measure(task, split, task.prepare(split, device=device, limit=limit, seed=seed)) for task in self.tasks]


def open_setting(experiment: Experiment, inputs: Inputs, context: Context, device: str) -> Setting:
    """Open, check and fingerprint what an exploration needs.

    Raises:
        FaultsError: The family or its recipe has faults, or a parameter of a task or the explorer.
        TaskError: A task is unknown.
    """
    context.progress(0, None, "", "opening the family")
    family = inputs.family(experiment.family)
    if experiment.dtype:
        family = replace(family, recipe=replace(family.recipe, dtype=experiment.dtype))
    faults = inputs.check(family.recipe)
    if faults:
        raise FaultsError(f"recipe {family.recipe.name or family.recipe.output}", faults)
    tasks = tuple(make_task(name, inputs) for name in experiment.tasks)
    explorer = make_explorer(experiment, inputs.registry, inputs.project)
    context.progress(0, None, "", "reading the checkpoints")
    return Setting(experiment, inputs, device, family, tasks, explorer, inputs.fingerprints(family.recipe, context))


def training_examples(
    task: Task, device: str, samples: int, seed: int, purpose: str, split: Split = "train"
) -> Examples:
    """The examples of a task themselves.

    Args:
        task: Whose.
        device: Where they shall be.
        samples: How many, a fixed stratified part; 0 is all.
        seed: Of the part.
        purpose: For a sentence: ``"BatchNorm statistics are measured on"``.
        split: Which of its data.

    Raises:
        TaskError: Its data are missing, or it hands out no examples.
    """
    from solera.tasks.examples import GivesExamples

    evaluator = task.prepare(split, device=device, limit=samples or None, seed=seed)
    if not isinstance(evaluator, GivesExamples):
        raise TaskError(
            f"The task '{task.name}' does not hand out its examples, which {purpose}; its evaluator needs a method "
            "examples().",
            task=task.name,
        )
    return evaluator.examples()


def task_versions(tasks: Sequence[Task], inputs: Inputs) -> list[list[Any]]:
    """Name, kind, version, parameters and data of each task, JSON-ready."""
    project, kinds = inputs.project, inputs.registry.tasks
    found: list[list[Any]] = []
    for task in tasks:
        entry = project.tasks.get(task.name) if project else None
        kind, given = (entry.task, dict(entry.params)) if entry else (task.name, {})
        data = contents(given, specs_of(kinds, kind), project) if entry and kind in kinds else {}
        found.append([task.name, kind, task.version, given, data])
    return found


def specs_of(shelf: Contributions, name: str) -> tuple[ParamSpec, ...]:
    """Parameters of a task, explorer or example: by manifest; by signature for what was provided without one."""
    if shelf.plugin(name) is not None:
        return shelf.describe(name).params
    from solera.params import specs_from_signature

    return specs_from_signature(shelf[name])
