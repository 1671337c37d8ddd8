"""Aligning one checkpoint to another, and the job kind ``align``: the aligned model, or a blend of both, on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.alignment.rule import Rule
from solera.errors import InputError, TaskError
from solera.jobs.spec import JobSpec
from solera.recipes.nodes import AlignedNode, CheckpointNode, Recipe, SumNode, Term
from solera.seeds import Seed
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from torch import Tensor, nn

    from solera.alignment.permutations import Permutations
    from solera.alignment.permuted import PermutedCheckpoint
    from solera.alignment.symmetry import Symmetry
    from solera.alignment.weights import Matching
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.context import Context
    from solera.jobs.context import JobContext
    from solera.jobs.job import Job
    from solera.models.architecture import Factory
    from solera.models.network import Network
    from solera.tasks.scores import Split
    from solera.workbench.inputs import Inputs
    from solera.workbench.workbench import Workbench

_LOG = logging.getLogger(__name__)

#: On which data networks are compared and their statistics restored: those they were trained on.
SPLIT: Split = "train"

#: Samples of a task's data that are seen, at most.
SAMPLES = 4096


class Alignment:
    """How one checkpoint is aligned to another. Nothing is compared before :meth:`find`.

    Args:
        inputs: Architectures, tasks, and the folder of caches.
        model: What is permuted.
        to: What it is compared with; tensors of the same names and shapes.
        rule: How.
        factory: What makes the module of both, where no config says it.

    Attributes:
        symmetry: What may be permuted.
        facts: What was found: gains, sweeps, and how far outputs moved; empty before :meth:`find`.

    Raises:
        MismatchError: The checkpoints do not fit each other, or no symmetry is known of them.
        TaskError: The task is unknown.
    """

    def __init__(
        self, inputs: Inputs, model: Checkpoint, to: Checkpoint, rule: Rule, factory: str | Factory = ""
    ) -> None:
        from solera.alignment.deriving import symmetry_of
        from solera.checkpoints.compare import compatible
        from solera.errors import FaultsError

        faults = compatible(to, model)
        if faults:
            raise FaultsError(f"alignment of {model.name} to {to.name}", faults)
        self.inputs, self.model, self.to, self.rule, self.factory = inputs, model, to, rule, factory
        self.facts: dict[str, Any] = {}
        self._architectures = inputs.registry.architectures
        self._run: Callable[[nn.Module], None] | None = None
        self._batch: Tensor | None = None
        if rule.task:
            self._run, self._batch = self._data()
        found = symmetry_of(model, self._architectures, factory, self._batch)
        self.symmetry: Symmetry = found.without(rule.hold) if rule.hold else found

    def view(self) -> PermutedCheckpoint:
        """The model with its units in their new places, which are found when it is settled or first read."""
        from solera.alignment.permuted import PermutedCheckpoint

        return PermutedCheckpoint(
            self.model, self.symmetry, self.find, name=f"{self.model.name} aligned",
            others=(self.to,), salt=json.dumps(self._rule(), sort_keys=True),
        )  # fmt: skip

    def find(self, context: Context | None = None) -> Permutations:
        """The places, from the cache or found now, after the symmetry was seen to hold on a batch.

        Raises:
            MismatchError: Permutations change what the network computes.
            Cancelled: The context said so.
        """
        from solera.alignment.permutations import load_permutations, save_permutations
        from solera.context import QuietContext

        file = self._file()
        known = load_permutations(file, self.symmetry) if file else None
        if known is not None and file is not None:
            self.facts = _facts(file)
            return known
        context = context or QuietContext()
        change = self._verified()
        matching = self._match(context)
        self.facts = {
            "before": matching.before, "after": matching.after, "sweeps": matching.sweeps, "change": change,
            "groups": len(self.symmetry.groups), "units": sum(g.size for g in self.symmetry.groups.values()),
            "moved": sum(int((p != range(len(p))).sum()) for p in matching.permutations.values()),
        }  # fmt: skip
        _LOG.info("%s aligned to %s: %s.", self.model.name, self.to.name, self.facts)
        if file is not None:
            save_permutations(file, matching.permutations, {"solera": json.dumps(self.facts)})
        return matching.permutations

    def network(self, checkpoint: Checkpoint) -> Network:
        """A network with a checkpoint's weights."""
        from solera.alignment.deriving import network_of

        return network_of(checkpoint, self._architectures, self.factory)

    def run(self, network: nn.Module) -> None:
        """Run a module over the task's data.

        Raises:
            InputError: No task is named.
            TaskError: The module does not take the data.
        """
        if self._run is None:
            raise InputError("Name a task whose data the networks see.")
        self._run(network)

    def _verified(self) -> float:
        from solera.alignment.verifying import example_batch, require_preserved

        module = self.network(self.model).module
        seed = Seed(self.rule.seed).child("align", "verify")
        batch = self._batch if self._batch is not None else example_batch(module, seed)
        return require_preserved(module, self.symmetry, batch, seed, self.model.name)

    def _match(self, context: Context) -> Matching:
        seed = Seed(self.rule.seed).child("align")
        if self.rule.by == "weights":
            from solera.alignment.weights import match_weights

            return match_weights(self.symmetry, self.to, self.model, context, seed=seed, tries=self.rule.tries)
        from solera.alignment.activations import match_activations

        context.progress(0, None, "", "comparing activations")
        reference, model = self.network(self.to), self.network(self.model)
        return match_activations(self.symmetry, reference.module, model.module, self.run)

    def _data(self) -> tuple[Callable[[nn.Module], None], Tensor]:
        """What runs a module over the task's data, and its first inputs."""
        from solera.context import QuietContext
        from solera.workbench.setting import make_task

        task = make_task(self.rule.task, self.inputs)
        evaluator = task.prepare(SPLIT, device="cpu", limit=SAMPLES, seed=self.rule.seed)
        context = QuietContext()

        def run(module: nn.Module) -> None:
            evaluator(module, context)

        return run, _first_inputs(run, self.rule.task)

    def _rule(self) -> dict[str, Any]:
        from solera.workbench.setting import make_task, task_versions

        plain = self.rule.to_plain()
        if self.rule.by == "activations":
            plain["data"] = task_versions([make_task(self.rule.task, self.inputs)], self.inputs)
        else:
            plain.pop("task", None)  # it only lends the batch on which the symmetry is seen
        return plain

    def _file(self) -> Path | None:
        """Where the permutations are kept; None where what they are of may change unseen."""
        if not (self.model.files and self.to.files):
            return None
        told = [self._rule(), self.symmetry.digest(), self.model.identity(), self.to.identity()]
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return self.inputs.cache.with_name("permutations") / f"{key}.safetensors"


