"""The job kind ``zip``: several networks zipped to one, or to several that share their first layers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import InputError
from solera.jobs.spec import JobSpec

if TYPE_CHECKING:
    from solera.jobs.context import JobContext
    from solera.jobs.job import Job
    from solera.workbench.alignment import Alignment
    from solera.workbench.bench import Bench
    from solera.workbench.workbench import Workbench


def submit_zip(
    bench: Workbench, models: Sequence[str], out: Path, task: str, *, share: Sequence[str] = (), within: float = 0.125,
    again: float = 0.3, factory: str = "", force: bool = False,
) -> Job:  # fmt: skip
    """Queue zipping networks of one architecture (ZipIt).

    Args:
        bench: Where it runs.
        models: Paths or ``library:NAME``, two or more.
        out: The folder to make; of a partial zip it holds a folder for each model.
        task: Whose training data the networks see.
        share: Groups of units to zip, from the input on; empty is all.
        within: Budget of joints within each network.
        again: What is left of the correlation of a joined unit.
        factory: ``"package.module:function"`` that makes the module, where no config says it.
        force: Replace what is there.

    Raises:
        InputError: There are fewer than two models, or two would be written to one folder.
    """
    names = [Path(model.partition(":")[2] or model).name for model in models]
    if len(models) < 2:
        raise InputError(f"Two or more models can be zipped, not {len(models)}.", models=list(models))
    if share and len(set(names)) < len(names):
        raise InputError(f"Models of a partial zip are written by their names, which are not apart: {names}.")
    args: dict[str, Any] = {
        "models": list(models), "names": names, "out": str(out), "task": task, "share": list(share), "within": within,
        "again": again, "factory": factory, "force": force,
    }  # fmt: skip
    return bench.jobs.submit(JobSpec("zip", f"Zip {' and '.join(names)}", args, bench.lanes("cpu")))


def zip_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Align to the first, zip, calibrate batch normalisation, write; as :func:`submit_zip` says.

    Returns:
        ``{"out", "written": [paths], "groups": those that were zipped, "recalibrated": [modules], "seconds",
        "summary"}``.
    """
    from solera.alignment.repair import recalibrated
    from solera.alignment.rule import Rule
    from solera.alignment.zipping import zippable, zipped
    from solera.events import ArtifactMade
    from solera.execution.writer import write_checkpoint
    from solera.workbench.alignment import Alignment

    began = time.perf_counter()
    first, *others = (bench.inputs.open(source) for source in args["models"])
    rule = Rule("activations", args["task"])
    alignments = [Alignment(bench.inputs, model, first, rule, args["factory"]) for model in others]
    views = [alignment.view() for alignment in alignments]
    for view in views:
        view.settle(context)
    how, share = alignments[0], args["share"]
    modules = [how.network(model).module for model in (first, *views)]
    context.progress(0, None, "", "zipping units")
    states = zipped(
        how.symmetry, modules, how.run, share or None, within=args["within"], again=args["again"], check=context.check
    )
    out, written, done = Path(args["out"]), [], []
    for name, state in zip(args["names"], states, strict=False):
        network = how.network(first)
        network.module.load_state_dict(state)
        done = recalibrated(network.module, how.run)
        folder = out / name if share else out
        config = first.config or None
        write_checkpoint(_stored(how, network.module.state_dict()), folder, config=config, force=args["force"])
        context.emit(ArtifactMade(kind="checkpoint", path=str(folder), title=folder.name))
        if bench.project is not None:
            lineage = {"zipped": {key: args[key] for key in ("models", "task", "share", "within", "again")}}
            bench.project.library.record_made(folder, {**lineage, "created": time.time()})
        written.append(str(folder))
    groups = list(share) or zippable(how.symmetry)
    return {
        "out": str(out), "written": written, "groups": groups, "recalibrated": done,
        "seconds": time.perf_counter() - began, "summary": f"wrote {', '.join(written)}",
    }  # fmt: skip


def _stored(alignment: Alignment, state: dict[str, Any]) -> dict[str, Any]:
    """The tensors of the first model's names, in its dtypes."""
    dtypes = {name: ref.read(0, 0).dtype for name, ref in alignment.to.items()}
    return {name: state[name].to(dtypes[name]) for name in alignment.to if name in state}
