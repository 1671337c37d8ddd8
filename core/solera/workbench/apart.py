"""Jobs in a process of their own: which ones, and what both sides must know.

A process can be killed whatever it is at, gives all of its memory back, and takes only itself along when native code
crashes. It is no sandbox: a plugin's code has every right a person's program has. It costs a few seconds to start, so
only two sorts of jobs get one unasked: those that use a plugin from outside Solera, and merges with a call that cannot
be interrupted for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import SoleraError
from solera.recipes.nodes import MethodNode, Recipe
from solera.recipes.order import reachable
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.backends.process import ProcessHandler
    from solera.events import JobState
    from solera.jobs.context import JobContext

#: A factorisation of a matrix with more elements than this takes longer than a cancel may on a CPU.
LONG_CALL = 1 << 21

#: Where plugins are from that are somebody else's.
_OUTSIDE = frozenset({"installed", "folder"})


@dataclass(frozen=True, slots=True)
class Home:
    """What a process needs to set up the same bench: plain data, for it travels.

    Attributes:
        project: The project's folder; empty without one.
        folder: What relative paths are relative to without a project.
        runs_folder: Where run files go.
        fingerprints: Where fingerprints are kept.
        memo: Where the memory of finished runs is kept.
        plugin_folders: Folders with plugins.
        disabled: Plugins that are switched off.
        safe_mode: Only the plugins that come with Solera.
    """

    project: str
    folder: str
    runs_folder: str
    fingerprints: str
    memo: str
    plugin_folders: tuple[str, ...]
    disabled: tuple[str, ...]
    safe_mode: bool


def process_handler(kind: str, home: Home, args: Mapping[str, Any]) -> tuple[ProcessHandler, dict[str, Any]]:
    """What does a job in a process, and the arguments it is given there."""
    from solera.backends.process import ProcessHandler

    return ProcessHandler(f"{__name__}:work", abandoned=close_run), {
        "kind": kind,
        "home": asdict(home),
        "args": dict(args),
    }


def work(args: dict[str, Any], context: JobContext) -> dict[str, Any] | None:
    """In the process: set the bench up and do the job.

    Args:
        args: ``{"kind", "home": Home, "args": the job's}``.
        context: Over the pipe.
    """
    import os

    from solera.extend.registry import Registry
    from solera.projects.project import Project
    from solera.workbench.handlers import run_handler
    from solera.workbench.inputs import Inputs
    from solera.workbench.memo import Memo

    home = Home(**args["home"])
    os.chdir(home.folder)
    registry = Registry.discover(
        [Path(folder) for folder in home.plugin_folders], disabled=home.disabled, safe_mode=home.safe_mode
    )
    project = Project.open(home.project, lock=False, formats=registry.formats) if home.project else None
    inputs = Inputs(registry, project, Path(home.fingerprints))
    bench = Bench(registry, project, inputs, Path(home.runs_folder), Memo(Path(home.memo)))
    try:
        return run_handler(args["kind"], bench, args["args"], context)
    finally:
        inputs.close()
        if project is not None:
            project.close()


def close_run(path: Path, state: JobState) -> None:
    """Close a run file that a killed process left open: what was flushed is kept, and the file can be read."""
    from solera.runs.writer import RunWriter

    try:
        RunWriter.resume(path).close(state)
    except SoleraError:
        return  # it closed the file itself, or never finished making it; readers recover what there is


def reason_for_process(bench: Bench, kind: str, args: Mapping[str, Any]) -> str:
    """Why a job should run in a process, a few words; empty if it need not, or cannot.

    Args:
        bench: What jobs share.
        kind: The job's.
        args: The job's; ``"process"`` says outright.
    """
    if "process" in args:
        return "it was asked for" if args["process"] else ""
    try:
        recipes = list(_recipes(bench, kind, args))
        names = [(bench.registry.methods, name) for recipe in recipes for name in _methods(recipe)]
        if kind != "merge":
            names += _experiment_names(bench, args)
    except SoleraError:
        return ""  # the job itself will say what is wrong
    for shelf, name in names:
        plugin = shelf.plugin(name)
        if plugin is not None and plugin.found.origin in _OUTSIDE:
            return f"'{name}' is from the plugin '{plugin.name}'"
    return _long_call(bench, recipes[0]) if kind == "merge" and recipes else ""


def travels(bench: Bench, args: Mapping[str, Any]) -> bool:
    """Whether a job's inputs are there for another process too: on disk, not in this one's memory."""
    from solera.workbench.inputs import MEMORY

    return not bench.inputs.tasks and MEMORY not in str(args)


def _recipes(bench: Bench, kind: str, args: Mapping[str, Any]) -> Iterator[Recipe]:
    if kind == "merge":
        yield bench.inputs.recipe(args["recipe"])
        return
    experiment = args.get("experiment", {})
    for model in (experiment.get("family", {}), experiment.get("base", {}), *experiment.get("entries", ())):
        if isinstance(model, Mapping) and "recipe" in model:
            yield bench.inputs.recipe(model["recipe"])


def _methods(recipe: Recipe) -> list[str]:
    nodes = reachable(recipe).nodes if recipe.output else recipe.nodes
    return [node.method for node in nodes if isinstance(node, MethodNode)]


def _experiment_names(bench: Bench, args: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """The contributions an experiment names, each with its shelf."""
    experiment = args.get("experiment", {})
    project = bench.project
    tasks = [str(name) for name in experiment.get("tasks", ())]
    kinds = [project.tasks[name].task if project and name in project.tasks else name for name in tasks]
    found = [(bench.registry.tasks, kind) for kind in kinds]
    for shelf, said in (
        (bench.registry.explorers, experiment.get("explorer", {})),
        (bench.registry.probes, experiment.get("probe", {})),
    ):
        if isinstance(said, Mapping) and "name" in said:
            found.append((shelf, str(said["name"])))
    return found


def _long_call(bench: Bench, recipe: Recipe) -> str:
    """Whether a method is handed matrices so large that one call cannot be waited for."""
    specs = [bench.registry.methods[name] for name in _methods(recipe) if name in bench.registry.methods]
    whole = [spec for spec in specs if spec.granularity == "tensor" and spec.promise != "bytes"]
    if not whole:
        return ""
    checkpoints = bench.inputs.checkpoints(recipe).values()
    largest = max((ref.numel for checkpoint in checkpoints for ref in checkpoint.values()), default=0)
    return f"'{whole[0].name}' cannot be stopped within a matrix of {largest:,} elements" if largest > LONG_CALL else ""
