"""The job kind ``rescale``: a checkpoint whose units have a canonical scale."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.jobs.spec import JobSpec
from solera.seeds import Seed
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.jobs.context import JobContext
    from solera.jobs.job import Job
    from solera.workbench.workbench import Workbench


def submit_rescale(
    bench: Workbench, model: str, out: Path, form: str = "unit", *, factory: str = "", force: bool = False
) -> Job:
    """Queue bringing a checkpoint's units to a canonical scale.

    Args:
        bench: Where it runs.
        model: A path or ``library:NAME``.
        out: The folder to make.
        form: ``"unit"`` or ``"balanced"``; see :mod:`solera.alignment.rescaling`.
        factory: ``"package.module:function"`` that makes the module, where no config says it.
        force: Replace a checkpoint that is there.
    """
    args: dict[str, Any] = {"model": model, "out": str(out), "form": form}
    args |= {key: value for key, value in {"factory": factory, "force": force}.items() if value}
    return bench.jobs.submit(JobSpec("rescale", f"Rescale {Path(model).name}", args, bench.lanes("cpu")))


def rescale_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Rescale, as :func:`submit_rescale` says; the network is held in memory twice.

    Returns:
        ``{"out", "groups": [names], "still": {group: [units]}, "seconds", "summary"}``.
    """
    from solera.alignment.deriving import network_of, symmetry_of
    from solera.alignment.rescaling import rescaled
    from solera.alignment.verifying import example_batch
    from solera.events import ArtifactMade
    from solera.execution.writer import write_checkpoint
    from solera.tensors.dtypes import torch_dtype

    began = time.perf_counter()
    checkpoint = bench.inputs.open(args["model"])
    factory = args.get("factory", "") or bench.inputs.factory_of(args["model"])
    architectures = bench.registry.architectures
    symmetry = symmetry_of(checkpoint, architectures, factory)
    module = network_of(checkpoint, architectures, factory).module
    context.check()
    found = rescaled(module, symmetry, example_batch(module, Seed(0)), args["form"])
    names = {name: checkpoint.ties.get(name, name) for name in checkpoint}
    made = {name: found.tensors[own].to(torch_dtype(checkpoint[name].dtype)) for name, own in names.items()}
    out = Path(args["out"])
    write_checkpoint(made, out, config=checkpoint.config or None, force=bool(args.get("force", False)))
    context.emit(ArtifactMade(kind="checkpoint", path=str(out), title=out.name))
    return {
        "out": str(out), "groups": list(found.groups), "seconds": time.perf_counter() - began,
        "still": {name: list(units) for name, units in found.still.items() if units},
        "summary": f"wrote {out}, {len(found.groups)} groups of units rescaled",
    }  # fmt: skip
