"""The workbench: project, plugins, jobs and runs in one object. Windows, commands and scripts stand on it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from solera.errors import Fault, FaultsError, InputError
from solera.extend.registry import Registry
from solera.jobs.job import Job
from solera.jobs.lanes import CPU, detect_lanes, device_of, lanes_of, spans
from solera.jobs.ledger import MemoryLedger
from solera.jobs.queue import JobQueue
from solera.jobs.records import JobRecords
from solera.jobs.spec import JobSpec
from solera.jobs.threads import ThreadOwner
from solera.projects.project import Project
from solera.recipes.nodes import Recipe
from solera.runs.catalogue import Catalogue
from solera.settings import Settings, cache_folder, load_settings
from solera.workbench.apart import Home
from solera.workbench.bench import Bench
from solera.workbench.experiment import Experiment, load_experiment
from solera.workbench.foreseeing import Foreseen, foresee
from solera.workbench.handlers import handlers
from solera.workbench.inputs import LIBRARY, Inputs
from solera.workbench.live import Live
from solera.workbench.memo import Memo

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.context import Context
    from solera.execution.plan import Plan
    from solera.runs.catalogue import RunInfo
    from solera.tasks.scores import Score
    from solera.tasks.task import Task
    from solera.workbench.estimate import Estimate
    from solera.workbench.rates import Expected
    from solera.workbench.standing import Standing


class Workbench:
    """Everything one works with. Nothing heavy is imported until it is used. Safe to call from any thread.

    Args:
        project: An open project; None works without one, and relative paths are the current folder's.
        settings: What a person has set; read from their file if None.
        safe_mode: Only the plugins that come with Solera.
        registry: What is registered; discovered if None.
        records: Whether unfinished jobs are kept in the project and offered again.
        runs_folder: Where run files go without a project; None is a temporary folder that is removed at the end.

    Attributes:
        registry: Everything that is registered.
        project: The project.
        settings: The settings in force.
        inputs: Opens checkpoints, recipes and families.
        jobs: The job queue.
        runs: The catalogue of runs.
        runs_folder: Where run files go.
    """

    def __init__(
        self,
        project: Project | None = None,
        *,
        settings: Settings | None = None,
        safe_mode: bool = False,
        registry: Registry | None = None,
        records: bool = True,
        runs_folder: Path | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        self.project = project
        self._safe_mode = safe_mode
        self.registry = registry or Registry.discover(
            self.settings.all_plugin_folders, disabled=self.settings.disabled_plugins, safe_mode=self.safe_mode
        )
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if project is None and runs_folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="solera-runs-")
            runs_folder = Path(self._temporary.name)
        self.runs_folder: Path = project.runs_folder if project else runs_folder or Path("runs")
        if project is not None:
            project.library.formats = self.registry.formats
        cache = project.fingerprints if project and not project.read_only else cache_folder() / "fingerprints"
        self.inputs = Inputs(self.registry, project, cache)
        memo = Memo(project.artifacts / "memo" if project else self.runs_folder / "memo")
        self._bench = Bench(self.registry, project, self.inputs, self.runs_folder, memo)
        self._handed_over = registry is not None  # may hold what no other process can find
        self._cwd = str(Path.cwd())
        keep = project is not None and records and not project.read_only
        self.jobs = JobQueue(
            handlers(self._bench, self._home()),
            detect_lanes(),
            MemoryLedger(self.settings.memory),
            ThreadOwner(self.settings.threads),
            records=JobRecords(project.jobs_folder) if project and keep else None,
        )
        self.runs = Catalogue(self.runs_folder)
        self._measured: dict[str, Any] = {}
        self._live = Live(self.inputs, self.lanes()[0])

    @property
    def safe_mode(self) -> bool:
        """Whether only the plugins that come with Solera are loaded."""
        return self._safe_mode or self.settings.safe_mode

    def _home(self) -> Home | None:
        """How a process sets up the same bench."""
        if self._handed_over:
            return None
        return Home(
            str(self.project.folder) if self.project else "", self._cwd, str(self.runs_folder),
            str(self.inputs.cache), str(self._bench.memo.folder),
            tuple(str(folder) for folder in self.settings.all_plugin_folders),
            tuple(self.settings.disabled_plugins), self.safe_mode,
        )  # fmt: skip

    def use(self, settings: Settings) -> None:
        """Put other settings in force: devices, threads and memory for the jobs that start from now on.

        What they say of plugins holds after :meth:`reload_plugins`.
        """
        if settings.memory != self.settings.memory:
            self.jobs.ledger.resize(settings.memory)
        if settings.threads != self.settings.threads:
            self.jobs.threads.resize(settings.threads)
        self.settings = settings

    def reload_plugins(self) -> tuple[str, ...]:
        """Find plugins again by the settings in force, and read their code anew; see :meth:`Registry.reload`.

        Jobs that run keep what they began with.

        Returns:
            Names of the plugins that differ from before; none if the registry was handed over.
        """
        if self._handed_over:
            return ()
        changed = self.registry.reload(
            self.settings.all_plugin_folders, disabled=self.settings.disabled_plugins, safe_mode=self.safe_mode
        )
        self.jobs.handlers = handlers(self._bench, self._home())
        return changed

    # -- looking ---------------------------------------------------------------------------------------------------

    def open(self, path_or_name: str | Path) -> Checkpoint:
        """A checkpoint: a path, an entry of the library by name, or ``memory:KEY``.

        Raises:
            NotFoundError: There is none.
            CheckpointError: It cannot be read.
        """
        text = str(path_or_name)
        known = self.project is not None and text in self.project.file.library
        return self.inputs.open(f"{LIBRARY}{text}" if known else text)

    def recipe(self, model: Any, folder: Path | None = None) -> Recipe:
        """A model as a recipe: a recipe, its plain form, a recipe file, or a checkpoint; paths are anchored."""
        return self.inputs.recipe(model, folder)

    def checkpoints(self, recipe: Recipe) -> Mapping[str, Checkpoint]:
        """The opened checkpoints a recipe's output needs, by node id.

        Raises:
            FaultsError: Some cannot be opened; all are named.
        """
        return self.inputs.checkpoints(recipe)

    def check(self, recipe: Recipe) -> tuple[Fault, ...]:
        """Everything that is wrong with a recipe, its checkpoints included."""
        return self.inputs.check(recipe)

    def plan(
        self, recipe: Recipe, *, numbers: Mapping[str, float] | None = None, dtype: str = "", memory_budget: int = 0,
        device: str = "",
    ) -> Plan:  # fmt: skip
        """What merging a recipe takes; arguments as :meth:`submit_merge`.

        Raises:
            FaultsError: The recipe has faults.
            CapacityError: The memory budget, or a device's memory, is too small.
            InputError: There is no such device.
        """
        from solera.execution.devices import open_devices
        from solera.execution.plan import plan

        faults = self.check(recipe)
        if faults:
            raise FaultsError(f"recipe {recipe.name or recipe.output}", faults)
        return plan(
            recipe, self.checkpoints(recipe), self.registry.methods,
            numbers=numbers, dtype=dtype, memory_budget=memory_budget,
            devices=open_devices(self.lanes(device, share=True)),
        )  # fmt: skip

    def estimate(self, job: Job) -> Estimate:
        """What a job in the queue will take, before it starts: a merge, an exploration, an evaluation, a comparison.

        See :class:`solera.workbench.estimate.Estimate`.
        """
        from solera.workbench.estimate import estimate

        return estimate(self._bench, job, self.jobs.ledger, self.settings.threads)

    def expected(self, plan: Plan, *, device: str = "", numbers: Mapping[str, float] | None = None) -> Expected:
        """How long a merge will take: by former ones of its kind on this machine, else by making a small part of it.

        Args:
            plan: From :meth:`plan`.
            device: torch device; empty takes the settings'.
            numbers: What was planned with.
        """
        from solera.execution.plan import plan as plan_again
        from solera.workbench.merging import rates
        from solera.workbench.rates import Expected, calibrate
        from solera.workbench.statistics import PendingStatistic

        if any(isinstance(found, PendingStatistic) for found in plan.program.statistics.values()):
            return Expected(None, "its statistics are computed first")
        where = device_of(self.lanes(device, share=True))
        hashes = set(self.inputs.known_fingerprints(plan.program.recipe)) != set(plan.checkpoints)
        known = rates().expected(plan, where, hashes=hashes)
        if known is not None:
            return known

        def again(checkpoints: Mapping[str, Checkpoint]) -> Plan:
            return plan_again(
                plan.program.recipe, checkpoints, self.registry.methods, numbers=numbers,
                memory_budget=plan.memory_budget, threads=self.settings.threads, devices=plan.devices,
            )  # fmt: skip

        return calibrate(plan, where, again, hashes=hashes)

    def task(self, name: str) -> Task:
        """A task of the project, or a registered kind that needs no parameters.

        Raises:
            TaskError: There is none.
        """
        from solera.workbench.setting import make_task

        return make_task(name, self.inputs)

    def tasks(self) -> tuple[str, ...]:
        """Names of the project's tasks; without a project, the kinds that need no parameters."""
        if self.project is not None:
            return tuple(self.project.tasks)
        shelf = self.registry.tasks
        return tuple(
            name
            for name in shelf
            if shelf.plugin(name) is None or not any(spec.required for spec in shelf.describe(name).params)
        )

    def foresee(self, experiment: Mapping[str, Any]) -> Foreseen:
        """What an exploration would be; see :func:`solera.workbench.foreseeing.foresee`, and for what it raises."""
        return foresee(experiment, self.inputs)

    def experiments(self) -> dict[str, Path]:
        """The project's experiment files by name."""
        return {path.stem: path for path in self.project.experiments()} if self.project else {}

    def standings(self) -> dict[str, tuple[Standing, ...]]:
        """Scores of the library's checkpoints, by their id; see :func:`solera.workbench.standing.standings`."""
        from solera.workbench.standing import standings

        if self.project is None:
            return {}
        return standings(self._bench, self.runs.list(), self.project.library.entries(), self._measured)

    def stale(self, runs: Sequence[RunInfo]) -> dict[str, str]:
        """Why runs would come out otherwise now, by id; those that would not are left out.

        Opens the runs' files: not for the window's thread.
        """
        from solera.workbench.standing import Staleness, read_header

        judge = Staleness(self._bench)
        found = {}
        for info in runs:
            header = read_header(info.path) if info.state != "running" else None
            reason = judge.reason(header) if header is not None else ""
            if reason:
                found[info.id] = reason
        return found

    def score_point(
        self,
        recipe: Recipe,
        tasks: Sequence[str],
        limit: int | None = 128,
        *,
        numbers: Mapping[str, float] | None = None,
        split: str = "selection",
        context: Context | None = None,
    ) -> tuple[Score, ...]:
        """Scores of one point, for a live preview: what does not change between points is kept.

        Args:
            recipe: With or without free variables.
            tasks: Names of tasks.
            limit: Samples per task; None is all.
            numbers: Values of the variables; those absent take their ``init``.
            split: On which data.
            context: Asked whether to stop.

        Raises:
            FaultsError: The recipe has faults.
            TaskError: A task is unknown or its data are missing.
        """
        return self._live.score(recipe, tuple(tasks), limit, dict(numbers or {}), split, context)

    # -- doing -----------------------------------------------------------------------------------------------------

    def submit_merge(
        self,
        recipe: Recipe,
        out: str | Path,
        dtype: str = "",
        force: bool = False,
        *,
        numbers: Mapping[str, float] | None = None,
        memory_budget: int = 0,
        device: str = "",
        shard_bytes: int = 0,
        allow_nonfinite: bool = False,
        process: bool | None = None,
    ) -> Job:
        """Queue a merge.

        Args:
            recipe: What to make; paths in it are anchored already (see :meth:`recipe`).
            out: Folder to make; a relative one lies in the project's outputs, without a project in the current folder.
            dtype: Storage dtype instead of the recipe's.
            force: Replace a checkpoint that is there.
            numbers: Values of free variables.
            memory_budget: Bytes it may hold; 0 is the default.
            device: torch device; empty takes the settings'.
            shard_bytes: Most bytes of tensors in one file; 0 is the default.
            allow_nonfinite: Let NaN and infinity pass, with a warning, instead of failing.
            process: Whether it runs in a process of its own; None leaves it to what the recipe uses.
        """
        from solera.recipes.plain import to_plain

        where = (self.project.outputs if self.project else Path.cwd()) / Path(out).expanduser()
        args: dict[str, Any] = {"recipe": to_plain(recipe), "out": str(where.absolute())}
        extra: dict[str, Any] = {"dtype": dtype, "force": force, "numbers": dict(numbers or {})}
        extra |= {"memory_budget": memory_budget, "shard_bytes": shard_bytes}
        extra |= {"allow_nonfinite": allow_nonfinite}
        args |= {key: value for key, value in extra.items() if value}
        if process is not None:
            args["process"] = process
        title = f"Merge {recipe.name or recipe.output or 'recipe'} to {where.name}"
        return self.jobs.submit(JobSpec("merge", title, args, self.lanes(device, share=True)))

    def submit_extract(
        self, model: Recipe, base: str, out: str | Path, wanted: Mapping[str, Any], force: bool = False, *,
        device: str = "",
    ) -> Job:  # fmt: skip
        """Queue the extraction of a low-rank adapter.

        Args:
            model: What to take the change of; paths in it are anchored already (see :meth:`recipe`).
            base: The checkpoint it was tuned from.
            out: Folder to make; a relative one lies in the project's outputs, without a project in the current folder.
            wanted: What to keep: fields of :class:`solera.execution.low_rank.Wanted`.
            force: Replace what is there.
            device: torch device; empty takes the settings'.
        """
        from solera.recipes.plain import to_plain

        where = (self.project.outputs if self.project else Path.cwd()) / Path(out).expanduser()
        args = {
            "model": to_plain(model), "base": base, "out": str(where.absolute()), "wanted": dict(wanted),
            **({"force": True} if force else {}),
        }  # fmt: skip
        title = f"Extract {where.name} from {model.name or model.output}"
        return self.jobs.submit(JobSpec("extract", title, args, self.lanes(device)))

    def submit(
        self, experiment: Experiment | Mapping[str, Any] | str | Path, *, fresh: bool = False, time_limit: float = 0.0,
        resume: bool = False,
    ) -> Job:  # fmt: skip
        """Queue an experiment of any kind.

        Args:
            experiment: Itself, its plain form, or its file.
            fresh: Record anew even if an equal run is there.
            time_limit: Seconds after which an exploration stops as interrupted, to be gone on with; 0 is never.
            resume: Go on with the stopped run of this exploration, and refuse to begin one.

        Raises:
            FaultsError: It is faulty.
            InputError: A time limit or a resumption is asked of what is no exploration, or the latter of a fresh one.
        """
        loaded = experiment if isinstance(experiment, Experiment) else load_experiment(experiment)
        if not loaded.device and spans(self.settings.device):
            loaded = replace(loaded, device=self.settings.device)
        args: dict[str, Any] = {"experiment": loaded.to_plain()}
        if (time_limit or resume) and loaded.kind != "explore":
            raise InputError(f"Only explorations have a time limit and are gone on with; this is '{loaded.kind}'.")
        if resume and fresh:
            raise InputError("A run is either gone on with or recorded anew; leave out one of the two.")
        args |= {
            key: value for key, value in (("fresh", fresh), ("time_limit", time_limit), ("resume", resume)) if value
        }
        title = loaded.title or loaded.kind.capitalize()
        return self.jobs.submit(JobSpec(loaded.kind, title, args, self._lanes_for(loaded)))

    def submit_explore(self, experiment: Experiment | Mapping[str, Any] | str | Path, *, fresh: bool = False) -> Job:
        """Queue an exploration; see :meth:`submit`."""
        return self.submit(_of_kind("explore", experiment), fresh=fresh)

    def submit_compare(self, experiment: Experiment | Mapping[str, Any] | str | Path, *, fresh: bool = False) -> Job:
        """Queue a comparison; see :meth:`submit`."""
        return self.submit(_of_kind("compare", experiment), fresh=fresh)

    def submit_evaluate(
        self, model: Any, tasks: Sequence[str] = (), *, split: str = "report", title: str = "", device: str = "",
        factory: str = "",
    ) -> Job:  # fmt: skip
        """Queue scoring one model.

        Args:
            model: A checkpoint or recipe, as :meth:`recipe` takes it.
            tasks: Names of tasks; all of the project's if empty.
            split: On which data.
            title: A line for a person.
            device: torch device; empty takes the settings'.
            factory: ``"package.module:function"`` that makes the network, where no config says it.
        """
        from solera.recipes.plain import to_plain

        recipe = self.recipe(model)
        name = recipe.name or recipe.output
        plain = {
            "solera": 1,
            "kind": "evaluate",
            "title": title or f"Evaluate {name}",
            "entries": [{"name": name, "recipe": to_plain(recipe)}],
            "tasks": list(tasks or self.tasks()),
            "report": split,
            "device": device,
            "factory": factory,
        }
        return self.submit(plain)

    def submit_statistic(self, recipe: Recipe, *, device: str = "") -> Job:
        """Queue computing a statistic of a model on data; it is kept, and found again by whatever needs it.

        Args:
            recipe: Its output is a statistic node (see :func:`solera.recipes.algebra.statistic`); paths in it are
                anchored already.
            device: torch device; empty takes the settings'.
        """
        from solera.recipes.plain import to_plain

        title = f"Compute {recipe.name or recipe.output}"
        return self.jobs.submit(JobSpec("statistic", title, {"recipe": to_plain(recipe)}, self.lanes(device)))

    def statistics(self, recipe: Recipe, *, device: str = "", tried: bool = False) -> list[dict[str, Any]]:
        """What the statistics that a recipe needs take, and which are there already; JSON-ready.

        See :func:`solera.workbench.statistics.statistic_costs`.
        """
        from solera.workbench.statistics import statistic_costs

        return statistic_costs(recipe, self.inputs, device=device_of(self.lanes(device)), tried=tried)

    def submit_difference(self, a: str, b: str) -> Job:
        """Queue comparing two checkpoints tensor by tensor; see :func:`solera.workbench.differing.difference_job`.

        Args:
            a: A path, or ``library:NAME``; what is compared with.
            b: What differs from it.
        """
        names = [source.removeprefix(LIBRARY).rpartition("/")[2] for source in (a, b)]
        return self.jobs.submit(JobSpec("difference", f"Compare {names[0]} and {names[1]}", {"a": a, "b": b}, (CPU,)))

    def submit_fingerprints(self, sources: Sequence[str]) -> Job:
        """Queue computing content hashes, by which equal checkpoints are told.

        Args:
            sources: Paths, or ``library:NAME``.
        """
        title = f"Fingerprint {len(sources)} checkpoint{'' if len(sources) == 1 else 's'}"
        return self.jobs.submit(JobSpec("fingerprint", title, {"sources": list(sources)}, (CPU,)))

    def submit_demo(self, example: str, **params: Any) -> Job:
        """Queue making an example's checkpoints, recipes, tasks and experiments in the project.

        Raises:
            InputError: There is no project, or no such example.
        """
        if self.project is None:
            raise InputError("An example is made in a project; open or create one first.")
        if example not in self.registry.examples:
            raise InputError(f"No example is called '{example}'; known: {', '.join(self.registry.examples)}.")
        title = f"Make the example '{self.registry.examples.describe(example).title}'"
        return self.jobs.submit(JobSpec("demo", title, {"example": example, "params": params}, (CPU,)))

    def resume(self, run: str) -> Job:
        """Go on with an exploration or a probe that was stopped or killed, from its own file.

        Raises:
            NotFoundError: There is no such run.
            InputError: It is done, or of a kind that is not gone on with.
        """
        from solera.runs.reader import RunReader
        from solera.workbench.recorded import run_file

        reader = RunReader(run_file(self._bench, run))
        header = reader.header
        if header.kind not in {"explore", "probe"}:
            raise InputError(
                f"Run {run} is of kind '{header.kind}'; only explorations and probes are gone on with.", run=run
            )
        if reader.state in {"done", "running"}:
            raise InputError(f"Run {run} is {reader.state}; there is nothing to go on with.", run=run)
        device = str(header.experiment.get("device", ""))
        args = {"experiment": header.experiment, "run": run}
        lanes = self.lanes(device, share=header.kind == "explore")
        return self.jobs.submit(JobSpec(header.kind, header.title, args, lanes))

    def again(self, run: str, changes: Mapping[str, Any] | None = None) -> Job:
        """Queue what made a run once more, with other settings; it is recorded anew even if an equal run is there.

        Args:
            run: Its id.
            changes: Settings by dotted name: ``{"seed": 1, "explorer.params.points": 41}``; None takes one out. A
                merge writes beside its former result unless ``"out"`` is among them.

        Raises:
            NotFoundError: There is no such run.
            FaultsError: The experiment is faulty with these settings.
            InputError: A name leads nowhere.
        """
        from solera.runs.reader import RunReader
        from solera.workbench.beside import changed
        from solera.workbench.recorded import run_file

        header = RunReader(run_file(self._bench, run)).header
        experiment = changed(header.experiment, changes or {})
        if header.kind != "merge":
            return self.submit(experiment, fresh=True)
        args = {key: value for key, value in experiment.items() if key not in ("solera", "kind")}
        out = Path(args["out"])
        if not out.is_absolute():
            out = (self.project.outputs if self.project else Path.cwd()) / out
        number = 2
        while "out" not in (changes or {}) and out.exists():
            out = Path(args["out"]).with_name(f"{Path(args['out']).name}-{number}")
            number += 1
        args["out"] = str(out)
        return self.jobs.submit(JobSpec("merge", f"{header.title} again", args, self.lanes(share=True)))

    def _lanes_for(self, experiment: Experiment) -> tuple[str, ...]:
        """The lanes of an experiment: all that it names, if it shares them out or one network lies on them."""
        one = spans(experiment.device) and experiment.kind in _TOGETHER
        return self.lanes(experiment.device, share=one or experiment.kind == "explore")

    def lanes(self, device: str = "", *, share: bool = False) -> tuple[str, ...]:
        """The lanes a job on this device occupies.

        Args:
            device: torch device; empty takes the settings'. See :func:`solera.jobs.lanes.lanes_of`.
            share: Whether several devices may share the job; else it takes the first of the settings'.

        Raises:
            InputError: There is no such device, or several are named for a job that takes one.
        """
        found = lanes_of(device or self.settings.device, self.jobs.lanes)
        if share:
            return found
        if device and (len(found) > 1 or spans(device)):
            raise InputError(
                f"Several devices share merges and explorations, and hold one network for scores and comparisons; name "
                f"one here, not '{device}'.",
                device=device,
            )
        return found[:1]

    def close(self, timeout: float = 10.0) -> tuple[Job, ...]:
        """Stop the jobs resumably and close files; the jobs that would not stop in time are returned."""
        left = self.jobs.shutdown(timeout)
        self.runs.close()
        self.inputs.close()
        if self._temporary is not None and not left:
            self._temporary.cleanup()
        return left

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


#: Kinds of experiment whose network may lie on several devices.
_TOGETHER = frozenset({"explore", "compare", "evaluate"})


def _of_kind(kind: str, experiment: Experiment | Mapping[str, Any] | str | Path) -> Experiment:
    loaded = experiment if isinstance(experiment, Experiment) else load_experiment(experiment)
    if loaded.kind != kind:
        raise InputError(f"Wanted an experiment of kind '{kind}', got '{loaded.kind}'.", kind=loaded.kind)
    return loaded