class _Seen(Exception):
    """The first inputs were seen."""


def _first_inputs(run: Callable[[nn.Module], None], task: str) -> Tensor:
    """The first eight samples a task hands to a network."""
    from torch import nn

    seen: list[Tensor] = []

    class Catcher(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x[:8].clone())
            raise _Seen

    try:
        run(Catcher().eval())
    except _Seen:
        pass
    if not seen:
        raise TaskError(f"Task '{task}' hands nothing to a network.", task=task)
    return seen[0]


def _facts(file: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(file, "np") as opened:
        found: dict[str, Any] = json.loads((opened.metadata() or {}).get("solera", "{}"))
    return found


def submit_align(
    bench: Workbench, model: str, to: str, out: Path, rule: Rule, *, blend: float | None = None, repair: bool = False,
    factory: str = "", force: bool = False,
) -> Job:  # fmt: skip
    """Queue aligning one checkpoint to another.

    Args:
        bench: Where it runs.
        model: A path or ``library:NAME``: what is permuted.
        to: What it is aligned to.
        out: The folder to make.
        rule: How.
        blend: Write the point of the line from ``to`` (0) to the aligned model (1), instead of the latter.
        repair: Restore the statistics of the blend's activations on the data of the rule's task.
        factory: ``"package.module:function"`` that makes the module, where no config says it.
        force: Replace a checkpoint that is there.

    Raises:
        InputError: The options do not go together.
    """
    if repair and (blend is None or not rule.task):
        raise InputError("To restore statistics, name a point of the line (blend) and a task whose data show them.")
    args: dict[str, Any] = {"model": model, "to": to, "out": str(out), "rule": rule.to_plain()}
    extra = {"blend": blend, "repair": repair or None, "factory": factory or None, "force": force or None}
    args |= {key: value for key, value in extra.items() if value is not None}
    return bench.jobs.submit(JobSpec("align", f"Align {Path(model).name} to {Path(to).name}", args, bench.lanes("cpu")))


def align_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Align, blend and repair, as :func:`submit_align` says.

    Returns:
        ``{"out", "found": Alignment.facts, "repaired": [modules], "seconds", "summary"}``.
    """
    from solera.events import ArtifactMade

    began = time.perf_counter()
    model, to = (bench.inputs.open(args[key]) for key in ("model", "to"))
    alignment = Alignment(bench.inputs, model, to, Rule.from_plain(args["rule"]), args.get("factory", ""))
    view, out, blend = alignment.view(), Path(args["out"]), args.get("blend")
    view.settle(context)
    force = bool(args.get("force", False))
    repaired: list[str] = []
    if args.get("repair") and blend is not None:
        state, repaired = repaired_blend(alignment, view, float(blend))
        from solera.execution.writer import write_checkpoint

        write_checkpoint(state, out, config=to.config or None, force=force)
    else:
        _write(bench, view, to, args, context, force=force)
    context.emit(ArtifactMade(kind="checkpoint", path=str(out), title=out.name))
    if bench.project is not None:
        lineage = {"aligned": {key: args[key] for key in ("model", "to", "rule", "blend", "repair") if key in args}}
        bench.project.library.record_made(out, {**lineage, "created": time.time()})
    return {
        "out": str(out), "found": alignment.facts, "repaired": repaired, "seconds": time.perf_counter() - began,
        "summary": f"wrote {out}, {alignment.facts.get('moved', 0)} of {alignment.facts.get('units', 0)} units moved",
    }  # fmt: skip


def repaired_blend(alignment: Alignment, view: Checkpoint, blend: float) -> tuple[dict[str, Tensor], list[str]]:
    """A point of the line between aligned networks with its activations' statistics restored.

    Args:
        alignment: With a task.
        view: The aligned model.
        blend: 0 is what it is aligned to, 1 the aligned model.

    Returns:
        Tensors by name, in the dtypes of what it is aligned to, and the modules that were changed.

    Raises:
        MismatchError: The network has nothing to restore statistics with.
    """
    import torch

    from solera.alignment.repair import repair

    first, second = alignment.network(alignment.to), alignment.network(view)
    middle = alignment.network(alignment.to)
    middle.flat.copy_((1 - blend) * first.flat + blend * second.flat)
    changed = repair(middle.module, [first.module, second.module], [1 - blend, blend], alignment.run)
    state = middle.module.state_dict()
    dtypes = {name: ref.read(0, 0).dtype for name, ref in alignment.to.items()}
    made = {name: state[name].to(dtypes[name]) for name in alignment.to if name in state}
    for name, tensor in made.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"'{name}' is not finite after its statistics were restored.", tensor=name)
    return made, changed


def _write(
    bench: Bench, view: PermutedCheckpoint, to: Checkpoint, args: dict[str, Any], context: JobContext, *, force: bool
) -> None:
    """Stream the aligned model, or a point of the line, to disk as any merge."""
    from solera.execution.plan import plan
    from solera.execution.stream import execute

    rule = Rule.from_plain(args["rule"])
    aligned = AlignedNode(
        "aligned", args["model"], to="to", by=rule.by, task=rule.task, seed=rule.seed, tries=rule.tries, hold=rule.hold
    )
    recipe = Recipe((CheckpointNode("to", args["to"]), aligned), "aligned")
    if "blend" in args:
        share = float(args["blend"])
        terms = (Term("to", 1 - share), Term("aligned", share))
        recipe = replace(recipe, nodes=(*recipe.nodes, SumNode("blend", terms)), output="blend")
    planned = plan(recipe, {"to": to, "aligned": view}, bench.registry.methods, threads=context.threads)
    execute(planned, Path(args["out"]), context, force=force)
